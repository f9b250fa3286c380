"""What the tests of the database tier need: the things of other tiers, options, and a hand that meddles with the lab."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import pytest
from moto.rds.models import rds_backends
from stack import ACCOUNT, Stack

from ansible_collections.webstack.aws.plugins.module_utils.engine.sdk import Clients
from webstack_lab.services import rds as lab_rds
from webstack_lab.services.passing import Pace

ZONES = ["us-east-1a", "us-east-1b", "us-east-1c"]
OPTIONS: dict[str, Any] = {
    "engine": "postgres",
    "engine_version": "16",
    "manage_master_user_password": False,
    "database_name": "app",
    "parameters": {"log_min_duration_statement": 500, "rds.logical_replication": True},
    "read_replica_count": 1,
    "availability_zones": ZONES,
    "max_allocated_storage": 100,
    "skip_final_snapshot": True,
}
ALONE = {**OPTIONS, "read_replica_count": 0, "manage_master_user_password": True}
DB, REPLICA = "DBInstance[demo-db]", "DBInstanceReadReplica[demo-db-replica-1]"
GROUP, PLACE = "DBParameterGroup[demo-postgres16]", "DBSubnetGroup[demo-db]"
BY_HAND = {
    "BackupRetentionPeriod": 1,
    "CopyTagsToSnapshot": False,
    "DBParameterGroupName": "default.postgres16",
    "DeletionProtection": False,
    "EnablePerformanceInsights": False,
    "AutoMinorVersionUpgrade": False,
    "MaxAllocatedStorage": 20,
    "PreferredBackupWindow": "07:00-08:00",
    "PreferredMaintenanceWindow": "mon:01:00-mon:02:00",
    "PubliclyAccessible": True,
}
SEEN = [
    "backup_retention_period",
    "copy_tags_to_snapshot",
    "parameter_group",
    "deletion_protection",
    "performance_insights",
    "performance_insights_retention_period",
    "auto_minor_version_upgrade",
    "max_allocated_storage",
    "preferred_backup_window",
    "preferred_maintenance_window",
    "publicly_accessible",
]
BY_HAND_LATER = {
    "DBInstanceClass": "db.r6g.large",
    "MultiAZ": False,
    "EnableIAMDatabaseAuthentication": True,
    "DBPortNumber": 5433,
}
LOGS = {
    f"ExportedLog[/aws/rds/instance/{one}/{kind}]"
    for one in ("demo-db", "demo-db-replica-1")
    for kind in ("postgresql", "upgrade")
}

shared_clients = cache(lambda *connection: Clients(dict(connection)))


def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """States have passed at the next look; and all runs share their clients, whose making is half of the time of a test."""
    monkeypatch.setattr(Pace, "scale", 0.0)
    monkeypatch.setattr("stack.Clients", lambda connection: shared_clients(*sorted(connection.items())))


def owned(name: str, tier: str = "network", stack: str = "demo") -> list[dict[str, str]]:
    tags = {"Name": name, "webstack:stack": stack, "webstack:tier": tier, "webstack:name": name}
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def network(stack: Stack, region: str = "us-east-1") -> dict[str, Any]:
    """The VPC, data subnets, security group and key that the other tiers would have made."""
    ec2, kms = stack.lab.client("ec2", region), stack.lab.client("kms", region)

    def tagged(kind: str, name: str) -> list[dict[str, Any]]:
        return [{"ResourceType": kind, "Tags": owned(name)}]

    vpc = ec2.create_vpc(CidrBlock="10.20.0.0/16", TagSpecifications=tagged("vpc", "demo"))["Vpc"]["VpcId"]
    subnets = []
    for number, letter in enumerate("abc"):
        name = f"demo-data-{region}{letter}"
        made = ec2.create_subnet(
            VpcId=vpc,
            CidrBlock=f"10.20.{number}.0/24",
            AvailabilityZone=f"{region}{letter}",
            TagSpecifications=tagged("subnet", name),
        )
        subnets.append(made["Subnet"]["SubnetId"])
    group = ec2.create_security_group(
        GroupName="demo-db", Description="db", VpcId=vpc, TagSpecifications=tagged("security-group", "demo-db")
    )["GroupId"]
    key = kms.create_key(
        Tags=[{"TagKey": one["Key"], "TagValue": one["Value"]} for one in owned("alias/demo-data", "storage_cache")]
    )
    kms.create_alias(AliasName="alias/demo-data", TargetKeyId=key["KeyMetadata"]["KeyId"])
    stack.lab.clear_calls()
    return {"vpc": vpc, "subnets": subnets, "group": group, "key": key["KeyMetadata"]["Arn"]}


def instance(stack: Stack, name: str = "demo-db", region: str = "us-east-1") -> dict[str, Any]:
    found: dict[str, Any] = stack.lab.client("rds", region).describe_db_instances(DBInstanceIdentifier=name)[
        "DBInstances"
    ][0]
    return found


def settled(stack: Stack, name: str = "demo-db") -> dict[str, Any]:
    """The instance, when it has no state left that passes."""
    while (found := instance(stack, name))["DBInstanceStatus"] not in ("available", "storage-optimization"):
        pass
    return found


def behind(stack: Stack, name: str = "demo-db", **changes: Any) -> None:
    """Somebody changes an instance by hand."""
    settled(stack, name)
    stack.lab.client("rds").modify_db_instance(DBInstanceIdentifier=name, ApplyImmediately=True, **changes)
    settled(stack, name)


def slow(monkeypatch: pytest.MonkeyPatch, **seconds: float) -> None:
    """Let states last so many real seconds."""
    monkeypatch.setattr(Pace, "scale", 1.0)
    for state in lab_rds.SECONDS:
        monkeypatch.setitem(lab_rds.SECONDS, state, seconds.get(state.replace("-", "_"), 0.0))


def password_of(stack: Stack) -> str:
    value = stack.lab.client("secretsmanager").get_secret_value(SecretId="demo-db")["SecretString"]
    return str(json.loads(value)["password"])


def stored_password(stack: Stack) -> str:
    """The password that the instance would take."""
    return str(moto_instance()._master_user_password)


def shown(result: Any, address: str = DB) -> dict[str, Any]:
    """What a run's answer lists of a resource."""
    row: dict[str, Any] = next(row for row in result.resources if row["address"] == address)
    return row


def moto_instance(name: str = "demo-db") -> Any:
    """The lab's own object, for states that only AWS can bring about."""
    return rds_backends[ACCOUNT]["us-east-1"].databases[name]
