"""What the dns tier refuses before any call, and how it reads AWS's own form of records."""

from __future__ import annotations

from typing import Any

import pytest
from dns_world import OPTIONS, ZONE, failover, weighted
from stack import Stack, refusal

from ansible_collections.webstack.aws.plugins.module_utils.resources.route53_records import (
    batches,
    conflicts,
    dns_name,
    key_of,
    normal,
    quoted,
)

A = {"name": "a.example.com", "type": "A", "values": ["192.0.2.1"]}
ALIAS = {"load_balancer": "alb"}
CHECK = {"name": "c", "fqdn": "a.example.com"}


def record(**change: Any) -> dict[str, Any]:
    return {"records": [{**A, **change}]}


def check(**change: Any) -> dict[str, Any]:
    return {"health_checks": [{**CHECK, **change}]}


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"zone_name": "nodots"}, "such as example.com"),
        ({"hosted_zone_id": "Z123"}, "leave zone_create false"),
        ({"zone_create": False, "hosted_zone_id": "/hostedzone/Z1"}, "Give the id alone"),
        ({"zone_create": False, "zone_comment": "x"}, "goes with zone_create"),
        ({"zone_create": False, "purge_records": True}, "every record of a zone that is not ours"),
        ({"default_ttl": -1}, "Give seconds"),
        (
            {"certificates": [{"domain_name": "*.other.org"}]},
            "A wildcard certificate is proven by a record in the zone",
        ),
        ({"certificates": [{"domain_name": "other.org"}]}, "this tier's zone is example.com"),
        ({"certificates": [{"domain_name": "a_b"}]}, "Give domain names"),
        ({"certificates": [{"domain_name": ZONE, "regions": ["mars"]}]}, "such as eu-west-1"),
        ({"certificates": [{"domain_name": ZONE}, {"domain_name": ZONE}]}, "listed twice"),
        ({"certificates": [{"domain_name": f"{'a' * 60}.example.com"}]}, "64 characters"),
        (record(name="a.other.org"), "within example.com"),
        (record(name="www"), "Write names in full"),
        (record(name="@", type="NS"), "belongs to AWS"),
        (record(name="@", type="CNAME", values=["b.example.org"]), "Use an alias"),
        (record(alias=ALIAS), "values or an alias, one of them"),
        (record(values=[]), "values or an alias, one of them"),
        ({"records": [{"name": "a.example.com", "values": ["x"]}]}, "Say of which type"),
        (record(values=["::1"]), "needs IPv4 addresses"),
        (record(values=["x"]), "needs IPv4 addresses"),
        (record(ttl=-1), "needs seconds"),
        (record(values=[], ttl=60, alias=ALIAS), "which has the TTL of its target"),
        (record(values=[], alias={"distribution": True, "load_balancer": "alb"}), "Give one of"),
        (record(values=[], alias={"dns_name": "x.example.org"}), "together with hosted_zone_id"),
        (record(values=[], alias={"distribution": True, "evaluate_target_health": True}), "health of a distribution"),
        (record(values=[], alias={"distribution": True, "region": "eu-west-1"}), "It goes with load_balancer"),
        (record(type="CNAME", values=["a.org", "b.org"]), "has one value"),
        (record(weight=1, region="eu-west-1", set_identifier="a"), "weighted and latency routing at once"),
        (record(weight=1), "name this one"),
        (record(weight=300, set_identifier="a"), "0 to 255"),
        (record(set_identifier="a"), "has no routing policy"),
        (record(region="mars"), "needs a region"),
        (record(continent_code="EU", country_code="DE"), "a continent or a country"),
        (record(country_code="de"), "two capitals"),
        (record(subdivision_code="CA"), "needs a country_code"),
        (record(values=[], alias=ALIAS, multivalue=True, set_identifier="a"), "cannot be multivalue"),
        (record(health_check="nothing"), "name of one of health_checks"),
        ({**check(), **record(health_check="c")}, "no other record to answer instead"),
        (record(failover="primary"), "would never fail over"),  # trap 175
        (
            record(values=[], alias={**ALIAS, "evaluate_target_health": False}, failover="primary"),
            "would never fail over",
        ),
        ({"records": [A, {**A}]}, "listed twice"),
        ({"records": [A, {**A, "weight": 1, "set_identifier": "a"}]}, "mix simple and weighted"),
        ({"records": [A, {**A, "type": "CNAME", "values": ["b.org"]}]}, "It is a CNAME"),
        (
            {
                "records": [
                    failover("primary", "us-east-1"),
                    {**failover("primary", "eu-west-1"), "set_identifier": "b"},
                ]
            },
            "have the same failover",
        ),
        (check(fqdn=None), "It needs an endpoint"),
        (check(load_balancer="alb"), "It needs an endpoint"),
        (check(ip_address="10.0.0.1"), "use CLOUDWATCH_METRIC"),  # trap 174
        (check(type="HTTP_STR_MATCH"), "goes with HTTP_STR_MATCH"),
        (check(type="TCP"), "it needs a port"),
        (check(path="x"), "begins with a slash"),
        (check(failure_threshold=11), "1 to 10"),
        (check(regions=["us-east-1"]), "at least three"),
        (check(regions=["eu-central-1"]), "Checkers are in"),
        (check(children=["c"]), "children go with CALCULATED"),
        (check(type="CALCULATED"), "give children, and no endpoint"),
        (check(type="CALCULATED", fqdn=None, children=["x"]), "health checks of this list"),
        (check(type="CLOUDWATCH_METRIC", fqdn=None), "follows an alarm"),
        ({"health_checks": [CHECK, {**CHECK}]}, "a name of its own"),
    ],
)
def test_bad_input_is_refused_before_any_call(stack: Stack, change: dict[str, Any], text: str) -> None:
    options = {"zone_name": ZONE, "zone_create": True, **change}
    assert text in refusal(lambda: stack.converge("dns", **options))
    assert stack.lab.calls() == []


