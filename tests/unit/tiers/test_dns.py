"""The dns tier against the lab: every type through its life, every kind of drift, and what was sent to AWS."""

from __future__ import annotations

import pytest
from dns_world import BYO, OPTIONS, REGIONS, WWW, ZONE, Found, balancers, failover, latency, weighted
from stack import Stack, cycle, quiet, refusal


@pytest.fixture
def found(stack: Stack) -> Found:
    balancers(stack)
    return Found(stack)


def test_the_life_of_every_type(stack: Stack, found: Found) -> None:
    zone, sets, check = "HostedZone[example.com]", "RecordSets[example.com]", "HealthCheck[demo-eu-west-1]"
    route53 = found.route53

    def drift_of_zone() -> None:
        route53.change_tags_for_resource(ResourceType="hostedzone", ResourceId=found.zone(), RemoveTagKeys=["Name"])
        route53.update_hosted_zone_comment(Id=found.zone(), Comment="theirs")

    def drift_of_check() -> None:
        one = found.check("demo-eu-west-1")["Id"]
        route53.update_health_check(HealthCheckId=one, FailureThreshold=9, ResourcePath="/x", Inverted=True, Port=8443)
        route53.change_tags_for_resource(ResourceType="healthcheck", ResourceId=one, RemoveTagKeys=["Name"])

    def drift_of_records() -> None:
        found.change("DELETE", found.records()["canary.example.com.", "A", "canary"])
        found.change("UPSERT", {**found.records()["example.com.", "TXT", ""], "TTL": 5})
        found.change("DELETE", found.records()[WWW + ".", "AAAA", "eu-west-1"])
        text = {"Name": "foreign.example.com", "Type": "TXT", "TTL": 5, "ResourceRecords": [{"Value": '"x"'}]}
        found.change("CREATE", text)  # in a zone of ours, nobody else writes

    def drift_of_certificate() -> None:
        tags = [{"Key": "Name"}, {"Key": "theirs", "Value": "x"}]
        found.acm().remove_tags_from_certificate(CertificateArn=found.certificate(), Tags=tags[:1])
        found.acm().add_tags_to_certificate(CertificateArn=found.certificate(), Tags=tags[1:])

    def lose_zone() -> None:
        for key, record in found.records().items():
            if key[1] not in ("NS", "SOA"):
                found.change("DELETE", record)
        route53.delete_hosted_zone(Id=found.zone())

    cycle(
        stack,
        "dns",
        OPTIONS,
        drifts=[
            (zone, drift_of_zone, {"tags", "comment"}),
            (check, drift_of_check, {"failure_threshold", "resource_path", "inverted", "port", "tags"}),
            (sets, drift_of_records, {"records"}),
            ("Certificate[example.com]", drift_of_certificate, {"tags"}),
        ],
        vanishings=[(lose_zone, {zone, sets})],
    )
    assert route53.list_hosted_zones()["HostedZones"] == []
    assert route53.list_health_checks()["HealthChecks"] == []
    assert all(not found.acm(region).list_certificates()["CertificateSummaryList"] for region in REGIONS)


def test_a_health_check_and_a_certificate_that_vanish_are_made_again_and_the_records_follow(
    stack: Stack, found: Found
) -> None:
    stack.converge("dns", **OPTIONS)
    found.route53.delete_health_check(HealthCheckId=found.check("demo-eu-west-1")["Id"])
    result = stack.converge("dns", **OPTIONS)
    assert result.plan == {
        ("create", "HealthCheck[demo-eu-west-1]"),
        ("update", "HealthCheck[demo-any]"),
        ("update", "RecordSets[example.com]"),
    }
    quiet(stack, "dns", OPTIONS)
    found.acm().delete_certificate(CertificateArn=found.certificate())
    again = stack.converge("dns", **OPTIONS)
    assert ("create", "Certificate[example.com]") in again.plan and not again.sent("ChangeResourceRecordSets")
    quiet(stack, "dns", OPTIONS)


