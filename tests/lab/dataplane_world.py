"""A small web stack on a lab with a data plane, and clients that use it: what the tests of the data plane share."""

from __future__ import annotations

import base64
import http.client
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from webstack_lab.testing import Lab

ZONES = ("us-east-1a", "us-east-1b", "us-east-1c")
INTERVAL = 5


def wait_for(what: Callable[[], Any], text: str, seconds: float = 15.0) -> Any:
    """The first true value; an error that names what did not happen."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := what():
            return found
        time.sleep(0.02)
    raise AssertionError(f"not within {seconds} s: {text}; last: {what()}")


@dataclass
class Outcome:
    """What a client saw."""

    answers: Counter[str] = field(default_factory=Counter)
    releases: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    @property
    def total(self) -> int:
        return sum(self.answers.values()) + len(self.failures)


class World:
    """VPC with a subnet a zone, an Application Load Balancer on port 8000, a target group on 8080, a template and a group."""

    def __init__(self, lab: Lab, size: int = 3, delay: int = 30, **group: Any) -> None:
        self.lab = lab
        self.ec2, self.elb, self.asg = (lab.client(name) for name in ("ec2", "elbv2", "autoscaling"))
        self.vpc = self.ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
        self.subnets = {
            zone: self.ec2.create_subnet(VpcId=self.vpc, CidrBlock=f"10.9.{place}.0/24", AvailabilityZone=zone)[
                "Subnet"
            ]["SubnetId"]
            for place, zone in enumerate(ZONES)
        }
        self.front = self.security_group("front", 8000, CidrIp="0.0.0.0/0")
        self.back = self.security_group("back", 8080, group=self.front)
        self.balancer = self.elb.create_load_balancer(
            Name="web", Subnets=list(self.subnets.values()), SecurityGroups=[self.front]
        )["LoadBalancers"][0]
        self.pool = self.target_group("web", delay)
        self.listener = self.elb.create_listener(
            LoadBalancerArn=self.balancer["LoadBalancerArn"],
            Protocol="HTTP",
            Port=8000,
            DefaultActions=[{"Type": "forward", "TargetGroupArn": self.pool}],
        )["Listeners"][0]["ListenerArn"]
        # By its name: to answer with all images takes the lab a second.
        named = [{"Name": "name", "Values": ["amzn-ami-hvm-2017.09.1.20171103-x86_64-gp2"]}]
        self.image = self.ec2.describe_images(Filters=named)["Images"][0]["ImageId"]
        self.ec2.create_launch_template(LaunchTemplateName="web", LaunchTemplateData=self.data("A"))
        if size:
            self.asg.create_auto_scaling_group(
                AutoScalingGroupName="web",
                MinSize=0,
                MaxSize=10,
                DesiredCapacity=size,
                LaunchTemplate={"LaunchTemplateName": "web", "Version": "1"},
                VPCZoneIdentifier=",".join(self.subnets.values()),
                TargetGroupARNs=[self.pool],
                **{"HealthCheckType": "ELB", "HealthCheckGracePeriod": 0, **group},
            )
            wait_for(lambda: len(self.healthy()) == size, "all targets healthy")

    def security_group(self, name: str, port: int, group: str = "", **block: str) -> str:
        group_id = self.ec2.create_security_group(GroupName=name, Description=name, VpcId=self.vpc)["GroupId"]
        source = {"UserIdGroupPairs": [{"GroupId": group}]} if group else {"IpRanges": [block]}
        permission = {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, **source}
        self.ec2.authorize_security_group_ingress(GroupId=group_id, IpPermissions=[permission])
        return str(group_id)

    def target_group(self, name: str, delay: int) -> str:
        arn = self.elb.create_target_group(
            Name=name,
            Protocol="HTTP",
            Port=8080,
            VpcId=self.vpc,
            HealthCheckPath="/health",
            HealthCheckIntervalSeconds=INTERVAL,
            HealthCheckTimeoutSeconds=2,
            HealthyThresholdCount=2,
            UnhealthyThresholdCount=2,
        )["TargetGroups"][0]["TargetGroupArn"]
        self.set_delay(delay, arn)
        return str(arn)

    def set_delay(self, seconds: int, arn: str = "") -> None:
        attribute = {"Key": "deregistration_delay.timeout_seconds", "Value": str(seconds)}
        self.elb.modify_target_group_attributes(TargetGroupArn=arn or self.pool, Attributes=[attribute])

    def data(self, release: str, health: str = "ok", **more: Any) -> dict[str, Any]:
        user_data = f"#!/bin/sh\nWEBSTACK_RELEASE={release}\nWEBSTACK_HEALTH={health}\n"
        return {
            "ImageId": self.image,
            "InstanceType": "t3.micro",
            "SecurityGroupIds": [self.back],
            "UserData": base64.b64encode(user_data.encode()).decode(),
            **more,
        }

    def version(self, release: str, health: str = "ok", **more: Any) -> str:
        answer = self.ec2.create_launch_template_version(
            LaunchTemplateName="web", LaunchTemplateData=self.data(release, health, **more)
        )
        return str(answer["LaunchTemplateVersion"]["VersionNumber"])

    def refresh(self, version: str, **preferences: Any) -> str:
        template = {"LaunchTemplateName": "web", "Version": version}
        answer = self.asg.start_instance_refresh(
            AutoScalingGroupName="web", DesiredConfiguration={"LaunchTemplate": template}, Preferences=preferences
        )
        return str(answer["InstanceRefreshId"])

    def refreshed(self, refresh: str) -> dict[str, Any]:
        answer = self.asg.describe_instance_refreshes(AutoScalingGroupName="web", InstanceRefreshIds=[refresh])
        return dict(answer["InstanceRefreshes"][0])

    def states(self, arn: str = "") -> dict[str, dict[str, str]]:
        found = self.elb.describe_target_health(TargetGroupArn=arn or self.pool)["TargetHealthDescriptions"]
        return {one["Target"]["Id"]: one["TargetHealth"] for one in found}

    def healthy(self, arn: str = "") -> set[str]:
        return {name for name, health in self.states(arn).items() if health["State"] == "healthy"}

    def instances(self) -> list[dict[str, Any]]:
        groups = self.asg.describe_auto_scaling_groups(AutoScalingGroupNames=["web"])["AutoScalingGroups"]
        return [dict(one) for one in groups[0]["Instances"]]

    def activities(self) -> list[dict[str, Any]]:
        return list(self.asg.describe_scaling_activities(AutoScalingGroupName="web")["Activities"])

    @property
    def address(self) -> str:
        assert self.lab.app.plane is not None
        return self.lab.app.plane.addresses()[self.balancer["DNSName"]][0]

    def row(self, instance: str) -> dict[str, Any]:
        """What the data plane says of an instance."""
        assert self.lab.app.plane is not None
        return next(one for one in self.lab.app.plane.status()["instances"] if one["id"] == instance)

    def folder(self, instance: str) -> Path:
        return Path(self.row(instance)["folder"])

    def get(
        self, path: str = "/", address: str = "", timeout: float = 5.0, **headers: str
    ) -> tuple[int, dict[str, str]]:
        """One request on a connection of its own: status and headers (lower-case names)."""
        connection = http.client.HTTPConnection(address or self.address, 8000, timeout=timeout)
        try:
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            body = answer.read().decode()
            return answer.status, {**{name.lower(): value for name, value in answer.getheaders()}, "body": body}
        finally:
            connection.close()

    def served_by(self, number: int = 30, path: str = "/") -> Counter[str]:
        """Who answered so many requests."""
        return Counter(self.get(path)[1].get("x-instance-id", "nobody") for _ in range(number))

    @contextmanager
    def load(self, clients: int = 4, path: str = "/", pause: float = 0.005, kept: bool = False) -> Iterator[Outcome]:
        """Clients that ask without end while the block runs."""
        outcome, over = Outcome(), threading.Event()
        address = self.address

        def ask() -> None:
            connection = http.client.HTTPConnection(address, 8000, timeout=10)
            while not over.is_set():
                try:
                    connection.request("GET", path)
                    answer = connection.getresponse()
                    answer.read()
                    if answer.status != 200:
                        outcome.failures.append(f"status {answer.status}")
                    else:
                        outcome.answers[answer.headers["X-Instance-Id"]] += 1
                        outcome.releases[answer.headers["X-Release"]] += 1
                except (OSError, http.client.HTTPException) as error:
                    outcome.failures.append(f"{type(error).__name__}: {error}")
                    connection.close()
                if not kept:
                    connection.close()
                time.sleep(pause)
            connection.close()

        threads = [threading.Thread(target=ask, daemon=True) for _ in range(clients)]
        for thread in threads:
            thread.start()
        try:
            yield outcome
        finally:
            over.set()
            for thread in threads:
                thread.join(20)
