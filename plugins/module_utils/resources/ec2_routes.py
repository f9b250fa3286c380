"""The ways through a VPC: route tables and routes. https://docs.aws.amazon.com/vpc/latest/userguide/VPC_Route_Tables.html"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..engine.resource import NAME_TAG, Resource, Scope, as_dict
from ..engine.sdk import SDK_ERRORS, error_code
from .ec2 import Subnet, Vpc, described, names_of, ours, set_tags, specification
from .ec2_routing import NatGateway

EVERYWHERE = "0.0.0.0/0"
DESTINATIONS = ("DestinationCidrBlock", "DestinationIpv6CidrBlock", "DestinationPrefixListId")
# Keys of a route that name its target; the network interface before the instance that it belongs to.
TARGET_KEYS: tuple[str, ...] = (
    "NatGatewayId",
    "TransitGatewayId",
    "VpcPeeringConnectionId",
    "NetworkInterfaceId",
    "InstanceId",
    "GatewayId",
)
TARGET_KEYS += ("EgressOnlyInternetGatewayId", "CarrierGatewayId", "LocalGatewayId", "CoreNetworkArn")
# Prefix of a target's id: the parameter in which CreateRoute takes it.
TARGETS = {
    "igw-": "GatewayId",
    "vgw-": "GatewayId",
    "nat-": "NatGatewayId",
    "tgw-": "TransitGatewayId",
    "pcx-": "VpcPeeringConnectionId",
    "eni-": "NetworkInterfaceId",
    "vpce-": "VpcEndpointId",
    "eigw-": "EgressOnlyInternetGatewayId",
    "cagw-": "CarrierGatewayId",
    "lgw-": "LocalGatewayId",
}


def stack_route_tables(client: Any, scope: Scope) -> list[dict[str, Any]]:
    """Every route table that carries the stack's tag: one call for all kinds that look at routes."""
    return scope.once(
        "route tables of the stack",
        lambda: described(client, "describe_route_tables", "RouteTables", Filters=ours(scope)),
    )


def target_of(route: Mapping[str, Any]) -> str:
    """Where a route leads; one that leads nowhere any more differs from every wish, and so is repaired."""
    target = next((str(route[key]) for key in TARGET_KEYS if route.get(key)), "nothing")
    return f"{target} (blackhole)" if route.get("State") == "blackhole" else target


def destination_of(route: Mapping[str, Any]) -> str:
    return next((str(route[key]) for key in DESTINATIONS if route.get(key)), "")


def is_foreign(route: Mapping[str, Any]) -> bool:
    """Whether AWS itself keeps a route: local ones, those of gateway endpoints, those that a VPN gateway propagates (trap 44)."""
    return (
        route.get("GatewayId") == "local"
        or route.get("Origin") == "EnableVgwRoutePropagation"
        or (str(route.get("GatewayId", "")).startswith("vpce-") and bool(route.get("DestinationPrefixListId")))
    )


def is_nat_route(route: Mapping[str, Any]) -> bool:
    """Whether a route is one that NatRoute keeps."""
    return destination_of(route) == EVERYWHERE and bool(route.get("NatGatewayId"))


def route_arguments(table_id: str, destination: str, target: str | None = None) -> dict[str, Any]:
    """A route as CreateRoute, ReplaceRoute and DeleteRoute take it."""
    kind = 2 if destination.startswith("pl-") else 1 if ":" in destination else 0
    arguments = {"RouteTableId": table_id, DESTINATIONS[kind]: destination}
    if target is not None:
        arguments[next(parameter for prefix, parameter in TARGETS.items() if target.startswith(prefix))] = target
    return arguments


def put_route(client: Any, table_id: str, destination: str, target: str, *, exists: bool) -> None:
    """Make a route lead to a target, whether it is there or not (trap 45)."""
    arguments = route_arguments(table_id, destination, target)
    if not exists:
        try:
            client.create_route(**arguments)
            return
        except SDK_ERRORS as error:
            if error_code(error) != "RouteAlreadyExists":
                raise
    client.replace_route(**arguments)


