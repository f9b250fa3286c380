"""The database tier: what else is changed and deleted behind our back, on instances, replicas and what they need."""

from __future__ import annotations

from typing import Any

import pytest
from database_world import ALONE, DB, OPTIONS, PLACE, REPLICA, behind, instance, network, quick, settled
from stack import ACCOUNT, Stack, cycle, quiet, refusal

ROLE, NAME = "Role[demo-us-east-1-rds-monitoring]", "demo-us-east-1-rds-monitoring"
LOG = "/aws/rds/instance/demo-db/upgrade"
REPLICA_BY_HAND: dict[str, Any] = {
    "CopyTagsToSnapshot": False,
    "EnablePerformanceInsights": False,
    "AutoMinorVersionUpgrade": False,
    "MaxAllocatedStorage": 20,
    "PubliclyAccessible": True,
    "DBInstanceClass": "db.r6g.large",
    "EnableIAMDatabaseAuthentication": True,
    "MultiAZ": True,
    "CloudwatchLogsExportConfiguration": {"DisableLogTypes": ["upgrade"]},
}


@pytest.fixture(autouse=True)
def quick_lab(monkeypatch: pytest.MonkeyPatch) -> None:
    quick(monkeypatch)


@pytest.fixture
def made(stack: Stack) -> dict[str, Any]:
    return network(stack)


def stranger(stack: Stack, vpc: str) -> str:
    made = stack.lab.client("ec2").create_security_group(GroupName="theirs", Description="theirs", VpcId=vpc)
    return str(made["GroupId"])


def test_the_life_of_the_monitoring_role_and_of_settings_by_hand(stack: Stack, made: dict[str, Any]) -> None:
    iam, logs, rds = (stack.lab.client(name) for name in ("iam", "logs", "rds"))
    theirs = stranger(stack, made["vpc"])

    def meddle() -> None:
        managed = "arn:aws:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole"
        iam.detach_role_policy(RoleName=NAME, PolicyArn=managed)
        iam.untag_role(RoleName=NAME, TagKeys=["Name"])
        other = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "x.amazonaws.com"}, "Action": "sts:AssumeRole"}]}'
        iam.update_assume_role_policy(RoleName=NAME, PolicyDocument=other)

    def lose() -> None:
        for one in iam.list_attached_role_policies(RoleName=NAME)["AttachedPolicies"]:
            iam.detach_role_policy(RoleName=NAME, PolicyArn=one["PolicyArn"])
        iam.delete_role(RoleName=NAME)

    def untag_log() -> None:
        arn = f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:{LOG}"
        logs.untag_resource(resourceArn=arn, tagKeys=["Name"])

    def describe() -> None:
        group = rds.describe_db_subnet_groups(DBSubnetGroupName="demo-db")["DBSubnetGroups"][0]
        rds.modify_db_subnet_group(
            DBSubnetGroupName="demo-db",
            DBSubnetGroupDescription="theirs",
            SubnetIds=[one["SubnetIdentifier"] for one in group["Subnets"]],
        )

    cycle(
        stack,
        "database",
        {**ALONE, "monitoring_interval": 60},
        drifts=[
            (ROLE, meddle, {"trust", "managed_policy_arns", "tags"}),
            (DB, lambda: behind(stack, VpcSecurityGroupIds=[theirs]), {"security_group_ids"}),
            (DB, lambda: behind(stack, MonitoringInterval=0), {"monitoring_interval"}),
            (DB, lambda: behind(stack, StorageType="gp2", AllocatedStorage=20), {"storage_type"}),
            (PLACE, describe, {"description"}),
            (f"ExportedLog[{LOG}]", untag_log, {"tags"}),
        ],
        vanishings=[(lose, {ROLE})],
    )


def test_a_replica_changed_by_hand_is_repaired(stack: Stack, made: dict[str, Any]) -> None:
    theirs = stranger(stack, made["vpc"])
    stack.converge("database", **OPTIONS)
    behind(stack, "demo-db-replica-1", VpcSecurityGroupIds=[theirs], **REPLICA_BY_HAND)
    shown = stack.converge("database", check=True, **OPTIONS)
    wanted = {
        "copy_tags_to_snapshot", "performance_insights",
        "auto_minor_version_upgrade", "max_allocated_storage", "publicly_accessible", "instance_class",
        "iam_database_authentication", "multi_az", "log_exports", "security_group_ids",
    }  # fmt: skip
    assert shown.changes == {REPLICA: wanted}
    assert stack.converge("database", **OPTIONS).changes == {REPLICA: wanted}
    quiet(stack, "database", OPTIONS)


def test_the_last_replica_goes_alone_and_another_touches_nothing_else(stack: Stack, made: dict[str, Any]) -> None:
    stack.converge("database", **OPTIONS)
    two = {**OPTIONS, "read_replica_count": 2}
    second = stack.converge("database", **two)
    logs = {f"ExportedLog[/aws/rds/instance/demo-db-replica-2/{kind}]" for kind in ("postgresql", "upgrade")}
    assert second.plan == {("create", address) for address in {"DBInstanceReadReplica[demo-db-replica-2]", *logs}}
    settled(stack, "demo-db-replica-2")
    behind(stack, "demo-db-replica-2", DeletionProtection=False)
    fewer = stack.converge("database", **OPTIONS)
    assert fewer.plan == {("delete", address) for address in {"DBInstanceReadReplica[demo-db-replica-2]", *logs}}
    quiet(stack, "database", OPTIONS)


@pytest.mark.parametrize(
    ("options", "attribute"),
    [({"database_name": "other"}, "database_name"), ({"master_username": "other"}, "master_username")],
)
def test_what_an_instance_keeps_is_refused_before_any_write(
    stack: Stack, made: dict[str, Any], options: dict[str, Any], attribute: str
) -> None:
    stack.converge("database", **ALONE)
    before = len(stack.lab.calls("write"))
    assert f"cannot change {attribute} in place" in refusal(lambda: stack.converge("database", **{**ALONE, **options}))
    assert len(stack.lab.calls("write")) == before and instance(stack)["DBName"] == "app"
