"""Listeners of the lb tier: weights, rules, certificates."""

from __future__ import annotations

from typing import Any

import pytest
from lb_world import DOMAIN, QUICK, SECURE, Found, bundle, certificate, foundation, rule
from stack import Stack, quiet, refusal

from ansible_collections.webstack.aws.plugins.module_utils.engine.resource import Unknown
from ansible_collections.webstack.aws.plugins.module_utils.resources.elbv2_rules import (
    condition,
    forward,
    normal_actions,
    normal_conditions,
)


@pytest.fixture
def made(stack: Stack) -> dict[str, Any]:
    return foundation(stack)


@pytest.fixture
def found(stack: Stack) -> Found:
    return Found(stack)


def test_traffic_weights_stay_as_whoever_shifts_traffic_left_them(
    stack: Stack, made: dict[str, Any], found: Found
) -> None:
    options = {**QUICK, "additional_target_groups": ["green"]}
    stack.converge("lb", **options)
    web, green = found.group(), found.group("demo-green")
    shares = [{"TargetGroupArn": web, "Weight": 0}, {"TargetGroupArn": green, "Weight": 100}]
    shifted = [{"Type": "forward", "ForwardConfig": {"TargetGroups": shares}}]
    found.elb.modify_listener(ListenerArn=found.listener(80)["ListenerArn"], DefaultActions=shifted)
    quiet(stack, "lb", options)
    three = {**options, "additional_target_groups": ["green", "canary"]}
    sent = stack.converge("lb", **three).sent("ModifyListener")[0]["DefaultActions"][0]["ForwardConfig"]["TargetGroups"]
    assert {one["TargetGroupArn"]: one["Weight"] for one in sent} == {web: 0, green: 100, found.group("demo-canary"): 0}
    forced = stack.converge("lb", **options, force_weights=True)
    assert forced.changes["Listener[demo-alb:80]"] == {"action"}
    groups = found.listener(80)["DefaultActions"][0]["ForwardConfig"]["TargetGroups"]
    assert {one["TargetGroupArn"]: one["Weight"] for one in groups} == {web: 100, green: 0}
    quiet(stack, "lb", {**options, "force_weights": True})


def test_the_last_group_gets_the_traffic_when_the_shifted_one_goes(
    stack: Stack, made: dict[str, Any], found: Found
) -> None:
    options = {**QUICK, "additional_target_groups": ["green", "canary"]}
    stack.converge("lb", **options)
    names = {"demo-web": 0, "demo-green": 100, "demo-canary": 0}
    shares = [{"TargetGroupArn": found.group(name), "Weight": weight} for name, weight in names.items()]
    shifted = [{"Type": "forward", "ForwardConfig": {"TargetGroups": shares}}]
    found.elb.modify_listener(ListenerArn=found.listener(80)["ListenerArn"], DefaultActions=shifted)
    stack.converge("lb", **{**options, "additional_target_groups": ["canary"]})
    groups = found.listener(80)["DefaultActions"][0]["ForwardConfig"]["TargetGroups"]
    assert {one["TargetGroupArn"]: one["Weight"] for one in groups} == {
        found.group(): 100,
        found.group("demo-canary"): 0,
    }
    assert "demo-green" not in {one["TargetGroupName"] for one in found.elb.describe_target_groups()["TargetGroups"]}


def test_rules_change_places_in_one_call(stack: Stack, made: dict[str, Any], found: Found) -> None:
    """Trap 61: one by one, the priorities would collide."""
    first = [rule("one", 1, "/1"), rule("two", 2, "/2"), rule("old", 3, "/old")]
    stack.converge("lb", **{**QUICK, "rules": first})
    arns = {priority: one["RuleArn"] for priority, one in found.rules(80).items()}
    second = [rule("new", 3, "/new"), rule("two", 1, "/2"), rule("one", 2, "/1")]
    result = stack.converge("lb", **{**QUICK, "rules": second})
    (moves,) = result.sent("SetRulePriorities")
    assert {one["RuleArn"]: one["Priority"] for one in moves["RulePriorities"]} == {
        arns[1]: 2,
        arns[2]: 1,
        arns[3]: 50000,
    }
    order = [call["operation"] for call in result.writes]
    assert order == ["SetRulePriorities", "CreateRule", "DeleteRule"]
    assert {number: one["Conditions"][0]["Values"] for number, one in found.rules(80).items()} == {
        1: ["/2"],
        2: ["/1"],
        3: ["/new"],
    }
    quiet(stack, "lb", {**QUICK, "rules": second})