@dataclass(eq=False)
class RouteTable(Resource):
    """A route table: its routes, by destination, and the subnets that use it. The way through NAT is a NatRoute."""

    service = "ec2"
    missing = ("InvalidRouteTableID.NotFound",)
    retry = (
        "InvalidRouteTableID.NotFound",
        "InvalidSubnetID.NotFound",
        "InvalidGatewayID.NotFound",
        "InvalidVpcID.NotFound",
    )
    busy = ("DependencyViolation",)

    vpc: Vpc | None = None
    subnets: list[Subnet] = field(default_factory=list)
    routes: dict[str, Any] = field(default_factory=dict)  # destination: a resource, or the id of one

    @classmethod
    def list_all(cls, client: Any, scope: Scope) -> Iterable[Any]:
        return stack_route_tables(client, scope)

    @classmethod
    def identify(cls, item: Any) -> tuple[str, ...]:
        return names_of(item, "RouteTableId")

    def read(self, client: Any, item: Any) -> dict[str, Any]:
        routes = [route for route in item.get("Routes") or [] if not is_foreign(route) and not is_nat_route(route)]
        associations = {
            one["SubnetId"]: one["RouteTableAssociationId"]
            for one in item.get("Associations") or []
            if one.get("SubnetId")
            and one.get("AssociationState", {}).get("State", "associated") in ("associated", "associating")
        }
        return {
            "id": item["RouteTableId"],
            "routes": {destination_of(route): target_of(route) for route in routes},
            "subnet_ids": set(associations),
            "associations": associations,
            "tags": as_dict(item.get("Tags")),
        }

    def want(self) -> dict[str, Any]:
        return {
            "routes": {destination: getattr(target, "id", target) for destination, target in self.routes.items()},
            "subnet_ids": {subnet.id for subnet in self.subnets},
        }

    def create(self, client: Any, want: dict[str, Any]) -> None:
        if self.vpc is None:
            raise TypeError("an owned route table is built with its VPC")
        client.create_route_table(VpcId=self.vpc.id, TagSpecifications=specification("route-table", want))

    def update(self, client: Any, change: dict[str, Any]) -> None:
        have = self.have or {}
        if "routes" in change:
            for destination, target in change["routes"].items():
                if have["routes"].get(destination) != target:
                    put_route(client, self.id, destination, target, exists=destination in have["routes"])
            for destination in have["routes"].keys() - change["routes"].keys():
                client.delete_route(**route_arguments(self.id, destination))
        if "subnet_ids" in change:
            for subnet_id in sorted(change["subnet_ids"] - have["subnet_ids"]):
                self._associate(client, subnet_id)
            for subnet_id in sorted(have["subnet_ids"] - change["subnet_ids"]):
                client.disassociate_route_table(AssociationId=have["associations"][subnet_id])
        if "tags" in change:
            set_tags(client, self, change["tags"])

    def _associate(self, client: Any, subnet_id: str) -> None:
        """Give a subnet this table; from another table it is moved over in one step, never left without one (trap 45)."""
        try:
            client.associate_route_table(RouteTableId=self.id, SubnetId=subnet_id)
        except SDK_ERRORS as error:
            if error_code(error) != "Resource.AlreadyAssociated":
                raise
            filters = [{"Name": "association.subnet-id", "Values": [subnet_id]}]
            for table in described(client, "describe_route_tables", "RouteTables", Filters=filters):
                for one in table["Associations"]:
                    if one.get("SubnetId") == subnet_id and table["RouteTableId"] != self.id:
                        client.replace_route_table_association(
                            AssociationId=one["RouteTableAssociationId"], RouteTableId=self.id
                        )

    def delete(self, client: Any) -> None:
        for association in (self.have or {})["associations"].values():
            client.disassociate_route_table(AssociationId=association)
        client.delete_route_table(RouteTableId=self.id)


@dataclass(eq=False)
class NatRoute(Resource):
    """The way out of a private route table through a NAT gateway, known by the table.

    Apart from the table, because AWS takes the route only once the gateway is available, which takes minutes, while
    subnets and gateway endpoints can use the table at once.
    """

    service = "ec2"
    missing = ("InvalidRoute.NotFound", "InvalidRouteTableID.NotFound")
    retry = ("InvalidNatGatewayID.NotFound", "NatGatewayNotFound", "InvalidRouteTableID.NotFound")
    needs_ready = ("nat",)
    tagged = False
    purge = True

    table: RouteTable | None = None
    nat: NatGateway | None = None
    guard: str = (
        ""  # what to do instead of moving to a NAT gateway, and so to a public address, that nobody asked for by name
    )

    @classmethod
    def list_all(cls, client: Any, scope: Scope) -> Iterable[Any]:
        tables = stack_route_tables(client, scope)
        return [{**route, "Table": table} for table in tables for route in table["Routes"] if is_nat_route(route)]

    @classmethod
    def identify(cls, item: Any) -> tuple[str, ...]:
        return (as_dict(item["Table"].get("Tags")).get(NAME_TAG, item["Table"]["RouteTableId"]),)

    def read(self, client: Any, item: Any) -> dict[str, Any]:
        return {"id": item["Table"]["RouteTableId"], "nat_gateway_id": target_of(item)}

    def want(self) -> dict[str, Any]:
        return {"nat_gateway_id": self.nat.id if self.nat else None}

    def refuse(self, change: dict[str, Any]) -> str | None:
        working = self.exists and not self.get("nat_gateway_id").endswith("(blackhole)")
        if self.guard and working and self.nat is not None and not self.nat.exists:
            return f"the stack's only NAT gateway {self.get('nat_gateway_id')} would be replaced, and with it the public address. {self.guard}"
        return None

    def create(self, client: Any, want: dict[str, Any]) -> None:
        if self.table is None:
            raise TypeError("an owned route is built with its table")
        put_route(client, self.table.id, EVERYWHERE, want["nat_gateway_id"], exists=False)

    def update(self, client: Any, change: dict[str, Any]) -> None:
        put_route(client, self.id, EVERYWHERE, change["nat_gateway_id"], exists=True)

    def delete(self, client: Any) -> None:
        client.delete_route(**route_arguments(self.id, EVERYWHERE))
