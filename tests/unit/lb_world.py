"""What the tests of load balancers need: the things of other tiers, options, and a way to look things up in the lab."""

from __future__ import annotations

import json
from typing import Any

from moto.acm.models import acm_backends
from stack import ACCOUNT, Stack

ZONES = ["us-east-1a", "us-east-1b", "us-east-1c"]
DOMAIN = "www.example.com"
LOGS = f"demo-logs-{ACCOUNT}-us-east-1"
OPTIONS: dict[str, Any] = {
    "availability_zones": ZONES,
    "certificate_domain": DOMAIN,
    "rules": [
        {
            "name": "debug",
            "priority": 10,
            "headers": {"X-Debug": "1"},
            "action": "fixed-response",
            "status_code": 200,
            "message_body": "debug",
        }
    ],
}

QUICK: dict[str, Any] = {**OPTIONS, "nlb": False, "certificate_domain": None, "access_logs": False}
SECURE: dict[str, Any] = {**OPTIONS, "nlb": False, "access_logs": False}


def tagged(name: str) -> list[dict[str, str]]:
    tags = {"webstack:stack": "demo", "webstack:tier": "network", "webstack:name": name}
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def foundation(stack: Stack) -> dict[str, Any]:
    """What other tiers make: VPC, subnets, security groups, the log bucket, an issued certificate."""
    ec2 = stack.lab.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.20.0.0/16")["Vpc"]["VpcId"]
    made: dict[str, Any] = {"vpc": vpc, "subnets": {}, "groups": {}}
    for number, zone in enumerate(ZONES):
        for offset, kind in ((0, "public"), (10, "app")):
            specification = [{"ResourceType": "subnet", "Tags": tagged(f"demo-{kind}-{zone}")}]
            answer = ec2.create_subnet(
                VpcId=vpc,
                CidrBlock=f"10.20.{number + offset}.0/24",
                AvailabilityZone=zone,
                TagSpecifications=specification,
            )
            made["subnets"][f"{kind}-{zone}"] = answer["Subnet"]["SubnetId"]
    for name in ("alb", "nlb", "other"):
        specification = [{"ResourceType": "security-group", "Tags": tagged(f"demo-{name}")}]
        tags = {} if name == "other" else {"TagSpecifications": specification}
        made["groups"][name] = ec2.create_security_group(GroupName=f"demo-{name}", Description=name, VpcId=vpc, **tags)[
            "GroupId"
        ]
    log_bucket(stack, LOGS)
    made["certificate"] = certificate(stack, DOMAIN)
    return made


def log_bucket(stack: Stack, name: str) -> None:
    s3 = stack.lab.client("s3")
    s3.create_bucket(Bucket=name)
    principals = [{"AWS": "arn:aws:iam::127311923021:root"}, {"Service": "delivery.logs.amazonaws.com"}]
    allowed = [
        {"Effect": "Allow", "Principal": who, "Action": "s3:PutObject", "Resource": f"arn:aws:s3:::{name}/*"}
        for who in principals
    ]
    s3.put_bucket_policy(Bucket=name, Policy=json.dumps({"Version": "2012-10-17", "Statement": allowed}))


def certificate(stack: Stack, domain: str) -> str:
    acm = stack.lab.client("acm")
    arn: str = acm.request_certificate(DomainName=domain, ValidationMethod="DNS")["CertificateArn"]
    bundle(arn).status = "ISSUED"
    return arn


def bundle(arn: str) -> Any:
    return acm_backends[ACCOUNT]["us-east-1"]._certificates[arn]


class Found:
    """Looks things up in the lab by our names."""

    def __init__(self, stack: Stack) -> None:
        self.elb = stack.lab.client("elbv2")

    def balancer(self, name: str = "demo-alb") -> str:
        found: str = self.elb.describe_load_balancers(Names=[name])["LoadBalancers"][0]["LoadBalancerArn"]
        return found

    def group(self, name: str = "demo-web") -> str:
        found: str = self.elb.describe_target_groups(Names=[name])["TargetGroups"][0]["TargetGroupArn"]
        return found

    def listener(self, port: int = 443, balancer: str = "demo-alb") -> dict[str, Any]:
        listeners = self.elb.describe_listeners(LoadBalancerArn=self.balancer(balancer))["Listeners"]
        return next(one for one in listeners if one["Port"] == port)

    def rules(self, port: int = 443) -> dict[int, dict[str, Any]]:
        rules = self.elb.describe_rules(ListenerArn=self.listener(port)["ListenerArn"])["Rules"]
        return {int(rule["Priority"]): rule for rule in rules if not rule["IsDefault"]}

    def set_balancer(self, name: str, key: str, value: str) -> None:
        attributes = [{"Key": key, "Value": value}]
        self.elb.modify_load_balancer_attributes(LoadBalancerArn=self.balancer(name), Attributes=attributes)

    def set_group(self, name: str, key: str, value: str) -> None:
        attributes = [{"Key": key, "Value": value}]
        self.elb.modify_target_group_attributes(TargetGroupArn=self.group(name), Attributes=attributes)

    def drop_balancer(self, name: str) -> None:
        self.set_balancer(name, "deletion_protection.enabled", "false")
        self.elb.delete_load_balancer(LoadBalancerArn=self.balancer(name))

    def drop_group(self, name: str, *ports: int) -> None:
        """A target group goes only after what sends to it."""
        balancer = "demo-nlb" if name == "demo-tcp" else "demo-alb"
        for port in ports:
            self.elb.delete_listener(ListenerArn=self.listener(port, balancer)["ListenerArn"])
        self.elb.delete_target_group(TargetGroupArn=self.group(name))


def rule(name: str, priority: int, path: str) -> dict[str, Any]:
    return {"name": name, "priority": priority, "paths": [path]}
