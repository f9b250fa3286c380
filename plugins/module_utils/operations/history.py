"""Earlier runs of the same drill, and whether this one was slower."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .report_words import mapping, number, rows

JUDGED = 5  # runs that the median is taken of, and without which nothing is judged
SLOWER_RATIO = 1.25
SLOWER_SECONDS = 3.0
LARGEST = 64 << 20  # bytes of a report.json that is still read

Run = dict[str, Any]  # run_id, started, verdict, measures


def measures_of(report: Mapping[str, Any]) -> dict[str, float]:
    """What a run measured: each expectation that has a number."""
    found = {str(row.get("name")): number(row.get("measured")) for row in rows(report.get("expectations"))}
    return {name: value for name, value in found.items() if value is not None}


def earlier_runs(folder: Path, report: Mapping[str, Any], limit: int = 50) -> list[Run]:
    """The runs of the same kind, stack and target in the folders beside this one that started earlier; oldest first.

    A folder whose report is missing, broken or of another kind is passed over.
    """
    started = number(report.get("started"))
    found = []
    for path in sorted(folder.parent.glob("*/report.json")):
        run = None if path.parent.name == folder.name else _read(path)
        if run is None or any(run.get(key) != report.get(key) for key in ("kind", "stack", "target")):
            continue
        began = number(run.get("started"))
        if began is not None and (started is None or began < started) and run.get("run_id") != report.get("run_id"):
            found.append(
                {
                    "run_id": str(run.get("run_id") or path.parent.name),
                    "started": began,
                    "verdict": str(run.get("verdict") or "inconclusive"),
                    "measures": measures_of(run),
                }
            )
    return sorted(found, key=lambda run: (run["started"], run["run_id"]))[-limit:]


def _read(path: Path) -> dict[str, Any] | None:
    try:
        if path.stat().st_size > LARGEST:
            return None
        data = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return data if isinstance(data, dict) else None


def merge(given: Sequence[Run], found: Sequence[Run]) -> list[Run]:
    """The runs that the report was given and those found beside it, each once, oldest first."""
    runs = {str(run.get("run_id")): run for run in [*found, *given]}
    return sorted(runs.values(), key=lambda run: (number(run.get("started")) or 0.0, str(run.get("run_id"))))


def values(history: Sequence[Run], name: str) -> list[float]:
    """A measure in the runs that came to a verdict, oldest first."""
    judged = [run for run in history if run.get("verdict") in ("pass", "fail")]
    measured = [number(mapping(run.get("measures")).get(name)) for run in judged]
    return [value for value in measured if value is not None]


def compare(history: Sequence[Run], name: str, measured: float) -> dict[str, Any]:
    """A duration against the last five runs, in seconds: ``slower`` is None where fewer than five are known.

    Slower is more than 1.25 × their median and more than 3 s above it: a drill of a few seconds may jitter by a few.
    """
    last = values(history, name)[-JUDGED:]
    median = statistics.median(last) if last else None
    limit = None if median is None else max(SLOWER_RATIO * median, median + SLOWER_SECONDS)
    slower = measured > limit if limit is not None and len(last) == JUDGED else None
    return {"name": name, "measured": measured, "last": last, "median": median, "limit": limit, "slower": slower}


def comparisons(report: Mapping[str, Any], history: Sequence[Run]) -> list[dict[str, Any]]:
    """Each recovery time and outage of this run against the earlier ones. Lost data (RPO) has no speed and is left out."""
    found = []
    for row in rows(report.get("expectations")):
        name, measured = str(row.get("name")), number(row.get("measured"))
        if row.get("unit") == "s" and measured is not None and not name.startswith("rpo"):
            found.append(compare(history, name, measured))
    return found
