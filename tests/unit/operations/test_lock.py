"""The stack's lock: one owner at a time, whoever is slow, dead or wrong about the time."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier
from typing import Any

import pytest
from stack import clients_of

from ansible_collections.webstack.aws.plugins.module_utils.engine.schedule import Clock
from ansible_collections.webstack.aws.plugins.module_utils.operations import lock as locks
from ansible_collections.webstack.aws.plugins.module_utils.operations.errors import OperationError
from ansible_collections.webstack.aws.plugins.module_utils.operations.heartbeat import Heartbeat
from ansible_collections.webstack.aws.plugins.module_utils.operations.lock import LockHeld, LockLost, StackLock, claim

REGION = "us-east-1"
PATH = "/webstack/demo/lock"


def lock_of(lab: Any, name: str = "a", *, lease: float = 60.0, clock: Clock | None = None, **changes: Any) -> StackLock:
    owner = replace(claim(f"site-20250101T000000-000{name}", "site.yml"), owner=f"{name}@there", **changes)
    return StackLock(clients_of(lab.url), "demo", REGION, owner, clock, lease)


def parameters(lab: Any) -> list[str]:
    answer = lab.client("ssm", REGION).get_parameters_by_path(Path=PATH)
    return sorted(parameter["Name"] for parameter in answer["Parameters"])


def age(lab: Any, lock: StackLock, seconds: float) -> None:
    """Make the newest generation older."""
    last = lock.last()
    assert last is not None
    lock.write(replace(last, heartbeat=last.heartbeat - seconds, expires=last.expires - seconds))


def test_the_lock_is_made_by_a_call_that_cannot_overwrite_and_carries_the_tag_of_its_stack(lab: Any) -> None:
    lease = lock_of(lab).acquire()
    assert lease.generation == 1
    [made] = lab.calls("write", "ssm")
    assert made["operation"] == "PutParameter" and made["params"]["Overwrite"] is False
    assert made["params"]["Name"] == f"{PATH}/00000001" and made["params"]["Type"] == "String"
    assert {"Key": "webstack:stack", "Value": "demo"} in made["params"]["Tags"]


def test_of_two_that_race_a_hundred_times_exactly_one_wins_each_time(lab: Any) -> None:
    one, other = lock_of(lab, "a"), lock_of(lab, "b")
    with ThreadPoolExecutor(2) as pool:
        for number in range(1, 101):
            barrier = Barrier(2)

            def race(lock: StackLock, barrier: Barrier = barrier) -> Any:
                barrier.wait()
                try:
                    return lock.acquire()
                except LockHeld as refused:
                    return refused

            results = list(pool.map(race, (one, other)))
            [winner] = [result for result in results if not isinstance(result, LockHeld)]
            [held] = [result for result in results if isinstance(result, LockHeld)]
            assert held.owner.token == winner.record.token and winner.generation == number
            winner.release()


def test_who_is_refused_is_told_who_since_when_until_when_and_what_to_do(lab: Any) -> None:
    lock_of(lab, "a").acquire()
    lab.clear_calls()
    with pytest.raises(LockHeld) as refused:
        lock_of(lab, "b").acquire()
    text = str(refused.value)
    for word in (
        "a@there",
        "site-20250101T000000-000a",
        "site.yml",
        "since 20",
        "heartbeat",
        "expires at",
        "force_unlock",
    ):
        assert word in text
    assert lab.calls("write") == []


def test_a_released_lock_is_free_and_its_generations_do_not_pile_up(lab: Any) -> None:
    for number in range(1, 9):
        lease = lock_of(lab).acquire()
        assert lease.generation == number
        lease.release()
        lease.release()
    assert lock_of(lab).current() is None
    assert parameters(lab) == [f"{PATH}/{number:08d}" for number in range(5, 9)]


def test_a_slow_taker_that_read_an_old_state_does_not_get_in(lab: Any) -> None:
    """It read generation 1, free; meanwhile 2 to 6 were held and released, and 2 was deleted: 2 can be made again."""

    class Slow(StackLock):
        stale: Any = None

        def last(self) -> Any:
            if self.stale is None:
                self.stale = super().last()
                for _ in range(5):
                    lease = lock_of(lab, "b").acquire()
                    if lease.generation < 6:
                        lease.release()
                return self.stale
            return super().last()

    lock_of(lab, "b").acquire().release()
    slow = Slow(clients_of(lab.url), "demo", REGION, claim("site-20250101T000000-000c", "slow"))
    with pytest.raises(LockHeld) as refused:
        slow.acquire()
    assert refused.value.owner.generation == 6
    assert slow.stale.generation == 1
    assert f"{PATH}/00000002" not in parameters(lab)


def test_an_answer_that_was_lost_after_the_lock_was_made_is_not_somebody_else(lab: Any) -> None:
    class Twice(StackLock):
        def _make(self, record: Any) -> bool:
            return super()._make(record) and super()._make(record)  # the SDK asks again, and AWS says that it exists

    lease = Twice(clients_of(lab.url), "demo", REGION, claim("site-20250101T000000-000a", "")).acquire()
    assert lease.generation == 1 and lease.lost is None


def test_an_expired_lock_is_taken_over_and_its_former_owner_stops(lab: Any) -> None:
    first = lock_of(lab, "a")
    lease = first.acquire()
    age(lab, first, 60 + locks.GRACE - 2)
    with pytest.raises(LockHeld):
        lock_of(lab, "b").acquire()  # expired, but its owner has a moment to notice
    age(lab, first, 3)
    second = lock_of(lab, "b").acquire()
    assert second.generation == 2
    lab.clear_calls()
    with pytest.raises(LockLost, match="b@there"):
        lease.renew()
    assert lease.lost and lab.calls("write") == []
    lease.release()
    assert lock_of(lab).current().owner == "b@there"


def test_an_expired_lease_is_lost_without_asking_and_never_renewed(lab: Any) -> None:
    lease = lock_of(lab, lease=0.2).acquire()
    assert lease.lost is None
    time.sleep(0.3)
    lab.clear_calls()
    assert "expired" in str(lease.lost)
    with pytest.raises(LockLost):
        lease.renew()
    assert lab.calls() == []


def test_a_heartbeat_keeps_the_lock_beyond_its_first_lease(lab: Any) -> None:
    lease = lock_of(lab, lease=1.0).acquire()
    heartbeat = Heartbeat(lease, every=0.1)
    heartbeat.start()
    time.sleep(1.5)
    heartbeat.stop()
    assert lease.lost is None
    puts = [call for call in lab.calls("write") if call["params"].get("Overwrite")]
    assert len(puts) >= 3
    with pytest.raises(LockHeld):
        lock_of(lab, "b").acquire()


def test_a_heartbeat_that_only_looks_writes_nothing_and_sees_a_takeover(lab: Any) -> None:
    lease = lock_of(lab, "a").acquire()
    seen = lock_of(lab, "a").adopt(lease.record.run_id)
    lab.clear_calls()
    watch = Heartbeat(seen, renews=False, every=0.02)
    watch.start()
    time.sleep(0.1)
    assert seen.lost is None and lab.calls("write") == []
    lock_of(lab, "b").force()
    deadline = time.monotonic() + 5
    while seen.lost is None and time.monotonic() < deadline:
        time.sleep(0.01)
    watch.stop()
    assert "taken away by force" in str(seen.lost)


def test_force_leaves_the_lock_free_says_who_held_it_and_fences_the_owner_out(lab: Any) -> None:
    lease = lock_of(lab, "a").acquire()
    former = lock_of(lab, "b").force()
    assert former is not None and former.owner == "a@there"
    assert lock_of(lab).current() is None
    with pytest.raises(LockLost, match="taken away by force"):
        lease.renew()
    assert lock_of(lab, "b").force() is None
    assert lock_of(lab, "b").acquire().generation == 3


def test_a_clock_that_is_an_hour_wrong_neither_steals_nor_waits(lab: Any) -> None:
    class Wrong(Clock):
        def wall(self) -> float:
            return time.time() + 3600

    lock_of(lab, "a").acquire()
    wrong = lock_of(lab, "b", clock=Wrong())
    with pytest.raises(LockHeld):
        wrong.acquire()
    lock_of(lab).force()
    lease = wrong.acquire()
    assert abs(lease.record.expires - time.time() - 60) < 5


def test_removal_leaves_no_parameter_and_the_next_lock_begins_anew(lab: Any) -> None:
    before = lab.snapshot()
    for _ in range(3):
        lock_of(lab).acquire().release()
    lock = lock_of(lab)
    lease = lock.acquire()
    assert lock.remove() and not lock.remove()
    assert parameters(lab) == [] and lab.snapshot() == before
    with pytest.raises(LockLost, match="removed"):
        lease.renew()
    lease.release()
    assert lab.snapshot() == before
    assert lock_of(lab).acquire().generation == 1


def test_a_lock_of_a_dead_process_of_this_machine_that_was_alone_is_taken_at_once(lab: Any) -> None:
    dead = 2**22 + 1  # above the highest id that Linux gives
    alone = lock_of(lab, "a", alone=True, pid=dead)
    if not alone.owner.machine:
        pytest.skip("this system does not tell its machines apart")
    alone.acquire()
    assert lock_of(lab, "b").acquire().generation == 2
    kept = lock_of(lab, "c", pid=dead)  # a keeper's run may have other processes that write
    lock_of(lab).force()
    kept.acquire()
    with pytest.raises(LockHeld):
        lock_of(lab, "d").acquire()
    lock_of(lab).force()
    lock_of(lab, "e", alone=True, pid=dead, machine="another").acquire()
    with pytest.raises(LockHeld):
        lock_of(lab, "f").acquire()


def test_what_is_no_lock_is_named(lab: Any) -> None:
    lab.client("ssm", REGION).put_parameter(Name=f"{PATH}/00000001", Value="hello", Type="String")
    with pytest.raises(OperationError, match="/webstack/demo/lock/00000001 is in the place of a lock"):
        lock_of(lab).acquire()
