"""ElastiCache: failover tests, events, snapshots, user groups, serverless caches.

https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/
"""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

from webstack_lab.extend import Answer, AwsError, Context, Params, operation, page
from webstack_lab.services import elasticache_store as store
from webstack_lab.services.elasticache import MODIFY, members_of, replication_group, require_available, shown
from webstack_lab.services.elasticache_clusters import cache_cluster
from webstack_lab.services.passing import settle, start

DAY = 24 * 3600
MOST_TESTS = 15


@operation("elasticache", "TestFailover")
def test_failover(context: Context, params: Params) -> Answer:
    """The roles of a shard swap, a while after the answer; 15 tests in 24 hours."""
    group = replication_group(context, params["ReplicationGroupId"])
    require_available(group)
    shards = {shard["NodeGroupId"]: shard for shard in group["NodeGroups"]}
    shard = shards.get(params["NodeGroupId"])
    if shard is None:
        raise AwsError("NodeGroupNotFoundFault", f"Node group {params['NodeGroupId']} not found.")
    if group["AutomaticFailover"] != "enabled" or len(shard["NodeGroupMembers"]) < 2:
        raise AwsError("InvalidReplicationGroupState", "Automatic failover must be enabled, with one replica or more.")
    history = context.table("_tests").setdefault("times", [])
    history[:] = [moment for moment in history if time.time() - moment < DAY]
    if len(history) >= MOST_TESTS:
        raise AwsError("APICallRateForCustomerExceeded", "The customer has exceeded the allowed rate of API calls.")
    history.append(time.time())
    name = group["ReplicationGroupId"]
    store.note(context, name, "replication-group", f"Test Failover API called for node group {params['NodeGroupId']}")
    start(group, "Status", "modifying", "available", MODIFY, f"failover:{params['NodeGroupId']}")
    return {"ReplicationGroup": shown(context, group)}


@operation("elasticache", "DescribeEvents")
def describe_events(context: Context, params: Params) -> Answer:
    """Of the last hour unless asked otherwise, oldest first."""
    store.groups(context)
    until = moment(params.get("EndTime")) or time.time()
    since = moment(params.get("StartTime")) or until - 60 * (params.get("Duration") or 60)
    found = [
        event
        for event in context.table("_events").get("all", [])
        if since <= event["Date"] <= until
        and params.get("SourceIdentifier") in (None, event["SourceIdentifier"])
        and params.get("SourceType") in (None, event["SourceType"])
    ]
    return page(found, params, "Events")


def moment(value: Any) -> float | None:
    """A time of a request as seconds; whole seconds mean their end and beginning alike."""
    if isinstance(value, str):
        value = datetime.fromisoformat(value.replace("Z", "+00:00"))
    return value.timestamp() if isinstance(value, datetime) else value


# Snapshots.


