"""ElastiCache: cache clusters, that is memcached. https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/"""

from __future__ import annotations

from typing import Any

from webstack_lab.extend import Answer, AwsError, Context, Params, operation, page
from webstack_lab.services import elasticache_store as store
from webstack_lab.services.elasticache import (
    CREATE,
    DELETE,
    IDENTIFIER,
    MODIFY,
    WINDOWS,
    check_family,
    make_cluster,
    parameter_status,
)
from webstack_lab.services.elasticache_groups import subnet_group
from webstack_lab.services.passing import start


def cache_cluster(context: Context, name: str) -> dict[str, Any]:
    """A cluster, as it is now."""
    store.clusters(context)
    return store.fetch(context, "clusters", name, "CacheClusterNotFound", f"CacheCluster {name} not found.")


def shown(cluster: dict[str, Any], nodes: bool) -> dict[str, Any]:
    """A cluster as AWS shows it: nodes when asked for, the endpoint once it is made."""
    answer = store.public(cluster)
    answer["CacheNodes"] = [store.public(node) for node in cluster["CacheNodes"]]
    if not nodes:
        answer.pop("CacheNodes")
    if cluster["CacheClusterStatus"] == "creating":
        answer.pop("ConfigurationEndpoint", None)
    return answer


@operation("elasticache", "CreateCacheCluster")
def create_cache_cluster(context: Context, params: Params) -> Answer:
    """Nodes spread over the zones of the subnet group."""
    name, engine = params["CacheClusterId"].lower(), params.get("Engine") or "memcached"
    if not IDENTIFIER.fullmatch(name) or len(name) > 50:
        raise AwsError("InvalidParameterValue", "The parameter CacheClusterIdentifier is not a valid identifier.")
    if name in {cluster["CacheClusterId"] for cluster in store.clusters(context)}:
        raise AwsError("CacheClusterAlreadyExists", f"Cache cluster {name} already exists.")
    version = store.full_version(engine, params.get("EngineVersion"))
    check_family(context, params.get("CacheParameterGroupName"), engine, version)
    store.check_security_groups(context, params.get("SecurityGroupIds") or [])
    count = params.get("NumCacheNodes") or 1
    if engine != "memcached" and count != 1:
        raise AwsError("InvalidParameterValue", "A Redis cluster has one node.")
    if params.get("AZMode") == "cross-az" and count == 1:
        raise AwsError("InvalidParameterCombination", "cross-az needs more than one node.")
    port = params.get("Port") or (11211 if engine == "memcached" else 6379)
    default = f"default.{store.family_of(engine, version)}"
    cluster = make_cluster(context, engine, version, name, params.get("CacheNodeType") or "cache.t4g.micro")
    cluster |= {
        "CacheParameterGroup": parameter_status(params.get("CacheParameterGroupName") or default),
        "CacheSubnetGroupName": params.get("CacheSubnetGroupName"),
        "PreferredMaintenanceWindow": params.get("PreferredMaintenanceWindow") or WINDOWS["PreferredMaintenanceWindow"],
        "SecurityGroups": [
            {"SecurityGroupId": one, "Status": "active"} for one in params.get("SecurityGroupIds") or []
        ],
        "TransitEncryptionEnabled": bool(params.get("TransitEncryptionEnabled")),
        "AtRestEncryptionEnabled": False,
        "AutoMinorVersionUpgrade": params.get("AutoMinorVersionUpgrade", True),
        "SnapshotRetentionLimit": params.get("SnapshotRetentionLimit") or 0,
        "NumCacheNodes": count,
        "CacheNodes": [],
        "_tags": store.tags_of(params),
        "_port": port,
    }
    if engine == "memcached":
        cluster["ConfigurationEndpoint"] = {"Address": store.host(context, name, "cfg"), "Port": port}
    add_nodes(context, cluster, count)
    start(cluster, "CacheClusterStatus", "creating", "available", CREATE)
    context.table("clusters")[name] = cluster
    return {"CacheCluster": shown(cluster, False)}


