"""Where the subnets of a VPC lie, and what its options may say. Every mistake gets its own sentence, before any call."""

from __future__ import annotations

import re
from ipaddress import IPv4Network, ip_network
from itertools import combinations
from typing import Any

from ..engine.errors import OptionError

LAYERS = ("public", "app", "data")
LETTERS = "abcdefgh"
ROUTE_TARGETS = ("igw-", "vgw-", "nat-", "tgw-", "pcx-", "eni-", "vpce-", "eigw-", "cagw-", "lgw-")
DAYS_OF_LOGS = (
    0,
    1,
    3,
    5,
    7,
    14,
    30,
    60,
    90,
    120,
    150,
    180,
    365,
    400,
    545,
    731,
    1096,
    1827,
    2192,
    2557,
    2922,
    3288,
    3653,
)


def check_id(option: str, value: str, prefix: str) -> None:
    """An id of AWS, of the right kind."""
    if not re.fullmatch(rf"{prefix}-[0-9a-f]{{8}}([0-9a-f]{{9}})?", value):
        raise OptionError(option, value, f"Give an id like {prefix}-0123456789abcdef0")


def check_zones(options: dict[str, Any]) -> list[str]:
    """The zones, in alphabetical order, so that the order in which they are given changes nothing."""
    zones, region = options["availability_zones"] or [], options["region"]
    if not zones:
        raise OptionError(
            "availability_zones", zones, f"Name the zones of {region} to use, for example [{region}a, {region}b]"
        )
    for zone in zones:
        if not re.fullmatch(rf"{re.escape(region)}[a-z]", zone):
            raise OptionError(
                "availability_zones", zone, f"It is no zone of {region}: those are named {region}a, {region}b and so on"
            )
        if zones.count(zone) > 1:
            raise OptionError("availability_zones", zone, "It is named twice")
    return sorted(zones)


def check_cidr(option: str, value: Any) -> IPv4Network:
    """An IPv4 block that a VPC or subnet can have."""
    try:
        block = ip_network(str(value))
    except ValueError as error:
        raise OptionError(option, value, f"Give an IPv4 block like 10.20.0.0/16 ({error})") from None
    if not isinstance(block, IPv4Network) or not 16 <= block.prefixlen <= 28:
        raise OptionError(option, value, "AWS takes IPv4 blocks from /16 to /28")
    return block


def computed(vpc: IPv4Network, layer: str, zone: str) -> str:
    """The block of a subnet, from nothing but the VPC's block, the layer and the zone's letter (trap 47).

    The VPC is cut into 32 equal blocks: eight for each layer, of which the zone's letter (a to h) picks one, and eight to spare.
    So no subnet ever depends on which other zones are in use.
    """
    if zone[-1] not in LETTERS:
        raise OptionError(
            "availability_zones", zone, f"Blocks are computed for zones a to {LETTERS[-1]}: give this one's in subnets"
        )
    if vpc.prefixlen > 23:
        raise OptionError(
            "cidr_block",
            str(vpc),
            "It is too small to be divided by itself: use /16 to /23, or give every subnet's block in subnets",
        )
    number = LAYERS.index(layer) * len(LETTERS) + LETTERS.index(zone[-1])
    return str(list(vpc.subnets(prefixlen_diff=5))[number])


def subnet_blocks(options: dict[str, Any], zones: list[str]) -> dict[tuple[str, str], str]:
    """The block of every subnet, by layer and zone: the given ones, and the computed ones for all others."""
    vpc = check_cidr("cidr_block", options["cidr_block"])
    given = options["subnets"] or {}
    for layer, by_zone in given.items():
        if layer not in LAYERS:
            raise OptionError("subnets", layer, f"The layers are {', '.join(LAYERS)}")
        if not isinstance(by_zone, dict):
            raise OptionError(f"subnets.{layer}", by_zone, "Give a dictionary of zone: block")
        for zone in by_zone:
            if zone not in zones:
                raise OptionError(f"subnets.{layer}", zone, f"It is not one of availability_zones ({', '.join(zones)})")
    places = [(layer, zone) for layer in LAYERS for zone in zones]
    blocks = {
        (layer, zone): check_cidr(
            f"subnets.{layer}.{zone}", (given.get(layer) or {}).get(zone) or computed(vpc, layer, zone)
        )
        for layer, zone in places
    }
    for (layer, zone), block in blocks.items():
        if not block.subnet_of(vpc):
            raise OptionError(f"subnets.{layer}.{zone}", str(block), f"It lies outside the VPC's block {vpc}")
    for one, other in combinations(places, 2):
        if blocks[one].overlaps(blocks[other]):
            raise OptionError(
                f"subnets.{'.'.join(one)}",
                str(blocks[one]),
                f"It overlaps with {blocks[other]}, the block of {other[0]} in {other[1]}",
            )
    return {place: str(block) for place, block in blocks.items()}


def nat_zones(options: dict[str, Any], zones: list[str]) -> list[str]:
    """The zones that get a NAT gateway."""
    mode, chosen = options["nat_gateways"], options["nat_zone"]
    if chosen and mode != "single":
        raise OptionError("nat_zone", chosen, "It goes with nat_gateways=single only")
    if chosen and chosen not in zones:
        raise OptionError("nat_zone", chosen, f"It is not one of availability_zones ({', '.join(zones)})")
    where = {"none": [], "single": [chosen or zones[0]], "per_zone": zones}[mode]
    for zone, address in (options["nat_eip_allocation_ids"] or {}).items():
        if zone not in where:
            raise OptionError(
                "nat_eip_allocation_ids",
                zone,
                f"There is no NAT gateway in it, only in {', '.join(where) or 'no zone'}",
            )
        check_id(f"nat_eip_allocation_ids.{zone}", str(address), "eipalloc")
    return where


