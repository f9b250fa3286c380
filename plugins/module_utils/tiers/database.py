"""The database tier: a MySQL or PostgreSQL instance over the data subnets, its replicas, parameters, password and logs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..engine.resource import Resource
from ..engine.tier import Tier
from ..resources.ec2 import SecurityGroup, Subnet
from ..resources.iam import Role
from ..resources.kms import Key
from ..resources.policies import trust
from ..resources.rds import DBInstance, DBInstanceReadReplica
from ..resources.rds_groups import (
    DBParameterGroup,
    DBSubnetGroup,
    ExportedLog,
    as_parameter,
    log_group_name,
    parameter_group_name,
)
from ..resources.rds_versions import major
from ..resources.secretsmanager import Secret
from .database_checks import check, smallest_classes

REPLICA: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "instance_class": {"type": "str"},
    "multi_az": {"type": "bool", "default": False},
    "availability_zone": {"type": "str"},
}
ARGUMENTS: dict[str, Any] = {
    "engine": {"type": "str", "default": "postgres"},
    "engine_version": {"type": "str"},
    "allow_major_version_upgrade": {"type": "bool", "default": False},
    "auto_minor_version_upgrade": {"type": "bool", "default": True},
    "instance_class": {"type": "str", "default": "db.t4g.medium"},
    "multi_az": {"type": "bool", "default": True},
    "allocated_storage": {"type": "int", "default": 20},
    "max_allocated_storage": {"type": "int"},
    "storage_type": {"type": "str", "default": "gp3", "choices": ["gp2", "gp3", "io1", "io2"]},
    "iops": {"type": "int"},
    "storage_throughput": {"type": "int"},
    "storage_encrypted": {"type": "bool", "default": True},
    "kms_key_id": {"type": "str"},
    "database_name": {"type": "str"},
    "port": {"type": "int"},
    "master_username": {"type": "str", "default": "dbadmin"},
    "manage_master_user_password": {"type": "bool", "default": True},
    "master_user_password": {"type": "str", "no_log": True},
    "force_master_user_password": {"type": "bool", "default": False, "no_log": False},
    "master_user_secret_kms_key_id": {"type": "str", "no_log": False},
    "iam_database_authentication": {"type": "bool", "default": False},
    "parameters": {"type": "dict", "default": {}},
    "read_replica_count": {"type": "int", "default": 0},
    "read_replicas": {"type": "list", "elements": "dict", "options": REPLICA, "default": []},
    "source_region": {"type": "str"},
    "availability_zones": {"type": "list", "elements": "str", "default": []},
    "subnet_ids": {"type": "list", "elements": "str", "default": []},
    "security_group_ids": {"type": "list", "elements": "str", "default": []},
    "backup_retention_period": {"type": "int", "default": 7},
    "preferred_backup_window": {"type": "str", "default": "03:00-04:00"},
    "preferred_maintenance_window": {"type": "str", "default": "sun:04:30-sun:05:30"},
    "apply_immediately": {"type": "bool", "default": False},
    "copy_tags_to_snapshot": {"type": "bool", "default": True},
    "deletion_protection": {"type": "bool", "default": True},
    "skip_final_snapshot": {"type": "bool", "default": False},
    "delete_automated_backups": {"type": "bool", "default": True},
    "performance_insights": {"type": "bool"},
    "performance_insights_retention_period": {"type": "int", "default": 7},
    "monitoring_interval": {"type": "int", "default": 0},
    "monitoring_role_arn": {"type": "str"},
    "log_exports": {"type": "list", "elements": "str"},
    "log_retention_days": {"type": "int", "default": 30},
    "ca_certificate_identifier": {"type": "str"},
}
DEFAULT_VERSION = {"postgres": "17", "mysql": "8.4"}
DEFAULT_LOGS = {"postgres": ["postgresql", "upgrade"], "mysql": ["error", "slowquery"]}
DEFAULT_PORT = {"postgres": 5432, "mysql": 3306}
SAME_FOR_REPLICAS = [
    "storage_type",
    "iops",
    "storage_throughput",
    "storage_encrypted",
    "auto_minor_version_upgrade",
    "deletion_protection",
    "copy_tags_to_snapshot",
    "ca_certificate_identifier",
    "iam_database_authentication",
    "performance_insights_retention_period",
    "monitoring_interval",
    "apply_immediately",
]
ONLY_THE_INSTANCE = [
    "allocated_storage",
    "max_allocated_storage",
    "allow_major_version_upgrade",
    "backup_retention_period",
    "preferred_backup_window",
    "preferred_maintenance_window",
    "database_name",
    "master_username",
    "master_user_password",
    "force_master_user_password",
    "manage_master_user_password",
    "skip_final_snapshot",
    "delete_automated_backups",
    "multi_az",
]


def database_tier(options: Mapping[str, Any]) -> list[Resource]:
    """The instance with what it stands on, and its replicas; with ``source_region``, the replica of another region's instance."""
    options = completed(options)
    check(options)
    stack, name = options["stack"], f"{options['stack']}-db"
    groups = placement(options, name)
    common = {**groups, **{key: options[key] for key in SAME_FOR_REPLICAS}, **monitoring(options)}
    common |= {"engine": options["engine"], "port": options["port"], "publicly_accessible": False}
    if options["source_region"]:
        hint = f"Run the database tier in {options['source_region']} first"
        source = DBInstance(name, region=options["source_region"], owned=False, hint=hint)
        more = {key: options[key] for key in ("multi_az", "max_allocated_storage")}
        return [replica(name, source, options, common, more)]
    instance = DBInstance(
        name,
        engine_version=options["engine_version"],
        instance_class=options["instance_class"],
        performance_insights=insights(options, options["instance_class"]),
        log_groups=logs(name, options),
        log_exports=options["log_exports"],
        master_user_secret_kms_key=own_key(options["master_user_secret_kms_key_id"]),
        password_secret=password_secret(stack, options),
        **{key: options[key] for key in ONLY_THE_INSTANCE},
        **common,
    )
    near = {key: value for key, value in common.items() if key not in ("subnet_group", "kms_key")}
    wished = options["read_replicas"] or [
        {"name": f"replica-{number + 1}"} for number in range(options["read_replica_count"])
    ]
    return [instance, *(replica(f"{name}-{one['name']}", instance, options, near, one) for one in wished)]


