"""A module writes only while the lock is its own, or its run's."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from stack import clients_of

from ansible_collections.webstack.aws.plugins.module_utils.engine.errors import OptionError
from ansible_collections.webstack.aws.plugins.module_utils.operations import writing as writings
from ansible_collections.webstack.aws.plugins.module_utils.operations.errors import OperationError
from ansible_collections.webstack.aws.plugins.module_utils.operations.lock import LockHeld, LockLost, StackLock, claim
from ansible_collections.webstack.aws.plugins.module_utils.operations.writing import Writing, new_run_id

REGION = "eu-west-1"
HOME = "us-east-1"


@pytest.fixture(autouse=True)
def own_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))


def lock_of(lab: Any, run_id: str = "other-20250101T000000-0000") -> StackLock:
    return StackLock(clients_of(lab.url), "demo", HOME, claim(run_id, "something else"))


def writing(lab: Any, **options: Any) -> Writing:
    return Writing(clients_of(lab.url), "demo", REGION, "network in eu-west-1", **options)


def test_a_call_by_itself_takes_the_lock_in_the_home_region_and_returns_it(lab: Any) -> None:
    with writing(lab) as mine:
        owner = lock_of(lab).current()
        assert owner is not None and owner.purpose == "network in eu-west-1" and owner.pid == os.getpid()
        assert mine.stop() is None and not mine.waited
    assert lock_of(lab).current() is None
    assert {call["region"] for call in lab.calls(service="ssm")} == {HOME}


def test_the_lock_is_kept_where_the_option_says(lab: Any) -> None:
    with writing(lab, lock_region="eu-central-1"):
        assert {call["region"] for call in lab.calls(service="ssm")} == {"eu-central-1"}


def test_a_call_by_itself_is_refused_while_a_run_holds_the_lock(lab: Any) -> None:
    lock_of(lab).acquire()
    lab.clear_calls()
    with pytest.raises(LockHeld, match="something else"), writing(lab):
        raise AssertionError
    assert lab.calls("write") == []


def test_two_calls_of_one_play_take_turns_and_the_second_knows_that_it_waited(lab: Any) -> None:
    entered, leave = threading.Event(), threading.Event()

    def first() -> None:
        with writing(lab):
            entered.set()
            leave.wait(10)

    thread = threading.Thread(target=first)
    thread.start()
    entered.wait(10)
    threading.Timer(0.5, leave.set).start()
    begin = time.monotonic()
    with writing(lab) as second:
        assert second.waited and time.monotonic() - begin >= 0.4
    thread.join()


def test_a_call_of_a_run_that_holds_the_lock_writes_nothing_to_it(lab: Any) -> None:
    run_id = new_run_id("site")
    lock_of(lab, run_id).acquire()
    lab.clear_calls()
    with writing(lab, run_id=run_id) as part:
        assert part.stop() is None
    assert lab.calls("write") == []
    assert lock_of(lab).current().run_id == run_id


@pytest.mark.parametrize("happened", ["never held", "released", "forced", "taken over", "removed"])
def test_a_call_of_a_run_that_does_not_hold_the_lock_any_more_is_refused(lab: Any, happened: str) -> None:
    run_id = new_run_id("site")
    if happened != "never held":
        lease = lock_of(lab, run_id).acquire()
    if happened == "released":
        lease.release()
    elif happened == "removed":
        lock_of(lab).remove()
    elif happened != "never held":
        lock_of(lab).force()
    if happened == "taken over":
        lock_of(lab).acquire()
    lab.clear_calls()
    with pytest.raises(LockLost, match=run_id), writing(lab, run_id=run_id):
        raise AssertionError
    assert lab.calls("write") == []


def test_a_call_learns_in_the_middle_that_its_run_lost_the_lock(lab: Any) -> None:
    run_id = new_run_id("site")
    lock_of(lab, run_id).acquire()
    with writing(lab, run_id=run_id, every=0.02) as part:
        assert part.stop() is None
        lock_of(lab).force()
        deadline = time.monotonic() + 5
        while part.stop() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        assert "taken away by force" in str(part.stop())


def test_a_call_by_itself_keeps_its_lock_as_long_as_it_works_and_stops_when_it_is_taken(lab: Any) -> None:
    with writing(lab, lease=0.6, every=0.1) as mine:
        time.sleep(1.0)
        assert mine.stop() is None
        lock_of(lab).force()
        deadline = time.monotonic() + 5
        while mine.stop() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        assert mine.stop()


@pytest.mark.parametrize(
    "run_id", ["../../etc/passwd", "site", "Site-20250101T000000-0000", "a b-20250101T000000-0000"]
)
def test_what_is_no_run_id_is_refused(lab: Any, run_id: str) -> None:
    with pytest.raises(OptionError, match="run_id"):
        writing(lab, run_id=run_id)
    assert lab.calls() == []


def test_a_link_in_the_place_of_the_writers_file_is_not_followed(tmp_path: Path) -> None:
    run_id = new_run_id("site")
    writings.writers_file(run_id).symlink_to(tmp_path / "victim")
    with pytest.raises((OSError, OperationError)):
        writings.open_writers_file(run_id)
    assert not (tmp_path / "victim").exists()
