"""The proof that a drill is undone whatever kills it: three signals at five moments, on a stack that carries traffic."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from data_plane import DataPlane
from drill_world import OTHERS, REGION, TIERS, ZONE, ZONES, RemoteLab, World, until
from holding_proxy import Hold, HoldingProxy
from stack import Stack

from ansible_collections.webstack.aws.plugins.module_utils.operations import keeper
from ansible_collections.webstack.aws.plugins.module_utils.operations.undo import pending
from playbooks import extra

pytestmark = pytest.mark.measured  # it counts seconds and requests, so nothing else may run beside it

SOON = 2.0  # seconds from a signal to the undo, as promised
SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGKILL]
EVERY_KILL = bool(os.environ.get("WEBSTACK_ALL_KILLS"))  # otherwise every moment once, and every signal


def patience() -> float:
    """What was promised, for a machine that has no more to do than it can: otherwise everything takes that much longer."""
    return SOON * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DataPlane]:
    plane = DataPlane(tmp_path_factory.mktemp("undo") / "lab", pace=0.02)
    try:
        stack = Stack(RemoteLab(plane))
        for tier, options in TIERS.items():
            stack.converge(tier, **options)
        yield plane
    finally:
        plane.stop()


@pytest.fixture
def proxy(plane: DataPlane) -> Iterator[HoldingProxy]:
    with HoldingProxy(plane.url) as proxy:
        yield proxy


@pytest.fixture
def world(plane: DataPlane, proxy: HoldingProxy) -> Iterator[World]:
    """The proxy outlives the keepers, which undo through it whatever a failed test left."""
    world = World(plane)
    until(lambda: world.zones_that_answer() == set(ZONES), 30, "all zones serve before the drill")
    RemoteLab(plane).clear_calls()
    yield world
    for process in world.processes:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    for hold in proxy.holds:
        hold.release(sends=False)
    for folder in (plane.runs / "demo").glob("*"):
        until(lambda folder=folder: not keeper.alive(folder), 30, "the keeper ends")


def is_real(params: dict[str, str], action: str) -> bool:
    return params.get("Action") == action and params.get("DryRun") != "true"


def after_lock(world: World, _proxy: HoldingProxy, started: Callable[..., Any]) -> Any:
    """In the baseline: the run has the lock, and has promised nothing."""
    process = started(baseline=60)
    until(lambda: journal_has(world, "plan"), 60, "the plan")
    return process, None


def after_arm(_world: World, proxy: HoldingProxy, started: Callable[..., Any]) -> Any:
    """Every undo is promised; the request that makes the network ACL never arrives."""
    hold = proxy.hold(lambda params: is_real(params, "CreateNetworkAcl"))
    return started(), hold


def after_create(_world: World, proxy: HoldingProxy, started: Callable[..., Any]) -> Any:
    """The network ACL is made; its maker never gets the answer, so its id is written nowhere."""
    hold = proxy.hold(lambda params: is_real(params, "CreateNetworkAcl"), answered=True)
    return started(), hold


def between_subnets(world: World, proxy: HoldingProxy, started: Callable[..., Any]) -> Any:
    """One subnet is cut off, the request for the other never arrives."""
    lasting = set(world.subnets.values())
    seen: list[str] = []

    def second(params: dict[str, str]) -> bool:
        if is_real(params, "ReplaceNetworkAclAssociation") and params["NetworkAclId"] not in lasting:
            seen.append(params["AssociationId"])
        return len(seen) == 2

    return started(), proxy.hold(second)


def while_holding(world: World, _proxy: HoldingProxy, started: Callable[..., Any]) -> Any:
    """Both subnets are cut off, and the zone answers nobody."""
    process = started()
    until(lambda: len(world.replacements()) == 2, 60, "both subnets are cut off")
    until(lambda: world.zones_that_answer() == set(OTHERS), 20, "the zone is silent")
    return process, None


def journal_has(world: World, kind: str) -> bool:
    try:
        return bool(world.story.of(kind))
    except (OSError, ValueError):
        return False


MOMENTS = {
    "after the lock": (after_lock, 0),
    "after arming": (after_arm, 0),
    "after creating": (after_create, 0),
    "between two subnets": (between_subnets, 1),
    "while holding": (while_holding, 2),
}


def reach(world: World, proxy: HoldingProxy, moment: str, started: Callable[..., Any]) -> subprocess.Popen[str]:
    """Start a run and return when it is at the moment, on which nothing but a signal can follow."""
    process, hold = MOMENTS[moment][0](world, proxy, lambda **more: started(proxy.url, **more))
    if isinstance(hold, Hold):
        hold.wait()
    assert process.poll() is None
    assert len(world.replacements()) == MOMENTS[moment][1]
    return process


def prove_undone(world: World, proxy: HoldingProxy, signalled: float, cut: int) -> None:
    """By the call log, by the state, by traffic, by the lock, and by a second undo that has nothing to do."""
    limit = patience()
    if cut:
        back = until(lambda: world.replacements()[cut:][cut - 1 :], limit + 5, "the undo")
        assert back[0][0] - signalled < limit, "undone too late"
    for hold in proxy.holds:
        hold.release(sends=False)
    until(lambda: not keeper.alive(world.folder), 30, "the keeper ends")
    assert [acl for _at, acl in world.replacements()[cut:]] == list(world.subnets.values())[:cut]
    assert world.acls() == world.subnets and world.drills_acls() == []
    assert world.story.edited == [] and pending(world.story.records) == []
    assert world.story.records[-1].kind == "end"
    assert world.lock_owner() is None
    until(lambda: world.zones_that_answer() == set(ZONES), 20, "every zone serves again")


def kills() -> list[Any]:
    """Moments and signals: all pairs, or each moment with one signal in turn."""
    every = [(moment, number) for moment in MOMENTS for number in SIGNALS]
    chosen = every if EVERY_KILL else list(zip(MOMENTS, itertools.cycle(SIGNALS)))
    return [pytest.param(moment, number, id=f"{moment}-{number.name}") for moment, number in chosen]


@pytest.mark.parametrize(("moment", "number"), kills())
def test_a_drill_whose_module_gets_a_signal_is_undone_within_two_seconds(
    world: World, proxy: HoldingProxy, moment: str, number: int
) -> None:
    process = reach(world, proxy, moment, world.module)
    signalled = time.time()
    os.kill(process.pid, number)
    prove_undone(world, proxy, signalled, MOMENTS[moment][1])


@pytest.mark.parametrize("number", SIGNALS if EVERY_KILL else SIGNALS[:1], ids=lambda number: number.name)
def test_a_drill_whose_playbook_gets_a_signal_is_undone_within_two_seconds_and_a_second_undo_finds_nothing(
    world: World, proxy: HoldingProxy, number: int
) -> None:
    process = reach(world, proxy, "while holding", world.playbook)
    signalled = time.time()
    os.kill(process.pid, number)
    prove_undone(world, proxy, signalled, 2)
    process.communicate(timeout=30)
    RemoteLab(world.plane).clear_calls()
    again = world.plane.playbooks.play("playbooks/undo.yml", "--limit", REGION, *extra(run="latest"))
    assert again.code == 0 and again.changed == 0 and "Nothing is left to undo" in again.output
    assert world.plane.calls(kind="write") == []


def test_a_drill_all_of_whose_processes_are_killed_at_once_is_undone_within_two_seconds(
    world: World, proxy: HoldingProxy
) -> None:
    process = reach(world, proxy, "between two subnets", world.playbook)
    signalled = time.time()
    os.killpg(process.pid, signal.SIGKILL)
    prove_undone(world, proxy, signalled, 1)


def test_a_network_acl_whose_request_was_on_its_way_when_the_run_died_is_deleted_too(
    world: World, proxy: HoldingProxy
) -> None:
    """The undo has looked before it arrives, so the keeper looks again."""
    process = reach(world, proxy, "after arming", world.module)
    process.kill()
    until(lambda: len(world.story.of("undone")) == 3, patience() + 5, "the first look")
    assert world.drills_acls() == []
    proxy.holds[0].release(sends=True)
    until(lambda: world.plane.calls(operation="CreateNetworkAcl", kind="write"), 10, "the late request")
    until(lambda: not keeper.alive(world.folder), 30, "the keeper ends")
    assert world.drills_acls() == [] and world.acls() == world.subnets
    assert [record.data["changed"] for record in world.story.of("verify")] == [False, False, True]


def test_a_subnet_is_not_cut_off_by_a_request_that_was_on_its_way_when_the_run_died(
    world: World, proxy: HoldingProxy
) -> None:
    """The network ACL that it names is deleted by then."""
    process = reach(world, proxy, "between two subnets", world.module)
    process.kill()
    until(lambda: len(world.story.of("undone")) == 3, patience() + 5, "the first look")
    proxy.holds[0].release(sends=True)
    until(lambda: not keeper.alive(world.folder), 30, "the keeper ends")
    refused = [call for call in world.plane.calls(operation="ReplaceNetworkAclAssociation") if call["status"] == 400]
    assert [call["error"] for call in refused] == ["InvalidNetworkAclID.NotFound"]
    assert world.acls() == world.subnets and world.drills_acls() == []


def test_a_drill_that_nobody_disturbs_passes_and_leaves_nothing(world: World) -> None:
    process = world.module(world.plane.url, hold=3, subnet_kinds=["app"], secret_key="canary-4711")
    output, errors = process.communicate(timeout=90)
    answer = json.loads(output)
    written = [path.read_text() for path in world.folder.rglob("*") if path.is_file()]
    assert len(written) > 5 and not any("canary-4711" in text for text in [*written, output, errors])
    assert answer.get("verdict") in ("pass", "inconclusive"), (
        answer,
        errors,
    )  # inconclusive: this machine was too busy
    report = json.loads(Path(answer["report_json"]).read_text())
    assert [row["ok"] for row in report["expectations"]] == [True, True, True]
    assert {"inject", "undo", "undone", "redundant"} <= answer["marks"].keys()
    assert any(f"Servers of {ZONE} last answered" in finding for finding in answer["findings"])
    assert world.acls()[next(iter(world.subnets))] and world.drills_acls() == [] and world.lock_owner() is None


def test_of_two_drills_at_once_one_proceeds_and_the_other_names_its_owner_and_writes_nothing(
    world: World, proxy: HoldingProxy
) -> None:
    process = reach(world, proxy, "after the lock", world.module)
    owner, folders = world.lock_owner(), len(list((world.plane.runs / "demo").iterdir()))
    RemoteLab(world.plane).clear_calls()
    second = world.module(world.plane.url, secret_key="lab")
    output, _errors = second.communicate(timeout=60)
    answer = json.loads(output)
    assert answer["failed"] and answer["changed"] is False
    assert "precondition lock" in answer["msg"] and owner.owner in answer["msg"] and owner.run_id in answer["msg"]
    writes = world.plane.calls(kind="write")
    assert [call for call in writes if call["service"] != "ssm"] == []  # the first one's keeper renews its lease
    assert len(list((world.plane.runs / "demo").iterdir())) == folders
    assert process.poll() is None and world.lock_owner().run_id == owner.run_id


def test_check_mode_shows_the_plan_and_writes_nothing(world: World) -> None:
    process = world.module(world.plane.url, _ansible_check_mode=True)
    answer = json.loads(process.communicate(timeout=60)[0])
    assert {row["name"] for row in answer["preconditions"]} >= {"targets", "capacity", "rights", "halt", "lock"}
    assert all(row["ok"] for row in answer["preconditions"]), answer["preconditions"]
    assert answer["target"]["subnets"] == world.subnets and answer["confirm"].startswith("123456789012/demo/")
    assert world.plane.calls(kind="write") == []


def test_production_is_refused_without_its_confirmation_and_with_another_plans(world: World) -> None:
    check = world.module(world.plane.url, environment="production", _ansible_check_mode=True)
    said = json.loads(check.communicate(timeout=60)[0])["confirm"]
    for more in ({}, {"confirm": said, "hold": 61}):
        process = world.module(world.plane.url, environment="production", **more)
        answer = json.loads(process.communicate(timeout=60)[0])
        assert answer["failed"] and answer["msg"].startswith("confirm:")
    assert world.plane.calls(kind="write") == []
