"""What must hold before a failover is rehearsed: each precondition alone refuses, by its own name, for instances and clusters."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from fake_clients import FakeClients

from ansible_collections.webstack.aws.plugins.module_utils.operations.rds_checks import cluster_checks, instance_checks

NOW = datetime.now(timezone.utc)
INSTANCE_ARN = "arn:aws:rds:eu-west-1:123456789012:db:shop-db"

Break = Callable[[dict[str, Any], dict[str, Any]], None]


def instance(**more: Any) -> dict[str, Any]:
    return {
        "DBInstanceIdentifier": "shop-db",
        "DBInstanceArn": INSTANCE_ARN,
        "DBInstanceStatus": "available",
        "DBInstanceClass": "db.r6g.large",
        "MultiAZ": True,
        "AvailabilityZone": "eu-west-1a",
        "SecondaryAvailabilityZone": "eu-west-1b",
        "PendingModifiedValues": {},
        "DBParameterGroups": [{"DBParameterGroupName": "shop", "ParameterApplyStatus": "in-sync"}],
        "BackupRetentionPeriod": 7,
        "LatestRestorableTime": datetime.now(timezone.utc) - timedelta(seconds=200),
        "ReadReplicaDBInstanceIdentifiers": ["shop-replica"],
        **more,
    }


def replica(status: str = "available", *, normal: bool = True) -> dict[str, Any]:
    state = {"StatusType": "read replication", "Normal": normal, "Status": "replicating" if normal else "error"}
    return {
        "DBInstances": [{"DBInstanceIdentifier": "shop-replica", "DBInstanceStatus": status, "StatusInfos": [state]}]
    }


def cluster(**more: Any) -> dict[str, Any]:
    return {
        "DBClusterIdentifier": "shop",
        "DBClusterArn": "arn:aws:rds:eu-west-1:123456789012:cluster:shop",
        "Status": "available",
        "DBClusterMembers": [
            {"DBInstanceIdentifier": "shop-1", "IsClusterWriter": True},
            {"DBInstanceIdentifier": "shop-2", "IsClusterWriter": False},
        ],
        "BackupRetentionPeriod": 1,
        "LatestRestorableTime": datetime.now(timezone.utc) - timedelta(seconds=200),
        **more,
    }


def members() -> dict[str, dict[str, Any]]:
    return {
        "shop-1": instance(DBInstanceIdentifier="shop-1"),
        "shop-2": instance(DBInstanceIdentifier="shop-2", AvailabilityZone="eu-west-1b"),
    }


def answers() -> dict[str, Any]:
    return {
        "describe_pending_maintenance_actions": {"PendingMaintenanceActions": []},
        "describe_db_instances": replica(),
        "describe_events": {"Events": []},
    }


def maintenance_pending(_thing: dict[str, Any], rds: dict[str, Any]) -> None:
    waiting = {"PendingMaintenanceActionDetails": [{"Action": "system-update"}]}
    rds["describe_pending_maintenance_actions"] = {"PendingMaintenanceActions": [waiting]}


def failed_over(minutes: float, message: str = "Multi-AZ instance failover completed") -> Break:
    def breaks(_thing: dict[str, Any], rds: dict[str, Any]) -> None:
        event = {"Date": datetime.now(timezone.utc) - timedelta(minutes=minutes), "Message": message}
        rds["describe_events"] = {"Events": [event]}

    return breaks


def sets(**values: Any) -> Break:
    return lambda thing, _rds: thing.update(values)


def answers_with(method: str, answer: Any) -> Break:
    return lambda _thing, rds: rds.__setitem__(method, answer)


WAITING = [{"DBParameterGroupName": "shop", "ParameterApplyStatus": "pending-reboot"}]

INSTANCE_BREAKS: list[tuple[str, Break, str]] = [
    ("status", sets(DBInstanceStatus="backing-up"), "backing-up"),
    ("multi_az", sets(MultiAZ=False), "MultiAZ is false"),
    ("standby", sets(SecondaryAvailabilityZone=None), "no standby"),
    ("standby", sets(SecondaryAvailabilityZone="eu-west-1a"), "its standby in eu-west-1a"),
    ("pending_changes", sets(PendingModifiedValues={"DBInstanceClass": "db.r6g.xlarge"}), "DBInstanceClass"),
    ("pending_changes", sets(DBParameterGroups=WAITING), "parameter group shop"),
    ("maintenance", maintenance_pending, "system-update"),
    ("backups", sets(BackupRetentionPeriod=0), "are off"),
    ("backups", sets(LatestRestorableTime=None), "no backup"),
    ("backups", sets(LatestRestorableTime=NOW - timedelta(hours=1)), "at most 600 s"),
    ("replicas", answers_with("describe_db_instances", replica("rebooting")), "rebooting"),
    ("replicas", answers_with("describe_db_instances", replica(normal=False)), "error"),
    ("recent_failover", failed_over(5), "5 minutes ago"),
]
CLUSTER_BREAKS: list[tuple[str, Break, str]] = [
    ("status", sets(Status="failing-over"), "failing-over"),
    (
        "standby",
        sets(DBClusterMembers=[{"DBInstanceIdentifier": "shop-1", "IsClusterWriter": True}]),
        "no available reader",
    ),
    ("standby", sets(DBClusterMembers=[{"DBInstanceIdentifier": "shop-2", "IsClusterWriter": False}]), "no writer"),
    ("pending_changes", sets(PendingModifiedValues={"EngineVersion": "16.4"}), "EngineVersion"),
    ("maintenance", maintenance_pending, "system-update"),
    ("backups", sets(LatestRestorableTime=NOW - timedelta(hours=1)), "at most 600 s"),
    ("recent_failover", failed_over(5, "Completed failover to DB instance: shop-1"), "5 minutes ago"),
]


def of_instance(thing: dict[str, Any], rds: dict[str, Any]) -> dict[str, str]:
    client = FakeClients({"rds": rds})("rds", "eu-west-1")
    return {one.name: one.text for one in instance_checks(client, thing, 600, 900) if not one.ok}


def of_cluster(thing: dict[str, Any], rds: dict[str, Any], known: dict[str, dict[str, Any]]) -> dict[str, str]:
    client = FakeClients({"rds": rds})("rds", "eu-west-1")
    return {one.name: one.text for one in cluster_checks(client, thing, known, 600, 900) if not one.ok}


def test_everything_holds_of_a_sound_instance_and_a_sound_cluster() -> None:
    assert of_instance(instance(), answers()) == {}
    assert of_cluster(cluster(), answers(), members()) == {}


@pytest.mark.parametrize(("name", "breaks", "words"), INSTANCE_BREAKS)
def test_each_precondition_of_an_instance_alone_refuses_by_its_name(name: str, breaks: Break, words: str) -> None:
    thing, rds = instance(), answers()
    breaks(thing, rds)
    found = of_instance(thing, rds)
    assert list(found) == [name] and words in found[name]


@pytest.mark.parametrize(("name", "breaks", "words"), CLUSTER_BREAKS)
def test_each_precondition_of_a_cluster_alone_refuses_by_its_name(name: str, breaks: Break, words: str) -> None:
    thing, rds = cluster(), answers()
    breaks(thing, rds)
    found = of_cluster(thing, rds, members())
    assert list(found) == [name] and words in found[name]


@pytest.mark.parametrize(
    "change",
    [{"DBInstanceStatus": "rebooting"}, {"AvailabilityZone": "eu-west-1a"}, {"DBInstanceClass": "db.t4g.medium"}],
    ids=lambda change: next(iter(change)),
)
def test_a_reader_that_is_away_or_beside_the_writer_or_smaller_is_no_standby(change: dict[str, str]) -> None:
    known = members()
    known["shop-2"].update(change)
    assert list(of_cluster(cluster(), answers(), known)) == ["standby"]


def test_an_event_that_is_no_failover_does_not_refuse() -> None:
    thing, rds = instance(), answers()
    failed_over(5, "Backing up DB instance")(thing, rds)
    assert of_instance(thing, rds) == {}


def test_a_failover_that_is_long_ago_does_not_refuse() -> None:
    thing, rds = instance(), answers()
    failed_over(20)(thing, rds)
    assert of_instance(thing, rds) == {}
