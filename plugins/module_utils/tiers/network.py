"""The network tier: a VPC with public, app and data subnets, the ways out of it, and who may talk to whom in it."""

from __future__ import annotations

from typing import Any

from ..engine.resource import Resource
from ..engine.tier import Tier
from ..resources.ec2 import SecurityGroup, Subnet, Vpc
from ..resources.ec2_access import DefaultSecurityGroup, SecurityGroupRules
from ..resources.ec2_endpoints import GATEWAY, INTERFACE, VpcEndpoint
from ..resources.ec2_flow_logs import CLOUDWATCH, S3, FlowLog
from ..resources.ec2_routes import EVERYWHERE, NatRoute, RouteTable
from ..resources.ec2_routing import ElasticIp, InternetGateway, NatGateway
from ..resources.iam import Role
from ..resources.logs import LogGroup
from ..resources.policies import Policy, document, statement, trust
from . import network_layout as layout
from .network_access import RULE, Access

NAMES: dict[str, Any] = {"type": "list", "elements": "str", "default": []}
ANYBODY: dict[str, Any] = {"type": "list", "elements": "str", "default": [EVERYWHERE]}
ROUTE: dict[str, Any] = {
    "layer": {"type": "str", "required": True, "choices": list(layout.LAYERS)},
    "destination": {"type": "str", "required": True},
    "target": {"type": "str", "required": True},
}
ARGUMENTS: dict[str, Any] = {
    "cidr_block": {"type": "str", "default": "10.20.0.0/16"},
    "availability_zones": NAMES,
    "subnets": {"type": "dict", "default": {}},
    "map_public_ip_on_launch": {"type": "bool", "default": False},
    "enable_dns_support": {"type": "bool", "default": True},
    "enable_dns_hostnames": {"type": "bool", "default": True},
    "vpc_id": {"type": "str"},
    "nat_gateways": {"type": "str", "default": "per_zone", "choices": ["none", "single", "per_zone"]},
    "nat_zone": {"type": "str"},
    "nat_eip_allocation_ids": {"type": "dict", "default": {}},
    "extra_routes": {"type": "list", "elements": "dict", "default": [], "options": ROUTE},
    "gateway_endpoints": {"type": "list", "elements": "str", "default": ["s3"]},
    "interface_endpoints": {"type": "list", "elements": "str", "default": ["ssm", "logs", "secretsmanager"]},
    "interface_endpoint_private_dns": {"type": "bool", "default": True},
    "endpoint_policies": {"type": "dict", "default": {}},
    "endpoint_subnet_ids": NAMES,
    "endpoint_route_table_ids": NAMES,
    "alb_ports": {"type": "list", "elements": "int", "default": [80, 443]},
    "alb_ingress_cidr_blocks": ANYBODY,
    "alb_ingress_prefix_lists": NAMES,
    "nlb_ports": {"type": "list", "elements": "int", "default": [443]},
    "nlb_ingress_cidr_blocks": ANYBODY,
    "app_port": {"type": "int", "default": 8080},
    "nlb_app_port": {"type": "int"},
    "app_egress_cidr_blocks": ANYBODY,
    "cache_port": {"type": "int", "default": 6379},
    "db_port": {"type": "int", "default": 5432},
    "security_group_rules": {"type": "list", "elements": "dict", "default": [], "options": RULE},
    "security_group_rule_quota": {"type": "int", "default": 60},
    "lock_default_security_group": {"type": "bool", "default": True},
    "flow_log_destination": {"type": "str", "default": "s3", "choices": ["none", "s3", "cloudwatch"]},
    "flow_log_bucket_name": {"type": "str"},
    "flow_log_traffic_type": {"type": "str", "default": "ALL", "choices": ["ALL", "ACCEPT", "REJECT"]},
    "flow_log_aggregation_interval": {"type": "int", "default": 600},
    "flow_log_format": {"type": "str"},
    "flow_log_file_format": {"type": "str", "default": "plain-text", "choices": ["plain-text", "parquet"]},
    "flow_log_hive_partitions": {"type": "bool", "default": False},
    "flow_log_hourly_partitions": {"type": "bool", "default": False},
    "flow_log_retention_days": {"type": "int", "default": 30},
}