def test_removing_the_first_rule_touches_only_that(stack: Stack, made: dict[str, Any]) -> None:
    stack.converge("lb", **{**QUICK, "rules": [rule("one", 1, "/1"), rule("two", 2, "/2")]})
    result = stack.converge("lb", **{**QUICK, "rules": [rule("two", 2, "/2")]})
    assert [call["operation"] for call in result.writes] == ["DeleteRule"]


def test_rules_of_others_stay_and_keep_their_priority(stack: Stack, made: dict[str, Any], found: Found) -> None:
    stack.converge("lb", **QUICK)
    found.elb.create_rule(
        ListenerArn=found.listener(80)["ListenerArn"],
        Priority=20,
        Conditions=[{"Field": "path-pattern", "Values": ["/theirs"]}],
        Actions=[{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}],
    )
    quiet(stack, "lb", QUICK)
    clash = {**QUICK, "rules": [*QUICK["rules"], rule("mine", 20, "/mine")]}
    assert "priority 20 is taken by a rule without our tags" in refusal(lambda: stack.converge("lb", **clash))


def test_every_condition_comes_back_as_it_was_wished(stack: Stack, made: dict[str, Any]) -> None:
    every = [
        {"name": "a", "priority": 1, "hosts": ["API.example.com"], "methods": ["GET"], "source_ips": ["192.0.2.0/24"]},
        {"name": "b", "priority": 2, "query_strings": ["debug=1", "trace"], "paths": ["/a", "/b"]},
        {"name": "c", "priority": 3, "path_patterns": ["^/v[0-9]+/"], "host_patterns": ["^a[.]b$"]},
        {"name": "d", "priority": 4, "headers": {"X-Two": ["1", "2"]}, "target_group": "web"},
        {
            "name": "e",
            "priority": 5,
            "paths": ["/old"],
            "action": "redirect",
            "redirect_url": "https://#{host}/new?#{query}",
            "status_code": 302,
        },
    ]
    options = {**QUICK, "rules": every}
    result = stack.converge("lb", **options)
    sent = {one["Priority"]: one for one in result.sent("CreateRule")}
    assert sent[2]["Conditions"][1]["QueryStringConfig"]["Values"] == [
        {"Key": "debug", "Value": "1"},
        {"Value": "trace"},
    ]
    assert sent[3]["Conditions"][0] == {"Field": "host-header", "HostHeaderConfig": {"RegexValues": ["^a[.]b$"]}}
    assert sent[5]["Actions"][0]["RedirectConfig"] == {
        "Protocol": "HTTPS",
        "Host": "#{host}",
        "Port": "443",
        "Path": "/new",
        "Query": "#{query}",
        "StatusCode": "HTTP_302",
    }
    quiet(stack, "lb", options)


def test_without_a_certificate_http_forwards_and_turns_into_a_redirect_later(
    stack: Stack, made: dict[str, Any], found: Found
) -> None:
    plain = QUICK
    stack.converge("lb", **plain)
    assert found.listener(80)["DefaultActions"][0]["Type"] == "forward" and 10 in found.rules(80)
    quiet(stack, "lb", plain)
    secure = SECURE
    result = stack.converge("lb", **secure)
    assert result.plan == {("create", "Listener[demo-alb:443]"), ("update", "Listener[demo-alb:80]")}
    assert found.listener(80)["DefaultActions"][0]["Type"] == "redirect"
    assert found.rules(80) == {} and 10 in found.rules(443)
    quiet(stack, "lb", secure)
    back = stack.converge("lb", **plain)
    assert ("delete", "Listener[demo-alb:443]") in back.plan
    quiet(stack, "lb", plain)


