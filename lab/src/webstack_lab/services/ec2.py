"""EC2: security group rules keep their descriptions, used groups and VPCs stay, endpoints can be changed."""

from __future__ import annotations

import json
from typing import Any

from moto.ec2.models.instances import Instance
from moto.ec2.models.security_groups import (
    GroupedSecurityRuleView,
    SecurityGroup,
    SecurityGroupRule,
)
from moto.ec2.utils import random_private_ip

from webstack_lab.extend import Answer, AwsError, Context, Params, mend, operation

# Descriptions of rules that refer to prefix lists, which moto has no place for; they live as long as the rule.
PREFIX_DESCRIPTION = "_prefix_list_description"


def rule_description(self: Any) -> str | None:
    """The description of a rule, whatever it refers to."""
    text = self.ip_range.get("Description") or self.source_group.get("Description")
    return text or getattr(self, PREFIX_DESCRIPTION, None)


def flattened_rules(self: Any, rules: list[Any]) -> list[GroupedSecurityRuleView]:
    """Rules grouped by protocol and ports, each source with its own description."""
    views: dict[tuple[Any, ...], GroupedSecurityRuleView] = {}
    for rule in rules:
        key = rule.from_port, rule.to_port, rule.ip_protocol
        view = views.setdefault(key, GroupedSecurityRuleView(*key))
        if rule.ip_range:
            view.all_ip_ranges.append(rule.ip_range)
        if rule.source_group:
            view.source_groups.append(rule.source_group)
        if rule.prefix_list_id:
            description = getattr(rule, PREFIX_DESCRIPTION, None)
            view.prefix_list_ids.append(
                {"PrefixListId": rule.prefix_list_id} | ({"Description": description} if description else {})
            )
    return list(views.values())


mend(SecurityGroupRule, "description", property(rule_description))
mend(SecurityGroup, "_flattened_rules", flattened_rules)


@operation("ec2", "AuthorizeSecurityGroupIngress", "AuthorizeSecurityGroupEgress")
def authorize(context: Context, params: Params) -> Answer:
    """moto's, which forgets the descriptions of prefix lists and answers with the rules of the last permission only."""
    group = find_group(context, params)
    before = {rule.id for rule in [*group.ingress_rules, *group.egress_rules]} if group else set()
    context.moto()
    group = find_group(context, params)
    notes = {
        (permission["IpProtocol"], permission.get("FromPort"), permission.get("ToPort"), prefix["PrefixListId"]): prefix
        for permission in params.get("IpPermissions", [])
        for prefix in permission.get("PrefixListIds", [])
    }
    added = [rule for rule in [*group.ingress_rules, *group.egress_rules] if rule.id not in before]
    for rule in added:
        note = notes.get((rule.ip_protocol, rule.from_port, rule.to_port, rule.prefix_list_id), {}).get("Description")
        if note:
            setattr(rule, PREFIX_DESCRIPTION, note)
    filters = [{"Name": "group-id", "Values": [group.id]}]
    rules = context.call("ec2", "DescribeSecurityGroupRules", Filters=filters)["SecurityGroupRules"]
    ids = {rule.id for rule in added}
    return {"Return": True, "SecurityGroupRules": [rule for rule in rules if rule["SecurityGroupRuleId"] in ids]}


def find_group(context: Context, params: Params) -> Any:
    """The security group that a call is about."""
    return context.backend().get_security_group_by_name_or_id(params.get("GroupId") or params.get("GroupName"))


@operation("ec2", "DeleteSecurityGroup")
def delete_security_group(context: Context, params: Params) -> Answer:
    """Refused for a group in use: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteSecurityGroup.html"""
    group = find_group(context, params)
    if group is None:
        return context.moto()
    if group.name == "default":
        raise AwsError("CannotDelete", f'the specified group: {group.id!r} name: "default" cannot be deleted by a user')
    if (
        used_by_interface(context, group.id)
        or used_by_load_balancer(context, group.id)
        or referenced(context, group.id)
    ):
        raise AwsError("DependencyViolation", f"resource {group.id} has a dependent object")
    return context.moto()


def used_by_interface(context: Context, group_id: str) -> bool:
    """Whether an interface, an endpoint (moto gives its interfaces no group) or a living instance is in the group."""
    backend = context.backend()
    if any(
        group_id in (endpoint.security_group_ids or [])
        for endpoint in backend.vpc_end_points.values()
        if endpoint.state != "deleted"
    ):
        return True
    if any(group.id == group_id for interface in backend.enis.values() for group in interface.group_set):
        return True
    return any(
        group.id == group_id
        for reservation in backend.reservations.values()
        for instance in reservation.instances
        if instance._state.name != "terminated"
        for group in instance.security_groups
    )


def used_by_load_balancer(context: Context, group_id: str) -> bool:
    """Whether a load balancer is in the group: AWS would see its network interfaces, which moto does not make."""
    balancers = context.backend("elbv2").load_balancers.values()
    return any(group_id in (balancer.security_groups or []) for balancer in balancers)


