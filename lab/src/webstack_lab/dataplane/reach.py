"""Who gets through: network ACLs and security groups between the nodes of a load balancer and an instance.

https://docs.aws.amazon.com/vpc/latest/userguide/vpc-network-acls.html and …/security-group-rules.html. All functions read moto's
objects, so call them under the app's lock.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import Any

EPHEMERAL = 40_000  # stands for the port of a client
INTERNET = "203.0.113.10"  # stands for a client on the internet
TCP = {"6", "tcp", "-1"}


def host_of(subnet: Any) -> str:
    """An address that stands for all of a subnet."""
    return str(ipaddress.ip_network(subnet.cidr_block)[4])


def inside(address: str, block: str | None) -> bool:
    """Whether an address is in a block; False for none or one of the other family."""
    return bool(block) and ipaddress.ip_address(address) in ipaddress.ip_network(str(block), strict=False)


def acl_of(backend: Any, subnet_id: str) -> Any:
    """The network ACL of a subnet."""
    for acl in backend.network_acls.values():
        if any(one.subnet_id == subnet_id for one in acl.associations):
            return acl
    return None


def acl_allows(acl: Any, *, egress: bool, peer: str, port: int) -> bool:
    """The first rule that fits decides, in the order of the numbers; none denies."""
    if acl is None:
        return True
    for rule in sorted(acl.network_acl_entries, key=lambda one: int(one.rule_number)):
        if (str(rule.egress).lower() == "true") != egress or not inside(peer, rule.cidr_block):
            continue
        ports = rule.protocol == "-1" or rule.port_range_from is None
        if str(rule.protocol) in TCP and (ports or int(rule.port_range_from) <= port <= int(rule.port_range_to)):
            return str(rule.rule_action) == "allow"
    return False


def acls_allow(backend: Any, source: Any, target: Any, port: int) -> bool:
    """Whether a connection between two subnets passes both ACLs, there and back; inside one subnet there are none."""
    if source.id == target.id:
        return True
    here, there = host_of(source), host_of(target)
    out, into = acl_of(backend, source.id), acl_of(backend, target.id)
    return (
        acl_allows(out, egress=True, peer=there, port=port)
        and acl_allows(into, egress=False, peer=here, port=port)
        and acl_allows(into, egress=True, peer=here, port=EPHEMERAL)
        and acl_allows(out, egress=False, peer=there, port=EPHEMERAL)
    )


def node_reachable(backend: Any, subnet: Any, port: int, internal: bool) -> bool:
    """Whether clients get to a load balancer's node in a subnet: from the internet, or from the subnet's own VPC."""
    vpc = backend.vpcs.get(subnet.vpc_id)
    client = str(ipaddress.ip_network(vpc.cidr_block)[-2]) if internal and vpc is not None else INTERNET
    acl = acl_of(backend, subnet.id)
    return acl_allows(acl, egress=False, peer=client, port=port) and acl_allows(
        acl, egress=True, peer=client, port=EPHEMERAL
    )


def node_open(backend: Any, balancer: Any, subnet: Any) -> bool:
    """Whether clients get to a node on one of the load balancer's listeners; without listeners there is nothing to close."""
    ports = [int(listener.port) for listener in balancer.listeners.values()]
    internal = balancer.scheme == "internal"
    return not ports or any(node_reachable(backend, subnet, port, internal) for port in ports)


def groups_allow(backend: Any, rules: Iterable[Any], peers: Iterable[str], addresses: list[str], port: int) -> bool:
    """Whether a rule lets one of the security groups, or one of the addresses, use a port."""
    known = set(peers)
    for rule in rules:
        every = str(rule.ip_protocol) == "-1" or rule.from_port in (None, "", -1)
        if str(rule.ip_protocol) not in TCP or not (every or int(rule.from_port) <= port <= int(rule.to_port)):
            continue
        blocks = [rule.ip_range.get("CidrIp"), *prefix_blocks(backend, rule.prefix_list_id)]
        if rule.source_group.get("GroupId") in known or any(
            inside(one, block) for one in addresses for block in blocks
        ):
            return True
    return False


def groups_of(backend: Any, instance: Any) -> list[Any]:
    """The security groups of an instance's first interface, else those that it was started with."""
    for interface in instance.nics.values():
        if interface.group_set:
            return list(interface.group_set)
    names = [getattr(one, "id", one) for one in instance.security_groups]
    return [group for name in names if (group := backend.get_security_group_by_name_or_id(name)) is not None]


def prefix_blocks(backend: Any, prefix_list: str | None) -> list[str]:
    """The blocks of a managed prefix list."""
    found = backend.managed_prefix_lists.get(prefix_list) if prefix_list else None
    versions = getattr(found, "entries", {}) or {}
    entries = versions.get(found.version, []) if found is not None else []
    return [entry["Cidr"] for entry in entries if entry.get("Cidr")]


def state_of(backend: Any, balancers: list[Any], instance: Any, subnet: Any, port: int) -> str:
    """How a port of an instance is for the load balancers that use it: "open", "no new" or "cut".

    Open when one node of one of them gets through, a node that clients get to; a port that no load balancer uses is open.
    """
    if not balancers:
        return "open"
    seen = set()
    for balancer in balancers:
        nodes = [
            node
            for node in balancer.subnets
            if node_open(backend, balancer, node) and acls_allow(backend, node, subnet, port)
        ]
        if not nodes:
            seen.add("cut")
            continue
        addresses = [host_of(node) for node in nodes] + ([INTERNET] if balancer.type == "network" else [])
        groups = groups_of(backend, instance)
        own = [group.id for group in groups]
        into = [rule for group in groups for rule in group.ingress_rules]
        passes = groups_allow(backend, into, balancer.security_groups or [], addresses, port)
        if balancer.security_groups:
            found = [backend.get_security_group_from_id(one) for one in balancer.security_groups]
            out = [rule for group in found if group is not None for rule in group.egress_rules]
            passes = passes and groups_allow(backend, out, own, [host_of(subnet)], port)
        seen.add("open" if passes else "no new")
    return next(state for state in ("open", "no new", "cut") if state in seen)
