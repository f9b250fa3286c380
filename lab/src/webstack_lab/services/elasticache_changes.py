"""ElastiCache: changes of replication groups. https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/"""

from __future__ import annotations

from typing import Any

from webstack_lab.extend import Answer, AwsError, Context, Params, operation
from webstack_lab.services import elasticache_store as store
from webstack_lab.services.elasticache import (
    MODIFY,
    SCALE,
    add_member,
    add_shard,
    check_family,
    members_of,
    parameter_status,
    replication_group,
    require_available,
    set_endpoints,
    shown,
)
from webstack_lab.services.passing import start

PLAIN = {
    "ReplicationGroupDescription": "Description",
    "SnapshotRetentionLimit": "SnapshotRetentionLimit",
    "SnapshotWindow": "SnapshotWindow",
    "AutoMinorVersionUpgrade": "AutoMinorVersionUpgrade",
}


def numbers(version: str) -> list[int]:
    """A version for comparing."""
    return [int(part) for part in version.split(".")]


@operation("elasticache", "ModifyReplicationGroup")
def modify_replication_group(context: Context, params: Params) -> Answer:
    """Node type and version wait for the maintenance window unless ApplyImmediately is true."""
    group = replication_group(context, params["ReplicationGroupId"])
    require_available(group)
    members = members_of(context, group)
    upgrade(context, group, members, params)
    failover(group, params)
    for theirs, shown_as in PLAIN.items():
        if params.get(theirs) is not None:
            group[shown_as] = params[theirs]
    if params.get("PreferredMaintenanceWindow"):
        group["_maintenance"] = params["PreferredMaintenanceWindow"]
        for member in members:
            member["PreferredMaintenanceWindow"] = params["PreferredMaintenanceWindow"]
    if params.get("SecurityGroupIds"):
        group["_security"] = params["SecurityGroupIds"]
        for member in members:
            store.set_security_groups(context, member, params["SecurityGroupIds"])
    encryption(group, params)
    authentication(group, params)
    resize(group, members, params)
    seconds = SCALE if params.get("CacheNodeType") or params.get("EngineVersion") else MODIFY
    start(group, "Status", "modifying", "available", seconds)
    return {"ReplicationGroup": shown(context, group)}


def upgrade(context: Context, group: dict[str, Any], members: list[dict[str, Any]], params: Params) -> None:
    """Engine and version never go back; the parameter group must fit them."""
    engine = params.get("Engine") or group["Engine"]
    if (group["Engine"], engine) not in {("redis", "redis"), ("valkey", "valkey"), ("redis", "valkey")}:
        raise AwsError("InvalidParameterCombination", f"Engine {group['Engine']} cannot be changed to {engine}.")
    changed = params.get("EngineVersion") or engine != group["Engine"]
    version = store.full_version(engine, params.get("EngineVersion")) if changed else group["_version"]
    if engine == group["Engine"] and numbers(version) < numbers(group["_version"]):
        raise AwsError("InvalidParameterCombination", f"Cannot downgrade from {group['_version']} to {version}.")
    name = params.get("CacheParameterGroupName")
    if (
        changed
        and name is None
        and store.family_of(engine, version) != store.family_of(group["Engine"], group["_version"])
    ):
        name = f"default.{store.family_of(engine, version)}"
    check_family(context, name, engine, version)
    if name is not None:
        group["_parameters"] = name
        for member in members:
            member["CacheParameterGroup"] = parameter_status(name)
    if changed and not params.get("ApplyImmediately"):
        for member in members:
            member["PendingModifiedValues"]["EngineVersion"] = version
    elif changed:
        group["Engine"], group["_version"] = engine, version
        for member in members:
            member["Engine"], member["EngineVersion"] = engine, version


def failover(group: dict[str, Any], params: Params) -> None:
    """It needs somebody to fail over to."""
    wanted = params.get("AutomaticFailoverEnabled")
    if wanted and len(group["MemberClusters"]) < 2:
        raise AwsError("InvalidParameterCombination", "Automatic failover needs at least one replica.")
    if wanted is not None:
        group["AutomaticFailover"] = "enabled" if wanted else "disabled"
    if params.get("MultiAZEnabled") is not None:
        if params["MultiAZEnabled"] and group["AutomaticFailover"] != "enabled":
            raise AwsError("InvalidParameterCombination", "Multi-AZ needs automatic failover.")
        group["MultiAZ"] = "enabled" if params["MultiAZEnabled"] else "disabled"
    if group["MultiAZ"] == "enabled" and group["AutomaticFailover"] != "enabled":
        raise AwsError("InvalidParameterCombination", "Multi-AZ must be disabled together with automatic failover.")


