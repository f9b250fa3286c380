"""Passwords, broken and stopped instances, replicas, promotion, failover and removal in the database tier."""

from __future__ import annotations

import json

import pytest
from database_world import (
    ALONE,
    DB,
    OPTIONS,
    REPLICA,
    instance,
    moto_instance,
    network,
    password_of,
    quick,
    settled,
    shown,
    slow,
    stored_password,
)
from stack import Stack, quiet, refusal

from webstack_lab.services import rds as lab_rds


@pytest.fixture(autouse=True)
def quick_lab(monkeypatch: pytest.MonkeyPatch) -> None:
    quick(monkeypatch)


@pytest.fixture
def ready(stack: Stack) -> Stack:
    network(stack)
    return stack


def test_keeps_a_generated_password_in_a_secret_and_out_of_every_output(ready: Stack) -> None:
    result = ready.converge("database", **OPTIONS)
    password = password_of(ready)
    assert len(password) == 32 and password.isalnum() and stored_password(ready) == password
    assert password not in str([result.diff, result.resources, result.report.actions])


def test_rds_manages_the_password_of_an_instance_without_replicas(ready: Stack) -> None:
    result = ready.converge("database", **ALONE)
    (sent,) = result.sent("CreateDBInstance")
    assert sent["ManageMasterUserPassword"] is True and "MasterUserPassword" not in sent
    quiet(ready, "database", ALONE)
    row = shown(result)
    assert row["secret_arn"] == instance(ready)["MasterUserSecret"]["SecretArn"]


def test_a_managed_password_and_replicas_exclude_each_other(ready: Stack) -> None:  # trap 108
    both = {**OPTIONS, "manage_master_user_password": True}
    assert "RDS makes no read replicas of an instance whose password it manages" in refusal(
        lambda: ready.converge("database", **both)
    )
    ready.converge("database", **ALONE)
    rds = ready.lab.client("rds")
    settled(ready)
    with pytest.raises(rds.exceptions.ClientError, match="ManageMasterUserPassword is enabled is not supported"):
        rds.create_db_instance_read_replica(DBInstanceIdentifier="x", SourceDBInstanceIdentifier="demo-db")
    result = ready.converge("database", **OPTIONS)
    assert result.changes == {DB: {"manage_master_user_password", "master_user_password"}}
    (sent,) = result.sent("ModifyDBInstance")
    assert sent["ManageMasterUserPassword"] is False and stored_password(ready) == password_of(ready)
    quiet(ready, "database", OPTIONS)
    text = refusal(lambda: ready.converge("database", **ALONE))
    assert "RDS makes no replicas" in text and "Remove the replicas first" in text


def test_a_given_password_is_sent_once_and_again_only_when_forced(ready: Stack) -> None:  # trap 107
    given = {**ALONE, "manage_master_user_password": False, "master_user_password": "correct-horse-1"}
    result = ready.converge("database", **given)
    assert stored_password(ready) == "correct-horse-1"
    assert "correct-horse" not in str([result.diff, result.resources])
    assert ready.converge("database", **{**given, "master_user_password": "another-horse-2"}).plan == set()
    forced = {**given, "master_user_password": "another-horse-2", "force_master_user_password": True}
    assert ready.converge("database", **forced).changes == {DB: {"master_user_password"}}
    assert stored_password(ready) == "another-horse-2"


def test_a_lost_secret_and_a_run_that_died_after_it_are_put_right(ready: Stack) -> None:
    ready.converge("database", **OPTIONS)
    secrets = ready.lab.client("secretsmanager")
    first = password_of(ready)
    secrets.delete_secret(SecretId="demo-db")
    result = ready.converge("database", **OPTIONS)
    assert result.changes == {DB: {"master_user_password"}}
    assert stored_password(ready) == password_of(ready) != first
    secrets.update_secret(
        SecretId="demo-db", Description="new", SecretString=json.dumps({"username": "dbadmin", "password": "x" * 32})
    )
    assert ready.converge("database", **OPTIONS).changes == {DB: {"master_user_password"}}
    assert stored_password(ready) == "x" * 32
    quiet(ready, "database", OPTIONS)


def test_a_broken_instance_ends_the_wait_with_the_reason(ready: Stack) -> None:  # trap 17
    ready.converge("database", **ALONE)
    settled(ready)
    one = moto_instance()
    one.status = "incompatible-parameters"
    lab_rds.add_event(
        one, "The parameter max_connections was set to a value incompatible with the instance class.", "failure"
    )
    text = refusal(lambda: ready.converge("database", **{**ALONE, "multi_az": False}))
    assert "it ended in state incompatible-parameters: The parameter max_connections" in text
    one.status = "storage-full"
    larger = {**ALONE, "allocated_storage": 50, "apply_immediately": True}
    assert ready.converge("database", **larger).changes == {DB: {"allocated_storage"}}


def test_a_stopped_instance_is_left_stopped(ready: Stack) -> None:  # trap 117
    ready.converge("database", **ALONE)
    moto_instance().status = "stopped"
    quiet(ready, "database", ALONE)
    assert "it is stopped" in refusal(lambda: ready.converge("database", **{**ALONE, "backup_retention_period": 9}))


