"""The targets of the stack's load balancer: in which zone each is, and whether it is healthy."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..engine.errors import OptionError
from ..engine.sdk import SDK_ERRORS, Clients, error_code


@dataclass(frozen=True)
class Target:
    """One registered target. ``zone`` is empty where it cannot be told."""

    id: str
    zone: str
    state: str
    reason: str

    @property
    def healthy(self) -> bool:
        return self.state == "healthy"


class WebTargets:
    """Reads the targets of some target groups; what never changes is asked for once."""

    def __init__(self, clients: Clients, region: str, names: Sequence[str]) -> None:
        self.clients = clients
        self.region = region
        self.names = list(names)
        self._groups: list[dict[str, Any]] = []
        self._zones: dict[str, str] = {}

    def groups(self) -> list[dict[str, Any]]:
        """The target groups as AWS shows them. Raises OptionError where one does not exist."""
        if not self._groups:
            try:
                answer = self.clients("elbv2", self.region).describe_target_groups(Names=self.names)
            except SDK_ERRORS as error:
                if error_code(error) not in ("TargetGroupNotFound", "TargetGroupNotFoundException"):
                    raise
                raise OptionError(
                    "target_groups",
                    ", ".join(self.names),
                    "There is no such target group in this region. Run the lb tier first",
                ) from error
            self._groups = answer["TargetGroups"]
        return self._groups

    def balancers(self) -> list[str]:
        """The ARNs of the load balancers that send to the groups."""
        return sorted({arn for group in self.groups() for arn in group["LoadBalancerArns"]})

    def read(self) -> list[Target]:
        """Every registered target, those that drain too. One that is in several groups is as bad as in the worst of them."""
        client = self.clients("elbv2", self.region)
        found: dict[str, dict[str, Any]] = {}
        for group in self.groups():
            for row in client.describe_target_health(TargetGroupArn=group["TargetGroupArn"])[
                "TargetHealthDescriptions"
            ]:
                known = found.get(row["Target"]["Id"])
                if known is None or known["State"] == "healthy":
                    found[row["Target"]["Id"]] = row["TargetHealth"]
        self._learn_zones(found)
        return [
            Target(name, self._zones.get(name, ""), health["State"], health.get("Reason", ""))
            for name, health in sorted(found.items())
        ]

    def _learn_zones(self, names: Iterable[str]) -> None:
        unknown = [name for name in names if name not in self._zones]
        instances = [name for name in unknown if name.startswith("i-")]
        client = self.clients("ec2", self.region)
        if instances:
            filters = [{"Name": "instance-id", "Values": instances}]  # a filter: one that is gone is no error
            for page in client.get_paginator("describe_instances").paginate(Filters=filters):
                for reservation in page["Reservations"]:
                    for instance in reservation["Instances"]:
                        self._zones[instance["InstanceId"]] = instance["Placement"]["AvailabilityZone"]
        addresses = [name for name in unknown if not name.startswith("i-")]
        if addresses:
            vpcs = sorted({group["VpcId"] for group in self.groups() if group.get("VpcId")})
            subnets = client.describe_subnets(Filters=[{"Name": "vpc-id", "Values": vpcs}])["Subnets"]
            self._zones.update(zones_of_addresses(addresses, subnets))


def zones_of_addresses(addresses: Iterable[str], subnets: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Address → zone of the subnet that it is in."""
    found = {}
    for address in addresses:
        for subnet in subnets:
            if ipaddress.ip_address(address) in ipaddress.ip_network(subnet["CidrBlock"]):
                found[address] = subnet["AvailabilityZone"]
    return found


def healthy_by_zone(targets: Iterable[Target]) -> dict[str, int]:
    """Zone → number of healthy targets; zones with targets but none healthy have 0."""
    found: dict[str, int] = {}
    for target in targets:
        found[target.zone] = found.get(target.zone, 0) + target.healthy
    return found
