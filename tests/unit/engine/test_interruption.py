"""Somebody interrupts a run, or nobody is there any more to whom it reports: what is under way is finished, nothing new begins."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
from toys import Cloud, Slow, Thing, converger, ours

from ansible_collections.webstack.aws.plugins.module_utils.engine import interruption
from ansible_collections.webstack.aws.plugins.module_utils.engine.interruption import (
    Controller,
    Interruption,
    leave_report,
    parent_of,
    reports_home,
)

# A playbook's process, a worker in a session of its own, and a module that says when its playbook has ended.
FAMILY = """
import os, signal, sys, time
from ansible_collections.webstack.aws.plugins.module_utils.engine.interruption import Interruption
if os.fork():
    time.sleep(60)
os.setsid()
if os.fork():
    os.wait()
    os._exit(0)
with Interruption() as interruption:
    print(os.getpid(), interruption.reason, flush=True)
    while not interruption.reason:
        time.sleep(0.05)
    print(interruption.reason, flush=True)
"""


def until(holds: object) -> None:
    deadline = time.monotonic() + 10
    while not holds():  # type: ignore[operator]  # a function
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_first_signal_is_a_reason_to_stop_and_the_handlers_come_back(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with Interruption() as interrupted:
        assert interrupted.reason is None
        os.kill(os.getpid(), number)
        until(lambda: interrupted.reason)
        assert str(interrupted.reason).startswith(f"Interrupted by {number.name}")
        assert signal.getsignal(number) is before, "a second signal must end it"
    assert signal.getsignal(number) is before


def test_a_module_whose_playbook_was_killed_notices_it() -> None:
    command = [sys.executable, "-c", FAMILY, "ansible-playbook"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert process.stdout is not None
    assert process.stdout.readline().endswith(" None\n")
    process.send_signal(signal.SIGKILL)
    assert process.stdout.readline().startswith("The playbook has ended without waiting for this task")
    process.stdout.close()
    process.wait()


def test_looks_for_the_playbook_now_and_then() -> None:
    class Ended(Controller):
        def has_ended(self) -> bool:
            return True

    with Interruption(Ended()) as interrupted:
        assert str(interrupted.reason).startswith("The playbook has ended")


def test_without_a_worker_of_ansible_nobody_is_missed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(interruption, "command_of", lambda pid: "bash")
    assert not Controller().has_ended()
    monkeypatch.undo()
    assert parent_of(2**22 + 1) is None and interruption.command_of(2**22 + 1) == ""
    assert parent_of(os.getpid()) == os.getppid()


def test_the_report_of_an_interrupted_run_is_left_for_its_user_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ANSIBLE_HOME", str(tmp_path / "ansible"))
    path = leave_report("demo-eu-west-1", {"msg": "Interrupted", "actions": []}, reports_home())
    assert path is not None and Path(path).parent == tmp_path / "ansible" / "webstack"
    assert json.loads(Path(path).read_text())["msg"] == "Interrupted"
    assert stat.S_IMODE(Path(path).stat().st_mode) == 0o600
    (tmp_path / "file").touch()
    assert leave_report("demo", {}, tmp_path / "file") is None


def test_a_stopped_run_tells_what_was_done_what_goes_on_and_what_was_not_started() -> None:
    cloud = Cloud(lifecycle={"slow": ["creating"] * 100})
    reasons: list[str] = []

    class Last(Thing):
        def create(self, client: Cloud, want: dict[str, object]) -> None:
            super().create(client, want)
            reasons.append("Interrupted by SIGINT")

    first = Thing("first")
    run = converger(
        cloud,
        first,
        Slow("slow"),
        Thing("never", [Last("last", [first])]),
        kinds=[Thing, Slow, Last],
        stop=lambda: reasons[0] if reasons else None,
    )
    run.plan(preview=False)
    report = run.apply()
    assert report.stopped == "Interrupted by SIGINT" and report.changed and report.failed == []
    assert {action["address"] for action in report.actions if action["verb"] == "create"} == {
        "Thing[first]",
        "Last[last]",
        "Slow[slow]",
    }
    assert report.pending == ["Slow[slow]"] and report.not_started == ["Thing[never]"]
    assert "create never" not in cloud.log


def test_a_run_without_a_step_may_have_something_to_finish() -> None:
    cloud = Cloud({"one": ours("Slow", "one", state="creating"), "two": ours("Slow", "two", state="available")})
    run = converger(cloud, Slow("one"), Slow("two"))
    assert run.plan(preview=False) == []
    assert [one.name for one in run.unfinished] == ["one"]