def test_a_quiet_run_costs_at_most_its_budget(stack: Stack, found: Found) -> None:
    stack.converge("dns", **OPTIONS)
    found.route53.create_health_check(
        CallerReference="theirs", HealthCheckConfig={"Type": "HTTP", "FullyQualifiedDomainName": "other.example.org"}
    )
    reads = [call["operation"] for call in quiet(stack, "dns", OPTIONS).reads]
    assert len(reads) <= 12, sorted(reads)


def test_a_preview_of_an_empty_account_knows_the_whole_zone(stack: Stack) -> None:
    preview = stack.converge("dns", check=True, **OPTIONS)
    assert {verb for verb, _address in preview.plan} == {"create"}
    (records,) = [one["after"]["records"] for one in preview.diff if "RecordSets" in one["after_header"]]
    assert records["canary.example.com A stable"]["values"] == ["192.0.2.1"]
    assert records[f"{WWW} A eu-west-1"]["alias"]["dns_name"] == "(known after apply)"
    assert preview.assumed == ["LoadBalancer[demo-alb]", "LoadBalancer[demo-alb]"]


def test_what_is_sent(stack: Stack, found: Found) -> None:
    result = stack.converge("dns", **OPTIONS)
    (batch,) = result.sent("ChangeResourceRecordSets")  # everything at once, or nothing
    sent = [change["ResourceRecordSet"] for change in batch["ChangeBatch"]["Changes"]]
    proofs = [one for one in sent if one["Name"].startswith("_")]
    assert len(proofs) == 1  # trap 178: name, wildcard and both regions share it
    www = next(
        one for one in sent if one["Name"] == f"{WWW}." and one["Type"] == "AAAA" and one["Region"] == "eu-west-1"
    )
    assert www["SetIdentifier"] == "eu-west-1"
    assert www["AliasTarget"]["HostedZoneId"] == "Z32O12XQLNTSW2"
    assert www["AliasTarget"]["EvaluateTargetHealth"] is True
    assert www["HealthCheckId"] == found.check("demo-eu-west-1")["Id"]
    primary = next(one for one in sent if one.get("Failover") == "PRIMARY")
    assert primary["SetIdentifier"] == "primary"
    checks = {one["HealthCheckConfig"].get("FullyQualifiedDomainName"): one for one in result.sent("CreateHealthCheck")}
    balancer = stack.lab.client("elbv2", "eu-west-1").describe_load_balancers()["LoadBalancers"][0]["DNSName"]
    assert checks[balancer]["HealthCheckConfig"]["Port"] == 443
    assert all(len(one["CallerReference"]) <= 64 for one in checks.values())
    requests = result.sent("RequestCertificate")
    assert all(
        one["ValidationMethod"] == "DNS" and one["SubjectAlternativeNames"] == ["*.example.com"] for one in requests
    )
    assert {"Key": "webstack:name", "Value": ZONE} in requests[0]["Tags"]  # trap 3
    assert all(len(one.get("AddTags", [])) <= 10 for one in result.sent("ChangeTagsForResource"))


def test_certificates_are_issued_because_their_records_are_written(stack: Stack, found: Found) -> None:
    result = stack.converge("dns", **OPTIONS)
    states = {row["region"]: row["state"] for row in result.resources if row["address"].startswith("Certificate")}
    assert states == {"us-east-1": "ISSUED", "eu-west-1": "ISSUED"}
    (row,) = [row for row in result.resources if row["address"] == "RecordSets[example.com]"]
    assert len(row["endpoint"].split()) == 4  # the name servers that the registrar must be told


def test_without_waiting_a_certificate_is_pending_and_nothing_is_stuck(stack: Stack, found: Found) -> None:
    from webstack_lab.services.passing import Pace

    before, Pace.scale = Pace.scale, 0.1
    try:
        result = stack.converge("dns", wait=False, foundation_only=True, **OPTIONS)
    finally:
        Pace.scale = before
    assert set(result.report.pending) >= {"Certificate[example.com]"}
    assert any(key[0].startswith("_") for key in found.records())