def completed(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options with what follows from the engine."""
    engine = options["engine"]
    choices = {
        "engine_version": DEFAULT_VERSION.get(engine),
        "log_exports": DEFAULT_LOGS.get(engine),
        "port": DEFAULT_PORT.get(engine),
    }
    return {**options, **{key: value for key, value in choices.items() if options[key] is None}}


def placement(options: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Where an instance stands, who reaches it, how it is configured and with which key its disk is encrypted."""
    stack = options["stack"]
    hint = "Run the network tier first (--tags network), or set {}"
    if options["subnet_ids"]:
        subnets = [Subnet(subnet_id, owned=False, hint="Correct subnet_ids") for subnet_id in options["subnet_ids"]]
    else:
        zones = options["availability_zones"]
        subnets = [Subnet(f"{stack}-data-{zone}", owned=False, hint=hint.format("subnet_ids")) for zone in zones]
    access = [
        SecurityGroup(group_id, owned=False, hint="Correct security_group_ids")
        for group_id in options["security_group_ids"]
    ]
    family = options["engine"] + major(options["engine"], options["engine_version"])
    key = own_key(options["kms_key_id"]) or Key(
        f"alias/{stack}-data",
        owned=False,
        hint="Run the storage_cache tier first (--tags storage_cache), or set kms_key_id",
    )
    return {
        "subnet_group": DBSubnetGroup(name, subnets, f"Subnets of the database of {stack}"),
        "parameter_group": DBParameterGroup(
            parameter_group_name(stack, family),
            family,
            {str(key): as_parameter(value) for key, value in options["parameters"].items()},
            f"Parameters of the database of {stack}",
        ),
        "security_groups": access or [SecurityGroup(name, owned=False, hint=hint.format("security_group_ids"))],
        "kms_key": key if options["storage_encrypted"] else None,
    }


def own_key(key_id: str | None) -> Key | None:
    """The user's own key."""
    return Key(key_id, owned=False, hint="Correct the key's id, alias or ARN") if key_id else None


def monitoring(options: Mapping[str, Any]) -> dict[str, Any]:
    """The role through which enhanced monitoring writes its logs: the user's, or one of our own."""
    if not options["monitoring_interval"]:
        return {}
    if options["monitoring_role_arn"]:
        return {"monitoring_role_arn": options["monitoring_role_arn"]}
    policy = f"arn:{options['partition']}:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole"
    role = Role(
        f"{options['stack']}-{options['region']}-rds-monitoring",
        trust=trust("monitoring.rds.amazonaws.com"),
        managed_policy_arns={policy},
        description="Lets RDS write the metrics of enhanced monitoring",
    )
    return {"monitoring_role": role}


def logs(instance: str, options: Mapping[str, Any]) -> list[ExportedLog]:
    """The log groups of an instance."""
    days = options["log_retention_days"]
    return [ExportedLog(log_group_name(instance, kind), retention_days=days) for kind in options["log_exports"]]


def password_secret(stack: str, options: Mapping[str, Any]) -> Secret | None:
    """Where the master password is kept when neither RDS manages it nor the user gives it."""
    if options["manage_master_user_password"] or options["master_user_password"]:
        return None
    key = own_key(options["master_user_secret_kms_key_id"])
    return Secret(f"{stack}-db", username=options["master_username"], kms_key=key)


def insights(options: Mapping[str, Any], instance_class: str) -> bool:
    """Whether Performance Insights is on: as wished, else wherever the class supports it."""
    wished: bool | None = options["performance_insights"]
    return instance_class not in smallest_classes(options["engine"]) if wished is None else wished


def replica(
    name: str, source: DBInstance, options: Mapping[str, Any], common: Mapping[str, Any], wishes: Mapping[str, Any]
) -> DBInstanceReadReplica:
    """A read replica: like its source, but for what is said of it."""
    instance_class = wishes.get("instance_class") or options["instance_class"]
    return DBInstanceReadReplica(
        name,
        source=source,
        instance_class=instance_class,
        multi_az=bool(wishes.get("multi_az")),
        availability_zone=wishes.get("availability_zone"),
        max_allocated_storage=wishes.get("max_allocated_storage", options["max_allocated_storage"]),
        performance_insights=insights(options, instance_class),
        log_groups=logs(name, options),
        log_exports=options["log_exports"],
        **common,
    )


TIER = Tier(
    "database",
    ARGUMENTS,
    database_tier,
    (Role, ExportedLog, Secret, DBSubnetGroup, DBParameterGroup, DBInstance, DBInstanceReadReplica),
)