def test_an_http_listener_on_the_port_of_https_becomes_one(stack: Stack, made: dict[str, Any], found: Found) -> None:
    stack.converge("lb", **{**SECURE, "certificate_domain": None, "http_port": 443})
    result = stack.converge("lb", **SECURE)
    (sent,) = result.sent("ModifyListener")
    assert sent["Protocol"] == "HTTPS" and sent["Certificates"] and sent["SslPolicy"]
    quiet(stack, "lb", SECURE)


def test_more_certificates_beside_the_default_one(stack: Stack, made: dict[str, Any], found: Found) -> None:
    """Trap 70: the default certificate is listed with the others, and must not be taken for one of them."""
    extra, foreign = certificate(stack, "shop.example.org"), certificate(stack, "blog.example.org")
    stack.converge("lb", **SECURE)
    listener = found.listener()["ListenerArn"]
    found.elb.add_listener_certificates(ListenerArn=listener, Certificates=[{"CertificateArn": foreign}])
    quiet(stack, "lb", SECURE)  # not asked for: left alone
    options = {**SECURE, "additional_certificate_arns": [extra]}
    result = stack.converge("lb", **options)
    assert result.changes == {"Listener[demo-alb:443]": {"extra_certificates"}}
    assert result.sent("AddListenerCertificates")[0]["Certificates"] == [{"CertificateArn": extra}]
    assert result.sent("RemoveListenerCertificates")[0]["Certificates"] == [{"CertificateArn": foreign}]
    quiet(stack, "lb", options)


def test_the_newest_issued_certificate_of_a_domain_is_taken(stack: Stack, made: dict[str, Any], found: Found) -> None:
    pending = stack.lab.client("acm").request_certificate(DomainName=DOMAIN, ValidationMethod="DNS")["CertificateArn"]
    stack.converge("lb", **SECURE)
    assert found.listener()["Certificates"][0]["CertificateArn"] == made["certificate"]
    bundle(pending).status = "ISSUED"
    bundle(pending).created_at = bundle(made["certificate"]).created_at.replace(year=2100)
    assert stack.converge("lb", **SECURE).changes == {"Listener[demo-alb:443]": {"certificate"}}


def test_a_pending_certificate_is_not_waited_for_on_request(stack: Stack, made: dict[str, Any]) -> None:
    bundle(made["certificate"]).status = "PENDING_VALIDATION"
    result = stack.converge("lb", wait=False, **SECURE)
    assert f"Certificate[{DOMAIN}]" in result.report.pending and "Listener[demo-alb:443]" in result.report.pending
    bundle(made["certificate"]).status = "ISSUED"
    result = stack.converge("lb", **SECURE)
    assert result.plan == {("create", "Listener[demo-alb:443]")}
    quiet(stack, "lb", SECURE)


def test_answers_of_aws_are_read_as_they_were_wished() -> None:
    """Answers in AWS's own form: a weight of its own, both spellings of a condition, an order of its own."""
    group = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/demo-web/73e2d6bc24d8a067"
    answer = [
        {
            "Type": "forward",
            "TargetGroupArn": group,
            "Order": 1,
            "ForwardConfig": {
                "TargetGroups": [{"TargetGroupArn": group, "Weight": 1}],
                "TargetGroupStickinessConfig": {"Enabled": False},
            },
        }
    ]
    wish = [forward([(group, 100)], {}, None, force=False)]
    assert normal_actions(answer, weights=False) == normal_actions(wish, weights=False)
    assert normal_actions(answer, weights=True) == normal_actions(wish, weights=True)
    values = {"Values": ["b.example.com", "A.example.com"]}
    told = [{"Field": "host-header", **values, "HostHeaderConfig": values}]
    assert normal_conditions(told) == normal_conditions([condition("host-header", ["a.example.com", "B.example.com"])])
    old = [{"Field": "path-pattern", "Values": ["/img/*"]}]
    assert normal_conditions(old) == normal_conditions([condition("path-pattern", ["/img/*"])])


def test_targets_that_are_not_known_yet_are_compared_without_being_known() -> None:
    one, other = Unknown("TargetGroup[a].id"), Unknown("TargetGroup[b].id")
    wish = forward([(one, 100), (other, 0)], {}, None, force=False)
    assert normal_actions([wish], weights=False) == [{"type": "forward", "target_groups": {one, other}}]