def test_the_foundation_touches_neither_records_nor_health_checks(stack: Stack, found: Found) -> None:
    foundation = {**OPTIONS, "foundation_only": True}
    first = stack.converge("dns", **foundation)
    assert {address.split("[")[0] for _verb, address in first.plan} == {"HostedZone", "Certificate", "RecordSets"}
    stack.converge("dns", **OPTIONS)
    count = len(found.records())
    result = quiet(stack, "dns", foundation)
    assert not result.sent("ListHealthChecks")
    assert len(found.records()) == count
    quiet(stack, "dns", OPTIONS)


def test_removing_the_first_record_touches_only_that(stack: Stack, found: Found) -> None:
    stack.converge("dns", **OPTIONS)
    result = stack.converge("dns", **{**OPTIONS, "records": OPTIONS["records"][1:]})
    (batch,) = result.sent("ChangeResourceRecordSets")
    changes = batch["ChangeBatch"]["Changes"]
    assert sorted(
        (one["Action"], one["ResourceRecordSet"]["Name"], one["ResourceRecordSet"]["Type"]) for one in changes
    ) == [
        ("DELETE", "example.com.", "A"),
        ("DELETE", "example.com.", "AAAA"),
    ]


def test_a_routing_policy_changes_in_one_batch(stack: Stack, found: Found) -> None:
    """Trap 171: simple and weighted records of one name cannot stand side by side, not even for a moment."""
    found.make_zone()
    simple = {**BYO, "records": [{"name": "canary.example.com", "type": "A", "values": ["192.0.2.9"]}]}
    stack.converge("dns", **simple)
    result = stack.converge("dns", **BYO)
    (batch,) = result.sent("ChangeResourceRecordSets")
    assert [
        (one["Action"], one["ResourceRecordSet"].get("SetIdentifier")) for one in batch["ChangeBatch"]["Changes"]
    ] == [
        ("DELETE", None),
        ("CREATE", "stable"),
    ]
    quiet(stack, "dns", BYO)
    back = {**BYO, "records": [{"name": "canary.example.com", "type": "CNAME", "values": ["x.example.org"]}]}
    stack.converge("dns", **back)
    quiet(stack, "dns", back)


def test_in_a_zone_of_somebody_else_only_our_records_are_ours(stack: Stack, found: Found) -> None:
    found.make_zone()
    theirs = {"Name": "theirs.example.com", "Type": "A", "TTL": 5, "ResourceRecords": [{"Value": "192.0.2.7"}]}
    share = {**theirs, "Name": "canary.example.com", "SetIdentifier": "theirs", "Weight": 1}
    found.change("CREATE", theirs)
    found.change("CREATE", share)
    result = stack.converge("dns", **BYO)
    assert result.plan == {("create", "RecordSets[example.com]")}
    quiet(stack, "dns", BYO)
    stack.remove("dns", **BYO)
    assert {key for key in found.records() if key[1] == "A"} == {
        ("theirs.example.com.", "A", ""),
        ("canary.example.com.", "A", "theirs"),
    }
    purge = {**BYO, "purge_records": True}
    stack.converge("dns", **purge)
    assert {key for key in found.records() if key[1] == "A"} == {("canary.example.com.", "A", "stable")}
    assert {key[1] for key in found.records()} == {"A", "NS", "SOA"}
    quiet(stack, "dns", purge)


def test_a_zone_is_kept_unless_its_protection_is_lifted(stack: Stack, found: Found) -> None:
    """Trap 177: a new zone would have other name servers."""
    options = {"zone_name": ZONE, "zone_create": True}
    stack.converge("dns", **options)
    assert "delegation would be broken" in refusal(lambda: stack.remove("dns", lift=False, **options))
    renamed = {"zone_name": "example.org", "zone_create": True}
    assert "HostedZone[example.com]" in refusal(lambda: stack.converge("dns", **renamed))
    result = stack.remove("dns", **options)
    assert any("delegation at the registrar" in text for text in result.report.left)


