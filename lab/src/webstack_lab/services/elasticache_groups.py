"""ElastiCache: parameter groups, subnet groups, tags. All of ElastiCache but users is kept in our own tables.

https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from webstack_lab.extend import Answer, AwsError, Context, Params, operation, page, tagged
from webstack_lab.services.elasticache_store import clusters, fetch, public, tags_of

FAMILIES = (
    "redis5.0",
    "redis6.x",
    "redis7",
    "valkey7",
    "valkey8",
    "valkey9",
    "memcached1.4",
    "memcached1.5",
    "memcached1.6",
)
KEPT = ("parameter_groups", "subnet_groups", "groups", "clusters", "snapshots", "user_groups", "serverless")
REDIS = {
    "activedefrag": "no",
    "activerehashing": "yes",
    "appendfsync": "everysec",
    "appendonly": "no",
    "close-on-replica-write": "yes",
    "cluster-enabled": "no",
    "cluster-require-full-coverage": "no",
    "hash-max-listpack-entries": "512",
    "hash-max-listpack-value": "64",
    "hll-sparse-max-bytes": "3000",
    "latency-tracking": "no",
    "lazyfree-lazy-eviction": "no",
    "lazyfree-lazy-expire": "no",
    "lazyfree-lazy-server-del": "no",
    "lazyfree-lazy-user-del": "no",
    "lfu-decay-time": "1",
    "lfu-log-factor": "10",
    "list-compress-depth": "0",
    "list-max-listpack-size": "-2",
    "maxclients": "65000",
    "maxmemory-policy": "volatile-lru",
    "maxmemory-samples": "3",
    "min-replicas-max-lag": "10",
    "min-replicas-to-write": "0",
    "notify-keyspace-events": "",
    "proto-max-bulk-len": "536870912",
    "repl-backlog-size": "1048576",
    "repl-backlog-ttl": "3600",
    "repl-timeout": "60",
    "reserved-memory-percent": "25",
    "set-max-intset-entries": "512",
    "slowlog-log-slower-than": "10000",
    "slowlog-max-len": "128",
    "stream-node-max-bytes": "4096",
    "stream-node-max-entries": "100",
    "tcp-keepalive": "300",
    "timeout": "0",
    "tracking-table-max-keys": "1000000",
    "zset-max-listpack-entries": "128",
    "zset-max-listpack-value": "64",
}
MEMCACHED = {
    "backlog_queue_limit": "1024",
    "binding_protocol": "auto",
    "cas_disabled": "0",
    "chunk_size": "48",
    "chunk_size_growth_factor": "1.25",
    "error_on_memory_exhausted": "0",
    "idle_timeout": "0",
    "lru_crawler": "1",
    "lru_maintainer": "1",
    "max_item_size": "1048576",
    "max_simultaneous_connections": "65000",
    "memcached_connections_overhead": "100",
    "requests_per_event": "20",
    "slab_automove": "1",
    "slab_chunk_max": "524288",
}
FIXED = frozenset({"maxclients", "max_simultaneous_connections", "appendonly", "appendfsync"})
AT_REBOOT = frozenset({"cluster-enabled", "binding_protocol", "chunk_size", "chunk_size_growth_factor"})


# Tags.


def records(context: Context) -> Iterator[dict[str, Any]]:
    """Everything of ours that has an ARN."""
    for name in KEPT:
        yield from context.table(name, service="elasticache").values()


@tagged
def elasticache(context: Context) -> Iterable[tuple[str, dict[str, str]]]:
    """Our own things, for the tagging API."""
    for record in records(context):
        yield record["ARN"], dict(record["_tags"])


@operation("elasticache", "ListTagsForResource", "AddTagsToResource", "RemoveTagsFromResource")
def tag(context: Context, params: Params) -> Answer:
    """A group or cluster at work answers nothing about its tags."""
    clusters(context)
    record = next((one for one in records(context) if one["ARN"] == params["ResourceName"]), None)
    if record is None:
        return context.moto()
    state = record.get("Status") or record.get("CacheClusterStatus") or "available"
    if state not in ("available", "snapshotting", "active"):
        text = "Cluster not in available state to perform tagging operations."
        raise AwsError("InvalidReplicationGroupState", text)
    if context.operation == "AddTagsToResource":
        record["_tags"].update(tags_of(params))
    for key in params.get("TagKeys") or []:
        record["_tags"].pop(key, None)
    return {"TagList": [{"Key": key, "Value": value} for key, value in sorted(record["_tags"].items())]}


# Parameter groups.


def defaults_of(family: str) -> dict[str, str]:
    """The parameters of a family."""
    return dict(MEMCACHED if family.startswith("memcached") else REDIS)


def default_groups(context: Context) -> Iterator[dict[str, Any]]:
    """What AWS puts into every account."""
    for family in FAMILIES:
        ends = [""] if family.startswith("memcached") else ["", ".cluster.on"]
        for end in ends:
            name = f"default.{family}{end}"
            yield {
                "CacheParameterGroupName": name,
                "CacheParameterGroupFamily": family,
                "Description": f"Default parameter group for {family}",
                "IsGlobal": False,
                "ARN": context.arn(f"parametergroup:{name}"),
                "_tags": {},
                "_values": {"cluster-enabled": "yes"} if end else {},
            }


def parameter_group(context: Context, name: str) -> dict[str, Any]:
    """A parameter group, AWS's own included."""
    for group in default_groups(context):
        if group["CacheParameterGroupName"] == name:
            return group
    text = f"CacheParameterGroup {name} not found."
    return fetch(context, "parameter_groups", name, "CacheParameterGroupNotFound", text)


