"""How the database tier changes an instance: classes, disks, versions, parameters."""

from __future__ import annotations

import pytest
from database_world import ALONE, DB, GROUP, OPTIONS, REPLICA, behind, instance, network, quick, settled, shown, slow
from stack import Stack, quiet, refusal


@pytest.fixture(autouse=True)
def quick_lab(monkeypatch: pytest.MonkeyPatch) -> None:
    quick(monkeypatch)


@pytest.fixture
def ready(stack: Stack) -> Stack:
    network(stack)
    return stack


def test_static_parameters_wait_for_a_reboot_and_twenty_go_in_a_call(ready: Stack) -> None:  # trap 110
    many = {
        f"{name}": "64" for name in ("work_mem", "maintenance_work_mem", "log_temp_files", "logical_decoding_work_mem")
    }
    many |= dict.fromkeys(
        ("log_connections", "log_disconnections", "log_lock_waits", "track_io_timing", "autovacuum"), "1"
    )
    many |= dict.fromkeys(
        ("statement_timeout", "deadlock_timeout", "checkpoint_timeout", "default_statistics_target"), "100"
    )
    many |= dict.fromkeys(
        ("max_replication_slots", "max_wal_senders", "max_connections", "max_standby_streaming_delay"), "50"
    )
    many |= {"effective_cache_size": "9000", "wal_keep_size": "100", "max_wal_size": "500", "random_page_cost": "1.1"}
    ready.converge("database", **ALONE)
    options = {**ALONE, "parameters": {**OPTIONS["parameters"], **many}}
    sent = ready.converge("database", **options).sent("ModifyDBParameterGroup")
    assert [len(call["Parameters"]) for call in sent] == [20, 1]
    methods = {one["ParameterName"]: one["ApplyMethod"] for call in sent for one in call["Parameters"]}
    assert methods["max_connections"] == "pending-reboot" and methods["work_mem"] == "immediate"
    assert shown(quiet(ready, "database", options))["pending"] == {"parameters of demo-postgres16": "pending-reboot"}
    fewer = ready.converge("database", **ALONE)
    assert [len(call["Parameters"]) for call in fewer.sent("ResetDBParameterGroup")] == [20, 1]
    quiet(ready, "database", ALONE)


def test_a_parameter_set_to_its_default_is_no_change(ready: Stack) -> None:
    options = {**ALONE, "parameters": {"rds.force_ssl": 1, "timezone": "UTC"}}
    ready.converge("database", **options)
    quiet(ready, "database", options)


def test_refuses_unknown_parameters_before_writing(ready: Stack) -> None:
    text = refusal(
        lambda: ready.converge("database", **{**ALONE, "parameters": {"work_men": 1, "data_directory": "/x"}})
    )
    assert "postgres16 has no parameter work_men" in text
    text = refusal(lambda: ready.converge("database", **{**ALONE, "parameters": {"data_directory": "/x"}}))
    assert "RDS lets nobody set data_directory" in text
    assert ready.lab.calls("write", service="rds") == []


def test_a_change_that_waits_for_its_window_is_shown_and_not_made_again(ready: Stack) -> None:  # trap 103
    ready.converge("database", **ALONE)
    larger = {**ALONE, "instance_class": "db.r6g.large", "allocated_storage": 40}
    result = ready.converge("database", **larger)
    assert result.changes == {DB: {"instance_class", "allocated_storage"}}
    assert result.sent("ModifyDBInstance")[0]["ApplyImmediately"] is False
    assert instance(ready)["DBInstanceClass"] == "db.t4g.medium"
    row = shown(quiet(ready, "database", larger))
    assert row["pending"] == {"DBInstanceClass": "db.r6g.large", "AllocatedStorage": 40}
    assert row["endpoint"].startswith("demo-db.") and row["port"] == 5432


def test_applies_at_once_when_asked_to(ready: Stack) -> None:
    ready.converge("database", **ALONE)
    larger = {**ALONE, "instance_class": "db.r6g.large", "apply_immediately": True}
    assert ready.converge("database", **larger).changes == {DB: {"instance_class"}}
    assert settled(ready)["DBInstanceClass"] == "db.r6g.large"
    quiet(ready, "database", larger)


def test_a_disk_never_shrinks_and_may_outgrow_the_options(ready: Stack) -> None:  # traps 104, 106
    ready.converge("database", **ALONE)
    behind(ready, AllocatedStorage=120)
    quiet(ready, "database", ALONE)
    quiet(ready, "database", {**ALONE, "allocated_storage": 30})


