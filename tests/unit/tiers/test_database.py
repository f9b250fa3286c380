"""The database tier against the lab, over the reference options: PostgreSQL, Multi-AZ, one replica."""

from __future__ import annotations

from typing import Any

import pytest
from database_world import (
    ALONE,
    BY_HAND,
    BY_HAND_LATER,
    DB,
    GROUP,
    LOGS,
    OPTIONS,
    PLACE,
    REPLICA,
    SEEN,
    ZONES,
    behind,
    instance,
    network,
    quick,
    settled,
)
from stack import Stack, cycle, quiet, refusal


@pytest.fixture(autouse=True)
def quick_lab(monkeypatch: pytest.MonkeyPatch) -> None:
    quick(monkeypatch)


@pytest.fixture
def ready(stack: Stack) -> Stack:
    network(stack)
    return stack


def test_life_of_every_type(ready: Stack) -> None:
    rds, logs, secrets = (ready.lab.client(name) for name in ("rds", "logs", "secretsmanager"))
    arn = "arn:aws:rds:us-east-1:123456789012:"
    log = "/aws/rds/instance/demo-db/upgrade"

    def untag(kind: str, name: str) -> None:
        rds.remove_tags_from_resource(ResourceName=f"{arn}{kind}:{name}", TagKeys=["Name"])

    def set_parameter(name: str, value: str) -> None:
        parameter = {"ParameterName": name, "ParameterValue": value, "ApplyMethod": "pending-reboot"}
        rds.modify_db_parameter_group(DBParameterGroupName="demo-postgres16", Parameters=[parameter])

    def lose(name: str) -> None:
        settled(ready, name)
        rds.modify_db_instance(DBInstanceIdentifier=name, DeletionProtection=False)
        rds.delete_db_instance(DBInstanceIdentifier=name, SkipFinalSnapshot=True)
        while any(one["DBInstanceIdentifier"] == name for one in rds.describe_db_instances()["DBInstances"]):
            pass

    def lose_all() -> None:
        lose("demo-db-replica-1")
        lose("demo-db")

    def lose_group() -> None:
        lose_all()
        rds.delete_db_parameter_group(DBParameterGroupName="demo-postgres16")
        rds.delete_db_subnet_group(DBSubnetGroupName="demo-db")

    cycle(
        ready,
        "database",
        OPTIONS,
        drifts=[
            (DB, lambda: behind(ready, **BY_HAND), set(SEEN)),
            (
                DB,
                lambda: behind(ready, **BY_HAND_LATER),
                {"instance_class", "multi_az", "iam_database_authentication", "port"},
            ),
            (
                DB,
                lambda: behind(ready, CloudwatchLogsExportConfiguration={"DisableLogTypes": ["upgrade"]}),
                {"log_exports"},
            ),
            (DB, lambda: untag("db", "demo-db"), {"tags"}),
            (REPLICA, lambda: behind(ready, "demo-db-replica-1", DeletionProtection=False), {"deletion_protection"}),
            (REPLICA, lambda: untag("db", "demo-db-replica-1"), {"tags"}),
            (GROUP, lambda: set_parameter("rds.logical_replication", "0"), {"parameters"}),
            (GROUP, lambda: set_parameter("work_mem", "4096"), {"parameters"}),
            (GROUP, lambda: untag("pg", "demo-postgres16"), {"tags"}),
            (PLACE, lambda: shrink_place(ready), {"subnet_ids"}),
            (PLACE, lambda: untag("subgrp", "demo-db"), {"tags"}),
            ("Secret[demo-db]", lambda: secrets.untag_resource(SecretId="demo-db", TagKeys=["Name"]), {"tags"}),
            (f"ExportedLog[{log}]", lambda: logs.delete_retention_policy(logGroupName=log), {"retention_days"}),
        ],
        vanishings=[
            (lambda: logs.delete_log_group(logGroupName=log), {f"ExportedLog[{log}]"}),
            (lambda: lose("demo-db-replica-1"), {REPLICA}),
            (lose_all, {DB, REPLICA}),
            (lose_group, {DB, REPLICA, GROUP, PLACE}),
            (lambda: secrets.delete_secret(SecretId="demo-db", ForceDeleteWithoutRecovery=True), {"Secret[demo-db]"}),
            (lambda: secrets.delete_secret(SecretId="demo-db"), {"Secret[demo-db]"}),
        ],
    )


