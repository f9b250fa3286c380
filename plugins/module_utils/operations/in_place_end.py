"""How a deployment in place ends: what is promised is kept, what was measured is judged, and the report says it."""

from __future__ import annotations

import time
from typing import Any

from ..resources.ec2_launch import RELEASE_TAG
from . import measure
from .drill_course import undone
from .in_place_course import DONE, POINTER, Course
from .judging import judge, verdict_of
from .launch_versions import described_group
from .probe_specs import ProbeSpec
from .release_history import note_release
from .report import write_report
from .samples import Sample, read_samples, scheduled
from .undo import pending


def finish(course: Course) -> dict[str, Any]:
    """End the run and write its report. The answer has ``msg`` unless the verdict is pass."""
    operation, plan = course.operation, course.plan
    failure = _failure(course)
    findings = [*plan["findings"], *_sweep(course)] if failure is None else list(plan["findings"])
    if failure is None and len(findings) > len(plan["findings"]):
        failure = findings[-1]
    _keep(course, failure)
    left = operation.finish_or_tell(findings)
    samples = _samples(course)
    measured = _measured(course, samples)
    rows = judge(plan["expect"], measured, {})
    judged = next(probe for probe in plan["probes"] if probe["name"] == plan["judged"])
    doubts = measure.doubts([one for one in samples if one["probe"] == judged["name"]], judged["rate"])
    doubts = [f"Probe {judged['name']}: {doubt}." for doubt in doubts]
    verdict = "fail" if failure else verdict_of(rows, None, doubts, left)
    sentence = _sentence(course, failure, samples)
    findings += [*doubts, *(f"NOT undone: {target}. Run playbooks/undo.yml" for target in left)]
    if verdict == "pass":
        note_release(operation, plan["region"], plan["group"], plan["release"], plan["before"])
    report = _report(course, verdict, sentence, rows, findings, samples)
    files = write_report(report, operation.folder / "samples.jsonl", operation.folder)
    operation.record("verdict", verdict, {"expectations": rows, "findings": findings})
    answer = {
        "changed": bool(course.of("deployed", "reverted", "left_out")),
        "verdict": verdict,
        "run_id": operation.run_id,
        "sentence": sentence,
        "expectations": rows,
        "findings": findings,
        "report": files["html"],
        "report_json": files["json"],
    }
    if verdict != "pass":
        answer["msg"] = f"{verdict}: {sentence} Report: {files['html']}"
    return answer


def _failure(course: Course) -> str | None:
    """Why the deployment did not do what it should; None when every host runs the release."""
    if course.gave_up:
        return course.gave_up
    missing = [host for host in course.plan["hosts"] if host not in course.of(*DONE)]
    tolerated = course.of("failed", "left_out", "reverted")
    unknown = [host for host in missing if host not in tolerated]
    return f"Nothing is known of {', '.join(unknown)}" if unknown else None


def _sweep(course: Course) -> list[str]:
    """What runs in the group by now besides the hosts of the plan, and is not the release."""
    plan, clients = course.plan, course.operation.clients
    group = described_group(clients, plan["region"], plan["group"])
    new = [one["InstanceId"] for one in group["Instances"] if one["InstanceId"] not in plan["hosts"]]
    if not new:
        return []
    releases: dict[str, str] = {}
    for page in clients("ec2", plan["region"]).get_paginator("describe_instances").paginate(InstanceIds=new):
        for reservation in page["Reservations"]:
            for one in reservation["Instances"]:
                tags = {tag["Key"]: tag["Value"] for tag in one.get("Tags", [])}
                releases[one["InstanceId"]] = tags.get(RELEASE_TAG, "no release that has a name")
    behind = [f"{name} runs {release}" for name, release in sorted(releases.items()) if release != plan["release"]]
    return [f"Instances were started before the pointer moved: {', '.join(behind)}. Deploy again"] if behind else []


def _keep(course: Course, failure: str | None) -> None:
    """Strike off the promises that are not to be kept: the pointer stays where a success has put it, and a host that could not
    be brought back stays out of rotation."""
    out = course.of("left_out")
    for intent in pending(course.operation.journal.read().records):
        stays = failure is None and intent.action == POINTER
        if stays or (intent.action == "register_target" and intent.data["target_id"] in out):
            data = {"intent": intent.seq, "action": intent.action, "changed": False, "kept": True}
            course.operation.record("undone", intent.target, data)


