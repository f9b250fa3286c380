"""The keeper: whatever becomes of a run, what it changed for a while is restored at once, and its lock is free."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from stack import clients_of

from ansible_collections.webstack.aws.plugins.module_utils.operations import keeper
from ansible_collections.webstack.aws.plugins.module_utils.operations.journal import Story, read
from ansible_collections.webstack.aws.plugins.module_utils.operations.lock import LockHeld, StackLock, claim
from ansible_collections.webstack.aws.plugins.module_utils.operations.recovery import recover
from ansible_collections.webstack.aws.plugins.module_utils.operations.undo import pending
from ansible_collections.webstack.aws.plugins.module_utils.operations.writing import Writing, writers_file

pytestmark = pytest.mark.measured  # it counts seconds and requests, so nothing else may run beside it

HERE = Path(__file__).parent
REGION = "us-east-1"
SOON = 2.0  # seconds from a death to the undo, as promised


@dataclass
class World:
    """A subnet with its network ACL, and another ACL that lets nothing through."""

    lab: Any
    runs_dir: Path
    vpc: str = ""
    subnet: str = ""
    acl: str = ""
    closed: str = ""
    processes: list[subprocess.Popen[str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        client = self.lab.client("ec2", REGION)
        self.vpc = client.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        self.subnet = client.create_subnet(VpcId=self.vpc, CidrBlock="10.0.1.0/24")["Subnet"]["SubnetId"]
        self.acl = self.association["NetworkAclId"]
        self.closed = client.create_network_acl(VpcId=self.vpc)["NetworkAcl"]["NetworkAclId"]
        self.lab.clear_calls()

    @property
    def association(self) -> dict[str, str]:
        filters = [{"Name": "association.subnet-id", "Values": [self.subnet]}]
        [acl] = self.lab.client("ec2", REGION).describe_network_acls(Filters=filters)["NetworkAcls"]
        [found] = [one for one in acl["Associations"] if one["SubnetId"] == self.subnet]
        return dict(found)

    def start(self, stage: str, **options: Any) -> subprocess.Popen[str]:
        """Start a run that waits at a stage, and wait until it is there."""
        given = {
            "url": self.lab.url,
            "runs_dir": str(self.runs_dir),
            "stage": stage,
            "subnet": self.subnet,
            "acl": self.acl,
            "closed": self.closed,
            "association": self.association["NetworkAclAssociationId"],
            **options,
        }
        process = subprocess.Popen(
            [sys.executable, str(HERE / "operation_run.py"), json.dumps(given)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.processes.append(process)
        assert process.stdout
        for line in process.stdout:
            if line.strip() == stage or (stage == "stopped" and line.strip() == "acknowledged"):
                return process
        raise AssertionError(f"it ended with {process.wait()} before it was {stage}")

    @property
    def folder(self) -> Path:
        [folder] = (self.runs_dir / "demo").iterdir()
        return folder

    @property
    def story(self) -> Story:
        return read(self.folder / "journal.jsonl")

    @property
    def keeper_pid(self) -> int:
        return int(keeper.state_of(self.folder)["pid"])

    def lock(self) -> StackLock:
        return StackLock(clients_of(self.lab.url), "demo", REGION, claim("look-20250101T000000-0000", "look"))

    def replacements(self) -> list[Any]:
        return list(self.lab.calls("write", "ec2", "ReplaceNetworkAclAssociation"))

    def await_end(self) -> None:
        until(lambda: not keeper.alive(self.folder), 15)


def until(holds: Callable[[], Any], seconds: float) -> float:
    """Wait until something holds; how long that took."""
    begin = time.monotonic()
    while not holds():
        assert time.monotonic() - begin < seconds, "it took too long"
        time.sleep(0.005)
    return time.monotonic() - begin


@pytest.fixture
def world(lab: Any, tmp_path: Path) -> Iterator[World]:
    world = World(lab, tmp_path / "runs")
    yield world
    for process in world.processes:
        if process.poll() is None:
            process.kill()
        process.communicate()
    for folder in (tmp_path / "runs").glob("demo/*"):
        until(
            lambda folder=folder: not keeper.alive(folder), 15
        )  # it cleans up; the next test has an account of its own


def restored(world: World) -> None:
    """The subnet has its ACL, by one call; the lock is free; nothing is left to undo; nobody lives."""
    world.await_end()
    assert world.association["NetworkAclId"] == world.acl
    back = world.replacements()[1:]
    assert [call["params"]["NetworkAclId"] for call in back] == [world.acl]
    assert world.lock().current() is None and not writers_file(world.folder.name).exists()
    assert world.story.edited == [] and pending(world.story.records) == []
    assert world.story.records[-1].kind == "end"
    world.lab.clear_calls()
    again = recover(clients_of(world.lab.url), "demo", REGION, "latest", world.runs_dir, False)
    assert again["changed"] is False and again["undone"] == [] and world.lab.calls("write") == []


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_a_run_whose_processes_get_a_signal_is_undone_within_two_seconds(world: World, number: int) -> None:
    process = world.start("injected")
    assert world.association["NetworkAclId"] == world.closed
    os.killpg(process.pid, number)
    assert until(lambda: len(world.replacements()) == 2, SOON) < SOON
    restored(world)


@pytest.mark.parametrize("stage", ["begun", "armed", "injected", "acknowledged"])
def test_a_run_that_is_killed_at_any_stage_leaves_nothing(world: World, stage: str) -> None:
    process = world.start(stage)
    process.kill()
    world.await_end()
    assert world.association["NetworkAclId"] == world.acl
    assert len(world.replacements()) == (2 if stage in ("injected", "acknowledged") else 0)
    assert world.lock().current() is None and pending(world.story.records) == []


@pytest.mark.skipif(not Path("/proc/self/comm").exists(), reason="only Linux lets a process change its name")
def test_who_kills_playbooks_by_name_does_not_mean_the_keeper(world: World) -> None:
    world.start("begun")
    assert Path(f"/proc/{world.keeper_pid}/comm").read_text().strip() == "webstack-keeper"


def test_the_promise_is_on_the_disk_and_the_keeper_is_ready_before_the_fault(world: World) -> None:
    world.start("armed")
    assert world.replacements() == []
    kinds = [record.kind for record in world.story.records]
    assert kinds == ["lock", "undo", "arm"]
    assert world.story.records[1].data["data"]["network_acl_id"] == world.acl


def test_a_module_that_outlives_its_playbook_is_ended_before_the_undo(world: World) -> None:
    controller = subprocess.Popen(["sleep", "600"], text=True)
    world.processes.append(controller)
    process = world.start("injected", controller=controller.pid)
    controller.kill()
    assert until(lambda: len(world.replacements()) == 2, SOON) < SOON
    assert process.wait(1) == -signal.SIGTERM
    restored(world)


def test_a_module_that_ignores_being_asked_is_killed(world: World) -> None:
    controller = subprocess.Popen(["sleep", "600"], text=True)
    world.processes.append(controller)
    process = world.start("injected", controller=controller.pid)
    os.kill(process.pid, signal.SIGSTOP)
    os.waitid(os.P_PID, process.pid, os.WSTOPPED)  # from now on it cannot even hear SIGTERM
    controller.kill()
    assert until(lambda: len(world.replacements()) == 2, SOON) < SOON
    assert process.wait(1) == -signal.SIGKILL
    restored(world)


def test_a_keeper_that_is_told_to_end_undoes_first(world: World) -> None:
    world.start("injected")
    os.kill(world.keeper_pid, signal.SIGTERM)
    assert until(lambda: len(world.replacements()) == 2, SOON) < SOON
    restored(world)


def test_a_keeper_does_not_hear_what_the_terminal_sends(world: World) -> None:
    process = world.start("injected", read=True)
    assert os.getsid(world.keeper_pid) != os.getsid(process.pid)
    for number in (signal.SIGINT, signal.SIGHUP):
        os.kill(world.keeper_pid, number)
    time.sleep(0.3)
    assert keeper.alive(world.folder) and len(world.replacements()) == 1
    process.communicate("finish\n")
    restored(world)


def test_a_run_that_finishes_is_undone_once_and_its_lock_is_free(world: World) -> None:
    process = world.start("injected", read=True)
    output, _errors = process.communicate("finish\n", timeout=20)
    assert process.returncode == 0 and json.loads(output.splitlines()[-1]) == []
    assert not world.story.of("abort")
    restored(world)


def test_an_undo_that_fails_is_repeated_and_does_not_hold_up_the_others(world: World, tmp_path: Path) -> None:
    process = world.start("injected", reluctant=str(tmp_path / "attempts"))
    process.kill()
    assert until(lambda: len(world.replacements()) == 2, SOON) < SOON
    restored(world)
    assert (tmp_path / "attempts").read_text() == "xxxx"  # and once more: a request may have been on its way
    assert [note.data["failed"] for note in world.story.of("note")] == ["not yet", "not yet"]


def test_a_keeper_that_is_still_undoing_does_not_cost_the_run_its_report(world: World, tmp_path: Path) -> None:
    process = world.start("injected", reluctant=str(tmp_path / "attempts"), read=True, ending=0.1)
    output, _errors = process.communicate("finish\n", timeout=20)
    left, [finding] = json.loads(output.splitlines()[-1])
    assert "reluctant" in left
    assert "is still undoing" in finding and "keeper.log" in finding
    world.await_end()  # it goes on
    assert (tmp_path / "attempts").read_text() == "xxx" and pending(world.story.records) == []


def test_the_lock_is_held_while_the_run_lives_and_its_keeper_sends_heartbeats(world: World) -> None:
    world.start("begun")
    with pytest.raises(LockHeld, match="isolating a subnet"):
        world.lock().acquire()
    before = world.lock().current()
    until(lambda: world.lock().current().heartbeat > before.heartbeat, 5)


def test_a_run_whose_lock_is_forced_is_told_to_stop(world: World) -> None:
    process = world.start("stopped")
    world.lock().force()
    output, _errors = process.communicate(timeout=20)
    assert "taken away by force" in output.splitlines()[0]
    assert world.association["NetworkAclId"] == world.acl


def test_a_run_whose_keeper_was_killed_is_told_to_stop_and_undoes_by_itself(world: World) -> None:
    process = world.start("stopped")
    os.kill(world.keeper_pid, signal.SIGKILL)
    output, _errors = process.communicate(timeout=20)
    assert "is gone" in output.splitlines()[0]
    restored(world)


def test_what_is_left_when_everything_died_at_once_is_undone_from_the_journal(world: World) -> None:
    process = world.start("injected")
    os.kill(world.keeper_pid, signal.SIGKILL)
    process.kill()
    until(lambda: not keeper.alive(world.folder), 5)
    world.lab.clear_calls()
    clients = clients_of(world.lab.url)
    shown = recover(clients, "demo", REGION, "latest", world.runs_dir, True)
    assert shown["changed"] and [row["target"] for row in shown["undone"]] == [world.subnet]
    assert world.lab.calls("write") == []
    done = recover(clients, "demo", REGION, world.folder.name, world.runs_dir, False)
    assert done["changed"] and done["undone"][0]["changed"] is True
    assert world.association["NetworkAclId"] == world.acl and world.lock().current() is None
    again = recover(clients, "demo", REGION, "latest", world.runs_dir, False)
    assert again["changed"] is False and again["undone"] == []


def test_the_lock_of_a_dead_run_is_kept_until_its_last_module_has_stopped_writing(world: World) -> None:
    process = world.start("begun")
    run_id = world.folder.name
    with Writing(clients_of(world.lab.url), "demo", REGION, "network", run_id=run_id) as writing:
        process.kill()
        until(lambda: world.story.of("abort"), SOON)
        time.sleep(0.3)
        assert world.lock().current().run_id == run_id and writing.stop() is None
    until(lambda: world.lock().current() is None, SOON)


def test_the_prober_of_a_run_samples_until_its_end_also_after_the_run_was_killed(world: World) -> None:
    spec = {"name": "lab", "kind": "tcp", "host": "127.0.0.1", "port": int(world.lab.url.rsplit(":", 1)[1]), "rate": 50}
    process = world.start("injected", specs=[spec])
    samples = world.folder / "samples.jsonl"
    until(lambda: samples.exists() and samples.read_text().count("\n") >= 5, 5)
    process.kill()
    world.await_end()
    rows = [json.loads(line) for line in samples.read_text().splitlines()]
    undone = world.story.of("undone")[0].time
    assert all(row["ok"] for row in rows) and rows[-1]["scheduled"] >= undone - 0.1


def test_a_keeper_that_cannot_begin_leaves_neither_lock_nor_folder(world: World) -> None:
    bad = {"name": "db", "kind": "postgresql", "host": "h", "user": "u", "database": "d", "password_file": "/none"}
    with pytest.raises(AssertionError, match="it ended with 1"):
        world.start("begun", specs=[bad])
    assert world.lock().current() is None
    assert not (world.runs_dir / "demo").exists()


def test_a_second_run_is_refused_before_it_leaves_a_trace(world: World) -> None:
    world.start("begun")
    world.lab.clear_calls()
    with pytest.raises(AssertionError, match="it ended with 1"):
        world.start("begun")
    assert [call for call in world.lab.calls("write") if not call["params"].get("Overwrite")] == []
    assert len(list((world.runs_dir / "demo").iterdir())) == 1


def test_no_file_of_a_run_holds_a_secret(world: World) -> None:
    process = world.start("injected", secret="canary-4711", read=True)
    process.communicate("finish\n", timeout=20)
    for path in world.folder.iterdir():
        assert "canary-4711" not in path.read_text()