def shrink_place(stack: Stack) -> None:
    rds = stack.lab.client("rds")
    group = rds.describe_db_subnet_groups(DBSubnetGroupName="demo-db")["DBSubnetGroups"][0]
    rds.modify_db_subnet_group(
        DBSubnetGroupName="demo-db",
        SubnetIds=[
            one["SubnetIdentifier"] for one in group["Subnets"] if one["SubnetAvailabilityZone"]["Name"] != ZONES[2]
        ],
    )


def test_a_quiet_run_costs_nine_reads(ready: Stack) -> None:
    ready.converge("database", **OPTIONS)
    calls = [(call["service"], call["operation"]) for call in quiet(ready, "database", OPTIONS).reads]
    assert len(calls) <= 9, calls


def test_sends_all_of_the_instance_in_one_call(stack: Stack) -> None:
    made = network(stack)
    result = stack.converge("database", **OPTIONS)
    (sent,) = result.sent("CreateDBInstance")
    assert {
        key: sent[key] for key in ("Engine", "EngineVersion", "MultiAZ", "StorageType", "StorageEncrypted", "KmsKeyId")
    } == {
        "Engine": "postgres",
        "EngineVersion": "16",
        "MultiAZ": True,
        "StorageType": "gp3",
        "StorageEncrypted": True,
        "KmsKeyId": made["key"],
    }
    assert sent["PubliclyAccessible"] is False and sent["DeletionProtection"] is True
    assert sent["VpcSecurityGroupIds"] == [made["group"]] and sent["DBSubnetGroupName"] == "demo-db"
    assert sent["DBParameterGroupName"] == "demo-postgres16" and sent["MaxAllocatedStorage"] == 100
    assert sent["EnableCloudwatchLogsExports"] == ["postgresql", "upgrade"]
    assert {"Key": "webstack:stack", "Value": "demo"} in sent["Tags"], "tagged in the create call itself (trap 3)"
    assert "ManageMasterUserPassword" not in sent and "Iops" not in sent
    assert result.sent("ModifyDBInstance") == []
    assert sorted(result.sent("CreateDBSubnetGroup")[0]["SubnetIds"]) == sorted(made["subnets"])


def test_a_replica_takes_place_and_key_from_its_source(ready: Stack) -> None:
    (sent,) = ready.converge("database", **OPTIONS).sent("CreateDBInstanceReadReplica")
    assert sent["SourceDBInstanceIdentifier"] == "demo-db" and sent["DBParameterGroupName"] == "demo-postgres16"
    assert not {"DBSubnetGroupName", "KmsKeyId", "BackupRetentionPeriod", "MultiAZ"} & set(sent) - {"MultiAZ"}
    assert instance(ready)["ReadReplicaDBInstanceIdentifiers"] == ["demo-db-replica-1"]


def test_makes_log_groups_before_rds_makes_them_without_retention(ready: Stack) -> None:  # trap 121
    result = ready.converge("database", **OPTIONS)
    order = [call["operation"] for call in result.writes]
    assert order.index("CreateDBInstance") > max(
        place for place, name in enumerate(order) if name == "PutRetentionPolicy" and place < 8
    )
    groups = ready.lab.client("logs").describe_log_groups(logGroupNamePrefix="/aws/rds/")["logGroups"]
    assert {group["logGroupName"]: group.get("retentionInDays") for group in groups} == {
        name[12:-1]: 30 for name in LOGS
    }


def test_previews_on_an_empty_account(stack: Stack) -> None:
    preview = stack.converge("database", check=True, **OPTIONS)
    assert preview.plan == {("create", address) for address in {DB, REPLICA, GROUP, PLACE, "Secret[demo-db]"} | LOGS}
    assert set(preview.assumed) == {
        "Key[alias/demo-data]",
        "SecurityGroup[demo-db]",
        *(f"Subnet[demo-data-{zone}]" for zone in ZONES),
    }
    assert "Run the network tier first" in refusal(lambda: stack.converge("database", **OPTIONS))


