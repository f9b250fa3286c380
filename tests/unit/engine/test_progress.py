"""A person sees what is waited for, how long already, and how long it usually takes; nobody is told of what is short."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from toys import Cloud, FakeClock, Slow, Thing, aws_error, converger, ours

from ansible_collections.webstack.aws.plugins.module_utils.engine.progress import Waits, duration


@dataclass(eq=False)
class Patient(Slow):
    """A slow thing of which it is known how long it takes."""

    usual = 300
    usual_deletion = 60
    timeout = 600


def run(cloud: Cloud, *things: Thing, absent: bool = False) -> list[str]:
    """What is told during a run."""
    told: list[str] = []
    one = converger(cloud, *things, kinds=(Patient, Slow), tell=told.append)
    if absent:
        one.plan_removal()
        one.remove()
    else:
        one.plan(preview=False)
        one.apply()
    return told


def test_tells_what_is_waited_for_how_long_already_and_how_long_it_usually_takes() -> None:
    cloud = Cloud(
        lifecycle={"db": ["creating"] * 40 + ["available"] * 3, "cache": ["creating"] * 20 + ["available"] * 3}
    )
    told = run(cloud, Patient("db"), Slow("cache"))
    assert told[0].startswith("waiting for ") and len(told) >= 2
    assert "Patient[db] (creating for 1" in told[0] and ", usually 5 min)" in told[0]
    assert "Slow[cache] (creating for 1" in told[0] and told[0].count("usually") == 1, (
        "of a cache nothing is known here"
    )
    assert "Patient[db]" in told[-1] and "Slow[cache]" not in told[-1], "what is ready is not waited for any more"


def test_tells_nothing_of_what_is_short() -> None:
    assert run(Cloud(lifecycle={"db": ["creating", "available", "available"]}), Patient("db")) == []


def test_tells_of_deletions_and_of_what_holds_them_up() -> None:
    cloud = Cloud({"db": ours("Patient", "db")}, errors={"delete db": [aws_error("InUse") for _ in range(12)]})
    [*_, last] = run(cloud, Patient("db"), absent=True)
    assert last.startswith("waiting for Patient[db] (not yet to be deleted for ") and last.endswith(", usually 1 min)")


def test_names_the_longest_and_counts_the_rest() -> None:
    clock, told = FakeClock(), list[str]()
    waits = Waits(told.append, clock)
    for number in range(7):
        waits.note(Thing(f"t{number}"), "creating", 0)
        clock.sleep(1)
    clock.sleep(10)
    waits.note(Thing("t7"), "creating", 0)
    assert told == [
        "waiting for Thing[t0] (creating for 17 s); Thing[t1] (creating for 16 s); Thing[t2] (creating for 15 s); "
        "Thing[t3] (creating for 14 s); and 4 more"
    ]


def test_says_nothing_where_nobody_listens() -> None:
    clock = FakeClock()
    waits, thing = Waits(None, clock), Thing("a")
    waits.note(thing, "creating", 0)
    clock.sleep(100)
    waits.note(thing, "creating", 0)
    waits.over(thing)
    waits.over(thing)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.4, "0 s"), (45, "45 s"), (60, "1 min"), (270, "4 min 30 s"), (59.7, "1 min"), (5400, "90 min")],
)
def test_says_a_duration_as_people_do(seconds: float, said: str) -> None:
    assert duration(seconds) == said
