"""ElastiCache replication groups. https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from ..engine.resource import Resource, Scope, as_list
from .ec2 import SecurityGroup, described
from .elasticache_clusters import PROPAGATION, all_clusters, numbers, settled_version, tags_at_work
from .elasticache_groups import CacheParameterGroup, CacheSubnetGroup, of_stack, set_tags
from .kms import Key

MOVE = (
    "Take a snapshot, restore it into a group under another name (stack), point the clients there, then remove this one"
)


@dataclass(eq=False)
class ReplicationGroup(Resource):
    """A Redis or Valkey replication group, found by its id.

    ElastiCache takes one change after another, so ``update`` makes one, and the engine comes again (trap 99).
    """

    service = "elasticache"
    missing = ("ReplicationGroupNotFoundFault",)
    retry = PROPAGATION
    busy = ("InvalidReplicationGroupState", "InvalidCacheClusterState")
    immutable = {  # trap 93
        "at_rest_encryption": MOVE,
        "kms_key_id": MOVE,
        "subnet_group": MOVE,
        "port": MOVE,
        "cluster_mode": MOVE,
        "transit_encryption": "It takes two changes, clients being switched in between: none, preferred, required (trap 94)",
    }
    secret = ("auth_token",)
    stepwise = True
    pending = ("creating", "modifying", "deleting")
    ready = ("available", "snapshotting")
    timeout = 3600
    usual, usual_deletion = 600, 300
    api = {
        "description": "ReplicationGroupDescription",
        "engine": "Engine",
        "engine_version": "EngineVersion",
        "node_type": "CacheNodeType",
        "automatic_failover": "AutomaticFailoverEnabled",
        "multi_az": "MultiAZEnabled",
        "parameter_group": "CacheParameterGroupName",
        "security_group_ids": "SecurityGroupIds",
        "snapshot_retention_limit": "SnapshotRetentionLimit",
        "snapshot_window": "SnapshotWindow",
        "maintenance_window": "PreferredMaintenanceWindow",
        "auto_minor_version_upgrade": "AutoMinorVersionUpgrade",
    }
    settings = (
        "description",
        "security_group_ids",
        "snapshot_retention_limit",
        "snapshot_window",
        "maintenance_window",
        "auto_minor_version_upgrade",
    )
    upgrades = ("engine", "engine_version", "parameter_group")
    failovers = ("automatic_failover", "multi_az")
    copied = ("replicas", "multi_az", "automatic_failover", "node_groups")

    description: str | None = None
    engine: str | None = None
    engine_version: str | None = None
    node_type: str | None = None
    replicas: int | None = None
    node_groups: int | None = None  # shards; None: cluster mode off
    automatic_failover: bool | None = None
    multi_az: bool | None = None
    port: int | None = None
    parameter_group: CacheParameterGroup | None = None
    subnet_group: CacheSubnetGroup | None = None
    security_groups: list[SecurityGroup] = field(default_factory=list)
    kms_key: Key | None = None
    at_rest_encryption: bool | None = None
    transit_encryption: bool | None = None
    auth_token: str | None = None
    auth_token_update: str | None = None  # rotate, set: send the token, which no answer ever shows (trap 95)
    snapshot_retention_limit: int | None = None
    snapshot_window: str | None = None
    maintenance_window: str | None = None
    auto_minor_version_upgrade: bool | None = None
    apply_immediately: bool = True
    final_snapshot: bool = False

    _token_sent = False
    _last_snapshot = ""

    @classmethod
    def list_all(cls, client: Any, scope: Scope) -> Iterable[Any]:
        groups = described(client, "describe_replication_groups", "ReplicationGroups")
        return of_stack(scope, groups, "ReplicationGroupId")

    @classmethod
    def identify(cls, item: Any) -> tuple[str, ...]:
        return (item["ReplicationGroupId"],)

    def read(self, client: Any, item: Any) -> dict[str, Any]:
        shards = item.get("NodeGroups") or []
        endpoint = item.get("ConfigurationEndpoint") or (shards[0].get("PrimaryEndpoint") if shards else None) or {}
        reader = (shards[0].get("ReaderEndpoint") if shards else None) or {}
        clustered = bool(item.get("ClusterEnabled"))
        waiting = item.get("PendingModifiedValues") or {}
        failover = waiting.get("AutomaticFailoverStatus") or item.get("AutomaticFailover")
        members = max(1, len(item.get("MemberClusters") or []))
        have = {
            "id": item["ReplicationGroupId"],
            "arn": item["ARN"],
            "state": item["Status"],
            "endpoint": endpoint.get("Address"),
            "reader_endpoint": reader.get("Address"),
            "description": item["Description"],
            "replicas": len(shards[0].get("NodeGroupMembers") or [1]) - 1 if clustered and shards else members - 1,
            "node_groups": len(shards),
            "node_group_ids": sorted(shard["NodeGroupId"] for shard in shards),
            "cluster_mode": "enabled" if clustered else "disabled",
            "automatic_failover": failover in ("enabled", "enabling"),
            "multi_az": item.get("MultiAZ") == "enabled",
            "port": endpoint.get("Port") or self.port,
            "at_rest_encryption": bool(item.get("AtRestEncryptionEnabled")),
            "kms_key_id": (item.get("KmsKeyId") or "").rpartition("/")[2],
            "transit_encryption": bool(item.get("TransitEncryptionEnabled")),
            "auth_token_enabled": bool(item.get("AuthTokenEnabled") or waiting.get("AuthTokenStatus")),
            "snapshot_retention_limit": item.get("SnapshotRetentionLimit", 0),
            "snapshot_window": item.get("SnapshotWindow"),
            "auto_minor_version_upgrade": bool(item.get("AutoMinorVersionUpgrade")),
            "node_type": item.get("CacheNodeType"),
            "engine": item.get("Engine") or self.engine,
        }
        if item["Status"] == "creating":  # what it was asked for is not all there yet
            have |= {key: getattr(self, key) for key in self.copied if getattr(self, key, None) is not None}
        if not self.owned:
            return have
        if self.engine is not None:
            have |= self._of_members(all_clusters(client, self.scope))
        return {**have, "tags": tags_at_work(self, client, have)}

    def _of_members(self, clusters: list[dict[str, Any]]) -> dict[str, Any]:
        """What only the member clusters show; as wished while there are none. Accepted changes count as made."""
        members = [one for one in clusters if one.get("ReplicationGroupId") == self.name]
        if not members:
            wish = self.want()
            names = ("engine_version", "parameter_group", "subnet_group", "security_group_ids", "maintenance_window")
            return {key: wish[key] for key in names if wish[key] is not None}
        # The one that is behind tells what is still to do.
        waiting = [one.get("PendingModifiedValues") or {} for one in members]
        versions = [
            pending.get("EngineVersion") or one["EngineVersion"] for one, pending in zip(members, waiting, strict=True)
        ]
        live = min(versions, key=numbers)
        types = {
            pending.get("CacheNodeType") or one["CacheNodeType"] for one, pending in zip(members, waiting, strict=True)
        }
        first = members[0]
        groups = {(one.get("CacheParameterGroup") or {}).get("CacheParameterGroupName") for one in members}
        return {
            "live_version": live,
            "engine_version": settled_version(live, self.engine_version, self.auto_minor_version_upgrade),
            "node_type": self.node_type if types == {self.node_type} else sorted(types - {self.node_type})[0],
            "parameter_group": sorted(str(group) for group in groups)[0]
            if len(groups) == 1
            else ", ".join(map(str, groups)),
            "subnet_group": first.get("CacheSubnetGroupName"),
            "security_group_ids": {group["SecurityGroupId"] for group in first.get("SecurityGroups") or []},
            "maintenance_window": first.get("PreferredMaintenanceWindow"),
        }

    def want(self) -> dict[str, Any]:
        token_due = self.have is None or (self.auth_token_update is not None and not self._token_sent)
        return {
            "description": self.description,
            "engine": self.engine,
            "engine_version": self.engine_version,
            "node_type": self.node_type,
            "replicas": self.replicas,
            "node_groups": self.node_groups,
            "cluster_mode": "disabled" if self.node_groups is None else "enabled",
            "automatic_failover": self.automatic_failover,
            "multi_az": self.multi_az,
            "port": self.port,
            "parameter_group": self.parameter_group.name if self.parameter_group else None,
            "subnet_group": self.subnet_group.name if self.subnet_group else None,
            "security_group_ids": {group.id for group in self.security_groups or []} or None,
            "at_rest_encryption": self.at_rest_encryption,
            "kms_key_id": self.kms_key.id if self.kms_key else None,
            "transit_encryption": self.transit_encryption,
            "auth_token": self.auth_token if token_due else None,
            "auth_token_enabled": True if self.auth_token else None,
            "snapshot_retention_limit": self.snapshot_retention_limit,
            "snapshot_window": self.snapshot_window,
            "maintenance_window": self.maintenance_window,
            "auto_minor_version_upgrade": self.auto_minor_version_upgrade,
        }

    def refuse(self, change: dict[str, Any]) -> str | None:
        have = self.have
        if have is None:
            return None
        if "engine" in change and (have["engine"], change["engine"]) != ("redis", "valkey"):
            return f"ElastiCache cannot turn {have['engine']} into {change['engine']}, only redis into valkey. {MOVE}"
        if "engine_version" in change and "engine" not in change:
            live, wish = str(have.get("live_version") or ""), change["engine_version"]
            if live and numbers(wish) < numbers(live)[: len(numbers(wish))]:
                return f"ElastiCache cannot go back from version {live} to {wish}. Ask for {live}, or: {MOVE}"
        if "auth_token_enabled" in change and self.auth_token_update is None:
            return (
                "it runs without an AUTH token. Set cache_auth_token_update=rotate, which accepts clients with and without it, "
                "switch the clients, then run once with cache_auth_token_update=set"
            )
        return None

    def create(self, client: Any, want: dict[str, Any]) -> None:
        size = (
            {"NumCacheClusters": (self.replicas or 0) + 1}
            if self.node_groups is None
            else {
                "NumNodeGroups": self.node_groups,
                "ReplicasPerNodeGroup": self.replicas or 0,
                "ClusterMode": "enabled",
            }
        )
        choices = {
            "Port": self.port,
            "CacheSubnetGroupName": want.get("subnet_group"),
            "AtRestEncryptionEnabled": self.at_rest_encryption,
            "KmsKeyId": self.kms_key.arn if self.kms_key else None,
            "TransitEncryptionEnabled": self.transit_encryption,
            "AuthToken": self.auth_token,
        }
        given = {key: value for key, value in choices.items() if value is not None}
        client.create_replication_group(
            ReplicationGroupId=self.name, Tags=as_list(want["tags"]), **size, **self.arguments(want), **given
        )
        self._token_sent = True

    def update(self, client: Any, change: dict[str, Any]) -> None:
        if "tags" in change:
            set_tags(client, self, change["tags"])
        have = self.have or {}
        upgrade: dict[str, Any] = {key: change[key] for key in self.upgrades if key in change}
        settings: dict[str, Any] = {key: change[key] for key in self.settings if key in change}
        if upgrade.keys() == {"parameter_group"}:
            settings |= upgrade
            upgrade = {}
        more = change.get("replicas", -1)
        failover: dict[str, Any] = {key: change[key] for key in self.failovers if key in change}
        if settings:
            self._modify(client, **self.arguments(settings))
        elif more > have.get(
            "replicas", 0
        ):  # failover needs a replica, so more come before it and fewer after it (trap 100)
            client.increase_replica_count(ReplicationGroupId=self.name, NewReplicaCount=more, ApplyImmediately=True)
        elif failover:
            self._modify(client, **self.arguments(failover))
        elif "replicas" in change:
            client.decrease_replica_count(ReplicationGroupId=self.name, NewReplicaCount=more, ApplyImmediately=True)
        elif "node_type" in change:
            self._modify(client, CacheNodeType=change["node_type"])
        elif upgrade:
            self._modify(client, **self._upgrade(upgrade))
        elif "auth_token" in change:
            strategy = str(self.auth_token_update).upper()
            self._modify(client, AuthToken=change["auth_token"], AuthTokenUpdateStrategy=strategy)
            self._token_sent = True
        elif "node_groups" in change:
            self._reshard(client, have.get("node_group_ids") or [], change["node_groups"])

    def _modify(self, client: Any, **arguments: Any) -> None:
        now = True if self.apply_immediately is None else self.apply_immediately
        client.modify_replication_group(ReplicationGroupId=self.name, ApplyImmediately=now, **arguments)

    def _upgrade(self, upgrade: dict[str, Any]) -> dict[str, Any]:
        """Engine, version and parameter group go in one call: a group of the old family does not fit the new engine (trap 101)."""
        if "engine" in upgrade:
            upgrade = {"engine_version": self.engine_version, **upgrade}
        return self.arguments(upgrade)

    def _reshard(self, client: Any, ids: list[str], count: int) -> None:
        fewer = {"NodeGroupsToRemove": ids[count:]} if count < len(ids) else {}
        client.modify_replication_group_shard_configuration(
            ReplicationGroupId=self.name, NodeGroupCount=count, ApplyImmediately=True, **fewer
        )

    def delete(self, client: Any) -> None:
        last = {}
        if self.final_snapshot:
            self._last_snapshot = f"{self.name}-final-{datetime.now(timezone.utc):%Y%m%d%H%M%S}"
            last = {"FinalSnapshotIdentifier": self._last_snapshot}
        client.delete_replication_group(ReplicationGroupId=self.name, RetainPrimaryCluster=False, **last)

    def leftover(self) -> str | None:
        if not self._last_snapshot:
            return None
        return f"ElastiCache snapshot {self._last_snapshot} costs money until it is deleted"