def own_parameter_group(context: Context, params: Params) -> dict[str, Any]:
    """A parameter group that may be changed."""
    name = params["CacheParameterGroupName"]
    if name.startswith("default."):
        raise AwsError("InvalidParameterValue", f"The default parameter group {name} cannot be modified or deleted.")
    return parameter_group(context, name)


@operation("elasticache", "CreateCacheParameterGroup")
def create_cache_parameter_group(context: Context, params: Params) -> Answer:
    """Names are stored in lower case."""
    name, family = params["CacheParameterGroupName"].lower(), params["CacheParameterGroupFamily"]
    if family not in FAMILIES:
        raise AwsError(
            "InvalidParameterValue", f"CacheParameterGroupFamily {family} is not a valid parameter group family."
        )
    if not name.replace("-", "").isalnum():
        raise AwsError("InvalidParameterValue", "The parameter CacheParameterGroupName is not a valid identifier.")
    if name in context.table("parameter_groups"):
        raise AwsError("CacheParameterGroupAlreadyExists", f"CacheParameterGroup {name} already exists.")
    record = {
        "CacheParameterGroupName": name,
        "CacheParameterGroupFamily": family,
        "Description": params["Description"],
        "IsGlobal": False,
        "ARN": context.arn(f"parametergroup:{name}"),
        "_tags": tags_of(params),
        "_values": {},
    }
    context.table("parameter_groups")[name] = record
    return {"CacheParameterGroup": public(record)}


@operation("elasticache", "DescribeCacheParameterGroups")
def describe_cache_parameter_groups(context: Context, params: Params) -> Answer:
    """Own groups and AWS's."""
    name = params.get("CacheParameterGroupName")
    own = context.table("parameter_groups").values()
    found = [parameter_group(context, name)] if name else [*default_groups(context), *own]
    return page([public(one) for one in found], params, "CacheParameterGroups")


@operation("elasticache", "DescribeCacheParameters")
def describe_cache_parameters(context: Context, params: Params) -> Answer:
    """Source "user": only those that somebody set."""
    group = parameter_group(context, params["CacheParameterGroupName"])
    wanted = params.get("Source")
    listed = []
    for name, default in sorted(defaults_of(group["CacheParameterGroupFamily"]).items()):
        source = "user" if name in group["_values"] else "system"
        if wanted in (None, source):
            listed.append(
                {
                    "ParameterName": name,
                    "ParameterValue": group["_values"].get(name, default),
                    "Description": name,
                    "Source": source,
                    "DataType": "integer" if default.lstrip("-").isdigit() else "string",
                    "IsModifiable": name not in FIXED,
                    "MinimumEngineVersion": "1.4.5" if group["CacheParameterGroupFamily"].startswith("m") else "2.8.6",
                    "ChangeType": "requires-reboot" if name in AT_REBOOT else "immediate",
                }
            )
    return page(listed, params, "Parameters")


@operation("elasticache", "ModifyCacheParameterGroup", "ResetCacheParameterGroup")
def modify_cache_parameter_group(context: Context, params: Params) -> Answer:
    """At most 20 parameters in a call, all of them known and open to change."""
    group = own_parameter_group(context, params)
    if params.get("ResetAllParameters"):
        group["_values"].clear()
    given = params.get("ParameterNameValues") or []
    if len(given) > 20:
        raise AwsError("InvalidParameterValue", "A maximum of 20 parameters can be modified in a single request.")
    known = defaults_of(group["CacheParameterGroupFamily"])
    for one in given:
        name = one["ParameterName"]
        if name not in known:
            raise AwsError("InvalidParameterValue", f"The parameter {name} does not exist in the parameter group.")
        if name in FIXED:
            raise AwsError("InvalidParameterValue", f"The parameter {name} cannot be modified.")
    for one in given:
        if context.operation.startswith("Reset"):
            group["_values"].pop(one["ParameterName"], None)
        else:
            group["_values"][one["ParameterName"]] = one["ParameterValue"]
    return {"CacheParameterGroupName": group["CacheParameterGroupName"]}


