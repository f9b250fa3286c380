"""What DB instances and read replicas have in common. https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..engine.resource import Resource, Scope, as_dict
from . import rds_versions as versions
from .ec2 import SecurityGroup
from .iam import Role
from .kms import Key
from .rds_groups import DBParameterGroup, DBSubnetGroup, ExportedLog, set_rds_tags

PASSING = (
    "backing-up",
    "configuring-associated-roles",
    "configuring-enhanced-monitoring",
    "configuring-iam-database-auth",
    "configuring-log-exports",
    "converting-to-vpc",
    "creating",
    "deleting",
    "maintenance",
    "modifying",
    "moving-to-vpc",
    "rebooting",
    "renaming",
    "resetting-master-credentials",
    "starting",
    "stopping",
    "storage-config-upgrade",
    "storage-initialization",
    "upgrading",
)
USABLE = ("available", "storage-optimization", "stopped")  # storage-optimization may last days (trap 104)

# Our name of an attribute: the name of its value in an answer of DescribeDBInstances, and among the pending values.
ANSWERED = {
    "instance_class": "DBInstanceClass",
    "multi_az": "MultiAZ",
    "storage_type": "StorageType",
    "allocated_storage": "AllocatedStorage",
    "iops": "Iops",
    "storage_throughput": "StorageThroughput",
    "auto_minor_version_upgrade": "AutoMinorVersionUpgrade",
    "deletion_protection": "DeletionProtection",
    "copy_tags_to_snapshot": "CopyTagsToSnapshot",
    "publicly_accessible": "PubliclyAccessible",
    "ca_certificate_identifier": "CACertificateIdentifier",
    "iam_database_authentication": "IAMDatabaseAuthenticationEnabled",
    "performance_insights": "PerformanceInsightsEnabled",
    "performance_insights_retention_period": "PerformanceInsightsRetentionPeriod",
    "monitoring_interval": "MonitoringInterval",
    "monitoring_role_arn": "MonitoringRoleArn",
    "backup_retention_period": "BackupRetentionPeriod",
    "preferred_backup_window": "PreferredBackupWindow",
    "engine": "Engine",
    "engine_version": "EngineVersion",
    "storage_encrypted": "StorageEncrypted",
    "kms_key_id": "KmsKeyId",
    "master_username": "MasterUsername",
    "database_name": "DBName",
}
STORAGE = ("storage_type", "allocated_storage", "iops", "storage_throughput")


@dataclass(eq=False)
class Instance(Resource):
    """What a DB instance and a read replica have in common."""

    service = "rds"
    missing = ("DBInstanceNotFound",)
    retry = (
        "DBSubnetGroupNotFoundFault",
        "DBParameterGroupNotFound",
        "InvalidDBInstanceState",
        "InvalidParameterValue:IAM role",  # a role that RDS cannot assume yet (trap 23)
        "InvalidParameterValue:security group",
        "KMSKeyNotAccessibleFault",
        "ResourceNotFoundException",  # a secret made a moment ago
    )
    busy = ("InvalidDBInstanceState",)
    pending = PASSING
    ready = USABLE
    timeout = 5400  # a Multi-AZ instance or a restore outlasts the SDK's own waiter (trap 17)
    usual, usual_deletion = 600, 300  # twice as long for a large or a Multi-AZ one
    secret = ("master_user_password",)
    shown = ("port", "pending", "secret_arn")
    immutable = {  # trap 119
        "storage_encrypted": "Copy a snapshot with a key and restore from the copy: encryption cannot be turned on or off in place",
        "kms_key_id": "Copy a snapshot under the other key and restore from the copy",
        "subnet_group": "Moving an instance to another subnet group is mostly refused by RDS: change the subnets of its group, or restore a snapshot",
        "engine": "Restore or migrate into a new instance beside this one",
        "master_username": "The master user keeps its name: make another user in the database",
        "database_name": "It names the first database, made with the instance: make another one in the database",
        "master_user_secret_kms_key_id": "Set manage_master_user_password=false, converge, then set it to true again",
    }
    api = {
        "instance_class": "DBInstanceClass",
        "multi_az": "MultiAZ",
        "storage_type": "StorageType",
        "allocated_storage": "AllocatedStorage",
        "max_allocated_storage": "MaxAllocatedStorage",
        "iops": "Iops",
        "storage_throughput": "StorageThroughput",
        "auto_minor_version_upgrade": "AutoMinorVersionUpgrade",
        "deletion_protection": "DeletionProtection",
        "copy_tags_to_snapshot": "CopyTagsToSnapshot",
        "publicly_accessible": "PubliclyAccessible",
        "ca_certificate_identifier": "CACertificateIdentifier",
        "iam_database_authentication": "EnableIAMDatabaseAuthentication",
        "performance_insights": "EnablePerformanceInsights",
        "performance_insights_retention_period": "PerformanceInsightsRetentionPeriod",
        "monitoring_interval": "MonitoringInterval",
        "monitoring_role_arn": "MonitoringRoleArn",
        "backup_retention_period": "BackupRetentionPeriod",
        "preferred_backup_window": "PreferredBackupWindow",
        "preferred_maintenance_window": "PreferredMaintenanceWindow",
        "security_group_ids": "VpcSecurityGroupIds",
        "parameter_group": "DBParameterGroupName",
        "port": "Port",
        "log_exports": "EnableCloudwatchLogsExports",
    }

    subnet_group: DBSubnetGroup | None = None
    parameter_group: DBParameterGroup | None = None
    security_groups: list[SecurityGroup] | None = None
    kms_key: Key | None = None
    monitoring_role: Role | None = None
    log_groups: list[ExportedLog] | None = None
    engine: str | None = None
    instance_class: str | None = None
    multi_az: bool | None = None
    port: int | None = None
    storage_type: str | None = None
    allocated_storage: int | None = None
    max_allocated_storage: int | None = None
    iops: int | None = None
    storage_throughput: int | None = None
    storage_encrypted: bool | None = None
    auto_minor_version_upgrade: bool | None = None
    deletion_protection: bool | None = None
    copy_tags_to_snapshot: bool | None = None
    publicly_accessible: bool | None = None
    ca_certificate_identifier: str | None = None
    iam_database_authentication: bool | None = None
    performance_insights: bool | None = None
    performance_insights_retention_period: int | None = None
    monitoring_interval: int | None = None
    monitoring_role_arn: str | None = None
    log_exports: Sequence[str] | None = None
    apply_immediately: bool = True

    @classmethod
    def identify(cls, item: Any) -> tuple[str, ...]:
        return (item["DBInstanceIdentifier"],)

    def read(self, client: Any, item: Any) -> dict[str, Any]:
        pending = item.get("PendingModifiedValues") or {}
        live = {**item, **pending}  # what RDS has accepted counts, applied or not (trap 103)
        endpoint = item.get("Endpoint") or {}
        have = {ours: live[theirs] for ours, theirs in ANSWERED.items() if theirs in live}
        have |= {
            "id": item["DBInstanceIdentifier"],
            "arn": item["DBInstanceArn"],
            "resource_id": item.get("DbiResourceId"),
            "state": item["DBInstanceStatus"],
            "endpoint": endpoint.get("Address"),
            "created_at": item.get("InstanceCreateTime"),
            "port": pending.get("Port") or endpoint.get("Port") or self.port,  # known only once it runs
            "max_allocated_storage": item.get("MaxAllocatedStorage", 0),
            "preferred_maintenance_window": item["PreferredMaintenanceWindow"].lower(),
            "security_group_ids": {
                one["VpcSecurityGroupId"] for one in item["VpcSecurityGroups"] if one["Status"] != "removing"
            },
            "parameter_groups": [group["DBParameterGroupName"] for group in item["DBParameterGroups"]],
            "parameter_group": self._group_to_be(item, pending),
            "placement": item.get("DBSubnetGroup"),
            "subnet_group": (item.get("DBSubnetGroup") or {}).get("DBSubnetGroupName"),
            "log_exports": exported(item, pending),
            "source": item.get("ReadReplicaSourceDBInstanceIdentifier"),
            "replicas": item.get("ReadReplicaDBInstanceIdentifiers") or [],
            "manage_master_user_password": "MasterUserSecret" in item,
            "secret_arn": (item.get("MasterUserSecret") or {}).get("SecretArn"),
            "master_user_secret_kms_key_id": (item.get("MasterUserSecret") or {}).get("KmsKeyId"),
            "pending": waiting(item, pending) or None,
            "tags": as_dict(item.get("TagList")),
        }
        have["state"], have["state_reason"] = self._judged(client, have)
        return have

    def _group_to_be(self, item: dict[str, Any], pending: dict[str, Any]) -> str:
        """The parameter group. One of another family comes with its version, and no pending value names it (traps 103, 109)."""
        live: str = item["DBParameterGroups"][0]["DBParameterGroupName"]
        series = [
            versions.major(item["Engine"], one["EngineVersion"]) for one in (item, pending) if one.get("EngineVersion")
        ]
        return self.parameter_group.name.lower() if self.parameter_group and len(set(series)) > 1 else live

    def _judged(self, client: Any, have: dict[str, Any]) -> tuple[str, str | None]:
        """The state and, where it is a bad one, what RDS said last about the instance (trap 17)."""
        state = have["state"]
        if state in self.ready or state in self.pending:
            return state, None
        if state == "storage-full" and (self.allocated_storage or 0) > have["allocated_storage"]:
            return "available", None  # a larger disk is the way out, and RDS takes that change now
        events = client.describe_events(SourceIdentifier=have["id"], SourceType="db-instance", Duration=1440)["Events"]
        return state, events[-1]["Message"] if events else None

    def want(self) -> dict[str, Any]:
        have = self.have or {}
        if have.get("state") == "creating":
            return {}  # the create call carried every wish; what the answer shows of them until it runs is not reliable
        on = bool(self.monitoring_interval)
        return {
            "instance_class": self.instance_class,
            "multi_az": self.multi_az,
            "port": self.port,
            "storage_type": self.storage_type,
            "allocated_storage": grown(self.allocated_storage, have.get("allocated_storage")),
            "max_allocated_storage": self._disk_limit(have),
            "iops": self.iops,
            "storage_throughput": self.storage_throughput,
            "storage_encrypted": self.storage_encrypted,
            "kms_key_id": self.kms_key.arn if self.kms_key else None,
            "auto_minor_version_upgrade": self.auto_minor_version_upgrade,
            "deletion_protection": self.deletion_protection,
            "copy_tags_to_snapshot": self.copy_tags_to_snapshot,
            "publicly_accessible": self.publicly_accessible,
            "ca_certificate_identifier": self.ca_certificate_identifier,
            "iam_database_authentication": self.iam_database_authentication,
            "performance_insights": self.performance_insights,
            "performance_insights_retention_period": self.performance_insights_retention_period
            if self.performance_insights
            else None,
            "monitoring_interval": self.monitoring_interval,
            "monitoring_role_arn": (self.monitoring_role.arn if self.monitoring_role else self.monitoring_role_arn)
            if on
            else None,
            "security_group_ids": {group.id for group in self.security_groups} if self.security_groups else None,
            "parameter_group": self.parameter_group.name.lower() if self.parameter_group else None,
            "subnet_group": self.subnet_group.name.lower() if self.subnet_group else None,
            "log_exports": None if self.log_exports is None else set(self.log_exports),
        }

    def _disk_limit(self, have: dict[str, Any]) -> int | None:
        """The limit of storage autoscaling, unless the disk has outgrown it already (trap 106)."""
        limit = self.max_allocated_storage
        return None if limit and limit <= (have.get("allocated_storage") or 0) else limit

    def refuse(self, change: dict[str, Any]) -> str | None:
        if self.exists and self.get("state") == "stopped" and set(change) - {"tags"}:
            return "it is stopped, and RDS changes only what runs. Start it first (aws rds start-db-instance)"
        if not self.exists or {"instance_class", "multi_az", "storage_type", "engine_version"} & set(change):
            return versions.not_offered(self.scope, self._order(change))
        return None

    def _order(self, change: dict[str, Any]) -> dict[str, Any]:
        """What the offers of the region must hold."""
        have = self.have or {}
        keys = ("engine", "engine_version", "instance_class", "multi_az", "storage_type")
        order = {key: change.get(key, have.get(key, getattr(self, key, None))) for key in keys}
        return order if "engine_version" in change else series_of(order)

    def update(self, client: Any, change: dict[str, Any]) -> None:
        arguments = self._modification(client, change)
        if arguments:
            client.modify_db_instance(
                DBInstanceIdentifier=self.id, ApplyImmediately=bool(self.apply_immediately), **arguments
            )
        if "tags" in change:
            set_rds_tags(client, self, change["tags"])

    def _modification(self, client: Any, change: dict[str, Any]) -> dict[str, Any]:
        """The parameters of ModifyDBInstance, which spells some differently from the create call and wants some together."""
        have = self.have or {}
        arguments = self.arguments(change)
        if "port" in change:
            arguments["DBPortNumber"] = arguments.pop("Port")
        if "log_exports" in change:
            del arguments["EnableCloudwatchLogsExports"]
            arguments["CloudwatchLogsExportConfiguration"] = {
                "EnableLogTypes": sorted(change["log_exports"] - have["log_exports"]),
                "DisableLogTypes": sorted(have["log_exports"] - change["log_exports"]),
            }
        if change.get("max_allocated_storage") == 0:
            arguments["MaxAllocatedStorage"] = have["allocated_storage"]  # that is how autoscaling is turned off
        if set(change) & set(STORAGE):
            self._add_storage(arguments, have)
        if change.get("monitoring_interval") or "monitoring_role_arn" in change:
            arguments |= self.arguments(
                {key: self.want()[key] for key in ("monitoring_interval", "monitoring_role_arn")}
            )
        return arguments

    def _add_storage(self, arguments: dict[str, Any], have: dict[str, Any]) -> None:
        """A change of the disk names its size, and the IOPS where the type has them provisioned."""
        arguments.setdefault("AllocatedStorage", have["allocated_storage"])
        kind = arguments.get("StorageType", have["storage_type"])
        if self.iops is not None or kind in ("io1", "io2"):
            arguments.setdefault("Iops", self.iops if self.iops is not None else have.get("iops"))
        if self.storage_throughput is not None:
            arguments.setdefault("StorageThroughput", self.storage_throughput)

    def protection(self) -> str | None:
        return "its deletion protection is on" if (self.have or {}).get("deletion_protection") else None

    def unprotect(self, client: Any) -> None:
        client.modify_db_instance(DBInstanceIdentifier=self.id, DeletionProtection=False, ApplyImmediately=True)


def series_of(order: dict[str, Any]) -> dict[str, Any]:
    """An order with the series in place of the version: a version that runs may be too old to be offered anew."""
    version = order["engine_version"]
    return {**order, "engine_version": versions.major(order["engine"], version) if version else None}


def all_instances(client: Any, scope: Scope) -> list[dict[str, Any]]:
    """The region's instances, asked for once for both kinds; when one is read again, just that one."""
    arguments = {"Filters": [{"Name": "db-instance-id", "Values": sorted(scope.names)}]} if scope.fresh else {}

    def ask() -> list[dict[str, Any]]:
        pages = client.get_paginator("describe_db_instances").paginate(**arguments)
        return [item for page in pages for item in page["DBInstances"]]

    return scope.once("db instances", ask)


def grown(wanted: int | None, live: int | None) -> int | None:
    """The size of a disk: it never shrinks, and storage autoscaling may have made it larger than wished for (trap 106)."""
    return None if wanted is None else max(wanted, live or 0)


def exported(item: dict[str, Any], pending: dict[str, Any]) -> set[str]:
    """The logs that are exported, or will be when RDS is done with the change."""
    changing = pending.get("PendingCloudwatchLogsExports") or {}
    types = set(item.get("EnabledCloudwatchLogsExports") or ()) | set(changing.get("LogTypesToEnable") or ())
    return types - set(changing.get("LogTypesToDisable") or ())


def waiting(item: dict[str, Any], pending: dict[str, Any]) -> dict[str, Any]:
    """What RDS has accepted and not applied yet, and whether parameters wait for a reboot (traps 103, 110)."""
    found = {key: value for key, value in pending.items() if key != "MasterUserPassword"}
    for group in item["DBParameterGroups"]:
        if group.get("ParameterApplyStatus") not in (None, "in-sync"):
            found[f"parameters of {group['DBParameterGroupName']}"] = group["ParameterApplyStatus"]
    return found