def test_without_waiting_a_replica_is_left_for_the_next_run(ready: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    slow(monkeypatch, creating=1.0)
    first = ready.converge("database", wait=False, **OPTIONS)
    assert set(first.report.pending) == {DB, REPLICA} and first.sent("CreateDBInstanceReadReplica") == []
    second = ready.converge("database", **OPTIONS)
    assert second.plan == {("create", REPLICA)}
    assert settled(ready, "demo-db-replica-1")["ReadReplicaSourceDBInstanceIdentifier"] == "demo-db"
    quiet(ready, "database", OPTIONS)


def test_removal_leaves_a_final_snapshot_and_says_so(ready: Stack) -> None:  # trap 114
    kept = {**OPTIONS, "skip_final_snapshot": False, "delete_automated_backups": False}
    ready.converge("database", **kept)
    text = refusal(lambda: ready.remove("database", lift=False, **kept))
    assert "its deletion protection is on. Set lift_deletion_protection=true" in text
    result = ready.remove("database", **kept)
    sent = {call["DBInstanceIdentifier"]: call for call in result.sent("DeleteDBInstance")}
    snapshot = sent["demo-db"]["FinalDBSnapshotIdentifier"]
    assert snapshot.startswith("demo-db-final-20") and sent["demo-db"]["DeleteAutomatedBackups"] is False
    assert sent["demo-db-replica-1"]["SkipFinalSnapshot"] is True
    order = [call["DBInstanceIdentifier"] for call in result.sent("DeleteDBInstance")]
    assert order[0] == "demo-db-replica-1", "replicas first"
    assert any(f"the final snapshot {snapshot} of demo-db stays and costs money" in text for text in result.report.left)
    assert any("automated backups of demo-db stay" in text for text in result.report.left)
    assert any("secret demo-db is deleted in 7 days" in text for text in result.report.left)


def test_a_promoted_replica_is_nobodys_to_delete(ready: Stack) -> None:
    ready.converge("database", **OPTIONS)
    settled(ready, "demo-db-replica-1")
    ready.lab.client("rds").promote_read_replica(DBInstanceIdentifier="demo-db-replica-1")
    settled(ready, "demo-db-replica-1")
    assert "it has been promoted to a database of its own" in refusal(lambda: ready.converge("database", **OPTIONS))
    result = ready.converge("database", **{**OPTIONS, "read_replica_count": 0})
    assert not any("DBInstance" in address for _verb, address in result.plan)
    assert instance(ready, "demo-db-replica-1")["DBInstanceStatus"] == "available"


def test_removing_the_first_replica_touches_only_that(ready: Stack) -> None:
    names = [{"name": "reports"}, {"name": "search", "instance_class": "db.r6g.large", "multi_az": True}]
    options = {**OPTIONS, "read_replica_count": 0, "read_replicas": names, "deletion_protection": False}
    ready.converge("database", **options)
    quiet(ready, "database", options)
    result = ready.converge("database", **{**options, "read_replicas": names[1:]})
    assert {address for _verb, address in result.plan} == {
        "DBInstanceReadReplica[demo-db-reports]",
        *(f"ExportedLog[/aws/rds/instance/demo-db-reports/{kind}]" for kind in ("postgresql", "upgrade")),
    }
    found = settled(ready, "demo-db-search")
    assert found["DBInstanceClass"] == "db.r6g.large" and found["MultiAZ"] is True


def test_a_region_may_replicate_another_regions_instance(stack: Stack) -> None:
    network(stack)
    network(stack, "eu-west-1")
    far = {
        **OPTIONS,
        "read_replica_count": 0,
        "availability_zones": ["eu-west-1a", "eu-west-1b"],
        "source_region": "us-east-1",
    }
    text = refusal(lambda: stack.converge("database", region="eu-west-1", **far))
    assert "Run the database tier in us-east-1 first" in text
    stack.converge("database", **{**OPTIONS, "read_replica_count": 0})
    result = stack.converge("database", region="eu-west-1", **far)
    (sent,) = result.sent("CreateDBInstanceReadReplica")
    assert sent["SourceDBInstanceIdentifier"] == "arn:aws:rds:us-east-1:123456789012:db:demo-db"
    assert sent["DBSubnetGroupName"] == "demo-db" and ":kms:eu-west-1:" in sent["KmsKeyId"]
    while instance(stack, region="eu-west-1")["DBInstanceStatus"] == "creating":
        pass
    assert stack.converge("database", region="eu-west-1", **far).plan == set()
    assert "it is a read replica of arn:" in refusal(
        lambda: stack.converge("database", region="eu-west-1", **{**far, "source_region": None})
    )
    stack.lab.client("rds", "eu-west-1").promote_read_replica(DBInstanceIdentifier="demo-db")
    assert "it has been promoted" in refusal(lambda: stack.converge("database", region="eu-west-1", **far))


def test_a_forced_failover_swaps_the_zones(ready: Stack) -> None:  # trap 111
    ready.converge("database", **ALONE)
    before = settled(ready)
    rds = ready.lab.client("rds")
    rds.reboot_db_instance(DBInstanceIdentifier="demo-db", ForceFailover=True)
    after = settled(ready)
    assert (after["AvailabilityZone"], after["SecondaryAvailabilityZone"]) == (
        before["SecondaryAvailabilityZone"],
        before["AvailabilityZone"],
    )
    messages = [
        event["Message"]
        for event in rds.describe_events(SourceIdentifier="demo-db", SourceType="db-instance")["Events"]
    ]
    assert messages[-4:-2] == ["Multi-AZ instance failover started.", "DB instance restarted"]
    quiet(ready, "database", ALONE)