def _samples(course: Course) -> list[Sample]:
    try:
        return read_samples(course.operation.folder / "samples.jsonl")
    except FileNotFoundError:
        return []


def _measured(course: Course, samples: list[Sample]) -> dict[str, float | None]:
    since = course.deploying_since
    mine = [one for one in samples if one["probe"] == course.plan["judged"]]
    during = [one for one in mine if scheduled(one) >= since]
    before = [one for one in mine if scheduled(one) < since]
    known = measure.known(during)
    p95 = {"before": measure.latencies(before)["p95"], "during": measure.latencies(during)["p95"]}
    ratio = p95["during"] / p95["before"] if p95["during"] and p95["before"] else None
    return {
        "failed_requests": float(sum(not one["ok"] for one in known)) if known else None,
        "failed_ratio": measure.failed_ratio(known) if known else None,
        "longest_outage": measure.longest(measure.outages(known, stable=0.0)) if known else None,
        "p95_ratio": ratio,
    }


def _sentence(course: Course, failure: str | None, samples: list[Sample]) -> str:
    plan = course.plan
    asked = measure.known(one for one in samples if one["probe"] == plan["judged"])
    users = f"{sum(not one['ok'] for one in asked)} of {len(asked)} requests failed."
    if not failure:
        failed = course.of("failed", "left_out", "reverted")
        aside = f" {len(failed)} failed and went back: {', '.join(failed)}." if failed else ""
        return (
            f"Release {plan['release']} runs on {len(course.of(*DONE))} of {len(plan['hosts'])} hosts.{aside} {users}"
        )
    back, out = course.of("failed", "reverted"), course.of("left_out")
    words = f"Release {plan['release']} was given up: {failure.rstrip('.')}."
    if back:
        words += f" Back on the release before: {', '.join(back)}."
    if out:
        words += f" NOT back, and out of rotation: {', '.join(out)}."
    return f"{words} {users}"


def _waves(course: Course) -> list[dict[str, Any]]:
    """Host × phase with times. What lies between being drained and being registered is the switch."""
    found: list[dict[str, Any]] = []
    drained: dict[str, float] = {}
    for record in course.operation.journal.read().records:
        if record.kind != "event" or record.step != "wave":
            continue
        row = record.data
        if row["phase"] == "health" and row["host"] in drained:
            found.append({**row, "phase": "switch", "start": drained.pop(row["host"]), "end": row["start"]})
        elif row["phase"] == "drain":
            drained[row["host"]] = row["end"]
        found.append(dict(row))
    return found


def _report(
    course: Course,
    verdict: str,
    sentence: str,
    rows: list[dict[str, Any]],
    findings: list[str],
    samples: list[Sample],
) -> dict[str, Any]:
    operation, plan = course.operation, course.plan
    specs = [ProbeSpec(**probe) for probe in plan["probes"]]
    mine = [one for one in samples if one["probe"] == plan["judged"]]
    marks = [record for record in course.records if record.kind == "event" and record.step in ("baseline", "promoted")]
    preconditions = [row for record in course.records if record.kind == "precondition" for row in record.data["all"]]
    owner = next((record.data["owner"] for record in course.records if record.kind == "lock"), "")
    return {
        "kind": "deploy-in-place",
        "title": plan["title"],
        "target": plan["group"],
        "stack": operation.lock.stack,
        "region": plan["region"],
        "run_id": operation.run_id,
        "started": plan["started"],
        "ended": time.time(),
        "operator": owner,
        "verdict": verdict,
        "sentence": sentence,
        "abortable": True,
        "expectations": rows,
        "marks": [{"name": one.step, "time": one.data["time"], "label": one.data["label"]} for one in marks],
        "probes": [measure.summary(spec, samples) for spec in specs],
        "preconditions": preconditions,
        "findings": findings,
        "undone": [row for row in undone(operation) if row["action"] != POINTER or verdict != "pass"],
        "waves": _waves(course),
        "servers": measure.by_identity(mine, "server"),
        "releases": measure.by_identity(mine, "release"),
        "calls": {"read": operation.clients.counter.reads, "write": operation.clients.counter.writes},
    }
