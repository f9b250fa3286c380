"""What happens to a DB instance in its life: replicas, promotion, maintenance, deletion."""

from __future__ import annotations

from typing import Any

from webstack_lab.extend import Answer, AwsError, Context, Params, operation
from webstack_lab.services.rds import born, check_offer, key_arn, named, renew, settle, shown
from webstack_lab.services.rds_changes import apply_pending
from webstack_lab.services.rds_phases import add_event, phase

NO_SNAPSHOT = ("creating", "failed", "incompatible-network", "incompatible-restore")


@operation("rds", "CreateDBInstanceReadReplica")
def create_db_instance_read_replica(context: Context, params: Params) -> Answer:
    """https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBInstanceReadReplica.html"""
    settle(context)
    identifier = params["SourceDBInstanceIdentifier"]
    region = identifier.split(":")[3] if identifier.startswith("arn:") else context.region
    near = region == context.region
    source = context.backend("rds", region).databases.get(identifier.rsplit(":", 1)[-1])
    if source is None:
        raise AwsError("DBInstanceNotFound", f"DBInstance {identifier} not found.", 404)
    if params["DBInstanceIdentifier"] in context.backend("rds").databases:
        raise AwsError("DBInstanceAlreadyExists", "DB instance already exists")
    check_source(source, params, near)
    check_offer(params, source.engine)
    answer = context.moto(params if near else {**params, "DBSubnetGroupName": params.get("DBSubnetGroupName", "")})
    assert answer
    one = context.backend("rds").databases[params["DBInstanceIdentifier"]]
    inherit(context, one, source, params, near)
    born(context, one, params)
    return shown(context, one)


def check_source(source: Any, params: Params, near: bool) -> None:
    """What an instance must be to have replicas."""
    name = source.db_instance_identifier
    if source.manage_master_user_password:
        # Verbatim in terraform-aws-modules/terraform-aws-rds#532; the guide says the same of all engines but SQL Server.
        text = (
            f"Creating read replicas for source instance with engine {source.engine} where ManageMasterUserPassword is "
            "enabled is not supported."
        )
        raise AwsError("InvalidParameterValue", text)
    if source.status not in ("available", "backing-up", "storage-optimization"):
        raise AwsError("InvalidDBInstanceState", f"DB instance {name} is not in the available state.")
    if not source.backup_retention_period:
        text = (
            "Automated backups are not enabled for this database instance. To enable automated backups, use "
            "ModifyDBInstance to set the backup retention period to a non-zero value."
        )
        raise AwsError("InvalidDBInstanceState", text)
    if near and params.get("DBSubnetGroupName"):
        text = "The DBSubnetGroup shouldn't be specified while creating read replicas that lie in the same region as the source instance."
        raise AwsError("DBSubnetGroupNotAllowedFault", text)
    if not near and source.storage_encrypted and not params.get("KmsKeyId"):
        text = "Specify a KMS key in the current region for a cross-region read replica of an encrypted instance."
        raise AwsError("InvalidParameterCombination", text)


def inherit(context: Context, one: Any, source: Any, params: Params, near: bool) -> None:
    """moto's replica is a copy that shares its parts with the source: give it its own."""
    renew(one)
    one.backend = context.backend("rds")
    one.status = "available"
    one.tags = params.get("Tags") or []
    one.replicas = []
    one.manage_master_user_password = False
    one.__dict__.pop("master_user_secret", None)
    one.__dict__.pop("lab_standby", None)
    one.backup_retention_period = 0
    one.multi_az = bool(params.get("MultiAZ"))
    one.deletion_protection = bool(params.get("DeletionProtection"))
    one.copy_tags_to_snapshot = bool(params.get("CopyTagsToSnapshot"))
    one.enabled_cloudwatch_logs_exports = list(params.get("EnableCloudwatchLogsExports") or [])
    one.monitoring_interval = params.get("MonitoringInterval", 0)
    one.monitoring_role_arn = params.get("MonitoringRoleArn")
    one.enable_iam_database_authentication = bool(params.get("EnableIAMDatabaseAuthentication"))
    one.vpc_security_group_ids = list(params.get("VpcSecurityGroupIds") or source.vpc_security_group_ids)
    one.db_parameter_group_name = params.get("DBParameterGroupName", source.db_parameter_group_name if near else None)
    one.source_db_instance_identifier = source.db_instance_identifier if near else source.arn
    if params.get("KmsKeyId"):
        one.kms_key_id = key_arn(context, params["KmsKeyId"])
    if not near:
        one.db_subnet_group = context.backend("rds").subnet_groups[params["DBSubnetGroupName"]]
    mine = one.db_instance_identifier if near else one.arn
    source.replicas = [
        *dict.fromkeys(name for name in source.replicas if name.rsplit(":", 1)[-1] != mine.rsplit(":", 1)[-1]),
        mine,
    ]