def encryption(group: dict[str, Any], params: Params) -> None:
    """From none to preferred to required, one step at a time."""
    mode = params.get("TransitEncryptionMode")
    if params.get("TransitEncryptionEnabled") and not group["TransitEncryptionEnabled"] and mode != "preferred":
        raise AwsError("InvalidParameterCombination", "Transit encryption is switched on with mode preferred first.")
    if mode is not None:
        group["TransitEncryptionEnabled"], group["TransitEncryptionMode"] = True, mode


def authentication(group: dict[str, Any], params: Params) -> None:
    """ROTATE adds a token, SET leaves only the new one."""
    if params.get("AuthToken") is None:
        return
    if not group["TransitEncryptionEnabled"]:
        raise AwsError("InvalidParameterCombination", "Auth token is only supported with encryption in transit.")
    if params.get("AuthTokenUpdateStrategy") not in ("ROTATE", "SET"):
        raise AwsError("InvalidParameterValue", "AuthTokenUpdateStrategy must be ROTATE or SET.")
    group["AuthTokenEnabled"] = True


def resize(group: dict[str, Any], members: list[dict[str, Any]], params: Params) -> None:
    """Another node type, now or in the maintenance window."""
    node_type = params.get("CacheNodeType")
    if node_type is None:
        return
    if not node_type.startswith("cache."):
        raise AwsError("InvalidParameterValue", f"Invalid cache node type {node_type}.")
    for member in members:
        if params.get("ApplyImmediately"):
            member["CacheNodeType"] = group["CacheNodeType"] = node_type
        else:
            member["PendingModifiedValues"]["CacheNodeType"] = node_type


@operation("elasticache", "IncreaseReplicaCount", "DecreaseReplicaCount")
def change_replica_count(context: Context, params: Params) -> Answer:
    """So many replicas in each shard."""
    group = replication_group(context, params["ReplicationGroupId"])
    require_available(group)
    more = context.operation.startswith("Increase")
    count, now = params["NewReplicaCount"], len(group["NodeGroups"][0]["NodeGroupMembers"]) - 1
    if count == now:
        raise AwsError("NoOperationFault", "The operation would not change anything.")
    if (count > now) != more:
        raise AwsError("InvalidParameterValue", f"NewReplicaCount {count} does not fit the {now} replicas there are.")
    if count > 5:
        raise AwsError("InvalidParameterValue", "A shard has at most 5 replicas.")
    if count == 0 and group["AutomaticFailover"] == "enabled":
        raise AwsError("InvalidParameterCombination", "Automatic failover needs at least one replica.")
    for shard in group["NodeGroups"]:
        while len(shard["NodeGroupMembers"]) - 1 < count:
            add_member(context, group, shard)
        while len(shard["NodeGroupMembers"]) - 1 > count:
            last = [member for member in shard["NodeGroupMembers"] if member["CurrentRole"] == "replica"][-1]
            drop_member(context, group, shard, last)
    start(group, "Status", "modifying", "available", SCALE)
    return {"ReplicationGroup": shown(context, group)}


def drop_member(context: Context, group: dict[str, Any], shard: dict[str, Any], member: dict[str, Any]) -> None:
    """One cluster less in a shard."""
    shard["NodeGroupMembers"].remove(member)
    group["MemberClusters"].remove(member["CacheClusterId"])
    store.remove_cluster(context, member["CacheClusterId"])


@operation("elasticache", "ModifyReplicationGroupShardConfiguration")
def modify_shards(context: Context, params: Params) -> Answer:
    """More shards, or fewer: then it must be said which go."""
    group = replication_group(context, params["ReplicationGroupId"])
    require_available(group)
    if not group["ClusterEnabled"]:
        raise AwsError("InvalidParameterCombination", "Only groups with cluster mode enabled have shards to change.")
    count, replicas = params["NodeGroupCount"], len(group["NodeGroups"][0]["NodeGroupMembers"]) - 1
    if count < len(group["NodeGroups"]):
        gone = params.get("NodeGroupsToRemove") or []
        if len(group["NodeGroups"]) - len(gone) != count:
            raise AwsError("InvalidParameterCombination", "NodeGroupsToRemove must name exactly the shards that go.")
        for shard in [shard for shard in group["NodeGroups"] if shard["NodeGroupId"] in gone]:
            for member in list(shard["NodeGroupMembers"]):
                drop_member(context, group, shard, member)
            group["NodeGroups"].remove(shard)
    while len(group["NodeGroups"]) < count:
        add_shard(context, group, replicas)
    set_endpoints(context, group)
    start(group, "Status", "modifying", "available", SCALE)
    return {"ReplicationGroup": shown(context, group)}
