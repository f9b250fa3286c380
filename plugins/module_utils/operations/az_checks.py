"""What must hold before a zone's subnets are cut off: the others can carry the load, and nothing else is hit."""

from __future__ import annotations

import ipaddress
import math
import socket
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..engine.sdk import SDK_ERRORS, Clients, error_code, explain
from .drill import Precondition
from .web_targets import Target, healthy_by_zone

RUN_TAG = "webstack:run"  # on what a run made for a while; such things never have the tag of the stack's own resources
LEAST_TARGETS = 2  # healthy targets that must be left in the other zones


def capacity(targets: Sequence[Target], zone: str, share: float) -> Iterable[Precondition]:
    """Targets of the zone exist to be cut off, and enough are healthy in the other zones."""
    by_zone = healthy_by_zone(targets)
    unhealthy = sorted(target.id for target in targets if target.state not in ("healthy", "draining"))
    inside = by_zone.get(zone, 0)
    elsewhere = sum(count for name, count in by_zone.items() if name != zone)
    shown = ", ".join(f"{count} in {name or 'no known zone'}" for name, count in sorted(by_zone.items())) or "none"
    yield Precondition(
        "targets",
        inside > 0 and not unhealthy,
        f"healthy targets: {shown}"
        + (f"; not healthy: {', '.join(unhealthy)}. Mend them first" if unhealthy else "")
        + ("" if inside else f". Nothing would be rehearsed: {zone} has no healthy target"),
    )
    needed = max(LEAST_TARGETS, math.ceil(share * (inside + elsewhere)))
    yield Precondition(
        "capacity",
        elsewhere >= needed,
        f"{elsewhere} of {inside + elsewhere} healthy targets are in other zones; {needed} are needed"
        + ("" if elsewhere >= needed else ". Add instances, or lower least_remaining"),
    )


def balancer_nodes(clients: Clients, region: str, arns: Sequence[str], subnets: Iterable[str]) -> Precondition:
    """No load balancer has a node in the subnets: its clients would fail until DNS drops that address."""
    cut = set(subnets)
    hit = []
    if arns:
        for balancer in clients("elbv2", region).describe_load_balancers(LoadBalancerArns=list(arns))["LoadBalancers"]:
            inside = sorted(cut & {place["SubnetId"] for place in balancer["AvailabilityZones"] if "SubnetId" in place})
            hit += [f"{balancer['LoadBalancerName']} in {', '.join(inside)}"] if inside else []
    if hit:
        text = f"{'; '.join(hit)}: clients of that node would fail until DNS drops its address. Leave these subnets out"
        return Precondition("load_balancer", False, text)
    return Precondition("load_balancer", True, "no load balancer has a node in these subnets")


def data_stores(clients: Clients, region: str, zone: str, subnets: Iterable[str]) -> Precondition:
    """No database and no cache would lose its only or writing node: that is another drill."""
    cut = set(subnets)
    hit = [*_databases(clients("rds", region), zone, cut), *_caches(clients("elasticache", region), zone, cut)]
    if hit:
        text = f"{'; '.join(hit)} would be cut off too. Leave these subnets out: rehearse its failover by its own drill"
        return Precondition("data_stores", False, text)
    return Precondition("data_stores", True, "no writing database or cache node is in these subnets")


def _databases(client: Any, zone: str, cut: set[str]) -> Iterable[str]:
    for page in client.get_paginator("describe_db_instances").paginate():
        for instance in page["DBInstances"]:
            places = (instance.get("DBSubnetGroup") or {}).get("Subnets", [])
            if instance.get("AvailabilityZone") == zone and cut & {place["SubnetIdentifier"] for place in places}:
                yield f"database {instance['DBInstanceIdentifier']}"


def _caches(client: Any, zone: str, cut: set[str]) -> Iterable[str]:
    groups = {
        group["CacheSubnetGroupName"]
        for page in client.get_paginator("describe_cache_subnet_groups").paginate()
        for group in page["CacheSubnetGroups"]
        if cut & {subnet["SubnetIdentifier"] for subnet in group["Subnets"]}
    }
    if not groups:
        return
    for page in client.get_paginator("describe_cache_clusters").paginate():
        for cluster in page["CacheClusters"]:
            if cluster.get("CacheSubnetGroupName") in groups and cluster.get("PreferredAvailabilityZone") == zone:
                yield f"cache node {cluster['CacheClusterId']}"


def network_acls(acls: Iterable[Mapping[str, Any]], subnets: Mapping[str, str]) -> Precondition:
    """Every subnet has its own lasting network ACL, and no former drill left one."""
    left = {acl["NetworkAclId"]: tag["Value"] for acl in acls for tag in acl.get("Tags", []) if tag["Key"] == RUN_TAG}
    if left:
        told = ", ".join(f"{acl_id} of run {run_id}" for acl_id, run_id in sorted(left.items()))
        return Precondition("network_acls", False, f"a former drill left {told}. Run playbooks/undo.yml first")
    told = ", ".join(f"{subnet} has {acl_id}" for subnet, acl_id in sorted(subnets.items()))
    return Precondition("network_acls", True, told)


def rights(client: Any, vpc_id: str, associations: Mapping[str, tuple[str, str]]) -> Precondition:
    """The caller may make the fault and take it back, as EC2's dry runs say. ``associations`` is subnet → (id, network ACL)."""
    calls: list[tuple[str, dict[str, Any]]] = [("create_network_acl", {"VpcId": vpc_id})]
    for association, acl_id in associations.values():
        calls.append(("replace_network_acl_association", {"AssociationId": association, "NetworkAclId": acl_id}))
    for name, params in calls:
        try:
            getattr(client, name)(**params, DryRun=True)
        except SDK_ERRORS as error:
            if error_code(error) != "DryRunOperation":
                return Precondition("rights", False, f"a dry run of ec2 {name} was refused: {explain(error)}")
    return Precondition("rights", True, "dry runs of CreateNetworkAcl and ReplaceNetworkAclAssociation are allowed")


def prober_outside(blocks: Iterable[str]) -> Precondition:
    """This machine, which probes and undoes, is not in the subnets that are cut off."""
    for block in blocks:
        network = ipaddress.ip_network(block)
        own = _own_address(str(network[1]))
        if own is not None and ipaddress.ip_address(own) in network:
            text = f"this machine has the address {own} in {block}: it would cut itself off. Run the drill from another zone"
            return Precondition("prober", False, text)
    return Precondition("prober", True, "this machine, which measures and undoes, has no address in these subnets")


def _own_address(towards: str) -> str | None:
    """The address with which this machine would speak to another. Nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((towards, 9))
            found: str = probe.getsockname()[0]
        except OSError:
            return None
    return found