def test_takes_the_users_own_network_and_key(stack: Stack) -> None:
    made = network(stack)
    own = stack.lab.client("kms").create_key()["KeyMetadata"]["Arn"]
    group = stack.lab.client("ec2").create_security_group(GroupName="mine", Description="mine", VpcId=made["vpc"])[
        "GroupId"
    ]
    options = {
        **ALONE,
        "subnet_ids": made["subnets"][:2],
        "security_group_ids": [group],
        "kms_key_id": own,
        "availability_zones": [],
    }
    (sent,) = stack.converge("database", **options).sent("CreateDBInstance")
    assert sent["VpcSecurityGroupIds"] == [group] and sent["KmsKeyId"] == own
    quiet(stack, "database", options)
    text = refusal(lambda: stack.converge("database", **{**options, "kms_key_id": None}))
    assert "AWS cannot change kms_key_id in place" in text and "Copy a snapshot" in text
    text = refusal(lambda: stack.converge("database", **{**options, "kms_key_id": None, "storage_encrypted": False}))
    assert "AWS cannot change storage_encrypted in place" in text  # trap 119


def test_refuses_subnets_of_one_zone(stack: Stack) -> None:  # trap 118
    made = network(stack)
    ec2 = stack.lab.client("ec2")
    more = ec2.create_subnet(VpcId=made["vpc"], CidrBlock="10.20.9.0/24", AvailabilityZone="us-east-1a")["Subnet"][
        "SubnetId"
    ]
    options = {**ALONE, "subnet_ids": [made["subnets"][0], more]}
    text = refusal(lambda: stack.converge("database", **options))
    assert "its subnets are all in us-east-1a. RDS wants subnets in two zones or more" in text
    assert stack.lab.calls("write", service="rds") == []


def test_builds_mysql_too(ready: Stack) -> None:
    options = {
        "engine": "mysql",
        "instance_class": "db.t3.small",
        "availability_zones": ZONES[:2],
        "multi_az": False,
        "parameters": {"slow_query_log": True, "long_query_time": 2, "character_set_server": "utf8mb4"},
        "log_exports": ["error", "slowquery"],
    }
    (sent,) = ready.converge("database", **options).sent("CreateDBInstance")
    assert sent["DBParameterGroupName"] == "demo-mysql8-4" and sent["EngineVersion"] == "8.4" and sent["Port"] == 3306
    assert sent["EnablePerformanceInsights"] is False, "db.t3.small does not support it with mysql"
    quiet(ready, "database", options)


def test_enhanced_monitoring_brings_its_role(ready: Stack) -> None:
    options = {**ALONE, "monitoring_interval": 60}
    ready.converge("database", **ALONE)
    result = ready.converge("database", **options)
    assert result.plan == {("create", "Role[demo-us-east-1-rds-monitoring]"), ("update", DB)}
    (sent,) = result.sent("ModifyDBInstance")
    assert sent["MonitoringInterval"] == 60 and sent["MonitoringRoleArn"].endswith("demo-us-east-1-rds-monitoring")
    quiet(ready, "database", options)
    result = ready.converge("database", **ALONE)
    assert result.plan == {("delete", "Role[demo-us-east-1-rds-monitoring]"), ("update", DB)}
    quiet(ready, "database", ALONE)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"instance_class": "db.x99.huge"}, "instance_class db.x99.huge: us-east-1 offers no such class for postgres"),
        ({"engine_version": "16.99"}, "engine_version 16.99: db.t4g.medium runs postgres 13.20, "),
    ],
)
def test_refuses_what_the_region_does_not_offer_before_writing(
    ready: Stack, options: dict[str, Any], text: str
) -> None:
    assert text in refusal(lambda: ready.converge("database", **{**ALONE, **options}))
    assert ready.lab.calls("write") == []