def source_of(context: Context, params: Params) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a snapshot tells of the group or cluster it is of, and a cluster that shows the rest."""
    if bool(params.get("ReplicationGroupId")) == bool(params.get("CacheClusterId")):
        raise AwsError("InvalidParameterCombination", "Give either a replication group or a cache cluster.")
    if params.get("CacheClusterId"):
        cluster = cache_cluster(context, params["CacheClusterId"])
        if cluster["Engine"] == "memcached":
            raise AwsError("SnapshotFeatureNotSupportedFault", "Memcached has no snapshots.")
        return {"CacheClusterId": cluster["CacheClusterId"], "NumNodeGroups": 1}, cluster
    group = replication_group(context, params["ReplicationGroupId"])
    require_available(group)
    facts = {
        "ReplicationGroupId": group["ReplicationGroupId"],
        "ReplicationGroupDescription": group["Description"],
        "AutomaticFailover": group["AutomaticFailover"],
        "NumNodeGroups": len(group["NodeGroups"]),
        "SnapshotRetentionLimit": group["SnapshotRetentionLimit"],
        "SnapshotWindow": group["SnapshotWindow"],
    }
    return facts, members_of(context, group)[0]


@operation("elasticache", "CreateSnapshot")
def create_snapshot(context: Context, params: Params) -> Answer:
    """Of a group or of a cluster."""
    name = params["SnapshotName"].lower()
    if name in context.table("snapshots"):
        raise AwsError("SnapshotAlreadyExistsFault", f"Snapshot {name} already exists.")
    facts, cluster = source_of(context, params)
    copied = ("CacheNodeType", "Engine", "EngineVersion", "PreferredMaintenanceWindow", "CacheSubnetGroupName")
    snapshot = {
        **facts,
        **{key: cluster.get(key) for key in copied},
        "SnapshotName": name,
        "SnapshotSource": "manual",
        "NumCacheNodes": 1,
        "CacheParameterGroupName": cluster["CacheParameterGroup"]["CacheParameterGroupName"],
        "AutoMinorVersionUpgrade": cluster.get("AutoMinorVersionUpgrade", True),
        "KmsKeyId": params.get("KmsKeyId"),
        "NodeSnapshots": [
            {
                "CacheClusterId": cluster["CacheClusterId"],
                "CacheNodeId": "0001",
                "CacheSize": "1 MB",
                "SnapshotCreateTime": time.time(),
            }
        ],
        "ARN": context.arn(f"snapshot:{name}"),
        "_tags": store.tags_of(params),
    }
    start(snapshot, "SnapshotStatus", "creating", "available", 120)
    context.table("snapshots")[name] = snapshot
    return {"Snapshot": store.public(snapshot)}


def snapshot_of(context: Context, name: str) -> dict[str, Any]:
    """A snapshot, as it is now."""
    found = store.fetch(context, "snapshots", name, "SnapshotNotFoundFault", f"Snapshot {name} not found.")
    settle(found)
    return found


@operation("elasticache", "DescribeSnapshots")
def describe_snapshots(context: Context, params: Params) -> Answer:
    """All, or those of a name, group, cluster or source."""
    if params.get("SnapshotName"):
        snapshot_of(context, params["SnapshotName"])
    found = []
    for snapshot in context.table("snapshots").values():
        settle(snapshot)
        keys = ("SnapshotName", "ReplicationGroupId", "CacheClusterId")
        if all(params.get(key) in (None, snapshot.get(key)) for key in keys):
            found.append(store.public(snapshot))
    source = {"user": "manual", "system": "automated"}.get(params.get("SnapshotSource", ""))
    found = [snapshot for snapshot in found if source in (None, snapshot["SnapshotSource"])]
    return page(found, params, "Snapshots", limit=50)


@operation("elasticache", "CopySnapshot")
def copy_snapshot(context: Context, params: Params) -> Answer:
    """Under another name."""
    source, name = snapshot_of(context, params["SourceSnapshotName"]), params["TargetSnapshotName"].lower()
    if name in context.table("snapshots"):
        raise AwsError("SnapshotAlreadyExistsFault", f"Snapshot {name} already exists.")
    copy = {**source, "SnapshotName": name, "ARN": context.arn(f"snapshot:{name}"), "_tags": store.tags_of(params)}
    context.table("snapshots")[name] = copy
    return {"Snapshot": store.public(copy)}


@operation("elasticache", "DeleteSnapshot")
def delete_snapshot(context: Context, params: Params) -> Answer:
    """Gone at once."""
    snapshot = snapshot_of(context, params["SnapshotName"])
    del context.table("snapshots")[snapshot["SnapshotName"]]
    return {"Snapshot": {**store.public(snapshot), "SnapshotStatus": "deleting"}}


# User groups. Users are moto's.


@operation("elasticache", "CreateUserGroup")
def create_user_group(context: Context, params: Params) -> Answer:
    """One user of each must be named default."""
    name = params["UserGroupId"].lower()
    if name in context.table("user_groups"):
        raise AwsError("UserGroupAlreadyExists", f"User Group {name} already exists.")
    users = params.get("UserIds") or []
    check_users(context, users)
    record = {
        "UserGroupId": name,
        "Engine": params["Engine"],
        "UserIds": users,
        "MinimumEngineVersion": "6.0",
        "ReplicationGroups": [],
        "ARN": context.arn(f"usergroup:{name}"),
        "_tags": store.tags_of(params),
    }
    start(record, "Status", "creating", "active", 10)
    context.table("user_groups")[name] = record
    return store.public(record)


def check_users(context: Context, users: list[str]) -> None:
    """Users that exist, one of them named default."""
    known = {user.id: user.name for user in context.backend().users.values()} if users else {}
    for user in users:
        if user not in known:
            raise AwsError("UserNotFound", f"User {user} not found.")
    if "default" not in known.values() and users:
        raise AwsError("DefaultUserRequired", "A user group needs a user named default.")


def user_group(context: Context, name: str) -> dict[str, Any]:
    """A user group, as it is now."""
    found = store.fetch(context, "user_groups", name, "UserGroupNotFound", f"User Group {name} not found.")
    settle(found)
    return found


@operation("elasticache", "DescribeUserGroups")
def describe_user_groups(context: Context, params: Params) -> Answer:
    """All, or one."""
    table = context.table("user_groups")
    names = [params["UserGroupId"]] if params.get("UserGroupId") else list(table)
    return page([store.public(user_group(context, name)) for name in names], params, "UserGroups")


@operation("elasticache", "ModifyUserGroup")
def modify_user_group(context: Context, params: Params) -> Answer:
    """Users come and go."""
    record = user_group(context, params["UserGroupId"])
    gone = set(params.get("UserIdsToRemove") or [])
    users = [user for user in record["UserIds"] if user not in gone] + (params.get("UserIdsToAdd") or [])
    check_users(context, users)
    record["UserIds"] = users
    start(record, "Status", "modifying", "active", 10)
    return store.public(record)


@operation("elasticache", "DeleteUserGroup")
def delete_user_group(context: Context, params: Params) -> Answer:
    """Refused while a group uses it."""
    record = user_group(context, params["UserGroupId"])
    name = record["UserGroupId"]
    if any(name in group["UserGroupIds"] for group in store.groups(context)):
        raise AwsError("InvalidUserGroupState", f"User group {name} is in use by a replication group.")
    del context.table("user_groups")[name]
    return {**store.public(record), "Status": "deleting"}


# Serverless caches.


@operation("elasticache", "CreateServerlessCache")
def create_serverless_cache(context: Context, params: Params) -> Answer:
    """A cache without nodes to choose."""
    name, engine = params["ServerlessCacheName"].lower(), params["Engine"]
    if name in context.table("serverless"):
        raise AwsError("ServerlessCacheAlreadyExistsFault", f"Serverless cache {name} already exists.")
    version = store.full_version(engine, params.get("MajorEngineVersion"))
    port = 11211 if engine == "memcached" else 6379
    copied = ("Description", "CacheUsageLimits", "KmsKeyId", "SecurityGroupIds", "SubnetIds", "UserGroupId")
    record = {
        **{key: params.get(key) for key in copied},
        "ServerlessCacheName": name,
        "Engine": engine,
        "MajorEngineVersion": version.split(".")[0],
        "FullEngineVersion": version,
        "CreateTime": time.time(),
        "Endpoint": {"Address": store.host(context, name, "serverless"), "Port": port},
        "ReaderEndpoint": {"Address": store.host(context, name, "serverless"), "Port": port + 1},
        "SnapshotRetentionLimit": params.get("SnapshotRetentionLimit") or 0,
        "DailySnapshotTime": params.get("DailySnapshotTime"),
        "ARN": context.arn(f"serverlesscache:{name}"),
        "_tags": store.tags_of(params),
    }
    start(record, "Status", "creating", "available", 60)
    context.table("serverless")[name] = record
    return {"ServerlessCache": store.public(record)}


def serverless_cache(context: Context, name: str) -> dict[str, Any]:
    """A serverless cache, as it is now."""
    text = f"Serverless cache {name} not found."
    found = store.fetch(context, "serverless", name, "ServerlessCacheNotFoundFault", text)
    if settle(found) == "gone":
        del context.table("serverless")[found["ServerlessCacheName"]]
        raise AwsError("ServerlessCacheNotFoundFault", text)
    return found


@operation("elasticache", "DescribeServerlessCaches")
def describe_serverless_caches(context: Context, params: Params) -> Answer:
    """All, or one."""
    if params.get("ServerlessCacheName"):
        return {"ServerlessCaches": [store.public(serverless_cache(context, params["ServerlessCacheName"]))]}
    table = context.table("serverless")
    for name, record in list(table.items()):
        if settle(record) == "gone":
            del table[name]
    return {"ServerlessCaches": [store.public(record) for record in table.values()]}


@operation("elasticache", "ModifyServerlessCache")
def modify_serverless_cache(context: Context, params: Params) -> Answer:
    """Limits, groups and snapshots change in place."""
    record = serverless_cache(context, params["ServerlessCacheName"])
    if record["Status"] != "available":
        raise AwsError("InvalidServerlessCacheStateFault", f"Serverless cache is in state {record['Status']}.")
    for key in ("Description", "CacheUsageLimits", "SecurityGroupIds", "SnapshotRetentionLimit", "DailySnapshotTime"):
        if params.get(key) is not None:
            record[key] = params[key]
    start(record, "Status", "modifying", "available", 60)
    return {"ServerlessCache": store.public(record)}


@operation("elasticache", "DeleteServerlessCache")
def delete_serverless_cache(context: Context, params: Params) -> Answer:
    """It takes a while."""
    record = serverless_cache(context, params["ServerlessCacheName"])
    start(record, "Status", "deleting", "deleted", 60, "gone")
    return {"ServerlessCache": store.public(record)}