def check_routes(options: dict[str, Any]) -> dict[str, dict[str, str]]:
    """The user's routes, by layer and destination."""
    routes: dict[str, dict[str, str]] = {layer: {} for layer in LAYERS}
    for route in options["extra_routes"] or []:
        layer, destination, target = route["layer"], route["destination"], route["target"]
        if not destination.startswith("pl-"):
            try:
                destination = str(ip_network(destination))
            except ValueError as error:
                raise OptionError(
                    "extra_routes", destination, f"Give a block like 10.30.0.0/16, or a prefix list pl-… ({error})"
                ) from None
        if not target.startswith(ROUTE_TARGETS):
            raise OptionError(
                "extra_routes", target, f"A route leads to an id that starts with one of {', '.join(ROUTE_TARGETS)}"
            )
        if destination in routes[layer]:
            raise OptionError("extra_routes", destination, f"The layer {layer} has two routes to it")
        if destination == "0.0.0.0/0" and (layer == "public" or (layer == "app" and options["nat_gateways"] != "none")):
            way = "the internet gateway" if layer == "public" else "NAT: set nat_gateways=none to give another way"
            raise OptionError("extra_routes", destination, f"The layer {layer} already leaves by {way}")
        routes[layer][destination] = target
    return routes


def check_flow_log(options: dict[str, Any]) -> None:
    """What becomes of the flow log."""
    interval, days = options["flow_log_aggregation_interval"], options["flow_log_retention_days"]
    if interval not in (60, 600):
        raise OptionError("flow_log_aggregation_interval", interval, "AWS aggregates over 60 or 600 seconds")
    if days not in DAYS_OF_LOGS:
        raise OptionError(
            "flow_log_retention_days",
            days,
            f"CloudWatch Logs keeps logs for {', '.join(map(str, DAYS_OF_LOGS))} days (0: for ever)",
        )
    if options["flow_log_format"] and not re.fullmatch(r"(\$\{[a-z0-9-]+\} ?)+", options["flow_log_format"]):
        raise OptionError(
            "flow_log_format",
            options["flow_log_format"],
            "Give fields like '${srcaddr} ${dstaddr}', with one space between them",
        )
    name = options["flow_log_bucket_name"]
    if name and not re.fullmatch(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", name):
        raise OptionError("flow_log_bucket_name", name, "Give the name of a bucket, not its ARN")


def check_endpoints(options: dict[str, Any]) -> None:
    """Which services get an endpoint, each once."""
    for option in ("gateway_endpoints", "interface_endpoints"):
        names = options[option] or []
        for name in names:
            if not re.fullmatch(r"[a-z0-9][a-z0-9._-]*", name):
                raise OptionError(
                    option, name, "Give a service like ssm, ecr.api, or a full name like com.amazonaws.us-east-1.ssm"
                )
            if names.count(name) > 1:
                raise OptionError(option, name, "It is named twice")
    for name in options["gateway_endpoints"] or []:
        if name not in ("s3", "dynamodb", "s3express"):
            raise OptionError(
                "gateway_endpoints", name, "Gateways exist for s3, dynamodb and s3express: use interface_endpoints"
            )
        if name in (options["interface_endpoints"] or []):
            raise OptionError("interface_endpoints", name, "It is one of gateway_endpoints already, which cost nothing")
    for name, policy in (options["endpoint_policies"] or {}).items():
        if name not in [*(options["gateway_endpoints"] or []), *(options["interface_endpoints"] or [])]:
            raise OptionError(
                "endpoint_policies",
                name,
                "There is no endpoint of this service in gateway_endpoints or interface_endpoints",
            )
        if not isinstance(policy, dict) or "Statement" not in policy:
            raise OptionError(f"endpoint_policies.{name}", policy, "A policy document has a Statement")


def check_own_vpc(options: dict[str, Any]) -> None:
    """The user's own VPC: only what goes into it is ours."""
    check_id("vpc_id", options["vpc_id"], "vpc")
    for option in ("subnets", "nat_eip_allocation_ids", "nat_zone", "extra_routes"):
        if options[option]:
            raise OptionError(
                option, options[option], "With vpc_id, subnets, routes and NAT gateways are yours: leave it out"
            )
    needs = {"endpoint_subnet_ids": "interface_endpoints", "endpoint_route_table_ids": "gateway_endpoints"}
    for option, what in needs.items():
        if options[what] and not options[option]:
            raise OptionError(option, options[option], f"With vpc_id, name where {what} go, or set {what}=[]")
        for value in options[option] or []:
            check_id(option, value, "subnet" if option == "endpoint_subnet_ids" else "rtb")


def check_made_vpc(options: dict[str, Any]) -> None:
    """A VPC of the stack: its own subnets and route tables get the endpoints."""
    for option in ("endpoint_subnet_ids", "endpoint_route_table_ids"):
        if options[option]:
            raise OptionError(
                option,
                options[option],
                "It goes with vpc_id only: the endpoints of the stack's own VPC go into the app subnets",
            )
    if options["enable_dns_hostnames"] and not options["enable_dns_support"]:
        raise OptionError("enable_dns_hostnames", True, "Host names need DNS: set enable_dns_support=true too")
    if (
        options["interface_endpoints"]
        and options["interface_endpoint_private_dns"]
        and not options["enable_dns_hostnames"]
    ):
        raise OptionError(
            "interface_endpoint_private_dns",
            True,
            "Private names need enable_dns_support=true and enable_dns_hostnames=true",
        )