def test_storage_autoscaling_is_turned_off_with_zero(ready: Stack) -> None:
    ready.converge("database", **ALONE)
    off = {**ALONE, "max_allocated_storage": 0}
    assert ready.converge("database", **off).sent("ModifyDBInstance")[0]["MaxAllocatedStorage"] == 20
    quiet(ready, "database", off)


def test_a_disk_with_provisioned_speed_names_it_with_every_change(ready: Stack) -> None:
    fast = {**ALONE, "storage_type": "io2", "allocated_storage": 100, "max_allocated_storage": 500, "iops": 3000}
    ready.converge("database", **fast)
    (sent,) = ready.converge("database", **{**fast, "allocated_storage": 200}).sent("ModifyDBInstance")
    assert sent["AllocatedStorage"] == 200 and sent["Iops"] == 3000
    quiet(ready, "database", {**fast, "allocated_storage": 200})


def test_storage_optimization_is_usable(ready: Stack, monkeypatch: pytest.MonkeyPatch) -> None:  # trap 104
    ready.converge("database", **ALONE)
    slow(monkeypatch, storage_optimization=60)
    behind(ready, AllocatedStorage=120)
    assert instance(ready)["DBInstanceStatus"] == "storage-optimization"
    quiet(ready, "database", ALONE)


def test_minor_versions_that_aws_took_are_left(ready: Stack) -> None:  # trap 105
    exact = {**ALONE, "engine_version": "16.3"}
    ready.converge("database", **exact)
    assert settled(ready)["EngineVersion"] == "16.3"
    behind(ready, EngineVersion="16.6")
    quiet(ready, "database", exact)
    quiet(ready, "database", ALONE)
    text = refusal(lambda: ready.converge("database", **{**exact, "auto_minor_version_upgrade": False}))
    assert "RDS never goes back to 16.3. Set engine_version to 16 or 16.6" in text


def test_refuses_versions_that_rds_does_not_upgrade_to(ready: Stack) -> None:
    ready.converge("database", **{**ALONE, "engine_version": "16.6"})
    text = refusal(lambda: ready.converge("database", **{**ALONE, "engine_version": "16.7"}))
    assert "RDS does not upgrade postgres 16.6 to 16.7. It offers 16.8, 17.2, 17.4" in text
    text = refusal(lambda: ready.converge("database", **{**ALONE, "engine_version": "15"}))
    assert "RDS never goes back to 15" in text


def test_a_major_upgrade_is_wanted_explicitly_and_brings_its_parameter_group(ready: Stack) -> None:  # trap 109
    ready.converge("database", **ALONE)
    newer = {**ALONE, "engine_version": "17", "apply_immediately": True}
    assert "set allow_major_version_upgrade=true" in refusal(lambda: ready.converge("database", **newer))
    newer["allow_major_version_upgrade"] = True
    result = ready.converge("database", **newer)
    (sent,) = result.sent("ModifyDBInstance")
    assert sent["AllowMajorVersionUpgrade"] is True and sent["EngineVersion"] == "17.4"
    assert sent["DBParameterGroupName"] == "demo-postgres17"
    order = [call["operation"] for call in result.writes]
    assert order.index("CreateDBParameterGroup") < order.index("ModifyDBInstance")
    assert settled(ready)["EngineVersion"] == "17.4"
    assert ready.converge("database", **newer).plan == {("delete", GROUP)}, "the old group goes when nothing uses it"
    quiet(ready, "database", newer)


def test_a_major_upgrade_may_wait_for_its_window(ready: Stack) -> None:  # traps 103, 109
    ready.converge("database", **ALONE)
    newer = {**ALONE, "engine_version": "17", "allow_major_version_upgrade": True}
    ready.converge("database", **newer)
    assert instance(ready)["DBParameterGroups"][0]["DBParameterGroupName"] == "demo-postgres16"
    quiet(ready, "database", newer)


def test_a_major_upgrade_takes_the_replicas_along(ready: Stack) -> None:  # trap 109
    ready.converge("database", **OPTIONS)
    newer = {**OPTIONS, "engine_version": "17", "allow_major_version_upgrade": True, "apply_immediately": True}
    assert set(ready.converge("database", **newer).changes) == {DB}
    assert settled(ready)["EngineVersion"] == settled(ready, "demo-db-replica-1")["EngineVersion"] == "17.4"
    assert ready.converge("database", **newer).changes == {REPLICA: {"parameter_group"}}
    assert ready.converge("database", **newer).plan in (set(), {("delete", GROUP)})
    quiet(ready, "database", newer)
