"""ElastiCache clusters: memcached, and what the members of replication groups tell."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from ..engine.resource import Resource, Scope, as_list
from ..engine.sdk import SDK_ERRORS, error_code
from .ec2 import SecurityGroup, described
from .elasticache_groups import CacheParameterGroup, CacheSubnetGroup, of_stack, read_tags, set_tags
from .tagging import stack_tags

PROPAGATION = (
    "CacheSubnetGroupNotFoundFault",
    "CacheParameterGroupNotFound",
    "ServiceLinkedRoleNotFoundFault",  # made by ElastiCache at first use in an account (trap 14)
    "InvalidVPCNetworkStateFault",
    "InvalidKMSKeyFault",
    "InvalidParameterValue:KMS",
    "InvalidParameterValue:security group",
)


def all_clusters(client: Any, scope: Scope) -> list[dict[str, Any]]:
    """Every cache cluster of the region, members of replication groups included, asked for once in a run."""
    return scope.once(
        "cache clusters",
        lambda: described(client, "describe_cache_clusters", "CacheClusters", ShowCacheNodeInfo=True),
    )


def settled_version(live: str, wish: str | None, auto_minor: bool | None) -> str:
    """The live version as precise as the wish; the wish itself where automatic upgrades went beyond it (trap 98)."""
    if not wish:
        return live
    want = numbers(wish)
    have = numbers(live)[: len(want)]
    ahead = bool(auto_minor) and have[:1] == want[:1] and have > want
    return wish if have == want or ahead else live


def numbers(version: str) -> list[int]:
    """``7.1.0`` as numbers; the x of ``6.x`` stands for anything."""
    return [int(part) for part in version.split(".") if part.isdigit()]


def tags_at_work(resource: Resource, client: Any, have: dict[str, Any]) -> dict[str, str]:
    """The tags of a cluster or group, which ElastiCache does not tell while it works on it."""
    try:
        return read_tags(resource, client, have["arn"])
    except SDK_ERRORS as error:
        if error_code(error) not in resource.busy or have["state"] in resource.ready:
            raise
        # What the tagging API knows, or what our create call carried.
        return stack_tags(resource.scope).get(have["arn"]) or resource.wanted_tags or {}


@dataclass(eq=False)
class CacheCluster(Resource):
    """A memcached cluster, found by its id. Its nodes keep nothing: changing their type means a new cluster."""

    service = "elasticache"
    missing = ("CacheClusterNotFound",)
    retry = PROPAGATION
    busy = ("InvalidReplicationGroupState", "InvalidCacheClusterState")
    immutable = {
        "engine": "Use another stack name for another engine, or remove the cache first (cache_engine=none)",
        "node_type": "Memcached nodes keep their type: remove the cache (cache_engine=none), then run with the new type",
        "subnet_group": "It stays where it is: remove the cache (cache_engine=none), then run again",
        "port": "It keeps its port: remove the cache (cache_engine=none), then run with the new port",
        "transit_encryption": "It is chosen at creation: remove the cache (cache_engine=none), then run again",
    }
    stepwise = True
    pending = ("creating", "modifying", "deleting", "rebooting cluster nodes", "rebooting cache cluster nodes")
    ready = ("available",)
    timeout = 1800
    usual, usual_deletion = 300, 180
    api = {
        "engine": "Engine",
        "engine_version": "EngineVersion",
        "node_type": "CacheNodeType",
        "nodes": "NumCacheNodes",
        "port": "Port",
        "parameter_group": "CacheParameterGroupName",
        "subnet_group": "CacheSubnetGroupName",
        "security_group_ids": "SecurityGroupIds",
        "maintenance_window": "PreferredMaintenanceWindow",
        "transit_encryption": "TransitEncryptionEnabled",
        "auto_minor_version_upgrade": "AutoMinorVersionUpgrade",
    }

    engine: str | None = None
    engine_version: str | None = None
    node_type: str | None = None
    nodes: int | None = None
    port: int | None = None
    parameter_group: CacheParameterGroup | None = None
    subnet_group: CacheSubnetGroup | None = None
    security_groups: list[SecurityGroup] = field(default_factory=list)
    transit_encryption: bool | None = None
    maintenance_window: str | None = None
    auto_minor_version_upgrade: bool | None = None

    @classmethod
    def list_all(cls, client: Any, scope: Scope) -> Iterable[Any]:
        alone = [item for item in all_clusters(client, scope) if not item.get("ReplicationGroupId")]
        return of_stack(scope, alone, "CacheClusterId")

    @classmethod
    def identify(cls, item: Any) -> tuple[str, ...]:
        return (item["CacheClusterId"],)

    def read(self, client: Any, item: Any) -> dict[str, Any]:
        endpoint = item.get("ConfigurationEndpoint") or {}
        waiting = item.get("PendingModifiedValues") or {}
        live = waiting.get("EngineVersion") or item["EngineVersion"]
        have = {
            "id": item["CacheClusterId"],
            "arn": item["ARN"],
            "state": item["CacheClusterStatus"],
            "endpoint": endpoint.get("Address"),
            "engine": item["Engine"],
            "engine_version": settled_version(live, self.engine_version, self.auto_minor_version_upgrade),
            "node_type": item["CacheNodeType"],
            "nodes": waiting.get("NumCacheNodes") or item["NumCacheNodes"],
            "node_ids": sorted(node["CacheNodeId"] for node in item.get("CacheNodes") or []),
            "port": endpoint.get("Port") or self.port,
            "parameter_group": (item.get("CacheParameterGroup") or {}).get("CacheParameterGroupName"),
            "subnet_group": item.get("CacheSubnetGroupName"),
            "security_group_ids": {group["SecurityGroupId"] for group in item.get("SecurityGroups") or []},
            "maintenance_window": item.get("PreferredMaintenanceWindow"),
            "transit_encryption": bool(item.get("TransitEncryptionEnabled")),
            "auto_minor_version_upgrade": bool(item.get("AutoMinorVersionUpgrade")),
        }
        return {**have, "tags": tags_at_work(self, client, have)} if self.owned else have

    def want(self) -> dict[str, Any]:
        return {
            "engine": self.engine,
            "engine_version": self.engine_version,
            "node_type": self.node_type,
            "nodes": self.nodes,
            "port": self.port,
            "parameter_group": self.parameter_group.name if self.parameter_group else None,
            "subnet_group": self.subnet_group.name if self.subnet_group else None,
            "security_group_ids": {group.id for group in self.security_groups or []} or None,
            "maintenance_window": self.maintenance_window,
            "transit_encryption": self.transit_encryption,
            "auto_minor_version_upgrade": self.auto_minor_version_upgrade,
        }

    def create(self, client: Any, want: dict[str, Any]) -> None:
        spread = "cross-az" if (self.nodes or 1) > 1 else "single-az"
        client.create_cache_cluster(
            CacheClusterId=self.name, AZMode=spread, Tags=as_list(want["tags"]), **self.arguments(want)
        )

    def update(self, client: Any, change: dict[str, Any]) -> None:
        if "tags" in change:
            set_tags(client, self, change["tags"])
        arguments = self.arguments(change)
        if not arguments:
            return
        have = self.have or {}
        count = change.get("nodes", have["nodes"])
        if count < have["nodes"]:
            arguments["CacheNodeIdsToRemove"] = have["node_ids"][count:]
        elif count > 1 and "nodes" in change:
            arguments["AZMode"] = "cross-az"
        client.modify_cache_cluster(CacheClusterId=self.name, ApplyImmediately=True, **arguments)

    def delete(self, client: Any) -> None:
        client.delete_cache_cluster(CacheClusterId=self.name)
