"""The lab's zones, health checks and certificates: what AWS refuses, and what becomes of what by itself."""

import time

import pytest
from botocore.exceptions import ClientError

from webstack_lab.services.passing import Pace

A = {"Name": "a.example.com", "Type": "A", "TTL": 60, "ResourceRecords": [{"Value": "192.0.2.1"}]}


def code(call, **arguments):
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return caught.value.response["Error"]["Code"]


@pytest.fixture
def zone(lab):
    made = lab.client("route53").create_hosted_zone(Name="example.com", CallerReference="one")
    return made["HostedZone"]["Id"]


def change(lab, zone, *changes):
    batch = {"Changes": [{"Action": action, "ResourceRecordSet": record} for action, record in changes]}
    return lab.client("route53").change_resource_record_sets(HostedZoneId=zone, ChangeBatch=batch)["ChangeInfo"]


def refused(lab, zone, *changes):
    batch = {"Changes": [{"Action": action, "ResourceRecordSet": record} for action, record in changes]}
    return code(lab.client("route53").change_resource_record_sets, HostedZoneId=zone, ChangeBatch=batch)


def names(lab, zone):
    pages = lab.client("route53").get_paginator("list_resource_record_sets").paginate(HostedZoneId=zone)
    found = [record["Name"] for page in pages for record in page["ResourceRecordSets"]]
    return [name for name in found if name != "example.com."]


def test_references_are_used_once(lab, zone):
    route53 = lab.client("route53")
    assert code(route53.create_hosted_zone, Name="example.org", CallerReference="one") == "HostedZoneAlreadyExists"
    config = {"Type": "HTTP", "FullyQualifiedDomainName": "a.example.com"}
    check = route53.create_health_check(CallerReference="x", HealthCheckConfig=config)["HealthCheck"]
    again = route53.create_health_check(CallerReference="x", HealthCheckConfig=config)["HealthCheck"]
    assert again["Id"] == check["Id"]
    route53.delete_health_check(HealthCheckId=check["Id"])
    refused = code(route53.create_health_check, CallerReference="x", HealthCheckConfig=config)
    assert refused == "HealthCheckAlreadyExists"


def test_a_batch_happens_as_a_whole_or_not_at_all(lab, zone):
    """ "either all changes in the request succeed, or none of them do" """
    missing = {**A, "Name": "b.example.com"}
    assert refused(lab, zone, ("CREATE", A), ("DELETE", missing)) == "InvalidChangeBatch"
    assert names(lab, zone) == []
    change(lab, zone, ("CREATE", A))
    assert refused(lab, zone, ("CREATE", A)) == "InvalidChangeBatch"
    assert refused(lab, zone, ("DELETE", {**A, "TTL": 61})) == "InvalidChangeBatch"
    change(lab, zone, ("DELETE", A))


def test_routing_policies_do_not_mix_but_change_in_one_batch(lab, zone):
    weighted = {**A, "SetIdentifier": "one", "Weight": 1}
    change(lab, zone, ("CREATE", A))
    assert refused(lab, zone, ("CREATE", weighted)) == "InvalidChangeBatch"
    assert (
        refused(lab, zone, ("CREATE", {**A, "Type": "CNAME", "ResourceRecords": [{"Value": "b.org"}]}))
        == "InvalidChangeBatch"
    )
    change(lab, zone, ("DELETE", A), ("CREATE", weighted))
    assert refused(lab, zone, ("UPSERT", {**A, "Name": "a.example.org"})) == "InvalidChangeBatch"


def test_listings_are_ordered_escaped_and_paged(lab, zone):
    for number in range(350):
        change(lab, zone, ("CREATE", {**A, "SetIdentifier": f"{number:03}", "Weight": 1}))
    change(lab, zone, ("CREATE", {**A, "Name": "*.example.com"}))
    found = names(lab, zone)
    assert len(found) == 351 and found[0] == "\\052.example.com."


def test_a_change_is_pending_and_then_in_sync(lab, zone, monkeypatch):
    monkeypatch.setattr(Pace, "scale", 0.001)
    info = change(lab, zone, ("CREATE", A))
    assert info["Status"] == "PENDING"
    time.sleep(0.05)
    assert lab.client("route53").get_change(Id=info["Id"])["ChangeInfo"]["Status"] == "INSYNC"


def test_a_health_check_keeps_what_is_not_changed(lab):
    route53 = lab.client("route53")
    config = {
        "Type": "HTTPS",
        "FullyQualifiedDomainName": "a.example.com",
        "Regions": ["us-east-1", "us-west-1", "eu-west-1"],
    }
    check = route53.create_health_check(CallerReference="x", HealthCheckConfig=config)["HealthCheck"]
    assert check["HealthCheckConfig"]["Port"] == 443 and check["HealthCheckConfig"]["EnableSNI"] is True
    changed = route53.update_health_check(HealthCheckId=check["Id"], HealthCheckVersion=1, FailureThreshold=5)
    assert changed["HealthCheck"]["HealthCheckConfig"]["Regions"] == config["Regions"]
    stale = code(route53.update_health_check, HealthCheckId=check["Id"], HealthCheckVersion=1, FailureThreshold=6)
    assert stale == "HealthCheckVersionMismatch"


def test_a_certificate_is_issued_when_its_record_is_there(lab, zone, monkeypatch):
    monkeypatch.setattr(Pace, "scale", 0.001)
    acm = lab.client("acm")
    wish = {"DomainName": "example.com", "SubjectAlternativeNames": ["*.example.com"], "ValidationMethod": "DNS"}
    arn = acm.request_certificate(**wish)["CertificateArn"]
    time.sleep(0.1)
    detail = acm.describe_certificate(CertificateArn=arn)["Certificate"]
    records = {
        option["ResourceRecord"]["Name"]: option["ResourceRecord"]["Value"]
        for option in detail["DomainValidationOptions"]
    }
    assert detail["Status"] == "PENDING_VALIDATION" and len(records) == 1
    ((name, value),) = records.items()
    proof = {"Name": name, "Type": "CNAME", "TTL": 60, "ResourceRecords": [{"Value": value}]}
    change(lab, zone, ("CREATE", proof))
    acm.describe_certificate(CertificateArn=arn)
    time.sleep(0.1)
    (listed,) = acm.list_certificates()["CertificateSummaryList"]
    assert listed["Status"] == "ISSUED" and "*.example.com" in listed["SubjectAlternativeNameSummaries"]
    other = lab.client("acm", "eu-west-1")
    far = other.request_certificate(**wish)["CertificateArn"]
    time.sleep(0.1)
    option = other.describe_certificate(CertificateArn=far)["Certificate"]["DomainValidationOptions"][0]
    assert option["ResourceRecord"]["Name"] == name  # the same in every region of an account


def test_keys_other_than_rsa_are_listed_on_request_only(lab):
    acm = lab.client("acm")
    acm.request_certificate(DomainName="a.example.com", ValidationMethod="DNS", KeyAlgorithm="EC_prime256v1")
    assert acm.list_certificates()["CertificateSummaryList"] == []
    listed = acm.list_certificates(Includes={"keyTypes": ["EC_prime256v1"]})["CertificateSummaryList"]
    assert [one["KeyAlgorithm"] for one in listed] == ["EC_prime256v1"]