def network_tier(options: dict[str, Any]) -> list[Resource]:
    """All of it in a new VPC, or in the user's own VPC only what goes into one: security groups, endpoints, flow log."""
    layout.check_endpoints(options)
    layout.check_flow_log(options)
    build = _in_own_vpc if options["vpc_id"] else _with_vpc
    return build(options)


def _in_own_vpc(options: dict[str, Any]) -> list[Resource]:
    layout.check_own_vpc(options)
    private_names = bool(options["interface_endpoints"]) and options["interface_endpoint_private_dns"]
    vpc = Vpc(options["vpc_id"], read_dns=private_names, owned=False, hint="Correct vpc_id, or the region")
    access = Access(options, vpc)
    hint = "Correct endpoint_subnet_ids"
    subnets = [Subnet(name, owned=False, hint=hint) for name in options["endpoint_subnet_ids"]]
    endpoints = _endpoints(options, vpc, options["endpoint_route_table_ids"], subnets, access.groups["endpoints"])
    return [vpc, *access.groups.values(), *access.rules(), *endpoints, *_flow_log(options, vpc)]


def _with_vpc(options: dict[str, Any]) -> list[Resource]:
    stack = options["stack"]
    layout.check_made_vpc(options)
    zones = layout.check_zones(options)
    vpc = Vpc(
        stack,
        cidr_block=str(layout.check_cidr("cidr_block", options["cidr_block"])),
        enable_dns_support=options["enable_dns_support"],
        enable_dns_hostnames=options["enable_dns_hostnames"],
    )
    subnets = {
        (layer, zone): Subnet(
            f"{stack}-{layer}-{zone}",
            vpc=vpc,
            cidr_block=block,
            availability_zone=zone,
            map_public_ip_on_launch=options["map_public_ip_on_launch"] and layer == "public",
        )
        for (layer, zone), block in layout.subnet_blocks(options, zones).items()
    }
    gateway = InternetGateway(stack, vpc=vpc)
    tables = _route_tables(options, vpc, gateway, subnets)
    nats = _nat_gateways(options, zones, gateway, subnets)
    access = Access(options, vpc)
    app = [subnets["app", zone] for zone in zones]
    resources: list[Resource] = [vpc, gateway, *subnets.values(), *tables.values(), *nats.values()]
    resources += [*_nat_routes(options, tables, nats, zones), *access.groups.values(), *access.rules()]
    if options["lock_default_security_group"]:
        resources.append(DefaultSecurityGroup(f"{stack}-default", vpc=vpc))
    resources += _endpoints(options, vpc, list(tables.values()), app, access.groups["endpoints"])
    return [*resources, *_flow_log(options, vpc)]


def _route_tables(
    options: dict[str, Any], vpc: Vpc, gateway: InternetGateway, subnets: dict[tuple[str, str], Subnet]
) -> dict[str, RouteTable]:
    """One table for the public subnets, one for each app subnet (each its own way out), one for the data subnets (none)."""
    stack, extra = options["stack"], layout.check_routes(options)
    layers: dict[str, list[Subnet]] = {"public": [], "data": []}
    tables: dict[str, RouteTable] = {}
    for (layer, zone), subnet in subnets.items():
        if layer == "app":
            tables[zone] = RouteTable(f"{stack}-app-{zone}", vpc=vpc, subnets=[subnet], routes=dict(extra["app"]))
        else:
            layers[layer].append(subnet)
    out = {**extra["public"], EVERYWHERE: gateway}
    tables["public"] = RouteTable(f"{stack}-public", vpc=vpc, subnets=layers["public"], routes=out)
    tables["data"] = RouteTable(f"{stack}-data", vpc=vpc, subnets=layers["data"], routes=dict(extra["data"]))
    return tables


def _nat_gateways(
    options: dict[str, Any], zones: list[str], gateway: InternetGateway, subnets: dict[tuple[str, str], Subnet]
) -> dict[str, NatGateway]:
    """NAT gateways by zone: known by their zone, each keeps its public address whatever else changes (trap 34)."""
    stack, given = options["stack"], options["nat_eip_allocation_ids"] or {}
    nats = {}
    for zone in layout.nat_zones(options, zones):
        name = f"{stack}-nat-{zone}"
        own = zone in given
        address = ElasticIp(given[zone] if own else name, owned=not own, hint="Correct nat_eip_allocation_ids")
        nats[zone] = NatGateway(name, subnet=subnets["public", zone], address_of=address, gateway=gateway)
    return nats