def test_two_zones_of_one_name_must_be_told_apart(stack: Stack, found: Found) -> None:
    first, second = found.make_zone(), found.make_zone(reference="theirs too")
    text = refusal(lambda: stack.converge("dns", **BYO))
    assert "several public zones have this name" in text and first in text and second in text
    own = {**BYO, "hosted_zone_id": second}
    stack.converge("dns", **own)
    quiet(stack, "dns", own)


def test_a_missing_zone_says_what_to_do(stack: Stack) -> None:
    assert "Set dns_zone_create to true" in refusal(lambda: stack.converge("dns", **BYO))


def test_a_zone_that_is_there_already_is_not_made_twice(stack: Stack, found: Found) -> None:
    found.make_zone()
    assert "not ours to change" in refusal(lambda: stack.converge("dns", zone_name=ZONE, zone_create=True))


def test_a_run_that_died_before_it_could_tag_goes_on(stack: Stack, found: Found) -> None:
    """Route 53 takes no tags in the creating call: what carries our caller reference is ours without them."""
    stack.converge("dns", **OPTIONS)
    keys = ["Name", "webstack:stack", "webstack:tier", "webstack:name"]
    route53, zone, check = found.route53, found.zone(), found.check("demo-eu-west-1")["Id"]
    route53.change_tags_for_resource(ResourceType="hostedzone", ResourceId=zone, RemoveTagKeys=keys)
    route53.change_tags_for_resource(ResourceType="healthcheck", ResourceId=check, RemoveTagKeys=keys)
    result = stack.converge("dns", **OPTIONS)
    assert result.changes == {"HostedZone[example.com]": {"tags"}, "HealthCheck[demo-eu-west-1]": {"tags"}}
    quiet(stack, "dns", OPTIONS)


def test_other_names_on_a_certificate_mean_another_certificate_beside_the_old_one(stack: Stack, found: Found) -> None:
    """The old one goes when nothing uses it any more (trap 178); equal ones are found again (trap 179)."""
    options = {"zone_name": ZONE, "zone_create": True, "certificates": [{"domain_name": ZONE}]}
    stack.converge("dns", **options)
    old = found.certificate()
    listener = listen(stack, old)
    more = {**options, "certificates": [{"domain_name": ZONE, "subject_alternative_names": [WWW]}]}
    result = stack.converge("dns", **more)
    assert ("create", "Certificate[example.com]") in result.plan and len(
        found.acm().list_certificates()["CertificateSummaryList"]
    ) == 2
    quiet(stack, "dns", more)  # the old one is in use: not deleted
    stack.lab.client("elbv2").delete_listener(ListenerArn=listener)
    result = stack.converge("dns", **more)
    assert {verb for verb, _address in result.plan} == {"delete"}
    assert [one["CertificateArn"] for one in found.acm().list_certificates()["CertificateSummaryList"]] != [old]
    quiet(stack, "dns", more)


def listen(stack: Stack, certificate: str) -> str:
    elb = stack.lab.client("elbv2")
    fixed = [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "200"}}]
    balancer = elb.describe_load_balancers()["LoadBalancers"][0]["LoadBalancerArn"]
    answer = elb.create_listener(
        LoadBalancerArn=balancer,
        Protocol="HTTPS",
        Port=443,
        Certificates=[{"CertificateArn": certificate}],
        DefaultActions=fixed,
    )
    arn: str = answer["Listeners"][0]["ListenerArn"]
    return arn


def test_a_certificate_of_another_stack_is_not_taken_over(stack: Stack, found: Found) -> None:
    found.acm().request_certificate(DomainName=ZONE, ValidationMethod="DNS")
    options = {"zone_name": ZONE, "zone_create": True, "certificates": [{"domain_name": ZONE}]}
    assert ("create", "Certificate[example.com]") in stack.converge("dns", **options).plan
    quiet(stack, "dns", options)