def add_nodes(context: Context, cluster: dict[str, Any], count: int) -> None:
    """Nodes up to a number; their ids are not used again while they live."""
    name, group = cluster["CacheClusterId"], cluster["CacheSubnetGroupName"]
    places = subnet_group(context, group)["Subnets"] if group else []
    security = [one["SecurityGroupId"] for one in cluster["SecurityGroups"]]
    while len(cluster["CacheNodes"]) < count:
        taken = {node["CacheNodeId"] for node in cluster["CacheNodes"]}
        node_id = next(f"{number:04}" for number in range(1, 100) if f"{number:04}" not in taken)
        place = places[len(taken) % len(places)] if places else None
        node = {"CacheNodeId": node_id, **store.node(context, name, place, security)}
        node["Endpoint"] = {"Address": store.host(context, name, node_id), "Port": cluster["_port"]}
        cluster["CacheNodes"].append(node)
    zones = {node["CustomerAvailabilityZone"] for node in cluster["CacheNodes"]}
    cluster["PreferredAvailabilityZone"] = "Multiple" if len(zones) > 1 else zones.pop()
    cluster["NumCacheNodes"] = len(cluster["CacheNodes"])


@operation("elasticache", "DescribeCacheClusters")
def describe_cache_clusters(context: Context, params: Params) -> Answer:
    """Members of replication groups are clusters too."""
    name = params.get("CacheClusterId")
    found = [cache_cluster(context, name)] if name else store.clusters(context)
    if params.get("ShowCacheClustersNotInReplicationGroups"):
        found = [cluster for cluster in found if not cluster.get("ReplicationGroupId")]
    nodes = bool(params.get("ShowCacheNodeInfo"))
    return page([shown(cluster, nodes) for cluster in found], params, "CacheClusters")


@operation("elasticache", "ModifyCacheCluster")
def modify_cache_cluster(context: Context, params: Params) -> Answer:
    """Fewer nodes: it must be said which go."""
    cluster = cache_cluster(context, params["CacheClusterId"])
    require_available(cluster)
    if params.get("CacheNodeType") and cluster["Engine"] == "memcached":
        raise AwsError("InvalidParameterCombination", "The node type of a memcached cluster cannot be changed.")
    version = store.full_version(cluster["Engine"], params.get("EngineVersion") or cluster["EngineVersion"])
    check_family(context, params.get("CacheParameterGroupName"), cluster["Engine"], version)
    cluster["EngineVersion"] = version
    if params.get("CacheParameterGroupName"):
        cluster["CacheParameterGroup"] = parameter_status(params["CacheParameterGroupName"])
    if params.get("SecurityGroupIds"):
        store.set_security_groups(context, cluster, params["SecurityGroupIds"])
    for key in ("PreferredMaintenanceWindow", "AutoMinorVersionUpgrade"):
        if params.get(key) is not None:
            cluster[key] = params[key]
    if params.get("NumCacheNodes"):
        gone = params.get("CacheNodeIdsToRemove") or []
        if len(cluster["CacheNodes"]) - params["NumCacheNodes"] != len(gone) and params["NumCacheNodes"] < len(
            cluster["CacheNodes"]
        ):
            raise AwsError("InvalidParameterCombination", "CacheNodeIdsToRemove must name exactly the nodes that go.")
        for node in [node for node in cluster["CacheNodes"] if node["CacheNodeId"] in gone]:
            store.drop_interface(context, node)
            cluster["CacheNodes"].remove(node)
        add_nodes(context, cluster, params["NumCacheNodes"])
    start(cluster, "CacheClusterStatus", "modifying", "available", MODIFY)
    return {"CacheCluster": shown(cluster, False)}


def require_available(cluster: dict[str, Any]) -> None:
    """Every change wants a cluster that is available."""
    if cluster["CacheClusterStatus"] != "available":
        text = f"Cache cluster {cluster['CacheClusterId']} is not in available state."
        raise AwsError("InvalidCacheClusterState", text)


@operation("elasticache", "DeleteCacheCluster")
def delete_cache_cluster(context: Context, params: Params) -> Answer:
    """Members of a group go by DecreaseReplicaCount, or with the group."""
    cluster = cache_cluster(context, params["CacheClusterId"])
    require_available(cluster)
    if cluster.get("ReplicationGroupId"):
        text = (
            f"Cluster {cluster['CacheClusterId']} is serving as a member of a replication group and cannot be deleted."
        )
        raise AwsError("InvalidCacheClusterState", text)
    start(cluster, "CacheClusterStatus", "deleting", "deleted", DELETE, "gone")
    return {"CacheCluster": shown(cluster, False)}
