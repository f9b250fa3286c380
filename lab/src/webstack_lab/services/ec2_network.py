"""EC2's network: what is in use stays, what leads nowhere says so, and rules are the same rule whatever the note on them."""

from __future__ import annotations

from typing import Any

from moto.ec2.models.route_tables import Route
from moto.ec2.models.security_groups import SecurityGroupRule

from webstack_lab.extend import Answer, AwsError, Context, Params, mend, operation
from webstack_lab.services.ec2 import PREFIX_DESCRIPTION, find_group, matches_tags
from webstack_lab.services.passing import settle, start

PEER = ("GroupId", "GroupName", "VpcId", "VpcPeeringConnectionId")


def same_rule(self: Any, other: Any) -> bool:
    """Whether two rules allow the same; a description is not part of a rule, as moto thinks it is for groups."""
    return bool(facts_of(self) == facts_of(other))


def facts_of(rule: Any) -> tuple[Any, ...]:
    """What makes a rule this rule."""
    ports = (None, None) if rule.ip_protocol == "-1" else (rule.from_port, rule.to_port)
    source = tuple(rule.source_group.get(key) for key in PEER)
    blocks = rule.ip_range.get("CidrIp"), rule.ip_range.get("CidrIpv6")
    return (rule.ip_protocol, ports, blocks, source, rule.prefix_list_id)


mend(SecurityGroupRule, "__eq__", same_rule)


@operation("ec2", "UpdateSecurityGroupRuleDescriptionsIngress", "UpdateSecurityGroupRuleDescriptionsEgress")
def update_descriptions(context: Context, params: Params) -> Answer:
    """The note on rules, whatever they refer to; moto changes that of blocks only.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_UpdateSecurityGroupRuleDescriptionsIngress.html
    """
    group = find_group(context, params)
    if group is None:
        raise AwsError("InvalidGroup.NotFound", f"The security group '{params.get('GroupId')}' does not exist")
    rules = group.ingress_rules if context.operation.endswith("Ingress") else group.egress_rules
    for permission in params.get("IpPermissions", []):
        for kind, peer in (
            ("IpRanges", "CidrIp"),
            ("Ipv6Ranges", "CidrIpv6"),
            ("UserIdGroupPairs", "GroupId"),
            ("PrefixListIds", "PrefixListId"),
        ):
            for one in permission.get(kind, []):
                fits = [rule for rule in rules if is_rule(rule, permission, peer, one[peer])]
                if not fits:
                    raise AwsError(
                        "InvalidPermission.NotFound", "The specified rule does not exist in this security group"
                    )
                note = {"Description": one["Description"]} if one.get("Description") else {}
                for rule in fits:
                    place = rule.ip_range if peer.startswith("Cidr") else rule.source_group
                    if peer == "PrefixListId":
                        setattr(rule, PREFIX_DESCRIPTION, one.get("Description"))
                    else:
                        place.pop("Description", None)
                        place.update(note)
    return {"Return": True}


def is_rule(rule: Any, permission: dict[str, Any], peer: str, value: str) -> bool:
    """Whether a rule is the one that a permission and one of its peers mean."""
    if rule.ip_protocol != permission["IpProtocol"]:
        return False
    if rule.ip_protocol != "-1" and (rule.from_port, rule.to_port) != (permission["FromPort"], permission["ToPort"]):
        return False
    known = {**rule.ip_range, **rule.source_group, "PrefixListId": rule.prefix_list_id}
    return bool(known.get(peer) == value)


def route_state(self: Any) -> str:
    """A route whose gateway is gone or detached stays, as a black hole (trap 33)."""
    if self.nat_gateway is not None and self.nat_gateway.state in ("deleting", "deleted", "failed"):
        return "blackhole"
    gateway = self.gateway
    if gateway is not None and gateway.id.startswith("igw-"):
        backend = self.route_table.ec2_backend
        attached = gateway.vpc is not None and gateway.vpc.id == self.route_table.vpc_id
        return "active" if attached and gateway.id in backend.internet_gateways else "blackhole"
    return "active"


mend(Route, "state", property(route_state))


@operation("ec2", "CreateRoute", "ReplaceRoute")
def put_route(context: Context, params: Params) -> Answer:
    """Refused where the target is none: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateRoute.html"""
    settle_nat_gateways(context)
    backend = context.backend()
    wanted = params.get("NatGatewayId")
    gateway = backend.nat_gateways.get(wanted)
    if wanted and (gateway is None or gateway.state != "available"):
        raise AwsError("InvalidNatGatewayID.NotFound", f"The natGateway ID '{wanted}' does not exist")
    return context.moto()