def test_every_kind_of_health_check(stack: Stack, found: Found) -> None:
    checks = [
        {"name": "plain", "type": "HTTP", "fqdn": "WWW.example.com", "request_interval": 10, "inverted": True},
        {"name": "text", "type": "HTTPS_STR_MATCH", "fqdn": WWW, "search_string": "ok", "measure_latency": True},
        {"name": "port", "type": "TCP", "ip_address": "8.8.8.8", "port": 5432},
        {"name": "some", "fqdn": WWW, "regions": ["us-east-1", "eu-west-1", "us-west-2"]},
        {"name": "alarm", "type": "CLOUDWATCH_METRIC", "alarm_name": "demo-errors", "alarm_region": "eu-west-1"},
    ]
    options = {"zone_name": ZONE, "zone_create": True, "health_checks": checks}
    result = stack.converge("dns", **options)
    sent = {one["HealthCheckConfig"]["Type"]: one["HealthCheckConfig"] for one in result.sent("CreateHealthCheck")}
    assert sent["CLOUDWATCH_METRIC"]["AlarmIdentifier"] == {"Name": "demo-errors", "Region": "eu-west-1"}
    assert "RequestInterval" not in sent["CLOUDWATCH_METRIC"] and "ResourcePath" not in sent["TCP"]
    assert sent["HTTPS_STR_MATCH"]["EnableSNI"] is True and sent["HTTP"]["EnableSNI"] is False
    quiet(stack, "dns", options)
    changed = [{**checks[0], "request_interval": 30}, *checks[1:]]
    assert "make one under another name" in refusal(
        lambda: stack.converge("dns", **{**options, "health_checks": changed})
    )
    fewer = {**options, "health_checks": checks[1:]}
    assert stack.converge("dns", **fewer).plan == {("delete", "HealthCheck[demo-plain]")}


def test_every_routing_policy(stack: Stack, found: Found) -> None:
    name = {"name": "geo.example.com", "type": "A"}
    records = [
        {**name, "values": ["192.0.2.1"], "continent_code": "EU"},
        {**name, "values": ["192.0.2.2"], "country_code": "US", "subdivision_code": "CA"},
        {**name, "values": ["192.0.2.3"], "country_code": "*"},
        {"name": "many.example.com", "type": "A", "values": ["192.0.2.4"], "multivalue": True, "set_identifier": "a"},
        {"name": "cf.example.com", "alias": {"dns_name": "D111.cloudfront.net", "hosted_zone_id": "Z2FDTNDATAQYW2"}},
        {"name": "mail.example.com", "type": "MX", "values": ["10 Mail.example.org."]},
        {"name": "text.example.com", "type": "TXT", "values": ["x" * 300, 'say "hi"']},
        latency("eu-west-1"),
        failover("primary", "us-east-1"),
        weighted("only", 0, "192.0.2.5"),
    ]
    checks = [{"name": "eu-west-1", "fqdn": WWW}]
    options = {"zone_name": ZONE, "zone_create": True, "records": records, "health_checks": checks}
    result = stack.converge("dns", **options)
    sent = [
        change["ResourceRecordSet"] for change in result.sent("ChangeResourceRecordSets")[0]["ChangeBatch"]["Changes"]
    ]
    places = {one["SetIdentifier"]: one["GeoLocation"] for one in sent if "GeoLocation" in one}
    assert places["US-CA"] == {"CountryCode": "US", "SubdivisionCode": "CA"} and places["*"] == {"CountryCode": "*"}
    assert next(one for one in sent if one["Name"] == "cf.example.com.")["AliasTarget"]["EvaluateTargetHealth"] is False
    quiet(stack, "dns", options)


def test_the_distribution_is_an_alias_target_of_its_own_kind(stack: Stack, found: Found) -> None:
    record = {"name": WWW, "alias": {"distribution": True}}
    options = {"zone_name": ZONE, "zone_create": True, "records": [record]}
    preview = stack.converge("dns", check=True, **options)
    assert preview.assumed == ["Distribution[demo]"]
    (records,) = [one["after"]["records"] for one in preview.diff if "RecordSets" in one["after_header"]]
    assert records[f"{WWW} AAAA"]["alias"] == {
        "dns_name": "(known after apply)",
        "hosted_zone_id": "Z2FDTNDATAQYW2",
        "evaluate_target_health": False,
    }
    assert "Run the cdn tier first" in refusal(lambda: stack.converge("dns", **options))
