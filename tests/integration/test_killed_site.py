"""site.yml is killed, interrupted, or meets a bad day, and the stack ends where an undisturbed run ends.

Ten kills at seeded calls; `make test` does one of them, `make crash` does all.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from likeness import Likeness, difference, likeness

from playbooks import ROOT, Playbooks, extra
from webstack_lab.profiles import read_profile
from webstack_lab.testing import Lab

ALL = bool(os.environ.get("WEBSTACK_ALL_KILLS"))
SEEDS = range(10) if ALL else [1]
QUIET = 60  # seconds until the lock of a killed run is free


@pytest.fixture(scope="module")
def site(running_lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Playbooks]:
    yield Playbooks(running_lab.url, tmp_path_factory.mktemp("home"))
    running_lab.reset()


def picture(lab: Lab) -> Likeness:
    """The account without the stack's lock, which remembers its owners."""
    services = {name: regions for name, regions in lab.snapshot(detail=True).items() if name != "ssm"}
    return likeness(services, placement=False)


def writes(lab: Lab) -> int:
    """Write calls so far, those to the lock apart."""
    return sum(call["service"] != "ssm" for call in lab.calls("write"))


@pytest.fixture(scope="module")
def undisturbed(site: Playbooks, running_lab: Lab) -> tuple[Likeness, int]:
    running_lab.reset()
    running_lab.clear_calls()
    played = site.play("site.yml")
    assert played.code == 0, played.failures or played.output[-3000:]
    return picture(running_lab), writes(running_lab)


def descendants(pid: int) -> list[int]:
    """A process and all that it has started, workers in their own sessions included; the lock's keeper is nobody's child."""
    listed = subprocess.run(["ps", "-e", "-o", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    parents = dict(tuple(map(int, line.split())) for line in listed.splitlines())
    found = [pid]
    for one in found:
        found += [child for child, parent in parents.items() if parent == one]
    return found


@pytest.mark.parametrize("seed", SEEDS)
def test_a_killed_site_run_is_finished_by_the_next(
    site: Playbooks, running_lab: Lab, undisturbed: tuple[Likeness, int], seed: int
) -> None:
    """Even seeds: the process group of ansible-playbook, whose modules live on. Odd ones: everything, as when the machine is lost."""
    wanted, number = undisturbed
    running_lab.reset()
    running_lab.clear_calls()
    fatal = random.Random(seed).randint(1, number - 1)
    process = site.start("site.yml")
    while writes(running_lab) < fatal and process.poll() is None:
        time.sleep(0.002)
    assert process.poll() is None, "it ended before it could be killed"
    victims = descendants(process.pid) if seed % 2 else []
    os.killpg(process.pid, signal.SIGKILL)
    for victim in victims:
        try:
            os.kill(victim, signal.SIGKILL)
        except ProcessLookupError:
            continue
    process.communicate(timeout=60)
    done = writes(running_lab)
    assert fatal <= done < number, "it was not killed in the middle"
    deadline = time.monotonic() + QUIET
    again = site.play("site.yml")
    while again.code != 0 and "lock" in str(again.failures) and time.monotonic() < deadline:
        time.sleep(0.5)
        again = site.play("site.yml")
    assert again.code == 0, again.failures or again.output[-3000:]
    assert difference(picture(running_lab), wanted) == ""
    running_lab.clear_calls()
    third = site.play("site.yml")
    assert third.code == 0 and third.changed == 0 and writes(running_lab) == 0


def test_a_site_run_on_a_bad_day_ends_green(
    site: Playbooks, running_lab: Lab, undisturbed: tuple[Likeness, int]
) -> None:
    """Throttled, failing and lost answers, at the real pace of the SDK's attempts, the lock's own calls included."""
    running_lab.reset()
    running_lab.app.unreliable.load(read_profile(ROOT / "lab" / "profiles" / "bad-day.yml"))
    try:
        played = site.play("site.yml")
        struck = running_lab.app.unreliable.counts()
    finally:
        running_lab.app.unreliable.load(None)
    assert played.code == 0, played.failures or played.output[-3000:]
    assert struck["throttle"] > 50 and struck["server_error"] and struck["reset"]
    assert difference(picture(running_lab), undisturbed[0]) == ""
    running_lab.clear_calls()
    again = site.play("site.yml")
    assert again.code == 0 and again.changed == 0 and writes(running_lab) == 0


def test_an_interrupted_site_run_finishes_what_is_under_way_and_leaves_its_report(
    site: Playbooks, running_lab: Lab, tmp_path: Path
) -> None:
    running_lab.reset()
    running_lab.clear_calls()
    few = ("--limit", "us-east-1", *extra(webstack_tiers=["network"], network_flow_log_destination="cloudwatch"))
    process = site.start("site.yml", *few, ANSIBLE_HOME=str(tmp_path))
    while writes(running_lab) < 20 and process.poll() is None:
        time.sleep(0.002)
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode != 0
    deadline = time.monotonic() + QUIET
    while not (reports := list((tmp_path / "webstack").glob("demo-us-east-1-*.json"))):
        assert time.monotonic() < deadline, "the module left no report"
        time.sleep(0.05)
    time.sleep(0.5)
    report = json.loads(reports[0].read_text())
    assert report["msg"].startswith("Interrupted by SIGINT: nothing new was started")
    assert report["changed"] and report["not_started"] and any(action["ok"] for action in report["actions"])
    done = writes(running_lab)
    time.sleep(1)
    assert writes(running_lab) == done, "it went on"
