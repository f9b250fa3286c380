"""The course that all drills share: confirmed for exactly one plan, nothing injected on a bad start, ended early when it must be."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fake_clients import FakeClients, aws_error
from probe_world import make_samples

from ansible_collections.webstack.aws.plugins.module_utils.engine.errors import OptionError
from ansible_collections.webstack.aws.plugins.module_utils.operations import aborting, drill, drill_course
from ansible_collections.webstack.aws.plugins.module_utils.operations.aborting import HaltSwitch, outage_now
from ansible_collections.webstack.aws.plugins.module_utils.operations.drill import (
    CONFIRMED_FOR,
    Drill,
    Precondition,
    Scene,
    Terms,
    confirmation,
    refuse,
)
from ansible_collections.webstack.aws.plugins.module_utils.operations.errors import OperationError
from ansible_collections.webstack.aws.plugins.module_utils.operations.judging import judge, verdict_of
from ansible_collections.webstack.aws.plugins.module_utils.operations.probe_specs import ProbeSpec
from ansible_collections.webstack.aws.plugins.module_utils.operations.samples import new_sample

NO_HALT = {"ssm": {"get_parameter": aws_error("ParameterNotFound")}}
HALT = {"ssm": {"get_parameter": {"Parameter": {"Type": "String", "Value": "incident 4711"}}}}
TARGET = {"id": "thing", "writer": "one"}


class Rehearsal(Drill):
    """A drill on nothing, that notes what it was told to do."""

    kind = "rehearsal"
    purpose = "drill rehearsal"
    abortable = True

    def __init__(self, answers: dict[str, Any] | None = None, **terms: Any) -> None:
        given: dict[str, Any] = {
            "stack": "shop",
            "region": "eu-west-1",
            "account": "123456789012",
            "lock_region": "us-east-1",
            "runs_dir": Path("runs"),
            "expect": {"longest_outage": 5.0},
            "probes": [ProbeSpec("web", "http", url="http://shop.example/")],
            "baseline": 0.1,
            "stable": 0.1,
            "timeout": 5.0,
        }
        super().__init__(FakeClients(dict(answers or NO_HALT)), Terms(**{**given, **terms}))
        self.deeds: list[str] = []
        self.now = dict(TARGET)
        self.whole_after = 0

    def target(self) -> dict[str, Any]:
        return dict(self.now)

    def preconditions(self, target: Mapping[str, Any]) -> list[Precondition]:
        return []

    def requests(self, target: Mapping[str, Any]) -> list[str]:
        return []

    def inject(self, scene: Scene, target: Mapping[str, Any]) -> None:
        self.deeds.append("inject")

    def watch(self, scene: Scene, target: Mapping[str, Any]) -> bool:
        self.deeds.append("watch")
        return 0 < self.whole_after <= self.deeds.count("watch")

    def undo(self, scene: Scene) -> None:
        self.deeds.append("undo")

    def measures(self, scene: Scene) -> dict[str, float | None]:
        return {"longest_outage": 0.0}

    def sentence(self, verdict: str, measured: Mapping[str, float | None]) -> str:
        return verdict


class QuietOperation:
    """A run without keeper and journal, that can be told to stop."""

    def __init__(self) -> None:
        self.records: list[tuple[str, str]] = []
        self.reason: str | None = None

    def record(self, kind: str, step: str = "", data: dict[str, Any] | None = None) -> None:
        self.records.append((kind, step))

    def stop(self) -> str | None:
        return self.reason


class Samples(list[Any]):
    """Samples of one probe that come in as time goes by."""

    def __init__(self, ok: bool = True) -> None:
        super().__init__()
        self.ok = ok

    def __iter__(self) -> Any:
        now = time.time()
        while not len(self) or self[-1]["scheduled"] < now - 0.02:
            sample = new_sample("web", len(self), self[-1]["scheduled"] + 0.02 if len(self) else now)
            error = None if self.ok else "timeout"
            self.append({**sample, "started": sample["scheduled"], "ended": now, "ok": self.ok, "error": error})
        return super().__iter__()


def scene_with(samples: Any = None) -> Scene:
    scene = Scene(QuietOperation())
    scene.samples = Samples() if samples is None else samples
    return scene


def course(rehearsal: Rehearsal, scene: Scene) -> str | None:
    return drill_course._course(rehearsal, scene, TARGET)


# Before the fault.


def planned(target: Mapping[str, Any] = TARGET, **conditions: bool) -> dict[str, Any]:
    rows = [{"name": name, "ok": ok, "text": f"text of {name}"} for name, ok in conditions.items()]
    return {"preconditions": rows, "target": target}


def test_every_precondition_that_fails_is_named_in_one_refusal() -> None:
    with pytest.raises(OperationError) as caught:
        refuse(Rehearsal(), planned(alarms=False, lock=True, capacity=False))
    assert "alarms: text of alarms" in str(caught.value) and "capacity: text of capacity" in str(caught.value)
    assert "text of lock" not in str(caught.value)


@pytest.mark.parametrize("said", [None, "", "yes", "123456789012/shop/rehearsal/000000000000"])
def test_production_asks_for_the_confirmation_of_this_very_plan(said: str | None) -> None:
    with pytest.raises(OptionError, match="confirm"):
        refuse(Rehearsal(confirm=said), planned())


def test_a_confirmation_holds_for_its_window_and_the_next_one_and_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SimpleNamespace(now=1_000_000 * CONFIRMED_FOR + 1.0)
    monkeypatch.setattr(drill, "time", SimpleNamespace(time=lambda: clock.now))
    said = confirmation(Rehearsal(), TARGET)
    for later, holds in ((0, True), (CONFIRMED_FOR, True), (2 * CONFIRMED_FOR, False), (86_400, False)):
        clock.now = 1_000_000 * CONFIRMED_FOR + 1.0 + later
        if holds:
            refuse(Rehearsal(confirm=said), planned())
        else:
            with pytest.raises(OptionError, match="confirm"):
                refuse(Rehearsal(confirm=said), planned())


@pytest.mark.parametrize(
    "other",
    [{"expect": {"longest_outage": 50.0}}, {"stack": "other"}, {"region": "us-east-1"}, {"account": "210987654321"}],
    ids=lambda other: next(iter(other)),
)
def test_a_confirmation_of_another_plan_is_refused(other: dict[str, Any]) -> None:
    said = confirmation(Rehearsal(), TARGET)
    with pytest.raises(OptionError, match="confirm"):
        refuse(Rehearsal(confirm=said, **other), planned())
    with pytest.raises(OptionError, match="confirm"):
        refuse(Rehearsal(confirm=said), planned({**TARGET, "writer": "two"}))


def test_outside_production_nothing_needs_to_be_confirmed() -> None:
    refuse(Rehearsal(environment="lab"), planned())


@pytest.mark.parametrize(
    ("terms", "option"),
    [
        ({"expect": {}}, "expect"),
        ({"expect": {"speed": 1}}, "expect"),
        ({"expect": {"undo": "soon"}}, "expect.undo"),
        ({"judged_probe": "nobody"}, "judged_probe"),
        ({"stable": -1}, "stable"),
        ({"abort_after": -1}, "abort_after"),
    ],
)
def test_a_drill_without_expectations_that_can_be_judged_is_refused(terms: dict[str, Any], option: str) -> None:
    with pytest.raises(OptionError) as caught:
        drill.check(Rehearsal(**terms).terms)
    assert str(caught.value).startswith(f"{option}:")


def test_a_target_that_has_changed_since_the_plan_is_left_alone() -> None:
    rehearsal = Rehearsal()
    rehearsal.now["writer"] = "two"
    assert "writer: one → two" in (course(rehearsal, scene_with()) or "")
    assert rehearsal.deeds == []


def test_on_a_bad_baseline_nothing_is_injected() -> None:
    for samples in (Samples(ok=False), []):
        rehearsal, scene = Rehearsal(), scene_with(samples)
        assert "baseline is bad" in (course(rehearsal, scene) or "")
        assert rehearsal.deeds == [] and scene.injected is None


# Ending early.


def test_a_drill_in_which_all_is_well_is_watched_to_its_end() -> None:
    rehearsal = Rehearsal()
    rehearsal.whole_after = 2
    assert course(rehearsal, scene_with()) is None
    assert rehearsal.deeds == ["inject", "watch", "watch"]


def test_when_nothing_is_good_any_more_the_fault_is_taken_back_within_a_second_and_the_verdict_is_fail() -> None:
    rehearsal, samples = Rehearsal(abort_after=0.5, timeout=3.0), Samples()
    scene = scene_with(samples)
    rehearsal.inject = lambda scene, target: setattr(samples, "ok", False)
    undone: list[float] = []
    rehearsal.undo = lambda scene: undone.append(time.time())
    rehearsal.watch = lambda scene, target: bool(undone)
    assert course(rehearsal, scene) is None
    assert scene.injected and undone and undone[0] - scene.injected < 0.5 + 1.0
    assert "nothing good for more than 0.5 s" in (scene.broken or "")
    assert ("abort", "web") in scene.operation.records


def test_what_cannot_be_undone_is_not_ended_by_an_outage() -> None:
    rehearsal = Rehearsal(abort_after=0.0)
    rehearsal.abortable = False
    scene = scene_with(make_samples("xxxx"))
    scene.injected = 1000.0
    drill_course._end_outage(rehearsal, scene)
    assert scene.broken is None and rehearsal.deeds == []


def test_an_outage_is_measured_from_the_first_failure_after_the_last_good_sample() -> None:
    assert outage_now(make_samples("..x.xx"), 1002.0) == pytest.approx(1.6)
    assert outage_now(make_samples("..x.xx."), 1002.0) == 0.0
    assert outage_now(make_samples("..??"), 1002.0) == 0.0
    assert outage_now([], 1002.0) == 0.0


def test_the_switch_stops_a_drill_that_can_be_undone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aborting, "HALT_EVERY", 0.05)
    rehearsal, scene = Rehearsal(), scene_with()
    rehearsal.inject = lambda scene, target: rehearsal.clients.answers.update(HALT)
    assert "incident 4711" in (course(rehearsal, scene) or "")
    assert ("abort", "") in scene.operation.records


def test_the_switch_stops_a_drill_before_its_fault() -> None:
    rehearsal = Rehearsal(HALT)
    assert "/webstack/shop/halt in us-east-1" in (course(rehearsal, scene_with()) or "")
    assert rehearsal.deeds == []


def test_the_switch_is_a_precondition() -> None:
    assert drill._not_halted(Rehearsal()).ok
    assert not drill._not_halted(Rehearsal(HALT)).ok


def test_the_switch_does_not_pretend_to_call_back_what_cannot_be() -> None:
    rehearsal, scene = Rehearsal(HALT), scene_with()
    rehearsal.abortable = False
    switch = HaltSwitch(rehearsal.clients, "shop", "us-east-1")
    assert drill_course._halt(rehearsal, scene, switch) is None and drill_course._halt(rehearsal, scene, switch) is None
    assert len(scene.findings) == 1 and "cannot be called back" in scene.findings[0]


def test_the_switch_is_asked_for_every_five_seconds_and_what_is_secret_is_not_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clients = FakeClients({"ssm": {"get_parameter": {"Parameter": {"Type": "SecureString", "Value": "canary"}}}})
    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr(aborting, "time", SimpleNamespace(monotonic=lambda: clock.now))
    switch = HaltSwitch(clients, "shop", "us-east-1")
    said = [switch.reason() for _ in range(5)]
    assert len(clients.calls) == 1 and all(said) and "canary" not in str(said)
    clock.now += 5.0
    clients.answers["ssm"]["get_parameter"] = aws_error("ThrottlingException")
    assert switch.reason() == said[0] and len(clients.calls) == 2


def test_a_lost_lock_and_a_lost_keeper_end_a_drill() -> None:
    rehearsal, scene = Rehearsal(), scene_with()
    rehearsal.inject = lambda one, target: setattr(one.operation, "reason", "the lock was taken away")
    assert course(rehearsal, scene) == "the lock was taken away"


def test_at_its_deadline_a_drill_has_failed_whatever_was_expected() -> None:
    rehearsal, scene = Rehearsal(timeout=0.2), scene_with()
    assert course(rehearsal, scene) is None
    assert "deadline of 0.2 s" in (scene.broken or "")


# The verdict.


@pytest.mark.parametrize(
    ("measured", "trouble", "doubts", "left", "verdict"),
    [
        (1.0, None, [], [], "pass"),
        (5.0, None, [], [], "pass"),
        (5.1, None, [], [], "fail"),
        (None, None, [], [], "fail"),
        (1.0, "stopped", [], [], "inconclusive"),
        (1.0, None, ["blind"], [], "inconclusive"),
        (5.1, None, ["blind"], [], "fail"),
        (1.0, "stopped", [], ["subnet"], "fail"),
    ],
)
def test_a_verdict_is_pass_only_where_everything_was_measured_believed_and_undone(
    measured: float | None, trouble: str | None, doubts: list[str], left: list[str], verdict: str
) -> None:
    rows = judge({"longest_outage": 5.0}, {"longest_outage": measured}, {})
    assert verdict_of(rows, trouble, doubts, left) == verdict
