"""What a drill is, and its plan: target, preconditions, calls, expectations, confirmation. ``drill_course`` carries it out."""

from __future__ import annotations

import hashlib
import json
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..engine.errors import OptionError
from ..engine.sdk import SDK_ERRORS, Clients
from . import measure
from .aborting import HaltSwitch
from .errors import OperationError
from .judging import EXPECTATIONS
from .lock import StackLock, claim
from .probe_specs import ProbeSpec, check_libraries, check_specs, rate_findings
from .run import Operation
from .samples import Sample, scheduled
from .undo import pending

CONFIRMED_FOR = 900  # seconds; a confirmation is good for this window and the rest of the one before it


@dataclass(frozen=True)
class Precondition:
    """One thing that must hold before the fault, and what was found."""

    name: str
    ok: bool
    text: str

    def as_dict(self) -> dict[str, Any]:
        return {"name": self.name, "ok": self.ok, "text": self.text}


@dataclass
class Terms:
    """What the user says about a drill. Times are in seconds."""

    stack: str
    region: str
    account: str
    lock_region: str
    runs_dir: Path
    expect: Mapping[str, float]
    probes: Sequence[ProbeSpec] = ()
    passwords: Mapping[str, str] = field(default_factory=dict)  # by probe's name
    judged_probe: str | None = None
    baseline: float = 60.0
    stable: float = 30.0
    timeout: float = 900.0
    abort_after: float | None = None  # an outage of the judged probe that ends a drill which can be undone
    environment: str = "production"
    confirm: str | None = None
    controller_pid: int | None = None


@dataclass
class Scene:
    """What is known of a running drill: its samples so far, its marks, what AWS has said."""

    operation: Operation
    injected: float | None = None
    samples: list[Sample] = field(default_factory=list)
    marks: dict[str, tuple[float, str]] = field(default_factory=dict)
    events: dict[tuple[str, float, str], dict[str, Any]] = field(default_factory=dict)
    findings: list[str] = field(default_factory=list)
    broken: str | None = None  # an abort condition that was met; then the verdict is fail

    def mark(self, name: str, label: str, at: float | None = None) -> None:
        """Note the first time that something happened; a repetition changes nothing."""
        if name not in self.marks:
            self.marks[name] = (time.time() if at is None else at, label)
            self.operation.record("event", name, {"label": label, "time": self.marks[name][0]})

    def event(self, lane: str, at: float, text: str, event_id: str = "") -> None:
        """Note an event of AWS once, with the time of its source and that of its being seen."""
        key = (lane, at, text)
        if key not in self.events:
            self.events[key] = {"lane": lane, "time": at, "seen": time.time(), "text": text, "id": event_id}

    def of(self, probe: str, since: float | None = None) -> list[Sample]:
        """The samples of one probe, those due from ``since`` on."""
        return [
            one for one in list(self.samples) if one["probe"] == probe and (since is None or scheduled(one) >= since)
        ]


class Drill(ABC):
    """One kind of drill on one target. Nothing but ``prepare``, ``inject`` and ``undo`` writes."""

    kind = ""
    title = ""
    purpose = ""
    abortable = False
    differs_from_real = ""
    published: Mapping[str, str] = {}
    noun = "drill"
    deed = "fault"
    done = "injected"

    def __init__(self, clients: Clients, terms: Terms) -> None:
        self.clients = clients
        self.terms = terms

    @abstractmethod
    def target(self) -> dict[str, Any]:
        """What the fault will hit, as it is now; compared again right before the fault."""

    @abstractmethod
    def preconditions(self, target: Mapping[str, Any]) -> list[Precondition]:
        """What must hold, checked now."""

    @abstractmethod
    def requests(self, target: Mapping[str, Any]) -> list[str]:
        """The writing calls, in order, for people."""

    def prepare(self, scene: Scene, target: Mapping[str, Any]) -> None:  # noqa: B027 - many drills need nothing
        """Promise every undo, and make what the fault needs. Nobody feels it yet."""

    @abstractmethod
    def inject(self, scene: Scene, target: Mapping[str, Any]) -> None:
        """Make the fault. What can be undone was promised in ``prepare``."""

    @abstractmethod
    def watch(self, scene: Scene, target: Mapping[str, Any]) -> bool:
        """Look at AWS and at the samples; True when nothing more is to come."""

    def undo(self, scene: Scene) -> None:
        """Take back what is still promised, newest first."""
        first: Exception | None = None
        for intent in pending(scene.operation.journal.read().records):
            try:
                scene.operation.undo(intent)
            except OperationError as error:  # it must not hold up the others
                first = first or error
            except SDK_ERRORS as error:
                first = first or error
        if first:
            raise first

    @abstractmethod
    def measures(self, scene: Scene) -> dict[str, float | None]:
        """The measured value of each expectation, by name; None for what never came."""

    @abstractmethod
    def sentence(self, verdict: str, measured: Mapping[str, float | None]) -> str:
        """What happened, in one sentence for those who were asleep."""

    def happened(self, scene: Scene) -> str | None:
        """Why the fault must be taken not to have happened; None when it has."""
        return None

    def failed(self, scene: Scene) -> str | None:
        """Why the verdict is fail, whatever was measured; None where the expectations decide."""
        return None

    def details(self, scene: Scene) -> dict[str, Any]:
        """More entries of the report."""
        return {}

    @property
    def judged(self) -> ProbeSpec:
        """The probe whose samples decide."""
        wanted = self.terms.judged_probe
        return next(spec for spec in self.terms.probes if spec.name == wanted or wanted is None)

    def recovery(self, scene: Scene) -> None:
        """Mark the first failure of the judged probe after the fault, the first good answer, and the stable window."""
        found = measure.outages(scene.of(self.judged.name, scene.injected), stable=self.terms.stable)
        if not found:
            return
        first, last = found[0], found[-1]
        scene.mark("first_failure", "first failure", first.start)
        samples = scene.of(self.judged.name, last.end)
        if last.end is not None and samples and scheduled(samples[-1]) - last.end >= self.terms.stable:
            scene.mark("first_ok", "first good answer", last.end)
            scene.mark("stable", f"stable for {self.terms.stable:g} s", last.end + self.terms.stable)


