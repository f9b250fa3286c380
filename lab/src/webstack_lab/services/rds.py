"""DB instances with a life of their own: states that take time, standby zones, deferred changes, failovers, replicas.

moto keeps the instances; what it does wrong is mended on its own objects. `SECONDS` (rds_phases) holds AWS's usual
durations, which the lab's pace shortens.
"""

from __future__ import annotations

import json
from typing import Any

from moto.core.utils import utcnow
from moto.moto_api._internal import mock_random
from moto.rds.models import DBInstance, MasterUserSecret

from webstack_lab.extend import Answer, AwsError, Context, Params, operation
from webstack_lab.services.rds_offers import CLASSES, LOG_TYPES, STORAGE, VERSIONS, major, resolved
from webstack_lab.services.rds_phases import SECONDS, add_event, met, phase, settle_all

__all__ = ["SECONDS", "add_event"]

original_init = DBInstance.__init__


def init(self: DBInstance, *arguments: Any, **named: Any) -> None:
    """moto gives every instance the same resource id (and copies it when it restores one)."""
    original_init(self, *arguments, **named)
    renew(self)


def renew(one: Any) -> None:
    """What no two instances share."""
    one.dbi_resource_id = "db-" + "".join(mock_random.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") for _ in range(26))
    one.instance_create_time = utcnow()
    one.pending_modified_values = {}
    one.lab_phases, one.lab_later = [], []
    one.lab_faults, one.lab_orders = set(), {}
    one.lab_standby_lost = False
    one.lab_parameters = "in-sync"


def status(self: Any) -> str:
    """The state of the current phase, else the one that moto set."""
    phases = getattr(self, "lab_phases", [])
    return str(phases[0].state if phases else self._status)


def set_status(self: Any, value: str) -> None:
    self._status = value


def parameter_groups(self: Any) -> list[dict[str, str]]:
    """The instance's own parameter state; moto keeps one for all instances of a group."""
    return [
        {"DBParameterGroupName": group.name, "ParameterApplyStatus": self.lab_parameters}
        for group in self.db_parameter_groups()
    ]


def save_automated_backup(self: Any) -> None:
    """moto names the first backup by the minute, and fails where the name's last life left one of the same minute."""
    name = f"rds:{self.db_instance_identifier}-{utcnow():%Y-%m-%d-%H-%M}"
    if name not in self.backend.database_snapshots:
        original_backup(self)


original_backup = DBInstance.save_automated_backup
DBInstance.save_automated_backup = save_automated_backup  # type: ignore[method-assign]  # corrects moto
DBInstance.__init__ = init  # type: ignore[method-assign]  # corrects moto
DBInstance.status = property(status, set_status)  # type: ignore[assignment]  # moto's is a text
DBInstance.db_parameter_group_status_list = property(parameter_groups)  # type: ignore[method-assign,assignment]  # corrects moto


def secret_text(self: Any) -> str:
    """The managed secret names the master user and has a password of its own; moto's is the same for all instances."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#$%&()*+,-.:;<=>?[]^_{|}~"
    password = "".join(mock_random.choice(letters) for _ in range(28))
    return json.dumps({"username": self.resource.master_username, "password": password})


MasterUserSecret._generate_secret_string = secret_text  # type: ignore[method-assign]  # corrects moto


def settle(context: Context) -> None:
    """Let the time that has passed have its effect."""
    settle_all(context.backend("rds").databases.values())


def named(context: Context, identifier: str) -> Any:
    """moto's instance."""
    settle(context)
    one = context.backend("rds").databases.get(identifier.rsplit(":", 1)[-1])
    if one is None:
        raise AwsError("DBInstanceNotFound", f"DBInstance {identifier} not found.", 404)
    return one


def shown(context: Context, one: Any) -> Answer:
    """An instance as an answer holds it."""
    answer = context.call("rds", "DescribeDBInstances", DBInstanceIdentifier=one.db_instance_identifier)
    return {"DBInstance": answer["DBInstances"][0]}


@operation("rds", "DescribeDBInstances")
def describe_db_instances(context: Context, params: Params) -> Answer:
    """An instance has no endpoint before it runs, and names its standby's zone when it has one."""
    settle(context)
    answer = context.moto()
    for item in answer["DBInstances"]:
        one = context.backend("rds").databases[item["DBInstanceIdentifier"]]
        item["PendingModifiedValues"] = dict(one.pending_modified_values)
        if one.lab_phases and one.lab_phases[0].state == "creating":
            item.pop("Endpoint", None)
        standby = standby_zone(one)
        if standby and met(one, "standby"):
            item["SecondaryAvailabilityZone"] = standby
        for ours, theirs in (("lab_insights", "PerformanceInsightsEnabled"), ("lab_mode", "DatabaseInsightsMode")):
            if hasattr(one, ours):
                item[theirs] = getattr(one, ours)
        if item.get("PerformanceInsightsEnabled"):
            item["PerformanceInsightsRetentionPeriod"] = getattr(one, "lab_retention", 7)
        if item.get("ReadReplicaSourceDBInstanceIdentifier"):
            item["StatusInfos"] = [{"StatusType": "read replication", "Normal": True, "Status": "replicating"}]
    return answer


def zones_of(one: Any) -> list[str]:
    """The zones that the instance's subnet group covers."""
    group = getattr(one, "db_subnet_group", None)
    return (
        sorted({subnet.availability_zone for subnet in group._subnets})
        if group
        else [f"{one.region}{x}" for x in "abc"]
    )


def standby_zone(one: Any) -> str | None:
    """Where the standby of a Multi-AZ instance is; None without one, or while it is lost."""
    if not one.multi_az:
        return None
    known: str | None = getattr(one, "lab_standby", None)
    others = [zone for zone in zones_of(one) if zone != one.availability_zone]
    standby = known if known in others else (others[0] if others else None)
    one.lab_standby = standby
    return None if one.lab_standby_lost else standby


# Creating.


def check_offer(params: Params, engine: str) -> None:
    """What RDS refuses in a request before it makes anything."""
    if params.get("DBInstanceClass") and params["DBInstanceClass"] not in CLASSES:
        raise AwsError("InvalidParameterValue", f"Invalid DB Instance class: {params['DBInstanceClass']}")
    wrong = set(params.get("EnableCloudwatchLogsExports") or []) - set(LOG_TYPES[engine])
    if wrong:
        raise AwsError(
            "InvalidParameterCombination",
            f"You cannot use the log types '{sorted(wrong)}' with engine version {engine}",
        )
    if params.get("AvailabilityZone") and params.get("MultiAZ"):
        raise AwsError(
            "InvalidParameterCombination",
            "Requesting a specific availability zone is not valid for Multi-AZ instances.",
        )


def check_disk(engine: str, kind: str, size: int, params: Params) -> None:
    """Limits of the storage types."""
    least, most = STORAGE.get(kind, (20, 65536))
    if not least <= size <= most:
        text = f"Invalid storage size for engine name {engine} and storage type {kind}: {size}"
        raise AwsError("InvalidParameterCombination", text)
    if kind == "gp3" and size < 400 and (params.get("Iops") or params.get("StorageThroughput")):
        text = f"You can't specify IOPS or storage throughput for engine {engine} and a storage size less than 400."
        raise AwsError("InvalidParameterCombination", text)
    if kind in ("io1", "io2") and not params.get("Iops"):
        raise AwsError("InvalidParameterCombination", f"The Iops parameter is required for storage type {kind}")


@operation("rds", "CreateDBInstance")
def create_db_instance(context: Context, params: Params) -> Answer:
    """https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBInstance.html"""
    settle(context)
    engine = params.get("Engine", "")
    if engine not in VERSIONS or params.get("DBClusterIdentifier"):
        return context.moto()
    check_offer(params, engine)
    if not params.get("MasterUsername"):
        raise AwsError("InvalidParameterValue", "The parameter MasterUsername must be provided and must not be blank.")
    if params["MasterUsername"].lower() in ("admin", "rdsadmin", "rds_superuser") and engine == "postgres":
        text = f"MasterUsername {params['MasterUsername']} cannot be used as it is a reserved word used by the engine"
        raise AwsError("InvalidParameterValue", text)
    if bool(params.get("ManageMasterUserPassword")) == bool(params.get("MasterUserPassword")):
        text = "You must specify either MasterUserPassword or ManageMasterUserPassword."
        raise AwsError("InvalidParameterCombination", text)
    version = resolved(engine, params.get("EngineVersion"))
    kind = params.get("StorageType", "gp2")
    check_disk(engine, kind, params.get("AllocatedStorage", 0), params)
    check_family(context, params.get("DBParameterGroupName"), engine + major(engine, version))
    more: Params = {"EngineVersion": version, "StorageType": kind}
    if params.get("StorageEncrypted"):
        more["KmsKeyId"] = key_arn(context, params.get("KmsKeyId") or "alias/aws/rds")
    if params.get("DBSubnetGroupName") and params["DBSubnetGroupName"] not in context.backend("rds").subnet_groups:
        name = params["DBSubnetGroupName"]
        raise AwsError("DBSubnetGroupNotFoundFault", f"DBSubnetGroup doesn't exist: {name}", 404)
    if params.get("ManageMasterUserPassword"):
        more["MasterUserSecretKmsKeyId"] = key_arn(
            context, params.get("MasterUserSecretKmsKeyId") or "alias/aws/secretsmanager"
        )
    context.moto({**params, **more})
    one = context.backend("rds").databases[params["DBInstanceIdentifier"]]
    born(context, one, params)
    return shown(context, one)


def born(context: Context, one: Any, params: Params) -> None:
    """What a new instance or replica starts with."""
    if not params.get("AvailabilityZone"):
        one.availability_zone = zones_of(one)[0]
    if one.ca_certificate_identifier == "rds-ca-default":
        one.ca_certificate_identifier = "rds-ca-rsa2048-g1"
    one.iops, one._storage_throughput = disk_speed(
        one.storage_type, params.get("Iops"), params.get("StorageThroughput")
    )
    one.publicly_accessible = bool(params.get("PubliclyAccessible"))
    one.lab_insights = bool(params.get("EnablePerformanceInsights"))
    one.lab_retention = params.get("PerformanceInsightsRetentionPeriod", 7)
    one.lab_mode = params.get("DatabaseInsightsMode", "standard")
    export_logs(context, one)
    phase(one, "creating", needs="running")


def disk_speed(kind: str, iops: int | None, throughput: int | None) -> tuple[int | None, int | None]:
    """IOPS and throughput as RDS shows them: gp3 has a baseline of both."""
    if kind == "gp3":
        return iops or 3000, throughput or 125
    return (iops if kind != "gp2" else None), None


def key_arn(context: Context, key: str) -> str:
    """The ARN of a KMS key by id, alias or ARN."""
    try:
        return str(context.call("kms", "DescribeKey", KeyId=key)["KeyMetadata"]["Arn"])
    except AwsError as error:
        text = (
            f"The specified KMS key [{key}] does not exist, is not enabled or you do not have permissions to access it."
        )
        raise AwsError("KMSKeyNotAccessibleFault", text) from error


def check_family(context: Context, name: str | None, family: str) -> None:
    """A parameter group fits one engine series."""
    group = context.backend("rds").db_parameter_groups.get(name) if name else None
    if name and group is None and not name.startswith("default."):
        raise AwsError("DBParameterGroupNotFound", f"DBParameterGroup not found: {name}", 404)
    if group is not None and group.family != family:
        text = (
            f"The parameter group {name} with DBParameterGroupFamily {group.family} can't be used for this instance. "
            f"Use a parameter group with DBParameterGroupFamily {family}."
        )
        raise AwsError("InvalidParameterCombination", text)


def export_logs(context: Context, one: Any) -> None:
    """RDS makes the log groups that are missing, and sets no retention (trap 121)."""
    for kind in one.enabled_cloudwatch_logs_exports:
        name = f"/aws/rds/instance/{one.db_instance_identifier}/{kind}"
        known = context.call("logs", "DescribeLogGroups", logGroupNamePrefix=name)["logGroups"]
        if not any(group["logGroupName"] == name for group in known):
            context.call("logs", "CreateLogGroup", logGroupName=name)
