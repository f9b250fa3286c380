"""The course of every drill: confirmation, lock, probes, baseline, fault, watching, undo, verdict, report.

What is particular to one drill — its target, its preconditions, its fault and what counts as the end — is a Drill. The order,
the guards and the judging are here, once.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..engine.errors import OptionError
from ..engine.sdk import SDK_ERRORS, explain
from . import measure
from .aborting import HaltSwitch, outage_now
from .drill import Drill, Scene, Terms, plan, refuse
from .errors import OperationError
from .judging import judge, verdict_of
from .probe_specs import ProbeSpec
from .probes_database import Markers
from .report import write_report
from .run import Operation, Plan
from .samples import ProbeFault, error_class, follow, scheduled

LOOK = 0.1  # seconds between looks at the samples
SETTLE = 1.0  # seconds for the samples under way to come in at the end


def conduct(drill: Drill, connection: Mapping[str, Any]) -> dict[str, Any]:
    """Run a drill from its plan to its report. The answer has ``msg`` unless the verdict is pass.

    Raises OperationError or OptionError before anything was done; afterwards every failure ends in a report.
    """
    terms = drill.terms
    planned = plan(drill)
    refuse(drill, planned)
    started = time.time()
    operation = Operation.begin(
        Plan(
            kind=drill.kind,
            stack=terms.stack,
            purpose=drill.purpose,
            region=terms.region,
            lock_region=terms.lock_region,
            runs_dir=terms.runs_dir,
            controller_pid=terms.controller_pid,
            single=True,
            specs=terms.probes,
            passwords=terms.passwords,
        ),
        connection,
        drill.clients,
    )
    scene = Scene(operation, findings=list(planned["findings"]))
    operation.record("plan", drill.kind, {key: planned[key] for key in ("target", "requests", "expect")})
    operation.record("precondition", "", {"all": planned["preconditions"]})
    over = threading.Event()
    reader = threading.Thread(target=_collect, args=(scene, over), daemon=True)
    reader.start()
    trouble = None
    left: list[str] = []
    try:
        trouble = _course(drill, scene, planned["target"])
    except SDK_ERRORS as error:
        trouble = explain(error)
    except (OperationError, OptionError) as error:
        trouble = str(error)
    finally:
        _undo(drill, scene)
        left = operation.finish_or_tell(scene.findings)
        survivors = _survivors(drill, scene)  # the prober has ended: what it wrote last is in
        time.sleep(SETTLE)
        over.set()
        reader.join(timeout=10)
    return _close(drill, scene, planned, started, trouble, left, survivors)


def _undo(drill: Drill, scene: Scene) -> None:
    """Take the fault back. What does not work at once is the keeper's, which repeats it."""
    try:
        drill.undo(scene)
    except OperationError as error:
        scene.findings.append(f"The undo did not work at the first try: {error}")
    except SDK_ERRORS as error:
        scene.findings.append(f"The undo did not work at the first try: {explain(error)}")


def _collect(scene: Scene, over: threading.Event) -> None:
    for sample in follow(scene.operation.folder / "samples.jsonl", over.is_set):
        scene.samples.append(sample)


def _course(drill: Drill, scene: Scene, target: Mapping[str, Any]) -> str | None:
    """Baseline, fault, watching. Why the drill can say nothing, or None."""
    terms, operation = drill.terms, scene.operation
    switch = HaltSwitch(drill.clients, terms.stack, terms.lock_region)
    if trouble := _prepare_markers(drill, scene) or _baseline(drill, scene, switch):
        return trouble
    if (now := drill.target()) != target:
        return f"The target has changed since the plan ({_difference(target, now)}). Plan again"
    drill.prepare(scene, target)
    operation.record("inject", drill.kind, {"target": dict(target)})
    scene.injected = time.time()
    scene.mark("inject", f"{drill.deed} {drill.done}", scene.injected)
    drill.inject(scene, target)
    scene.mark("acknowledged", "AWS accepted")
    deadline = time.monotonic() + terms.timeout
    while not drill.watch(scene, target):
        if reason := operation.stop() or _halt(drill, scene, switch):
            operation.record("abort", "", {"reason": reason})
            return reason
        _end_outage(drill, scene)
        if time.monotonic() > deadline:
            operation.record("abort", "", {"reason": "deadline"})
            scene.broken = scene.broken or f"The deadline of {terms.timeout:g} s passed before everything was back"
            return None
        time.sleep(LOOK)
    return None


