"""The RDS failover drill against a real PostgreSQL with a standby: it passes, it is refused, it fails at its deadline."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from data_plane import DataPlane

from playbooks import extra
from webstack_lab.state import ask

pytestmark = pytest.mark.measured  # it counts seconds and requests, so nothing else may run beside it

PLAYBOOK = "playbooks/drill_rds_failover.yml"
DRILL = "Fail over, and measure"
TIERS = "assets,network,storage_cache,database"


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DataPlane]:
    plane = DataPlane(tmp_path_factory.mktemp("plane") / "lab")
    try:
        built = plane.playbooks.play("site.yml", "--limit", "us-east-1", "--tags", TIERS)
        assert built.code == 0, built.failures
        wait_for_redundancy(plane)
        plane.lab("pace", "0.05")
        yield plane
    finally:
        plane.stop()


def wait_for_redundancy(plane: DataPlane) -> None:
    """Until primary and standby stand and follow each other."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        rows = ask(plane.url, "plane").get("database") or ask(plane.url, "plane").get("databases") or []
        if {(row["role"], row["state"]) for row in rows if row["id"] == "demo-db"} >= {
            ("primary", "ready"),
            ("standby", "standby"),
        }:
            return
        time.sleep(0.3)
    raise AssertionError(f"no standby: {ask(plane.url, 'plane')}")


def result(played: Any) -> dict[str, Any]:
    found: dict[str, Any] = played.results(DRILL)["us-east-1"]
    return found


def lock_is_free(plane: DataPlane) -> bool:
    held = plane.playbooks.play("playbooks/status.yml", "--limit", "us-east-1")
    return "locked" not in held.output.lower()


def reboots(plane: DataPlane) -> int:
    return len(plane.calls(operation="RebootDBInstance"))


def test_a_plan_shows_every_precondition_and_writes_nothing(plane: DataPlane) -> None:
    before = len(plane.calls(kind="write"))
    planned = plane.playbooks.play(PLAYBOOK, "--check")
    assert planned.code == 0, planned.failures
    names = [row["name"] for row in result(planned)["preconditions"]]
    assert names == [
        "status", "multi_az", "standby", "pending_changes", "maintenance", "backups", "replicas", "recent_failover",
        "alarms", "instance_refresh", "halt", "lock",
    ]  # fmt: skip
    assert all(row["ok"] for row in result(planned)["preconditions"]), result(planned)["preconditions"]
    assert len(plane.calls(kind="write")) == before


def test_a_lost_standby_is_a_refusal_by_name(plane: DataPlane) -> None:
    plane.lab("break", "us-east-1", "database-standby", "demo-db")
    try:
        refused = plane.playbooks.play(PLAYBOOK)
    finally:
        plane.lab("mend", "us-east-1", "database-standby", "demo-db")
    assert refused.code != 0
    assert "precondition standby: demo-db shows no standby" in refused.failures["us-east-1"]
    assert reboots(plane) == 0
    wait_for_redundancy(plane)


def test_the_failover_is_measured_from_outside(plane: DataPlane) -> None:
    began = time.time()
    passed = plane.playbooks.play(PLAYBOOK)
    assert passed.code == 0, passed.failures
    drill = result(passed)
    assert drill["verdict"] == "pass" and reboots(plane) == 1
    marks = drill["marks"]
    assert began < marks["inject"] <= marks["first_failure"] < marks["first_ok"] < marks["stable"]
    assert marks["inject"] < marks["dns"] and marks["first_ok"] < marks["redundant"], "the ends are told apart"
    report = plane.report()
    write = next(probe for probe in report["probes"] if probe["name"] == "write")
    assert write["failed"] > 2 and 0.2 < write["longest_outage"] < 20, (
        "the outage was in the traffic, not in AWS's words"
    )
    assert report["markers"]["acknowledged"] > 50 and report["markers"]["lost"] == 0
    assert len({server["name"] for server in report["servers"]}) >= 2, "another server answered afterwards"
    assert {"RDS-EVENT-0013", "RDS-EVENT-0049"} <= {event["id"] for event in report["events"]}
    assert lock_is_free(plane)
    wait_for_redundancy(plane)


def test_a_failover_that_hangs_fails_at_its_deadline(plane: DataPlane) -> None:
    plane.lab("break", "us-east-1", "database-failover", "demo-db")
    try:
        failed = plane.playbooks.play(PLAYBOOK, *extra(drill_timeout=12, drill_baseline=2))
    finally:
        plane.lab("mend", "us-east-1", "database-failover", "demo-db")
    assert failed.code != 0
    drill = result(failed)
    assert drill["verdict"] == "fail" and "did not come back within" in drill["sentence"]
    assert any("deadline" in finding for finding in drill["findings"])
    assert lock_is_free(plane), "the run has returned what it held"
    report = plane.report()
    assert next(row for row in report["expectations"] if row["name"] == "rto_service")["ok"] is False