def source_of(context: Context, one: Any) -> Any:
    """The instance that a replica copies from, if it still exists."""
    identifier = one.source_db_instance_identifier
    region = identifier.split(":")[3] if identifier.startswith("arn:") else context.region
    return context.backend("rds", region).databases.get(identifier.rsplit(":", 1)[-1])


def unlink(context: Context, one: Any) -> None:
    """Make a replica an instance of its own."""
    source = source_of(context, one)
    if source is not None:
        source.replicas = [name for name in source.replicas if name not in (one.db_instance_identifier, one.arn)]
    one.is_replica, one.source_db_instance_identifier = False, None


@operation("rds", "PromoteReadReplica")
def promote_read_replica(context: Context, params: Params) -> Answer:
    """https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_PromoteReadReplica.html"""
    one = named(context, params["DBInstanceIdentifier"])
    if not one.source_db_instance_identifier:
        raise AwsError("InvalidDBInstanceState", "The specified instance is not a read replica.")
    if one.status != "available":
        raise AwsError("InvalidDBInstanceState", f"Database instance is not in available state. It is {one.status}.")
    unlink(context, one)
    one.backup_retention_period = params.get("BackupRetentionPeriod", 1)
    if params.get("PreferredBackupWindow"):
        one.preferred_backup_window = params["PreferredBackupWindow"]
    phase(one, "modifying")
    phase(
        one,
        "rebooting",
        lambda: add_event(one, "Promoted Read Replica instance to a stand-alone database instance.", "read replica"),
        needs="standalone",
    )
    return shown(context, one)


@operation("rds", "ApplyPendingMaintenanceAction")
def apply_pending_maintenance_action(context: Context, params: Params) -> Answer:
    """The lab's maintenance window: whatever waits for it is applied."""
    one = named(context, params["ResourceIdentifier"])
    phase(one, "modifying", lambda: apply_pending(one))
    return {"ResourcePendingMaintenanceActions": {"ResourceIdentifier": one.arn}}


@operation("rds", "DeleteDBInstance")
def delete_db_instance(context: Context, params: Params) -> Answer:
    """https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DeleteDBInstance.html"""
    one = named(context, params["DBInstanceIdentifier"])
    if one.db_cluster_identifier:
        return context.moto()
    check_deletion(one, params)
    snapshot = params.get("FinalDBSnapshotIdentifier")
    if snapshot:
        context.call(
            "rds", "CreateDBSnapshot", DBInstanceIdentifier=one.db_instance_identifier, DBSnapshotIdentifier=snapshot
        )
    answer = shown(context, one)
    answer["DBInstance"]["DBInstanceStatus"] = "deleting"
    one.lab_phases, one.lab_later = [], []
    backend = context.backend("rds")
    phase(
        one, "deleting", lambda: remove(context, backend, one, params.get("DeleteAutomatedBackups", True)), needs="gone"
    )
    return answer


def check_deletion(one: Any, params: Params) -> None:
    """Protection, and the rules for the final snapshot (trap 114)."""
    name = one.db_instance_identifier
    if one.status == "deleting":
        raise AwsError("InvalidDBInstanceState", f"Instance {name} is already being deleted.")
    if one.deletion_protection:
        text = "Cannot delete protected DB Instance, please disable deletion protection and try again."
        raise AwsError("InvalidParameterCombination", text)
    final, skip = params.get("FinalDBSnapshotIdentifier"), params.get("SkipFinalSnapshot")
    if final and skip:
        raise AwsError(
            "InvalidParameterCombination",
            "FinalDBSnapshotIdentifier can not be specified when SkipFinalSnapshot is true",
        )
    if final and one.source_db_instance_identifier:
        text = "FinalDBSnapshotIdentifier can not be specified when deleting a read replica instance"
        raise AwsError("InvalidParameterCombination", text)
    if not final and not skip:
        raise AwsError(
            "InvalidParameterCombination",
            "FinalDBSnapshotIdentifier is required unless SkipFinalSnapshot is specified.",
        )
    if final and one.status in NO_SNAPSHOT:
        raise AwsError(
            "InvalidDBInstanceState", f"Cannot create a snapshot because the database instance {name} is {one.status}."
        )


def of_instance(snapshot: Any, one: Any) -> bool:
    """moto's snapshots hold a copy of the instance."""
    return bool(snapshot.database.dbi_resource_id == one.dbi_resource_id)


def remove(context: Context, backend: Any, one: Any, backups: bool) -> None:
    """The end: replicas in the region become instances of their own, the managed secret goes."""
    backend.databases.pop(one.db_instance_identifier, None)
    if one.source_db_instance_identifier:
        unlink(context, one)
    for replica in list(backend.databases.values()):
        if replica.source_db_instance_identifier == one.db_instance_identifier:
            unlink(context, replica)
    if one.manage_master_user_password:
        one.master_user_secret.delete_secret()
    if backups:
        for name, snapshot in list(backend.database_snapshots.items()):
            if snapshot.snapshot_type == "automated" and of_instance(snapshot, one):
                backend.database_snapshots.pop(name)
    add_event(one, "DB instance deleted", "deletion")