def _halt(drill: Drill, scene: Scene, switch: HaltSwitch) -> str | None:
    """Whether the switch ends the drill. What cannot be called back is watched to its end all the same."""
    reason = switch.reason()
    if reason is None or drill.abortable:
        return reason
    finding = f"{reason}. What is under way cannot be called back, so it was watched to its end"
    if finding not in scene.findings:
        scene.findings.append(finding)
    return None


def _end_outage(drill: Drill, scene: Scene) -> None:
    """Take the fault back at once when users see nothing good for too long; the watching goes on until all is well again."""
    limit = drill.terms.abort_after
    if limit is None or not drill.abortable or scene.broken:
        return
    if outage_now(scene.of(drill.judged.name, scene.injected), time.time()) > limit:
        scene.broken = f"Aborted: probe {drill.judged.name} saw nothing good for more than {limit:g} s"
        scene.operation.record("abort", drill.judged.name, {"reason": scene.broken})
        _undo(drill, scene)


def _difference(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    keys = sorted(key for key in before.keys() | now.keys() if before.get(key) != now.get(key))
    return ", ".join(f"{key}: {before.get(key)} → {now.get(key)}" for key in keys)


def _prepare_markers(drill: Drill, scene: Scene) -> str | None:
    """Make the table of the write markers. Nothing has failed yet, so a database that refuses it ends the drill."""
    for spec, markers in _markers(drill, scene):
        try:
            markers.prepare()
        except (ProbeFault, OSError) as error:
            return f"Probe {spec.name} cannot make the table for its write markers ({error_class(error)}). Give a user that may, or leave write out"
    return None


def _markers(drill: Drill, scene: Scene) -> list[tuple[ProbeSpec, Markers]]:
    return [
        (spec, Markers(spec, _password(drill.terms, spec), scene.operation.run_id))
        for spec in drill.terms.probes
        if spec.write
    ]


def _password(terms: Terms, spec: ProbeSpec) -> str:
    if spec.password_file:
        return Path(spec.password_file).read_text(encoding="utf-8").strip()
    return terms.passwords.get(spec.name, "")


def _baseline(drill: Drill, scene: Scene, switch: HaltSwitch) -> str | None:
    """Let the probes show for a while that all is well before the fault. Why it is not, or None."""
    terms = drill.terms
    begun = time.time()
    while time.time() - begun < terms.baseline:
        if reason := scene.operation.stop() or switch.reason():
            return reason
        time.sleep(LOOK)
    time.sleep(min(spec.timeout for spec in terms.probes) if not terms.baseline else 0)
    for spec in terms.probes:
        # The first samples of a write probe may come before the table for its markers.
        samples = scene.of(spec.name, begun + min(1.0, terms.baseline / 4))
        failed = [one for one in measure.known(samples) if not one["ok"]]
        if not samples:
            return f"The baseline is bad: probe {spec.name} has no samples"
        if failed:
            return (
                f"The baseline is bad: {len(failed)} of {len(samples)} samples of probe {spec.name} failed before the {drill.deed} "
                f"({failed[-1]['error']}). Nothing was {drill.done}"
            )
    return None


def _survivors(drill: Drill, scene: Scene) -> dict[str, set[int]] | None:
    """The markers that can be read back, by probe; None for what could not be read. They are removed afterwards."""
    found: dict[str, set[int]] = {}
    for spec, markers in _markers(drill, scene):
        try:
            found[spec.name] = markers.surviving()
            markers.remove()
        except (ProbeFault, OSError) as error:
            scene.findings.append(
                f"The write markers of probe {spec.name} could not be read back ({error_class(error)})."
            )
            return None
    return found


def _close(
    drill: Drill,
    scene: Scene,
    planned: Mapping[str, Any],
    started: float,
    trouble: str | None,
    left: list[str],
    survivors: dict[str, set[int]] | None,
) -> dict[str, Any]:
    """Judge, write the report, and say it."""
    terms, operation = drill.terms, scene.operation
    marked = _marker_figures(drill, scene, survivors)
    measured: dict[str, float | None] = dict.fromkeys(terms.expect)
    trouble = trouble or (drill.happened(scene) if scene.injected else None)
    if scene.injected:
        drill.recovery(scene)
        measured |= {key: value for key, value in drill.measures(scene).items() if key in terms.expect}
        if marked is not None:
            figures = {"lost_writes": float(marked["lost"]), "rpo": marked["rpo_seconds"]}
            measured |= {key: value for key, value in figures.items() if key in terms.expect}
    rows = judge(terms.expect, measured, drill.published)
    doubts = _doubts(drill, scene)
    failure = scene.broken or drill.failed(scene)
    verdict = "fail" if failure else verdict_of(rows, trouble, doubts, left)
    findings = [*scene.findings, *doubts, *([trouble] if trouble else []), *([failure] if failure else [])]
    findings += [f"NOT undone: {target}. Run playbooks/undo.yml" for target in left]
    report = {
        "kind": drill.kind,
        "title": drill.title,
        "target": json.dumps(planned["target"].get("id", "")),
        "stack": terms.stack,
        "region": terms.region,
        "run_id": operation.run_id,
        "started": started,
        "ended": time.time(),
        "operator": operation.lock.owner.owner,
        "verdict": verdict,
        "sentence": trouble if trouble and verdict != "fail" else drill.sentence(verdict, measured),
        "abortable": drill.abortable,
        "differs_from_real": drill.differs_from_real,
        "expectations": rows,
        "marks": [{"name": name, "time": at, "label": label} for name, (at, label) in scene.marks.items()],
        "events": sorted(scene.events.values(), key=lambda event: float(event["time"])),
        "probes": [measure.summary(spec, scene.samples) for spec in terms.probes],
        "preconditions": planned["preconditions"],
        "findings": findings,
        "undone": [*undone(operation), *({"action": "undo", "target": target, "time": None} for target in left)],
        "reason": trouble or (doubts[0] if doubts else None),
        "servers": measure.by_identity(scene.of(drill.judged.name), "server"),
        "calls": {"read": drill.clients.counter.reads, "write": drill.clients.counter.writes},
        **({"markers": marked} if marked else {}),
        **drill.details(scene),
    }
    files = write_report(report, operation.folder / "samples.jsonl", operation.folder)
    operation.record("verdict", verdict, {"expectations": rows, "findings": findings})
    answer = {
        "changed": scene.injected is not None,
        "verdict": verdict,
        "run_id": operation.run_id,
        "report": files["html"],
        "report_json": files["json"],
        "sentence": report["sentence"],
        "expectations": rows,
        "marks": {name: round(at, 3) for name, (at, _label) in scene.marks.items()},
        "findings": findings,
    }
    if verdict != "pass":
        answer["msg"] = f"{verdict}: {report['sentence']} Report: {files['html']}"
    return answer


def _marker_figures(drill: Drill, scene: Scene, survivors: dict[str, set[int]] | None) -> dict[str, Any] | None:
    """The markers of the judged probe, or of the first one that writes."""
    writing = [spec for spec in drill.terms.probes if spec.write]
    if survivors is None or not writing:
        return None
    spec = next((spec for spec in writing if spec.name == drill.judged.name), writing[0])
    return measure.markers(scene.of(spec.name), survivors[spec.name])


def _doubts(drill: Drill, scene: Scene) -> list[str]:
    """Why the meter cannot be believed in the time that counts."""
    if scene.injected is None:
        return []
    end = scene.marks.get("stable", (None, ""))[0]
    samples = [one for one in scene.of(drill.judged.name, scene.injected) if end is None or scheduled(one) <= end]
    return [f"Probe {drill.judged.name}: {doubt}." for doubt in measure.doubts(samples, drill.judged.rate)]


def undone(operation: Operation) -> list[dict[str, Any]]:
    """What the run has taken back, from its journal."""
    return [
        {"action": record.data["action"], "target": record.step, "time": record.time}
        for record in operation.journal.read().of("undone")
    ]