@operation("ec2", "AssociateRouteTable")
def associate_route_table(context: Context, params: Params) -> Answer:
    """Refused for a subnet that uses another table: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html"""
    subnet = params.get("SubnetId")
    for table in context.backend().route_tables.values():
        if subnet and subnet in table._associations.values() and table.id != params["RouteTableId"]:
            raise AwsError(
                "Resource.AlreadyAssociated", f"the specified association for route table {table.id} conflicts"
            )
    return context.moto()


@operation("ec2", "DeleteRouteTable")
def delete_route_table(context: Context, params: Params) -> Answer:
    """Gateway endpoints forget a table that is deleted."""
    answer = context.moto()
    for endpoint in context.backend().vpc_end_points.values():
        endpoint.route_table_ids = [table for table in endpoint.route_table_ids if table != params["RouteTableId"]]
    return answer


PENDING = 100.0  # seconds until a NAT gateway works, or is known to have failed
DELETING = 60.0  # seconds until it is gone and gives its address back


@operation("ec2", "CreateNatGateway")
def create_nat_gateway(context: Context, params: Params) -> Answer:
    """Pending at first. A public one fails in the end without an internet gateway, or with an address that is taken.

    https://docs.aws.amazon.com/vpc/latest/userguide/nat-gateway-troubleshooting.html
    """
    settle_nat_gateways(context)
    backend = context.backend()
    vpc_id = backend.get_subnet(params["SubnetId"]).vpc_id
    reason = None
    if params.get("ConnectivityType", "public") == "public":
        if not any(gateway.vpc and gateway.vpc.id == vpc_id for gateway in backend.internet_gateways.values()):
            reason = "Gateway.NotAttached", f"Network {vpc_id} has no Internet gateway attached"
        for address in backend.addresses:
            if address.allocation_id == params.get("AllocationId") and address.association_id:
                reason = (
                    "Resource.AlreadyAssociated",
                    f"Elastic IP address [{address.allocation_id}] is already associated",
                )
    if reason:
        params = {key: value for key, value in params.items() if key != "AllocationId"}
    answer = context.moto(params)
    gateway = backend.nat_gateways[answer["NatGateway"]["NatGatewayId"]]
    if reason:
        context.table("_failed_nat_gateways")[gateway.id] = {"FailureCode": reason[0], "FailureMessage": reason[1]}
    start(vars(gateway), "state", "pending", "failed" if reason else "available", PENDING)
    answer["NatGateway"]["State"] = "pending"
    return answer


@operation("ec2", "DescribeNatGateways")
def describe_nat_gateways(context: Context, params: Params) -> Answer:
    """moto's, which ignores filters by tag."""
    settle_nat_gateways(context)
    answer = context.moto()
    filters = params.get("Filter") or params.get("Filters") or []
    answer["NatGateways"] = [item for item in answer["NatGateways"] if matches_tags(item.get("Tags", []), filters)]
    for item in answer["NatGateways"]:
        if item["State"] == "failed":
            item.update(context.table("_failed_nat_gateways").get(item["NatGatewayId"], {}))
    return answer


@operation("ec2", "DeleteNatGateway")
def delete_nat_gateway(context: Context, params: Params) -> Answer:
    """Deleting at first; what holds its subnet and its address goes in the end (trap 33)."""
    settle_nat_gateways(context)
    gateway = context.backend().nat_gateways.get(params["NatGatewayId"])
    if gateway is None:
        raise AwsError("NatGatewayNotFound", f"The Nat Gateway {params['NatGatewayId']} was not found")
    if gateway.state not in ("deleting", "deleted"):
        start(vars(gateway), "state", "deleting", "deleted", DELETING, event="give back")
    return {"NatGatewayId": gateway.id}


@operation("ec2", "DescribeAddresses", "DescribeNetworkInterfaces")
def describe_after_settling(context: Context, params: Params) -> Answer:
    """moto's, once NAT gateways have let go of what they no longer have."""
    settle_nat_gateways(context)
    return context.moto()


def settle_nat_gateways(context: Context) -> None:
    """Let the time act on NAT gateways: one that is deleted or has failed lets go of its address and its interface."""
    backend = context.backend()
    for gateway in backend.nat_gateways.values():
        settle(vars(gateway))
        if gateway.state not in ("deleted", "failed"):
            continue
        for address in backend.addresses:
            if address.eni is not None and address.eni.id == gateway._eni.id:
                address.eni = address.association_id = None
        backend.enis.pop(gateway._eni.id, None)


