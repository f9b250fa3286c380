"""ElastiCache: replication groups and clusters, with AWS's states and refusals.

https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/
"""

from __future__ import annotations

import re
import time
from typing import Any

from webstack_lab.extend import Answer, AwsError, Context, Params, operation, page
from webstack_lab.services import elasticache_store as store
from webstack_lab.services.elasticache_groups import parameter_group, subnet_group
from webstack_lab.services.passing import start

IDENTIFIER = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
CREATE, MODIFY, SCALE, DELETE = 360, 60, 600, 300  # seconds
WINDOWS = {"PreferredMaintenanceWindow": "sun:05:00-sun:06:00", "SnapshotWindow": "06:30-07:30"}


def replication_group(context: Context, name: str) -> dict[str, Any]:
    """A replication group, as it is now."""
    store.groups(context)
    return store.fetch(context, "groups", name, "ReplicationGroupNotFoundFault", f"ReplicationGroup {name} not found.")


def require_available(group: dict[str, Any]) -> None:
    """Every change wants a group that is available."""
    if group["Status"] != "available":
        text = (
            f"Replication group {group['ReplicationGroupId']} has status {group['Status']} which is not valid for this."
        )
        raise AwsError("InvalidReplicationGroupState", text)


def shown(context: Context, group: dict[str, Any]) -> dict[str, Any]:
    """A group as AWS shows it: endpoints once it is made."""
    answer = store.public(group)
    if group["Status"] == "creating":
        answer.pop("ConfigurationEndpoint", None)
        hidden = ("PrimaryEndpoint", "ReaderEndpoint")
        answer["NodeGroups"] = [
            {key: value for key, value in shard.items() if key not in hidden} | {"Status": "creating"}
            for shard in group["NodeGroups"]
        ]
    return answer


def check_creation(context: Context, params: Params, engine: str, version: str) -> None:
    """What AWS refuses."""
    name = params["ReplicationGroupId"].lower()
    if not IDENTIFIER.fullmatch(name) or len(name) > 40:
        raise AwsError("InvalidParameterValue", "The parameter ReplicationGroupIdentifier is not a valid identifier.")
    if name in {group["ReplicationGroupId"] for group in store.groups(context)}:
        raise AwsError("ReplicationGroupAlreadyExists", f"Replication group {name} already exists.")
    if params.get("SnapshotName") and params["SnapshotName"].lower() not in context.table("snapshots"):
        raise AwsError("SnapshotNotFoundFault", f"Snapshot {params['SnapshotName']} not found.")
    count = params.get("NumCacheClusters") or 1
    clustered = is_clustered(params)
    failover = bool(params.get("AutomaticFailoverEnabled"))
    if clustered and not failover:
        raise AwsError("InvalidParameterCombination", "Redis with cluster mode enabled needs automatic failover.")
    if failover and not clustered and count < 2:
        text = "When using automatic failover, there must be at least 2 cache clusters in the replication group."
        raise AwsError("InvalidParameterCombination", text)
    if params.get("MultiAZEnabled") and not failover:
        raise AwsError("InvalidParameterCombination", "Multi-AZ needs automatic failover.")
    if params.get("AuthToken") and not params.get("TransitEncryptionEnabled"):
        raise AwsError("InvalidParameterCombination", "Auth token is only supported with encryption in transit.")
    if params.get("KmsKeyId") and not params.get("AtRestEncryptionEnabled"):
        raise AwsError("InvalidParameterCombination", "KmsKeyId needs AtRestEncryptionEnabled.")
    if params.get("KmsKeyId"):
        check_key(context, params["KmsKeyId"])
    check_family(context, params.get("CacheParameterGroupName"), engine, version)
    store.check_security_groups(context, params.get("SecurityGroupIds") or [])


def check_key(context: Context, name: str) -> None:
    """A key that can be used."""
    try:
        state = context.call("kms", "DescribeKey", KeyId=name)["KeyMetadata"]["KeyState"]
    except AwsError as error:
        raise AwsError("InvalidParameterValue", f"KMS key {name} is not valid") from error
    if state != "Enabled":
        raise AwsError("InvalidParameterValue", f"KMS key {name} is in state {state}")


def check_family(context: Context, name: str | None, engine: str, version: str) -> None:
    """A parameter group must be of the engine's family."""
    if name is None:
        return
    family = parameter_group(context, name)["CacheParameterGroupFamily"]
    if family != store.family_of(engine, version):
        text = (
            f"Expected a parameter group of family {store.family_of(engine, version)} but found one of family {family}"
        )
        raise AwsError("InvalidParameterCombination", text)