@operation("elasticache", "DeleteCacheParameterGroup")
def delete_cache_parameter_group(context: Context, params: Params) -> Answer:
    """Refused while a cluster uses it."""
    group = own_parameter_group(context, params)
    name = group["CacheParameterGroupName"]
    users = [
        one["CacheClusterId"]
        for one in clusters(context)
        if one["CacheParameterGroup"]["CacheParameterGroupName"] == name
    ]
    if users:
        text = f"One or more cache clusters are still members of this parameter group {name}, so the group cannot be deleted."
        raise AwsError("InvalidCacheParameterGroupState", text)
    del context.table("parameter_groups")[name]
    return {}


# Subnet groups.


def subnets_of(context: Context, ids: list[str]) -> tuple[str, list[dict[str, Any]]]:
    """The VPC and the description of subnets."""
    known = {subnet.id: subnet for subnet in context.backend("ec2").describe_subnets()}
    missing = [one for one in ids if one not in known]
    if missing:
        raise AwsError("InvalidSubnet", f"The subnet ID '{missing[0]}' does not exist")
    vpcs = {known[one].vpc_id for one in ids}
    if len(vpcs) != 1:
        raise AwsError("InvalidSubnet", "The subnets of a group must be in one VPC")
    listed = [
        {
            "SubnetIdentifier": one,
            "SubnetAvailabilityZone": {"Name": known[one].availability_zone},
            "SupportedNetworkTypes": ["ipv4"],
        }
        for one in ids
    ]
    return vpcs.pop(), listed


def subnet_group(context: Context, name: str) -> dict[str, Any]:
    """A subnet group."""
    return fetch(context, "subnet_groups", name, "CacheSubnetGroupNotFoundFault", f"CacheSubnetGroup {name} not found.")


@operation("elasticache", "CreateCacheSubnetGroup")
def create_cache_subnet_group(context: Context, params: Params) -> Answer:
    """Names are stored in lower case."""
    name = params["CacheSubnetGroupName"].lower()
    if name in context.table("subnet_groups"):
        raise AwsError("CacheSubnetGroupAlreadyExists", f"CacheSubnetGroup {name} already exists.")
    vpc, listed = subnets_of(context, params["SubnetIds"])
    record = {
        "CacheSubnetGroupName": name,
        "CacheSubnetGroupDescription": params["CacheSubnetGroupDescription"],
        "VpcId": vpc,
        "Subnets": listed,
        "ARN": context.arn(f"subnetgroup:{name}"),
        "SupportedNetworkTypes": ["ipv4"],
        "_tags": tags_of(params),
    }
    context.table("subnet_groups")[name] = record
    return {"CacheSubnetGroup": public(record)}


@operation("elasticache", "DescribeCacheSubnetGroups")
def describe_cache_subnet_groups(context: Context, params: Params) -> Answer:
    """All, or one."""
    name = params.get("CacheSubnetGroupName")
    found = [subnet_group(context, name)] if name else list(context.table("subnet_groups").values())
    return page([public(one) for one in found], params, "CacheSubnetGroups")


@operation("elasticache", "ModifyCacheSubnetGroup")
def modify_cache_subnet_group(context: Context, params: Params) -> Answer:
    """A subnet in which a node lives stays."""
    record = subnet_group(context, params["CacheSubnetGroupName"])
    if params.get("SubnetIds"):
        vpc, listed = subnets_of(context, params["SubnetIds"])
        if vpc != record["VpcId"]:
            raise AwsError("InvalidSubnet", "The subnets of a group must stay in its VPC")
        for cluster in clusters(context):
            used = {
                node["_subnet"]
                for node in cluster["CacheNodes"]
                if cluster["CacheSubnetGroupName"] == record["CacheSubnetGroupName"]
            }
            if used - set(params["SubnetIds"]) - {None}:
                raise AwsError("SubnetInUse", f"Some of the subnets to be deleted are currently in use: {sorted(used)}")
        record["Subnets"] = listed
    if params.get("CacheSubnetGroupDescription") is not None:
        record["CacheSubnetGroupDescription"] = params["CacheSubnetGroupDescription"]
    return {"CacheSubnetGroup": public(record)}


@operation("elasticache", "DeleteCacheSubnetGroup")
def delete_cache_subnet_group(context: Context, params: Params) -> Answer:
    """Refused while a cluster lives there."""
    name = subnet_group(context, params["CacheSubnetGroupName"])["CacheSubnetGroupName"]
    if any(one["CacheSubnetGroupName"] == name for one in clusters(context)):
        raise AwsError("CacheSubnetGroupInUse", f"Cache subnet group {name} is currently in use by a cache cluster.")
    del context.table("subnet_groups")[name]
    return {}