# The plan.


def check(terms: Terms) -> None:
    """Refuse options that can never work. Raises OptionError, or ResourceError for a missing package."""
    check_specs(terms.probes)
    check_libraries(terms.probes)
    if terms.judged_probe is not None and terms.judged_probe not in {spec.name for spec in terms.probes}:
        raise OptionError(
            "judged_probe", terms.judged_probe, f"The probes are {', '.join(spec.name for spec in terms.probes)}"
        )
    if not terms.expect:
        raise OptionError(
            "expect", {}, f"State beforehand what you expect, in seconds or counts: {', '.join(EXPECTATIONS)}"
        )
    for name, value in terms.expect.items():
        if name not in EXPECTATIONS:
            raise OptionError("expect", name, f"It may hold {', '.join(EXPECTATIONS)}")
        if isinstance(value, bool) or not isinstance(value, (int, float)) or value < 0:
            raise OptionError(f"expect.{name}", value, "Give a number, zero or more")
    for name in ("baseline", "stable", "timeout", "abort_after"):
        if (getattr(terms, name) or 0) < 0:
            raise OptionError(name, getattr(terms, name), "Give seconds, zero or more")


def plan(drill: Drill) -> dict[str, Any]:
    """Everything that would happen, and every precondition as it stands. Writes nothing."""
    terms = drill.terms
    check(terms)
    target = drill.target()
    conditions = [*drill.preconditions(target), _not_halted(drill), _lock_free(drill)]
    return {
        "kind": drill.kind,
        "target": target,
        "preconditions": [condition.as_dict() for condition in conditions],
        "requests": drill.requests(target),
        "expect": dict(terms.expect),
        "published": dict(drill.published),
        "abortable": drill.abortable,
        "findings": rate_findings(terms.probes),
        "confirm": confirmation(drill, target),
    }


def confirmation(drill: Drill, target: Mapping[str, Any], windows_ago: int = 0) -> str:
    """What an operator must say to run this very plan against production within the next minutes."""
    terms = drill.terms
    window = int(time.time() // CONFIRMED_FOR) - windows_ago
    plan_text = json.dumps(
        [drill.kind, terms.stack, terms.region, dict(terms.expect), dict(target), window], sort_keys=True, default=str
    )
    digest = hashlib.sha256(plan_text.encode()).hexdigest()[:12]
    return f"{terms.account}/{terms.stack}/{drill.kind}/{digest}"


def _not_halted(drill: Drill) -> Precondition:
    switch = HaltSwitch(drill.clients, drill.terms.stack, drill.terms.lock_region)
    halted = switch.look()
    return Precondition("halt", halted is None, f"{halted}. Delete it" if halted else f"there is no {switch.name}")


def _lock_free(drill: Drill) -> Precondition:
    terms = drill.terms
    lock = StackLock(drill.clients, terms.stack, terms.lock_region, claim("", drill.purpose))
    owner = lock.current()
    return Precondition("lock", owner is None, owner.described(lock.now) if owner else "nobody holds the stack's lock")


def refuse(drill: Drill, planned: Mapping[str, Any]) -> None:
    """Stop unless every precondition holds and, in production, this very plan was confirmed. Raises OperationError or OptionError."""
    failed = [one for one in planned["preconditions"] if not one["ok"]]
    if failed:
        reasons = "; ".join(f"precondition {one['name']}: {one['text']}" for one in failed)
        raise OperationError(f"The {drill.noun} is refused, and nothing was done. {reasons}")
    terms = drill.terms
    if terms.environment == "production" and terms.confirm not in {
        confirmation(drill, planned["target"], ago) for ago in (0, 1)
    }:
        raise OptionError(
            "confirm",
            terms.confirm,
            "In production, say which plan is meant: run with --check, read the plan, and give the confirm that it shows "
            f"within {CONFIRMED_FOR // 60} minutes",
        )