def is_clustered(params: Params) -> bool:
    """Cluster mode is on when shards are asked for."""
    return params.get("ClusterMode") == "enabled" or (params.get("NumNodeGroups") or 0) > 1


@operation("elasticache", "CreateReplicationGroup")
def create_replication_group(context: Context, params: Params) -> Answer:
    """A group with its member clusters, spread over the zones of the subnet group."""
    name, engine = params["ReplicationGroupId"].lower(), params.get("Engine") or "redis"
    version = store.full_version(engine, params.get("EngineVersion"))
    check_creation(context, params, engine, version)
    clustered, tls = is_clustered(params), bool(params.get("TransitEncryptionEnabled"))
    if params.get("CacheSubnetGroupName"):
        subnet_group(context, params["CacheSubnetGroupName"])
    group: dict[str, Any] = {
        "ReplicationGroupId": name,
        "Description": params["ReplicationGroupDescription"],
        "PendingModifiedValues": {},
        "MemberClusters": [],
        "NodeGroups": [],
        "AutomaticFailover": "enabled" if params.get("AutomaticFailoverEnabled") else "disabled",
        "MultiAZ": "enabled" if params.get("MultiAZEnabled") else "disabled",
        "SnapshotRetentionLimit": params.get("SnapshotRetentionLimit") or 0,
        "SnapshotWindow": params.get("SnapshotWindow") or WINDOWS["SnapshotWindow"],
        "ClusterEnabled": clustered,
        "ClusterMode": "enabled" if clustered else "disabled",
        "CacheNodeType": params.get("CacheNodeType") or "cache.t4g.micro",
        "AuthTokenEnabled": bool(params.get("AuthToken")),
        "TransitEncryptionEnabled": tls,
        "TransitEncryptionMode": (params.get("TransitEncryptionMode") or "required") if tls else None,
        "AtRestEncryptionEnabled": bool(params.get("AtRestEncryptionEnabled")),
        "KmsKeyId": params.get("KmsKeyId"),
        "ARN": context.arn(f"replicationgroup:{name}"),
        "UserGroupIds": params.get("UserGroupIds") or [],
        "LogDeliveryConfigurations": [],
        "ReplicationGroupCreateTime": time.time(),
        "DataTiering": "disabled",
        "AutoMinorVersionUpgrade": params.get("AutoMinorVersionUpgrade", True),
        "NetworkType": "ipv4",
        "IpDiscovery": "ipv4",
        "Engine": engine,
        "_tags": store.tags_of(params),
        "_version": version,
        "_port": params.get("Port") or 6379,
        "_parameters": params.get("CacheParameterGroupName") or f"default.{store.family_of(engine, version)}",
        "_subnets": params.get("CacheSubnetGroupName"),
        "_security": params.get("SecurityGroupIds") or [],
        "_maintenance": params.get("PreferredMaintenanceWindow") or WINDOWS["PreferredMaintenanceWindow"],
    }
    context.table("groups")[name] = group
    replicas = params.get("ReplicasPerNodeGroup") or 0 if clustered else (params.get("NumCacheClusters") or 1) - 1
    for _shard in range(params.get("NumNodeGroups") or 1):
        add_shard(context, group, replicas)
    set_endpoints(context, group)
    start(group, "Status", "creating", "available", CREATE)
    store.note(context, name, "replication-group", "Replication group created")
    return {"ReplicationGroup": shown(context, group)}


def set_endpoints(context: Context, group: dict[str, Any]) -> None:
    """Where clients connect; with TLS the names are others."""
    name, port, tls = group["ReplicationGroupId"], group["_port"], group["TransitEncryptionEnabled"]
    if group["ClusterEnabled"]:
        group["ConfigurationEndpoint"] = {"Address": store.host(context, "clustercfg", name), "Port": port}
        return
    labels = (("master", name), ("replica", name)) if tls else ((name,), (f"{name}-ro",))
    for key, parts in zip(("PrimaryEndpoint", "ReaderEndpoint"), labels, strict=True):
        group["NodeGroups"][0][key] = {"Address": store.host(context, *parts), "Port": port}


def add_shard(context: Context, group: dict[str, Any], replicas: int) -> None:
    """A primary and its replicas."""
    taken = {shard["NodeGroupId"] for shard in group["NodeGroups"]}
    shard_id = next(f"{number:04}" for number in range(1, 1000) if f"{number:04}" not in taken)
    group["NodeGroups"].append({"NodeGroupId": shard_id, "Status": "available", "NodeGroupMembers": []})
    for _member in range(replicas + 1):
        add_member(context, group, group["NodeGroups"][-1])


