"""The report of a drill or a deploy: one HTML file that needs nothing else, and the same figures for machines beside it."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from . import report_pictures as pictures
from . import report_sections as parts
from .history import comparisons, earlier_runs, measures_of, merge
from .markup import clean, tag
from .report_page import page
from .report_samples import DRAWN, Shots, read_shots, summary
from .report_scene import Scene
from .report_words import MARKS, clock, mark_time, measure, name_of, number, rows, seconds, words

VERSION = 1  # of report.json

# What a drill goes through; what is missing of it is named in the report of a run that was cut off.
_COURSE = ("inject", "first_failure", "first_ok", "stable", "undone")


def write_report(
    report: Mapping[str, Any], samples_path: Path | str | None, folder: Path | str, *, drawn: int = DRAWN
) -> dict[str, str]:
    """Write report.html, report.json and junit.xml into ``folder``; returns their paths as ``html``, ``json``, ``junit``.

    Any part of ``report`` may be missing, as after a kill: what is known is shown, and without a verdict it is inconclusive.
    Each file is whole or not there: a reader never meets half of one. ``drawn`` is about how many samples are drawn;
    every failure is. Raises OSError.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    shots = read_shots(samples_path)
    full = complete(report, shots, folder)
    texts = {
        "json": ("report.json", as_json(full)),
        "junit": ("junit.xml", as_junit(full)),
        "html": ("report.html", as_html(full, shots, drawn)),
    }
    for name, text in texts.values():
        write_atomic(folder / name, text)
    return {key: str(folder / name) for key, (name, _text) in texts.items()}


def complete(report: Mapping[str, Any], shots: Shots, folder: Path) -> dict[str, Any]:
    """The report with what follows from it: its verdict, its probes' figures, the earlier runs and the comparison with them."""
    full = dict(report)
    if str(full.get("verdict")) not in parts.VERDICTS:
        full["verdict"] = "inconclusive"
    full["sentence"] = str(full.get("sentence") or _sentence(full))
    full["probes"] = rows(full.get("probes")) or [summary(name, mine) for name, mine in shots.by_probe.items()]
    full["history"] = merge(rows(full.get("history")), earlier_runs(folder, full))
    full["measures"] = measures_of(full)
    full["comparisons"] = comparisons(full, full["history"])
    full["findings"] = list(dict.fromkeys([*words(full.get("findings")), *_slower(full), *_missing(full)]))
    full["samples"] = {
        "total": len(shots.all),
        "failed": len(shots.failed),
        "not_sent": shots.blind,
        "unreadable_lines": shots.unreadable,
        "failures": dict(shots.classes),
    }
    full["report_version"] = VERSION
    return full


def _sentence(report: Mapping[str, Any]) -> str:
    """What can be said of a run that did not live to say it."""
    at = mark_time(report, "inject")
    if at is None:
        return "The run ended before it could be judged; no fault is on record."
    return f"The run ended before it could be judged; the fault was injected at {clock(at, fraction=False)} UTC."


def _slower(report: Mapping[str, Any]) -> list[str]:
    return [
        f"{name_of(found['name'])}: slower than usual. {seconds(found['measured'])} now; the median of the last "
        f"{len(found['last'])} judged runs is {seconds(found['median'])}, and {seconds(found['limit'])} would still have been usual."
        for found in report["comparisons"]
        if found["slower"]
    ]


def _missing(report: Mapping[str, Any]) -> list[str]:
    if number(report.get("ended")) is not None or mark_time(report, "inject") is None:
        return []
    gone = [MARKS[name] for name in _COURSE if mark_time(report, name) is None]
    return [f"Not on record: {', '.join(gone)}."] if gone else []


def as_html(report: Mapping[str, Any], shots: Shots, drawn: int = DRAWN) -> str:
    """The page, with what happened first and what it rests on after it."""
    scene = Scene(report, shots, drawn)
    title = f"{report['verdict']}: {report.get('title') or name_of(report.get('kind'))}, {report.get('stack') or 'no stack'}"
    return page(
        title,
        parts.heading(report),
        parts.verdict(report, report["history"], shots, pictures.users(scene)),
        parts.findings(report),
        pictures.timeline(scene),
        pictures.recovery(scene),
        pictures.deploy(scene),
        _failed(scene),
        pictures.markers(scene),
        pictures.redundancy(scene),
        pictures.whole_run(scene),
        parts.undone(report, scene.zero),
        parts.preconditions(report),
        pictures.history(report, report["history"], report["comparisons"]),
        parts.realism(report),
        parts.calls(report),
        pictures.servers(report),
        tag(
            "footer",
            "All times are UTC. Beside this file: report.json (all figures), junit.xml, samples.jsonl, journal.jsonl.",
        ),
    )


def _failed(scene: Scene) -> str | None:
    lines = parts.failed_requests(scene.shots, scene.zero)
    return parts.section("failed", "Failed requests", None, lines) if lines else None


def as_json(report: Mapping[str, Any]) -> str:
    """The report for machines, without samples. What JSON has no word for, such as infinity, is null."""
    return json.dumps(_plain(report), indent=1, sort_keys=True, ensure_ascii=True, allow_nan=False) + "\n"


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(part) for part in value]
    if isinstance(value, float):
        return number(value)
    return value if value is None or isinstance(value, (str, int, bool)) else str(value)


def as_junit(report: Mapping[str, Any]) -> str:
    """Each precondition and expectation as a test case, for build servers."""
    suite = ElementTree.Element("testsuite", name=clean(f"{report.get('kind')} {report.get('stack')}"))
    counts = {"tests": 0, "failures": 0, "skipped": 0}
    cases = [
        ("precondition", row.get("name"), row.get("ok"), str(row.get("text") or ""))
        for row in rows(report.get("preconditions"))
    ]
    for row in rows(report.get("expectations")):
        text = f"expected {measure(row.get('expected'), row.get('unit'))}, measured {measure(row.get('measured'), row.get('unit'))}"
        cases.append(("expectation", row.get("name"), row.get("ok"), text))
    verdict = {"pass": True, "fail": False}.get(str(report["verdict"]))
    for class_, name, ok, text in [*cases, ("verdict", report.get("kind"), verdict, report["sentence"])]:
        case = ElementTree.SubElement(suite, "testcase", classname=class_, name=clean(name))
        counts["tests"] += 1
        if not ok:
            counts["skipped" if ok is None else "failures"] += 1
            ElementTree.SubElement(case, "skipped" if ok is None else "failure", message=clean(text))
        else:
            ElementTree.SubElement(case, "system-out").text = clean(text)
    for name, count in counts.items():
        suite.set(name, str(count))
    return ElementTree.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"


def write_atomic(path: Path, text: str) -> None:
    """Put a file in place whole, or leave what was there: written beside it, flushed to the disk, then renamed. Raises OSError."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.tmp")
    try:
        with temporary.open("x", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # the new name, too, outlives a power cut
    finally:
        os.close(folder)
