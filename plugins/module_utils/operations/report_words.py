"""How a report writes times, durations, measures and names."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

NOTHING = "–"
END_OF_TIME = 32503680000.0  # the year 3000, in seconds since the epoch

NAMES = {
    "rto_service": "Service back (RTO)",
    "rto": "Service back (RTO)",
    "rto_redundancy": "Redundancy back (RTO)",
    "rpo": "Data lost (RPO)",
    "lost_writes": "Acknowledged writes lost",
    "failed_ratio": "Requests failed",
    "longest_outage": "Longest outage",
    "outage_total": "Outage in all",
    "p95_after": "p95 latency afterwards",
    "p95_ms_after": "p95 latency afterwards",
    "p95_ratio": "p95 latency, after ÷ before",
    "undo": "Undone within",
    "unknown_found": "No answer, yet stored",
    "failed_found": "Refused, yet stored",
    "rds_failover": "RDS failover drill",
    "az_isolation": "Zone isolation drill",
    "deploy": "Deploy",
    "rollback": "Rollback",
}

# What a mark is called when the run gives no label of its own.
MARKS = {
    "arm": "armed",
    "inject": "fault injected",
    "acknowledged": "AWS accepted",
    "first_failure": "first failure",
    "detected": "detected",
    "dns": "DNS changed",
    "first_ok": "first good answer",
    "stable": "stable",
    "control_plane": "control plane: done",
    "redundant": "redundancy back",
    "undone": "undone",
}


def number(value: Any) -> float | None:
    """A finite number, or None for whatever else a half-written run left there."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if math.isfinite(value) else None


def natural(text: str) -> list[tuple[int, str]]:
    """A key that sorts web-2 before web-10."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", text)]


def rows(value: Any) -> list[dict[str, Any]]:
    """The dictionaries of a list; whatever else is there is left out."""
    return [dict(item) for item in value if isinstance(item, Mapping)] if isinstance(value, (list, tuple)) else []


def mapping(value: Any) -> Mapping[str, Any]:
    """The value if it is a dictionary, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def words(value: Any) -> list[str]:
    """The texts of a list."""
    return [str(item) for item in value] if isinstance(value, (list, tuple)) else []


def name_of(name: Any) -> str:
    """A measure's or drill's name in words; ``_s`` and ``_ms`` at its end are units."""
    text = str(name or "")
    base = text.removesuffix("_s")
    known = NAMES.get(text) or NAMES.get(base)
    return known or base.replace("_", " ").strip().capitalize() or NOTHING


def seconds(value: float) -> str:
    """A duration in seconds: 0.31 s, 34.2 s, 2 min 05 s, 1 h 02 min."""
    size = abs(value)
    if size == 0:
        return "0 s"
    if size < 10:
        return f"{value:.2f} s"
    if size < 119.95:
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s" if rest else f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def measure(value: Any, unit: str | None = None) -> str:
    """A measured value with its unit; nothing measured is a dash."""
    figure = number(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if figure is None:
        return NOTHING if value is None or value == "" else str(value)
    if unit == "s":
        return seconds(figure)
    if unit == "ratio":
        return f"{figure * 100:.3g} %"
    text = f"{figure:,.0f}" if unit == "ms" or figure == int(figure) else f"{figure:,.3g}"
    return f"{text} {unit}" if unit else text


def moment(value: Any) -> datetime | None:
    """A time in seconds since the epoch, UTC; None for what is no time."""
    at = number(value)
    if at is None or not 0 <= at < END_OF_TIME:
        return None
    return datetime.fromtimestamp(at, timezone.utc)


def clock(value: Any, *, fraction: bool = True) -> str:
    """The time of day, UTC: 14:03:22.41."""
    at = moment(value)
    if at is None:
        return NOTHING
    return at.strftime("%H:%M:%S.%f")[:-4] if fraction else at.strftime("%H:%M:%S")


def day(value: Any) -> str:
    """Date and time, UTC."""
    at = moment(value)
    return at.strftime("%Y-%m-%d %H:%M:%S UTC") if at else NOTHING


def since(value: Any, zero: float | None) -> str:
    """A time as its distance from the zero of the clock: +34.20 s."""
    at = number(value)
    if at is None or zero is None:
        return NOTHING
    return f"{'+' if at >= zero else '−'}{seconds(abs(at - zero))}"


def mark_name(name: Any) -> str:
    """A mark's name without the ``t_`` that some write before it."""
    return str(name or "").removeprefix("t_")


def marks_of(report: Mapping[str, Any]) -> list[tuple[str, float, str]]:
    """The marks that have a time: (name, time, label), by time."""
    found = []
    for mark in rows(report.get("marks")):
        at, name = number(mark.get("time")), mark_name(mark.get("name"))
        if at is not None and moment(at):
            found.append((name, at, str(mark.get("label") or MARKS.get(name) or name.replace("_", " "))))
    return sorted(found, key=lambda mark: mark[1])


def mark_time(report: Mapping[str, Any], *names: str) -> float | None:
    """The time of the first of these marks that exists."""
    times = {name: at for name, at, _label in reversed(marks_of(report))}
    return next((times[name] for name in names if name in times), None)