@operation("ec2", "ReleaseAddress")
def release_address(context: Context, params: Params) -> Answer:
    """Refused for an address in use, which moto takes from whoever has it (trap 33)."""
    settle_nat_gateways(context)
    for address in context.backend().addresses:
        if address.allocation_id == params.get("AllocationId") and address.association_id:
            raise AwsError("InvalidIPAddress.InUse", f"Address {address.public_ip} is in use.")
    return context.moto()


@operation("ec2", "DetachInternetGateway")
def detach_internet_gateway(context: Context, params: Params) -> Answer:
    """Refused while a public address is mapped in the VPC (trap 32)."""
    settle_nat_gateways(context)
    for address in context.backend().addresses:
        interface = address.eni
        if interface is not None and getattr(interface.subnet, "vpc_id", None) == params["VpcId"]:
            raise AwsError(
                "DependencyViolation",
                f"Network {params['VpcId']} has some mapped public address(es). "
                "Please unmap those public address(es) before detaching the gateway.",
            )
    return context.moto()


@operation("ec2", "DeleteSubnet")
def delete_subnet(context: Context, params: Params) -> Answer:
    """Refused while a network interface is in it (trap 31)."""
    settle_nat_gateways(context)
    for interface in context.backend().enis.values():
        instance = getattr(interface, "instance", None)
        gone = instance is not None and instance._state.name == "terminated"
        if not gone and getattr(interface.subnet, "id", None) == params["SubnetId"]:
            text = f"The subnet '{params['SubnetId']}' has dependencies and cannot be deleted."
            raise AwsError("DependencyViolation", text)
    answer = context.moto()
    for table in context.backend().route_tables.values():
        for association, subnet in list(table._associations.items()):
            if subnet == params["SubnetId"]:
                del table._associations[association]
    return answer


@operation("ec2", "CreateVpcEndpoint")
def create_vpc_endpoint(context: Context, params: Params) -> Answer:
    """Private names need the DNS of the VPC, and one endpoint alone can have them (trap 43)."""
    backend = context.backend()
    vpc = backend.get_vpc(params["VpcId"])
    interface = params.get("VpcEndpointType") == "Interface"
    if interface and params.get("PrivateDnsEnabled", True):
        if vpc is not None and not (vpc.enable_dns_support and vpc.enable_dns_hostnames):
            text = (
                "Enabling private DNS requires both enableDnsSupport and enableDnsHostnames VPC attributes set to true"
            )
            raise AwsError("InvalidParameter", text)
        for other in backend.vpc_end_points.values():
            same = (other.vpc_id, other.service_name) == (params["VpcId"], params["ServiceName"])
            if same and other.private_dns_enabled and other.state != "deleted":
                text = f"private-dns-enabled cannot be set because there is already a conflicting DNS domain for {other.service_name}"
                raise AwsError("InvalidParameter", f"{text} in the VPC {params['VpcId']}")
    if not interface:
        params = {**params, "PrivateDnsEnabled": False}
    elif not params.get("SecurityGroupIds"):
        default = backend.get_security_group_by_name_or_id("default", params["VpcId"])
        params = {**params, "SecurityGroupIds": [default.id]}
    return context.moto(params)


@operation("ec2", "CreateFlowLogs")
def create_flow_logs(context: Context, params: Params) -> Answer:
    """moto's, which forgets how files in S3 shall look."""
    answer = context.moto()
    options = {"FileFormat": "plain-text", "HiveCompatiblePartitions": False, "PerHourPartition": False}
    if params.get("LogDestinationType") == "s3":
        for flow_log in answer.get("FlowLogIds", []):
            context.table("_flow_log_options")[flow_log] = {**options, **(params.get("DestinationOptions") or {})}
    return answer


@operation("ec2", "DescribeFlowLogs")
def describe_flow_logs(context: Context, params: Params) -> Answer:
    """moto's, which looks for `Filters` where EC2 says `Filter`."""
    answer = context.moto()
    flow_logs = [one for one in answer["FlowLogs"] if matches_tags(one.get("Tags", []), params.get("Filter") or [])]
    for one in flow_logs:
        known = context.table("_flow_log_options").get(one["FlowLogId"])
        if known:
            one["DestinationOptions"] = known
    return {**answer, "FlowLogs": flow_logs}
