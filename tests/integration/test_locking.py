"""One run at a time: two operators, a killed run, and a lock that is taken knowingly."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from stack import clients_of

from ansible_collections.webstack.aws.plugins.module_utils.operations.lock import Owner, StackLock, claim
from playbooks import Playbooks, Played, extra
from webstack_lab.testing import Lab

SMALL = ("--limit", "eu-west-1")
LOCK = "Take the stack's lock for the whole run"


@pytest.fixture
def site(lab: Lab, tmp_path: Path) -> Iterator[Playbooks]:
    yield Playbooks(lab.url, tmp_path)
    until(lambda: owner_of(lab) is None, 30)
    lab.reset()


@pytest.fixture
def few(site: Playbooks) -> tuple[str, ...]:
    """A stack of two tiers in two regions: enough to be locked, quick to make."""
    return ("--limit", "regions", *extra(webstack_tiers=["assets", "network"]))


def lock_of(lab: Lab) -> StackLock:
    return StackLock(clients_of(lab.url), "demo", "us-east-1", claim("somebody-20250101T000000-0000", "a test"))


def owner_of(lab: Lab) -> Owner | None:
    return lock_of(lab).current()


def until(holds: Callable[[], Any], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.02)


def writes(lab: Lab) -> list[Any]:
    """Write calls, without those to the lock itself."""
    return [call for call in lab.calls("write") if call["service"] != "ssm"]


def children(pid: int) -> list[int]:
    """The processes that a process has started and that live."""
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False)
    return [int(line) for line in found.stdout.split()]


def ours(pid: int, arguments: list[str]) -> bool:
    """Whether a process is still that of a playbook with these arguments."""
    found = subprocess.run(["ps", "-ww", "-o", "args=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return arguments[-1] in found.stdout


def finished(process: Any) -> Played:
    output, errors = process.communicate(timeout=300)
    start = output.find("{")
    answer = json.loads(output[start:]) if start >= 0 else {"plays": [], "stats": {}}
    return Played(process.returncode, answer, output + errors)


def test_of_two_runs_at_once_one_works_and_the_other_names_its_owner_before_its_first_write(
    site: Playbooks, few: tuple[str, ...], lab: Lab
) -> None:
    processes = [site.start("site.yml", *few) for _run in range(2)]
    one, other = (finished(process) for process in processes)
    winner, loser = (one, other) if one.code == 0 else (other, one)
    assert winner.code == 0 and loser.code != 0
    [message] = loser.failures.values()
    [held] = winner.results(LOCK).values()
    assert held["run_id"] in message and held["owner"]["owner"] in message and "force_unlock" in message
    assert winner.results("Start all tiers at once, wait for none") != {}
    assert loser.results("Start all tiers at once, wait for none") == {}
    assert len([call for call in writes(lab) if call["operation"] == "CreateVpc"]) == 2
    assert owner_of(lab) is None


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT], ids=lambda number: number.name)
def test_the_lock_of_a_killed_run_is_free_when_its_last_module_has_ended_and_the_next_run_finishes(
    site: Playbooks, few: tuple[str, ...], lab: Lab, number: int
) -> None:
    process = site.start("site.yml", *few)
    until(lambda: len(writes(lab)) > 10, 60)
    owner = owner_of(lab)
    assert owner is not None and owner.purpose == "site"
    workers = children(process.pid)
    os.killpg(process.pid, number)
    process.communicate(timeout=60)
    until(lambda: owner_of(lab) is None, 30)
    released = lab.calls("write", "ssm")[-1]
    assert json.loads(released["params"]["Value"])["run_id"] == owner.run_id
    assert workers, "a task was under way"
    until(lambda: not any(ours(worker, process.args) for worker in workers), 10)
    seen = len(writes(lab))
    time.sleep(1)
    assert len(writes(lab)) == seen, "the lock was free while somebody was still writing"
    again = site.play("site.yml", *few)
    assert again.code == 0, again.failures


def test_a_tier_alone_takes_the_lock_for_itself_and_regions_take_turns(site: Playbooks, lab: Lab) -> None:
    played = site.play(
        "site.yml", "--tags", "network", "--limit", "regions", *extra(network_flow_log_destination="cloudwatch")
    )
    assert played.code == 0, played.failures
    assert owner_of(lab) is None
    spans: dict[str, list[int]] = {}
    for number, call in enumerate(writes(lab)):
        spans.setdefault(call["region"], []).append(number)
    first, second = sorted((spans["us-east-1"], spans["eu-west-1"]))
    assert first[-1] < second[0]


def test_a_tier_alone_is_refused_while_a_run_holds_the_lock(site: Playbooks, lab: Lab) -> None:
    lease = lock_of(lab).acquire()
    lab.clear_calls()
    played = site.play("site.yml", "--tags", "assets", *SMALL)
    assert played.code != 0 and "somebody-20250101T000000-0000" in " ".join(played.failures.values())
    assert lab.calls("write") == []
    preview = site.play("site.yml", "--check", *SMALL, *extra(webstack_tiers=["assets"]))
    assert preview.code == 0, preview.failures  # looking needs no lock
    lease.release()


def test_a_lock_is_forced_by_typing_the_stack_and_the_run_that_holds_it(site: Playbooks, lab: Lab) -> None:
    lease = lock_of(lab).acquire()
    status = site.play("playbooks/status.yml", *SMALL)
    assert "Locked by" in status.output and lease.record.run_id in status.output
    lab.clear_calls()
    for typed in ({}, {"confirm": "demo", "run": "site-20250101T000000-ffff"}):
        refused = site.play("playbooks/force_unlock.yml", *SMALL, *extra(**typed))
        assert refused.code != 0 and lease.record.owner in " ".join(refused.failures.values())
    assert lab.calls("write") == []
    forced = site.play("playbooks/force_unlock.yml", *SMALL, *extra(confirm="demo", run=lease.record.run_id))
    assert forced.code == 0 and forced.changed == 1 and "It was held by" in forced.output
    assert owner_of(lab) is None
    again = site.play("playbooks/force_unlock.yml", *SMALL, *extra(confirm="demo", run=lease.record.run_id))
    assert again.code == 0 and again.changed == 0 and "Nobody holds the lock" in again.output


def test_undo_without_a_run_says_that_there_is_nothing(site: Playbooks, lab: Lab) -> None:
    played = site.play("playbooks/undo.yml", *SMALL)
    assert played.code == 0 and played.changed == 0 and "Nothing is left to undo" in played.output
    wrong = site.play("playbooks/undo.yml", *SMALL, *extra(run="../x"))
    assert wrong.code != 0 and "run_id: '../x'" in " ".join(wrong.failures.values()) and "Traceback" not in wrong.output
    assert lab.calls("write") == []


def test_a_folder_for_runs_that_cannot_be_written_is_one_clear_error(site: Playbooks, lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    played = site.play("site.yml", *SMALL, *extra(webstack_tiers=["assets"], webstack_runs_dir=str(tmp_path / "file")))
    assert played.code != 0 and "runs_dir" in " ".join(played.failures.values()) and "Traceback" not in played.output
    assert lab.calls("write") == []