def referenced(context: Context, group_id: str) -> bool:
    """Whether a rule of another group refers to the group."""
    return any(
        rule.source_group.get("GroupId") == group_id
        for groups in context.backend().groups.values()
        for other in groups.values()
        if other.id != group_id
        for rule in [*other.ingress_rules, *other.egress_rules]
    )


def matches_tags(tags: list[dict[str, str]], filters: list[dict[str, Any]]) -> bool:
    """Whether tags fit the tag filters among filters."""
    values = {tag["Key"]: tag["Value"] for tag in tags}
    for condition in filters:
        name = condition["Name"]
        if name == "tag-key" and not values.keys() & set(condition["Values"]):
            return False
        if name.startswith("tag:") and values.get(name.removeprefix("tag:")) not in condition["Values"]:
            return False
    return True


@operation("ec2", "ModifyVpcEndpoint")
def modify_vpc_endpoint(context: Context, params: Params) -> Answer:
    """moto's, which ignores PrivateDnsEnabled and ResetPolicy and takes any route table, subnet or group."""
    backend = context.backend()
    endpoint = backend.vpc_end_points.get(params["VpcEndpointId"])
    if endpoint is None:
        raise AwsError(
            "InvalidVpcEndpointId.NotFound", f"The Vpc Endpoint Id '{params['VpcEndpointId']}' does not exist"
        )
    for table in params.get("AddRouteTableIds", []):
        backend.get_route_table(table)
    for subnet in params.get("AddSubnetIds", []):
        backend.get_subnet(subnet)
    for group in params.get("AddSecurityGroupIds", []):
        if backend.get_security_group_from_id(group) is None:
            raise AwsError("InvalidGroup.NotFound", f"The security group '{group}' does not exist")
    answer = context.moto()
    if "PrivateDnsEnabled" in params:
        endpoint.private_dns_enabled = params["PrivateDnsEnabled"]
    if params.get("ResetPolicy"):
        endpoint.policy_document = json.dumps(endpoint.DEFAULT_POLICY)
    keep_places(backend, endpoint, params)
    return answer


def keep_places(backend: Any, endpoint: Any, params: Params) -> None:
    """A gateway endpoint has a route in each of its tables, another one an interface in each subnet; moto makes them once."""
    prefix_list = endpoint.destination_prefix_list_id
    for table in params.get("AddRouteTableIds", []) if prefix_list else []:
        backend.create_route(table, None, gateway_id=endpoint.id, destination_prefix_list_id=prefix_list)
    for table in params.get("RemoveRouteTableIds", []) if prefix_list else []:
        backend.delete_route(table, prefix_list)
    for subnet in params.get("AddSubnetIds", []):
        endpoint.network_interface_ids.append(backend.create_network_interface(subnet, random_private_ip()).id)
    for interface in list(endpoint.network_interface_ids):
        if backend.enis[interface].subnet.id in params.get("RemoveSubnetIds", []):
            endpoint.network_interface_ids.remove(interface)
            del backend.enis[interface]


prepare_interfaces = Instance.prep_nics


def prep_nics(self: Any, nic_spec: list[dict[str, Any]], *positional: Any, **named: Any) -> None:
    """Interfaces that an instance brings into being go with it, unless the caller says otherwise; moto keeps them.

    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/using-eni.html (termination behaviour)
    """
    before = set(self.ec2_backend.enis)
    prepare_interfaces(self, nic_spec, *positional, **named)
    kept = {str(spec.get("DeviceIndex", 0)) for spec in nic_spec or [] if spec.get("DeleteOnTermination") is False}
    for index, interface in self.nics.items():
        if interface.id not in before and str(index) not in kept:
            interface.delete_on_termination = True


mend(Instance, "prep_nics", prep_nics)


@operation("ec2", "DeleteVpc")
def delete_vpc(context: Context, params: Params) -> Answer:
    """Refused while anything but its own default things is in it; those go with it, and so do its flow logs (moto forgets most).

    https://docs.aws.amazon.com/vpc/latest/userguide/delete-vpc.html
    """
    backend, vpc_id = context.backend(), params["VpcId"]
    tables = [table for table in backend.network_acls.values() if table.vpc_id == vpc_id]
    in_use = any(str(table.default).lower() != "true" for table in tables)
    in_use |= any(gateway.vpc and gateway.vpc.id == vpc_id for gateway in backend.internet_gateways.values())
    in_use |= any(group.name != "default" for group in backend.groups.get(vpc_id, {}).values())
    in_use |= any(one.vpc_id == vpc_id and one.state != "deleted" for one in backend.vpc_end_points.values())
    if in_use:
        raise AwsError("DependencyViolation", f"The vpc '{vpc_id}' has dependencies and cannot be deleted.")
    answer = context.moto()
    for table in tables:
        del backend.network_acls[table.id]
    for flow_log in [one for one in backend.flow_logs.values() if one.resource_id == vpc_id]:
        del backend.flow_logs[flow_log.id]
    return answer
