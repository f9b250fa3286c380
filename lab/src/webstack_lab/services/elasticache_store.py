"""ElastiCache: our records of groups and clusters, and what time does to them."""

from __future__ import annotations

import hashlib
import time
from typing import Any

from webstack_lab.extend import AwsError, Context, Params
from webstack_lab.services.passing import settle

SERVICE = "elasticache"
LATEST = {
    "redis": {
        "5.0": "5.0.6",
        "6": "6.2.6",
        "6.0": "6.0.5",
        "6.2": "6.2.6",
        "7": "7.1.0",
        "7.0": "7.0.7",
        "7.1": "7.1.0",
    },
    "valkey": {"7": "7.2.6", "7.2": "7.2.6", "8": "8.0.1", "8.0": "8.0.1", "8.1": "8.1.0"},
    "memcached": {},
}
NEWEST = {"redis": "7.1.0", "valkey": "8.0.1", "memcached": "1.6.22"}


def public(record: dict[str, Any]) -> dict[str, Any]:
    """A record without what is ours."""
    return {key: value for key, value in record.items() if not key.startswith("_") and value is not None}


def fetch(context: Context, table: str, name: str, code: str, text: str) -> dict[str, Any]:
    """A record by its name, in whatever case it was given; the error when there is none."""
    found: dict[str, Any] | None = context.table(table, service=SERVICE).get(name.lower())
    if found is None:
        raise AwsError(code, text)
    return found


def tags_of(params: Params) -> dict[str, str]:
    """The tags of a create call."""
    return {tag["Key"]: tag.get("Value", "") for tag in params.get("Tags") or []}


def full_version(engine: str, version: str | None) -> str:
    """7.1 is 7.1.0, 6.x is the newest 6."""
    if not version:
        return NEWEST[engine]
    short = version.removesuffix(".x")
    full = LATEST[engine].get(short, short)
    if len(full.split(".")) != 3:
        raise AwsError("InvalidParameterCombination", f"Cannot find version {version} for {engine}")
    return full


def family_of(engine: str, version: str) -> str:
    """The parameter group family of a full version."""
    major, minor = version.split(".")[:2]
    if engine == "memcached" or (engine == "redis" and int(major) < 6):
        return f"{engine}{major}.{minor}"
    return "redis6.x" if (engine, major) == ("redis", "6") else f"{engine}{major}"


def host(context: Context, *labels: str) -> str:
    """A host name of the region; the middle label is the account's own."""
    digest = hashlib.sha256(context.account_id.encode()).hexdigest()[:6]
    area, compass, number = context.region.split("-")[:3]
    return f"{'.'.join(labels)}.{digest}.{area[:2]}{compass[0]}{number}.cache.amazonaws.com"


def note(context: Context, source: str, kind: str, message: str) -> None:
    """An event; ElastiCache keeps them for 14 days."""
    listed = context.table("_events", service=SERVICE).setdefault("all", [])
    listed.append({"SourceIdentifier": source, "SourceType": kind, "Message": message, "Date": time.time()})


def groups(context: Context) -> list[dict[str, Any]]:
    """All replication groups, as they are now."""
    table = context.table("groups", service=SERVICE)
    for group in list(table.values()):
        event = settle(group)
        if event is None:
            continue
        if event == "gone":
            for member in list(group["MemberClusters"]):
                remove_cluster(context, member)
            del table[group["ReplicationGroupId"]]
        elif event.startswith("failover:"):
            fail_over(context, group, event.removeprefix("failover:"))
    return list(table.values())


def clusters(context: Context) -> list[dict[str, Any]]:
    """All clusters, as they are now; members do as their group does."""
    states = {group["ReplicationGroupId"]: group["Status"] for group in groups(context)}
    table = context.table("clusters", service=SERVICE)
    for cluster in list(table.values()):
        if settle(cluster) == "gone":
            remove_cluster(context, cluster["CacheClusterId"])
        elif cluster.get("ReplicationGroupId"):
            cluster["CacheClusterStatus"] = states[cluster["ReplicationGroupId"]]
    return list(table.values())


def remove_cluster(context: Context, name: str) -> None:
    """A cluster with the network interfaces of its nodes."""
    cluster = context.table("clusters", service=SERVICE).pop(name)
    for node in cluster["CacheNodes"]:
        drop_interface(context, node)


def drop_interface(context: Context, node: dict[str, Any]) -> None:
    """A node's network interface goes with it."""
    if node["_interface"] is not None:
        context.backend("ec2").enis.pop(node["_interface"], None)


def fail_over(context: Context, group: dict[str, Any], shard_id: str) -> None:
    """The next replica becomes the primary, and the old primary comes back as a replica."""
    shard = next(shard for shard in group["NodeGroups"] if shard["NodeGroupId"] == shard_id)
    members = shard["NodeGroupMembers"]
    old = next(member for member in members if member["CurrentRole"] == "primary")
    new = next(member for member in members if member["CurrentRole"] == "replica")
    old["CurrentRole"], new["CurrentRole"] = "replica", "primary"
    name, before, after = group["ReplicationGroupId"], old["CacheClusterId"], new["CacheClusterId"]
    note(context, name, "replication-group", f"Failover from primary node {before} to replica node {after} completed")
    note(context, before, "cache-cluster", "Recovering cache nodes 0001")
    note(context, before, "cache-cluster", "Finished recovery for cache nodes 0001")


def node(context: Context, label: str, place: dict[str, Any] | None, security_group_ids: list[str]) -> dict[str, Any]:
    """A cache node, with the network interface that AWS puts into a subnet for it."""
    subnet = place["SubnetIdentifier"] if place else None
    interface = None
    if subnet is not None:
        made = context.call(
            "ec2",
            "CreateNetworkInterface",
            SubnetId=subnet,
            Groups=security_group_ids,
            Description=f"ElastiCache {label}",
        )
        interface = made["NetworkInterface"]["NetworkInterfaceId"]
    return {
        "CacheNodeStatus": "available",
        "CacheNodeCreateTime": time.time(),
        "ParameterGroupStatus": "in-sync",
        "CustomerAvailabilityZone": place["SubnetAvailabilityZone"]["Name"] if place else f"{context.region}a",
        "_subnet": subnet,
        "_interface": interface,
    }


def check_security_groups(context: Context, ids: list[str]) -> None:
    """Groups that exist."""
    backend = context.backend("ec2")
    for one in ids:
        if backend.get_security_group_from_id(one) is None:
            raise AwsError("InvalidParameterValue", f"Invalid security group {one}: the security group does not exist")


def set_security_groups(context: Context, cluster: dict[str, Any], ids: list[str]) -> None:
    """Groups of a cluster and of its interfaces."""
    check_security_groups(context, ids)
    cluster["SecurityGroups"] = [{"SecurityGroupId": one, "Status": "active"} for one in ids]
    backend = context.backend("ec2")
    for one in cluster["CacheNodes"]:
        if one["_interface"] is not None:
            backend.modify_network_interface_attribute(eni_id=one["_interface"], group_ids=ids)
