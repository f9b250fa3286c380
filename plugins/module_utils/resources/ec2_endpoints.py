"""VPC endpoints: AWS services reached without leaving the VPC. https://docs.aws.amazon.com/vpc/latest/privatelink/"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, ClassVar
from uuid import uuid4

from ..engine.resource import Resource, Scope, as_dict
from .ec2 import SecurityGroup, Subnet, Vpc, described, names_of, ours, set_tags, specification
from .ec2_routes import RouteTable
from .policies import Policy

GATEWAY = "Gateway"
INTERFACE = "Interface"
FAILED = ("failed", "rejected", "expired")  # only matters to the run that waits for it
# What AWS puts on an endpoint that is given no policy.
FULL_ACCESS = Policy(
    {"Version": "2008-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}]}
)


@dataclass(eq=False)
class VpcEndpoint(Resource):
    """An endpoint of a service: a gateway in route tables, or interfaces in subnets behind security groups."""

    service = "ec2"
    missing = ("InvalidVpcEndpointId.NotFound",)
    retry = (
        "InvalidVpcId.NotFound",
        "InvalidVpcID.NotFound",
        "InvalidRouteTableId.NotFound",
        "InvalidRouteTableID.NotFound",
        "InvalidSubnetId.NotFound",
        "InvalidSubnetID.NotFound",
        "InvalidSecurityGroupId.NotFound",
        "InvalidGroup.NotFound",
    )
    immutable = {
        "service_name": "An endpoint is that of one service: name another endpoint",
        "type": "An endpoint is a gateway or has interfaces for good: remove it first, then add the other kind",
        "vpc_id": "An endpoint stays in its VPC: remove it first",
    }
    pending = ("pending", "pendingacceptance", "deleting", "partial")
    ready = ("available",)
    timeout = 1200
    usual = usual_deletion = 60

    MEMBERS: ClassVar[dict[str, str]] = {
        "route_table_ids": "RouteTableIds",
        "subnet_ids": "SubnetIds",
        "security_group_ids": "SecurityGroupIds",
    }

    vpc: Vpc | None = None
    service_name: str | None = None
    type: str | None = None
    route_tables: list[RouteTable | str] = field(default_factory=list)
    subnets: list[Subnet] = field(default_factory=list)
    security_groups: list[SecurityGroup] = field(default_factory=list)
    private_dns: bool | None = None
    policy: Policy | None = None

    rival = ""

    within = (Vpc,)

    @classmethod
    def list_all(cls, client: Any, scope: Scope) -> Iterable[Any]:
        items = described(client, "describe_vpc_endpoints", "VpcEndpoints", Filters=ours(scope))
        cls._find_rivals(client, scope, {item["VpcEndpointId"] for item in items})
        alive = [item for item in items if item["State"].lower() not in ("deleted", *FAILED)]
        return alive + [item for item in items if item["State"].lower() in FAILED and scope.fresh]

    @classmethod
    def _find_rivals(cls, client: Any, scope: Scope, own: set[str]) -> None:
        """In the user's own VPC another endpoint may already hold a service's private name, which only one can (trap 43)."""
        members = [one for one in scope.members if isinstance(one, cls) and one.private_dns]
        vpc_ids = {str(one.vpc.id) for one in members if one.vpc and not one.vpc.owned and one.vpc.exists}
        if not vpc_ids or scope.fresh:
            return
        filters = [{"Name": "vpc-id", "Values": sorted(vpc_ids)}]
        for item in described(client, "describe_vpc_endpoints", "VpcEndpoints", Filters=filters):
            for member in members:
                if (
                    item["VpcEndpointId"] not in own
                    and item.get("PrivateDnsEnabled")
                    and item["ServiceName"] == member.service_name
                ):
                    member.rival = item["VpcEndpointId"]

    @classmethod
    def identify(cls, item: Any) -> tuple[str, ...]:
        return names_of(item, "VpcEndpointId")

    def read(self, client: Any, item: Any) -> dict[str, Any]:
        return {
            "id": item["VpcEndpointId"],
            "vpc_id": item["VpcId"],
            "service_name": item["ServiceName"],
            "type": item["VpcEndpointType"],
            "route_table_ids": set(item.get("RouteTableIds") or []),
            "subnet_ids": set(item.get("SubnetIds") or []),
            "security_group_ids": {group["GroupId"] for group in item.get("Groups") or []},
            "private_dns": bool(item.get("PrivateDnsEnabled")),
            "policy": Policy.parse(item.get("PolicyDocument")) or FULL_ACCESS,
            "state": item["State"].lower(),
            "state_reason": (item.get("LastError") or {}).get("Message") or item.get("FailureReason") or "",
            "tags": as_dict(item.get("Tags")),
        }

    def want(self) -> dict[str, Any]:
        gateway = self.type == GATEWAY
        return {
            "vpc_id": self.vpc.id if self.vpc else None,
            "service_name": self.service_name,
            "type": self.type,
            "route_table_ids": {getattr(table, "id", table) for table in self.route_tables} if gateway else None,
            "subnet_ids": None if gateway else {subnet.id for subnet in self.subnets},
            "security_group_ids": None if gateway else {group.id for group in self.security_groups},
            "private_dns": None if gateway else self.private_dns,
            "policy": self.policy or FULL_ACCESS,
        }

    def refuse(self, change: dict[str, Any]) -> str | None:
        if not change.get("private_dns"):
            return None
        if self.rival:
            return f"{self.rival} already answers to the private name of {self.service_name} in this VPC. Leave this service out"
        vpc = (self.vpc.have if self.vpc and not self.vpc.owned else None) or {}
        if vpc.get("enable_dns_support") is False or vpc.get("enable_dns_hostnames") is False:
            return "private names need DNS support and DNS host names in the VPC. Turn both on, or set interface_endpoint_private_dns=false"
        return None

    def create(self, client: Any, want: dict[str, Any]) -> None:
        members = {parameter: sorted(want[key]) for key, parameter in self.MEMBERS.items() if want.get(key)}
        if "private_dns" in want:
            members["PrivateDnsEnabled"] = want["private_dns"]
        if want["policy"] != FULL_ACCESS:
            members["PolicyDocument"] = want["policy"].text
        client.create_vpc_endpoint(
            VpcId=want["vpc_id"],
            ServiceName=want["service_name"],
            VpcEndpointType=want["type"],
            TagSpecifications=specification("vpc-endpoint", want),
            ClientToken=uuid4().hex,  # the SDK sends the call again when its answer is lost, and makes no token here
            **members,
        )

    def update(self, client: Any, change: dict[str, Any]) -> None:
        arguments: dict[str, Any] = {}
        for key, parameter in self.MEMBERS.items():
            have = self.get(key)
            if change.get(key, have) - have:
                arguments[f"Add{parameter}"] = sorted(change[key] - have)
            if have - change.get(key, have):
                arguments[f"Remove{parameter}"] = sorted(have - change[key])
        if "private_dns" in change:
            arguments["PrivateDnsEnabled"] = change["private_dns"]
        if "policy" in change:
            arguments |= (
                {"ResetPolicy": True} if change["policy"] == FULL_ACCESS else {"PolicyDocument": change["policy"].text}
            )
        if arguments:  # an empty request is refused (trap 11)
            client.modify_vpc_endpoint(VpcEndpointId=self.id, **arguments)
        if "tags" in change:
            set_tags(client, self, change["tags"])

    def delete(self, client: Any) -> None:
        refused = client.delete_vpc_endpoints(VpcEndpointIds=[self.id]).get("Unsuccessful") or []
        for one in refused:
            raise client.exceptions.ClientError({"Error": one["Error"]}, "DeleteVpcEndpoints")
