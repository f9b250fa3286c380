"""What RDS changes about a DB instance, when, and what it refuses to change."""

from __future__ import annotations

from typing import Any

from moto.rds.models import DBParameterGroup

from webstack_lab.extend import Answer, AwsError, Context, Params, operation
from webstack_lab.services.rds import (
    check_disk,
    check_family,
    check_offer,
    disk_speed,
    export_logs,
    key_arn,
    named,
    shown,
)
from webstack_lab.services.rds_offers import VERSIONS, major, numbers, resolved
from webstack_lab.services.rds_phases import SECONDS, add_event, phase

MODIFIABLE = ("available", "storage-optimization", "storage-full", "incompatible-parameters", "incompatible-network")
# Applied in the maintenance window, or at once when asked for (RDS guide, "Settings for DB instances").
DEFERRED = {
    "AllocatedStorage": "allocated_storage",
    "BackupRetentionPeriod": "backup_retention_period",
    "CACertificateIdentifier": "ca_certificate_identifier",
    "DBInstanceClass": "db_instance_class",
    "DBPortNumber": "port",
    "EnableIAMDatabaseAuthentication": "enable_iam_database_authentication",
    "EngineVersion": "engine_version",
    "Iops": "iops",
    "MultiAZ": "multi_az",
    "StorageThroughput": "storage_throughput",
    "StorageType": "storage_type",
}
PENDING_NAMES = {"DBPortNumber": "Port", "EnableIAMDatabaseAuthentication": "IAMDatabaseAuthenticationEnabled"}
DISK = ("AllocatedStorage", "StorageType", "Iops", "StorageThroughput")


@operation("rds", "ModifyDBInstance")
def modify_db_instance(context: Context, params: Params) -> Answer:
    """https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_ModifyDBInstance.html"""
    one = named(context, params["DBInstanceIdentifier"])
    if one.engine not in VERSIONS or one.db_cluster_identifier:
        return context.moto()
    if one.status not in MODIFIABLE:
        raise AwsError("InvalidDBInstanceState", f"Database instance is not in available state. It is {one.status}.")
    check_modification(context, one, params)
    later = {key: value for key, value in params.items() if key in DEFERRED and not applied(one, key, value)}
    if "EngineVersion" in later:
        later["EngineVersion"] = resolved(one.engine, later["EngineVersion"])
    now = {key: value for key, value in params.items() if key not in DEFERRED}
    if params.get("ManageMasterUserPassword") and not params.get("MasterUserSecretKmsKeyId"):
        now["MasterUserSecretKmsKeyId"] = key_arn(context, "alias/aws/secretsmanager")
    new_group = params.get("DBParameterGroupName", one.db_parameter_group_name) != one.db_parameter_group_name
    if new_group and "EngineVersion" in later:
        one.lab_group = now.pop("DBParameterGroupName")  # the group comes with the version (trap 109)
        new_group = False
    make_default_group(context, one, now.get("DBParameterGroupName", ""))
    context.moto(now)
    if new_group:
        one.lab_parameters = "pending-reboot"
    for key, name in (
        ("EnablePerformanceInsights", "lab_insights"),
        ("PerformanceInsightsRetentionPeriod", "lab_retention"),
        ("DatabaseInsightsMode", "lab_mode"),
    ):
        if key in params:
            setattr(one, name, params[key])
    export_logs(context, one)
    one.pending_modified_values |= {PENDING_NAMES.get(key, key): value for key, value in later.items()}
    if params.get("ApplyImmediately") and one.pending_modified_values:
        disk = any(key in one.pending_modified_values for key in DISK)
        phase(one, "modifying", lambda: apply_pending(one))
        if disk and SECONDS["storage-optimization"]:
            phase(one, "storage-optimization")
    return shown(context, one)


def make_default_group(context: Context, one: Any, name: str) -> None:
    """Default parameter groups are there before anybody uses them; moto makes them at the first use."""
    groups = context.backend("rds").db_parameter_groups
    if name.startswith(f"default.{one.engine}") and name not in groups:
        family = name.removeprefix("default.")
        groups[name] = DBParameterGroup(  # type: ignore[abstract]  # moto makes them so itself
            context.backend("rds"), name, f"Default parameter group for {family}", family, []
        )