def test_the_reference_options_are_accepted(stack: Stack) -> None:
    assert stack.converge("dns", check=True, **OPTIONS).plan


def test_names_of_aws_are_read_as_they_were_wished() -> None:
    """Trap 170: escaped, in lower case, with a dot, the target with the prefix of the console."""
    told = {
        "Name": "\\052.Example.com.",
        "Type": "A",
        "AliasTarget": {
            "HostedZoneId": "Z32O12XQLNTSW2",
            "DNSName": "dualstack.demo-alb-1234567890.eu-west-1.elb.amazonaws.com.",
            "EvaluateTargetHealth": True,
        },
    }
    target = {**told["AliasTarget"], "DNSName": "demo-ALB-1234567890.eu-west-1.elb.amazonaws.com"}  # type: ignore[dict-item]  # a dict
    wish = {"Name": "*.example.com", "Type": "A", "AliasTarget": target}
    assert key_of(told) == key_of(wish) and normal(told) == normal(wish)
    assert dns_name("a\\100b.example.com.") == "a@b.example.com"
    mail = {"Name": "example.com.", "Type": "MX", "TTL": 300}
    one = normal({**mail, "ResourceRecords": [{"Value": "10 Mail.example.org."}, {"Value": "20 b.example.org"}]})
    other = normal({**mail, "ResourceRecords": [{"Value": "20 b.example.org."}, {"Value": "10 mail.example.org"}]})
    assert one == other


def test_long_texts_are_split_and_quoted() -> None:
    assert quoted('say "hi"') == '"say \\"hi\\""'
    assert quoted('"as it is"') == '"as it is"'
    assert [len(part) for part in quoted("x" * 300).split(" ")] == [257, 47]


def of(name: str, amount: int = 1, **more: Any) -> dict[str, Any]:
    values = [{"Value": f"192.0.2.{number % 250}"} for number in range(amount)]
    return {"Name": f"{name}.example.com.", "Type": "A", "TTL": 60, "ResourceRecords": values, **more}


def test_batches_keep_to_what_aws_takes_and_to_one_name_together() -> None:
    changes = [("UPSERT", of(f"n{number}", 10)) for number in range(120)]  # 2400 of 1000 values
    found = batches(changes, "Z1")
    assert [len(batch) for batch in found] == [50, 50, 20]
    both = [("CREATE", of("a", SetIdentifier="x", Weight=1)), ("DELETE", of("a"))]
    assert [change["Action"] for change in batches(both, "Z1")[0]] == ["DELETE", "CREATE"]
    alias = {"Name": "aa.example.com.", "Type": "A", "AliasTarget": {"HostedZoneId": "Z1", "DNSName": "z.example.com"}}
    (batch,) = batches([("CREATE", alias), ("CREATE", of("z"))], "Z1")
    assert [change["ResourceRecordSet"]["Name"] for change in batch] == ["z.example.com.", "aa.example.com."]
    assert batches([], "Z1") == []


def test_what_cannot_stand_side_by_side_is_known() -> None:
    share = of("a", SetIdentifier="x", Weight=1)
    assert conflicts(of("a"), [share])
    assert not conflicts(of("a", SetIdentifier="y", Weight=0), [share])
    assert conflicts({**of("a"), "Type": "CNAME"}, [share])
    assert not conflicts({**of("a"), "Type": "TXT"}, [share])
    assert not conflicts(of("b"), [share])
    assert weighted("x", 1, "192.0.2.1")["weight"] == 1
