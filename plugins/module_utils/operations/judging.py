"""Holds what was measured against what was expected beforehand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

# What a drill or a deployment may be expected to keep to, with units. A measured value must not be above it.
EXPECTATIONS = {
    "rto_service": "s",
    "rto_redundancy": "s",
    "rpo": "s",
    "lost_writes": "",
    "failed_ratio": "ratio",
    "failed_requests": "",
    "longest_outage": "s",
    "p95_ratio": "",
    "undo": "s",
}


def judge(
    expect: Mapping[str, float], measured: Mapping[str, float | None], published: Mapping[str, str]
) -> list[dict[str, Any]]:
    """One row an expectation. What never came is not ok, whatever was expected."""
    rows = []
    for name, limit in expect.items():
        value = measured.get(name)
        rows.append(
            {
                "name": name,
                "unit": EXPECTATIONS[name],
                "expected": limit,
                "measured": value,
                "published": published.get(name),
                "ok": value is not None and value <= limit,
            }
        )
    return rows


def verdict_of(
    rows: Sequence[Mapping[str, Any]], trouble: str | None, doubts: Sequence[str], left: Sequence[str]
) -> str:
    """pass, fail or inconclusive. What was left undone is a failure whatever was measured; a blind meter proves nothing."""
    if left:
        return "fail"
    if trouble:
        return "inconclusive"
    if any(not row["ok"] for row in rows):
        return "fail"
    return "inconclusive" if doubts else "pass"
