"""What the tests of the dns tier need: load balancers in two regions, options, and a way to look things up in the lab."""

from __future__ import annotations

from typing import Any

from stack import ACCOUNT, Stack

ZONE = "example.com"
REGIONS = ("us-east-1", "eu-west-1")
WWW = "www.example.com"


def latency(region: str) -> dict[str, Any]:
    return {
        "name": WWW,
        "region": region,
        "alias": {"load_balancer": "alb", "region": region},
        "health_check": region,
    }


def weighted(identifier: str, weight: int, address: str) -> dict[str, Any]:
    return {
        "name": "canary.example.com",
        "type": "A",
        "values": [address],
        "ttl": 60,
        "weight": weight,
        "set_identifier": identifier,
    }


def failover(kind: str, region: str) -> dict[str, Any]:
    return {
        "name": "app.example.com",
        "type": "A",
        "failover": kind,
        "alias": {"load_balancer": "alb", "region": region},
    }


OPTIONS: dict[str, Any] = {
    "zone_name": ZONE,
    "zone_create": True,
    "certificates": [
        {"domain_name": ZONE, "subject_alternative_names": ["*.example.com"], "regions": list(REGIONS)},
    ],
    "health_checks": [
        *(
            {"name": region, "load_balancer": "alb", "load_balancer_region": region, "path": "/health"}
            for region in REGIONS
        ),
        {"name": "any", "type": "CALCULATED", "children": list(REGIONS), "health_threshold": 1},
    ],
    "records": [
        {"name": "@", "alias": {"load_balancer": "alb", "region": "us-east-1"}},
        *(latency(region) for region in REGIONS),
        weighted("stable", 90, "192.0.2.1"),
        weighted("canary", 10, "192.0.2.2"),
        failover("primary", "us-east-1"),
        failover("secondary", "eu-west-1"),
        {"name": "*.dev.example.com", "type": "CNAME", "values": ["www.example.com"]},
        {"name": "@", "type": "TXT", "values": ["v=spf1 -all"]},
    ],
}
BYO: dict[str, Any] = {"zone_name": ZONE, "records": [weighted("stable", 90, "192.0.2.1")]}


def balancers(stack: Stack) -> None:
    for region in REGIONS:
        ec2, elb = stack.lab.client("ec2", region), stack.lab.client("elbv2", region)
        vpc = ec2.create_vpc(CidrBlock="10.20.0.0/16")["Vpc"]["VpcId"]
        subnets = [
            ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.20.{number}.0/24", AvailabilityZone=f"{region}{zone}")["Subnet"]
            for number, zone in enumerate("ab")
        ]
        elb.create_load_balancer(Name="demo-alb", Subnets=[subnet["SubnetId"] for subnet in subnets])


class Found:
    """Looks things up in the lab."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.route53 = stack.lab.client("route53")

    def acm(self, region: str = "us-east-1") -> Any:
        return self.stack.lab.client("acm", region)

    def zone(self) -> str:
        found: str = self.route53.list_hosted_zones()["HostedZones"][0]["Id"].rsplit("/", 1)[-1]
        return found

    def records(self) -> dict[tuple[str, str, str], dict[str, Any]]:
        listed = self.route53.list_resource_record_sets(HostedZoneId=self.zone())["ResourceRecordSets"]
        return {(one["Name"], one["Type"], one.get("SetIdentifier", "")): one for one in listed}

    def change(self, action: str, record: dict[str, Any]) -> None:
        batch = {"Changes": [{"Action": action, "ResourceRecordSet": record}]}
        self.route53.change_resource_record_sets(HostedZoneId=self.zone(), ChangeBatch=batch)

    def check(self, name: str) -> dict[str, Any]:
        for one in self.route53.list_health_checks()["HealthChecks"]:
            answer = self.route53.list_tags_for_resource(ResourceType="healthcheck", ResourceId=one["Id"])
            tags = {tag["Key"]: tag["Value"] for tag in answer["ResourceTagSet"]["Tags"]}
            if tags.get("webstack:name") == name:
                found: dict[str, Any] = one
                return found
        raise LookupError(name)

    def certificate(self, region: str = "us-east-1") -> str:
        listed = self.acm(region).list_certificates()["CertificateSummaryList"]
        found: str = max(listed, key=lambda one: one["CreatedAt"])["CertificateArn"]
        return found

    def make_zone(self, name: str = ZONE, reference: str = "theirs") -> str:
        answer = self.route53.create_hosted_zone(Name=name, CallerReference=reference)
        found: str = answer["HostedZone"]["Id"].rsplit("/", 1)[-1]
        return found

    def bundle(self, arn: str) -> Any:
        from moto.acm.models import acm_backends

        return acm_backends[ACCOUNT][arn.split(":")[3]]._certificates[arn]
