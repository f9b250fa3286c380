"""The gateways of a VPC: internet gateway, public addresses, NAT gateways. https://docs.aws.amazon.com/vpc/latest/userguide/"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ..engine.resource import Resource, Scope, as_dict
from .ec2 import Subnet, Vpc, described, names_of, ours, set_tags, specification


@dataclass(eq=False)
class InternetGateway(Resource):
    """An internet gateway, attached to the stack's VPC."""

    service = "ec2"
    missing = ("InvalidInternetGatewayID.NotFound",)
    sent_once = ("CreateInternetGateway",)
    retry = ("InvalidInternetGatewayID.NotFound", "InvalidVpcID.NotFound")
    busy = ("DependencyViolation",)  # while a public address is mapped in the VPC (trap 32)
    timeout = 1200

    vpc: Vpc | None = None

    @classmethod
    def list_all(cls, client: Any, scope: Scope) -> Iterable[Any]:
        return described(client, "describe_internet_gateways", "InternetGateways", Filters=ours(scope))

    @classmethod
    def identify(cls, item: Any) -> tuple[str, ...]:
        return names_of(item, "InternetGatewayId")

    def read(self, client: Any, item: Any) -> dict[str, Any]:
        attached = [
            one["VpcId"]
            for one in item.get("Attachments") or []
            if one["State"] in ("available", "attached", "attaching")
        ]
        return {
            "id": item["InternetGatewayId"],
            "vpc_id": attached[0] if attached else "",
            "tags": as_dict(item.get("Tags")),
        }

    def want(self) -> dict[str, Any]:
        return {"vpc_id": self.vpc.id if self.vpc else None}

    def create(self, client: Any, want: dict[str, Any]) -> None:
        client.create_internet_gateway(TagSpecifications=specification("internet-gateway", want))

    def update(self, client: Any, change: dict[str, Any]) -> None:
        if "vpc_id" in change:
            self._detach(client)
            client.attach_internet_gateway(InternetGatewayId=self.id, VpcId=change["vpc_id"])
        if "tags" in change:
            set_tags(client, self, change["tags"])

    def _detach(self, client: Any) -> None:
        vpc_id = (self.have or {}).get("vpc_id")
        if vpc_id:
            client.detach_internet_gateway(InternetGatewayId=self.id, VpcId=vpc_id)

    def delete(self, client: Any) -> None:
        self._detach(client)
        client.delete_internet_gateway(InternetGatewayId=self.id)


@dataclass(eq=False)
class ElasticIp(Resource):
    """A public address of the stack, or the user's own by its allocation id."""

    service = "ec2"
    missing = ("InvalidAllocationID.NotFound",)
    sent_once = ("AllocateAddress",)
    busy = ("InvalidIPAddress.InUse", "InvalidAddress.InUse")  # until its NAT gateway is deleted for good (trap 33)
    timeout = 1200

    shortage = ""

    @classmethod
    def list_all(cls, client: Any, scope: Scope) -> Iterable[Any]:
        """All addresses of the region, which has few: whether the quota leaves room must be known before the first write (trap 35)."""
        addresses: list[Any] = client.describe_addresses()["Addresses"]
        names = {name for address in addresses for name in cls.identify(address)}
        to_make = [one for one in scope.members if isinstance(one, cls) and one.owned and one.name not in names]
        if to_make and not scope.fresh:
            answer = client.describe_account_attributes(AttributeNames=["vpc-max-elastic-ips"])["AccountAttributes"]
            quota = next((int(fact["AttributeValues"][0]["AttributeValue"]) for fact in answer), None)
            if quota is not None and len(addresses) + len(to_make) > quota:
                text = f"{len(addresses)} of the {quota} Elastic IP addresses that this region may have are taken, {len(to_make)} more are needed"
                for one in to_make:
                    one.shortage = text
        return addresses

    @classmethod
    def identify(cls, item: Any) -> tuple[str, ...]:
        return names_of(item, "AllocationId")

    def read(self, client: Any, item: Any) -> dict[str, Any]:
        return {"id": item["AllocationId"], "endpoint": item.get("PublicIp"), "tags": as_dict(item.get("Tags"))}

    def refuse(self, change: dict[str, Any]) -> str | None:
        if self.shortage:
            return f"{self.shortage}. Raise the quota 'EC2-VPC Elastic IPs', release unused ones, or set nat_gateways=single"
        return None

    def create(self, client: Any, want: dict[str, Any]) -> None:
        client.allocate_address(Domain="vpc", TagSpecifications=specification("elastic-ip", want))

    def update(self, client: Any, change: dict[str, Any]) -> None:
        set_tags(client, self, change["tags"])

    def delete(self, client: Any) -> None:
        client.release_address(AllocationId=self.id)


@dataclass(eq=False)
class NatGateway(Resource):
    """A public NAT gateway. AWS cannot change one, and another one means another public address: never replaced (trap 34)."""

    service = "ec2"
    missing = ("NatGatewayNotFound",)
    retry = ("InvalidSubnetID.NotFound", "InvalidSubnet", "InvalidAllocationID.NotFound")
    immutable = {
        "subnet_id": "A NAT gateway stays in its subnet: delete it by hand, which cuts its zone off, and run again",
        "allocation_id": "A NAT gateway keeps its public address: delete it by hand, which cuts its zone off, and run again",
    }
    pending = ("pending", "deleting")
    ready = ("available",)
    timeout = 1200
    usual, usual_deletion = 120, 60

    subnet: Subnet | None = None
    address_of: ElasticIp | None = None
    gateway: InternetGateway | None = None  # without one, a public NAT gateway fails

    @classmethod
    def list_all(cls, client: Any, scope: Scope) -> Iterable[Any]:
        """A deleted or failed one stays visible for an hour (trap 33); a failed one only matters to the run that waits for it."""
        found = described(client, "describe_nat_gateways", "NatGateways", Filter=ours(scope))
        alive = [item for item in found if item["State"] not in ("deleted", "failed")]
        return alive + [item for item in found if item["State"] == "failed" and scope.fresh]

    @classmethod
    def identify(cls, item: Any) -> tuple[str, ...]:
        return names_of(item, "NatGatewayId")

    def read(self, client: Any, item: Any) -> dict[str, Any]:
        addresses = sorted(item.get("NatGatewayAddresses") or [], key=lambda one: not one.get("IsPrimary"))
        first = addresses[0] if addresses else {}
        return {
            "id": item["NatGatewayId"],
            "subnet_id": item["SubnetId"],
            "allocation_id": first.get("AllocationId"),
            "endpoint": first.get("PublicIp"),
            "state": item["State"],
            "state_reason": item.get("FailureMessage", ""),
            "tags": as_dict(item.get("Tags")),
        }

    def want(self) -> dict[str, Any]:
        return {
            "subnet_id": self.subnet.id if self.subnet else None,
            "allocation_id": self.address_of.id if self.address_of else None,
        }

    def create(self, client: Any, want: dict[str, Any]) -> None:
        client.create_nat_gateway(
            SubnetId=want["subnet_id"],
            AllocationId=want["allocation_id"],
            ConnectivityType="public",
            TagSpecifications=specification("natgateway", want),
        )

    def update(self, client: Any, change: dict[str, Any]) -> None:
        set_tags(client, self, change["tags"])

    def delete(self, client: Any) -> None:
        client.delete_nat_gateway(NatGatewayId=self.id)