def _nat_routes(
    options: dict[str, Any], tables: dict[str, RouteTable], nats: dict[str, NatGateway], zones: list[str]
) -> list[NatRoute]:
    guard = ""
    if options["nat_gateways"] == "single" and not options["nat_zone"]:
        guard = "Set nat_zone to the zone of the gateway to keep it, or to another zone to move it"
    ways = {zone: nats.get(zone) or next(iter(nats.values()), None) for zone in zones}
    return [NatRoute(tables[zone].name, table=tables[zone], nat=nat, guard=guard) for zone, nat in ways.items() if nat]


def _endpoints(
    options: dict[str, Any], vpc: Vpc, tables: list[Any], subnets: list[Subnet], group: SecurityGroup
) -> list[VpcEndpoint]:
    def endpoint(service: str, **wishes: Any) -> VpcEndpoint:
        policy = options["endpoint_policies"].get(service) if options["endpoint_policies"] else None
        full = (
            service if service.startswith(("com.", "cn.", "aws.")) else f"com.amazonaws.{options['region']}.{service}"
        )
        name = f"{options['stack']}-endpoint-{service}"
        return VpcEndpoint(name, vpc=vpc, service_name=full, policy=Policy(policy) if policy else None, **wishes)

    private = options["interface_endpoint_private_dns"]
    placed = {"subnets": subnets, "security_groups": [group], "private_dns": private}
    return [
        *(endpoint(service, type=GATEWAY, route_tables=tables) for service in options["gateway_endpoints"] or []),
        *(endpoint(service, type=INTERFACE, **placed) for service in options["interface_endpoints"] or []),
    ]


def _flow_log(options: dict[str, Any], vpc: Vpc) -> list[Resource]:
    """The flow log, to the stack's log bucket (or another), or to a log group of its own with a role that may write there."""
    stack, where = options["stack"], options["flow_log_destination"]
    if where == "none":
        return []
    log = FlowLog(
        stack,
        vpc=vpc,
        destination_type=S3 if where == "s3" else CLOUDWATCH,
        traffic_type=options["flow_log_traffic_type"],
        aggregation_interval=options["flow_log_aggregation_interval"],
        log_format=options["flow_log_format"],
    )
    if where == "s3":
        bucket = options["flow_log_bucket_name"] or f"{stack}-logs-{options['account_id']}-{options['region']}"
        log.destination = f"arn:{options['partition']}:s3:::{bucket}"
        log.file_format = options["flow_log_file_format"]
        log.hive_partitions = options["flow_log_hive_partitions"]
        log.hourly_partitions = options["flow_log_hourly_partitions"]
        return [log]
    log.log_group = LogGroup(f"{stack}-flow-log", retention_days=options["flow_log_retention_days"])
    log.role = _flow_log_role(options, log.log_group.name)
    return [log.role, log.log_group, log]


def _flow_log_role(options: dict[str, Any], group: str) -> Role:
    """The role that writes into one log group and nowhere else."""
    place = f"arn:{options['partition']}:logs:{options['region']}:{options['account_id']}"
    write = ["logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"]
    into = f"{place}:log-group:{group}"
    policy = document(
        statement("Write", action=write, resource=[into, f"{into}:*"]),
        statement("List", action="logs:DescribeLogGroups", resource=f"{place}:log-group:*"),
    )
    return Role(
        f"{options['stack']}-{options['region']}-flow-log",
        trust=trust("vpc-flow-logs.amazonaws.com"),
        managed_policy_arns=set(),
        inline_policies={"write": policy},
    )


TIER = Tier(
    "network",
    ARGUMENTS,
    network_tier,
    (
        Vpc,
        InternetGateway,
        Subnet,
        SecurityGroup,
        DefaultSecurityGroup,
        SecurityGroupRules,
        ElasticIp,
        NatGateway,
        RouteTable,
        NatRoute,
        VpcEndpoint,
        LogGroup,
        Role,
        FlowLog,
    ),
    # A flow log in S3 has neither, and never comes from one that has: nothing to look for.
    keeps=lambda options: (LogGroup, Role) if options["flow_log_destination"] == "s3" else (),
)