def add_member(context: Context, group: dict[str, Any], shard: dict[str, Any]) -> None:
    """One more cluster in a shard."""
    middle = f"-{shard['NodeGroupId']}" if group["ClusterEnabled"] else ""
    prefix = f"{group['ReplicationGroupId']}{middle}"
    name = next(
        f"{prefix}-{number:03}" for number in range(1, 1000) if f"{prefix}-{number:03}" not in context.table("clusters")
    )
    places = subnet_group(context, group["_subnets"])["Subnets"] if group["_subnets"] else []
    place = places[len(shard["NodeGroupMembers"]) % len(places)] if places else None
    cluster = make_cluster(context, group["Engine"], group["_version"], name, group["CacheNodeType"])
    cluster |= {
        "ReplicationGroupId": group["ReplicationGroupId"],
        "CacheParameterGroup": parameter_status(group["_parameters"]),
        "CacheSubnetGroupName": group["_subnets"],
        "PreferredMaintenanceWindow": group["_maintenance"],
        "SecurityGroups": [{"SecurityGroupId": one, "Status": "active"} for one in group["_security"]],
        "TransitEncryptionEnabled": group["TransitEncryptionEnabled"],
        "AtRestEncryptionEnabled": group["AtRestEncryptionEnabled"],
        "AutoMinorVersionUpgrade": group["AutoMinorVersionUpgrade"],
        "CacheClusterStatus": "creating",
    }
    node = {"CacheNodeId": "0001", **store.node(context, name, place, group["_security"])}
    node["Endpoint"] = {"Address": store.host(context, name, group["ReplicationGroupId"]), "Port": group["_port"]}
    cluster["CacheNodes"] = [node]
    cluster["PreferredAvailabilityZone"] = node["CustomerAvailabilityZone"]
    context.table("clusters")[name] = cluster
    group["MemberClusters"] = sorted([*group["MemberClusters"], name])
    shard["NodeGroupMembers"].append(
        {
            "CacheClusterId": name,
            "CacheNodeId": "0001",
            "ReadEndpoint": node["Endpoint"],
            "PreferredAvailabilityZone": node["CustomerAvailabilityZone"],
            "CurrentRole": "replica" if shard["NodeGroupMembers"] else "primary",
        }
    )


def make_cluster(context: Context, engine: str, version: str, name: str, node_type: str) -> dict[str, Any]:
    """What every cluster has."""
    return {
        "CacheClusterId": name,
        "CacheNodeType": node_type,
        "Engine": engine,
        "EngineVersion": version,
        "NumCacheNodes": 1,
        "CacheClusterCreateTime": time.time(),
        "PendingModifiedValues": {},
        "CacheSecurityGroups": [],
        "ARN": context.arn(f"cluster:{name}"),
        "NetworkType": "ipv4",
        "IpDiscovery": "ipv4",
        "_tags": {},
    }


def parameter_status(name: str) -> dict[str, Any]:
    """How a cluster shows its parameter group."""
    return {"CacheParameterGroupName": name, "ParameterApplyStatus": "in-sync", "CacheNodeIdsToReboot": []}


@operation("elasticache", "DescribeReplicationGroups")
def describe_replication_groups(context: Context, params: Params) -> Answer:
    """All, or one."""
    name = params.get("ReplicationGroupId")
    found = [replication_group(context, name)] if name else store.groups(context)
    return page([shown(context, group) for group in found], params, "ReplicationGroups")


def members_of(context: Context, group: dict[str, Any]) -> list[dict[str, Any]]:
    """The clusters of a group."""
    return [context.table("clusters")[name] for name in group["MemberClusters"]]


@operation("elasticache", "DeleteReplicationGroup")
def delete_replication_group(context: Context, params: Params) -> Answer:
    """The group and its clusters, after a last snapshot when one is asked for."""
    group = replication_group(context, params["ReplicationGroupId"])
    require_available(group)
    if params.get("FinalSnapshotIdentifier"):
        context.call(
            "elasticache",
            "CreateSnapshot",
            SnapshotName=params["FinalSnapshotIdentifier"],
            ReplicationGroupId=group["ReplicationGroupId"],
        )
    start(group, "Status", "deleting", "deleted", DELETE, "gone")
    return {"ReplicationGroup": shown(context, group)}