def applied(one: Any, key: str, value: Any) -> bool:
    """Whether a value is the instance's already; a pending other value is then withdrawn."""
    same = bool(getattr(one, DEFERRED[key]) == value)
    if same:
        one.pending_modified_values.pop(PENDING_NAMES.get(key, key), None)
    return same


def check_modification(context: Context, one: Any, params: Params) -> None:
    """What RDS refuses to change."""
    check_offer(params, one.engine)
    size = params.get("AllocatedStorage", one.allocated_storage)
    if size < one.allocated_storage:
        text = (
            f"Requested storage size ({size}) cannot be less than the current storage size ({one.allocated_storage})."
        )
        raise AwsError("InvalidParameterCombination", text)
    if any(key in params for key in DISK) and one.status == "storage-optimization":
        text = "You can't currently modify the storage of this DB instance because the previous storage change is being optimized."
        raise AwsError("InvalidParameterCombination", text)
    kind = params.get("StorageType", one.storage_type)
    check_disk(one.engine, kind, size, {"Iops": one.iops if kind != "gp3" else None, **params})
    if params.get("ManageMasterUserPassword") is False and not params.get("MasterUserPassword"):
        text = "MasterUserPassword must be provided when ManageMasterUserPassword is set to false."
        raise AwsError("InvalidParameterCombination", text)
    if params.get("MasterUserSecretKmsKeyId") and not params.get("ManageMasterUserPassword"):
        text = "A ManageMasterUserPassword value is required when MasterUserSecretKmsKeyId is specified."
        raise AwsError("InvalidParameterCombination", text)
    if params.get("MasterUserPassword") and one.is_replica and one.engine == "postgres":
        text = (
            "Cannot change master user password on an RDS postgres Read Replica because it uses physical replication "
            "and therefore cannot differ from its parent."
        )
        raise AwsError("InvalidParameterCombination", text)
    if params.get("MonitoringInterval") and not (params.get("MonitoringRoleArn") or one.monitoring_role_arn):
        text = "A MonitoringRoleARN value is required if you specify a MonitoringInterval value other than 0."
        raise AwsError("InvalidParameterCombination", text)
    check_upgrade(context, one, params)


def check_upgrade(context: Context, one: Any, params: Params) -> None:
    """Versions only rise, and another series must be wanted and bring its parameter group (trap 109)."""
    version = resolved(one.engine, params["EngineVersion"]) if params.get("EngineVersion") else one.engine_version
    if numbers(version) < numbers(one.engine_version):
        text = f"Cannot upgrade {one.engine} from {one.engine_version} to {version}"
        raise AwsError("InvalidParameterCombination", text)
    if major(one.engine, version) != major(one.engine, one.engine_version) and not params.get(
        "AllowMajorVersionUpgrade"
    ):
        text = "The AllowMajorVersionUpgrade flag must be present when upgrading to a new major version."
        raise AwsError("InvalidParameterCombination", text)
    group = params.get("DBParameterGroupName", one.db_parameter_group_name)
    if group and not group.startswith("default."):
        check_family(context, group, one.engine + major(one.engine, version))


def apply_pending(one: Any) -> None:
    """The maintenance window, or the end of a change that was to be applied at once."""
    values, one.pending_modified_values = one.pending_modified_values, {}
    ours = {PENDING_NAMES.get(key, key): name for key, name in DEFERRED.items()}
    for key, value in values.items():
        setattr(one, ours[key], value)
    one.iops, one._storage_throughput = disk_speed(one.storage_type, one.iops, one._storage_throughput)
    one._max_allocated_storage = max(one._max_allocated_storage, one.allocated_storage)
    if one._status == "storage-full" and "AllocatedStorage" in values:
        one.status = "available"
    if "EngineVersion" in values:
        one.db_parameter_group_name = one.__dict__.pop("lab_group", one.db_parameter_group_name)
        one.lab_parameters = "in-sync"
        upgrade_replicas(one)
        add_event(one, f"The database engine was upgraded to {one.engine_version}", "maintenance")


def upgrade_replicas(source: Any) -> None:
    """A major upgrade of PostgreSQL takes the replicas in its region along; they get the default parameter group."""
    for one in source.backend.databases.values():
        near = one.source_db_instance_identifier == source.db_instance_identifier
        if (
            near
            and one.engine == "postgres"
            and major(one.engine, one.engine_version) != major(one.engine, source.engine_version)
        ):
            one.engine_version, one.db_parameter_group_name = source.engine_version, None
