"""The prober's samples as a report needs them: read leniently, counted, thinned without losing a failure, put into buckets."""

from __future__ import annotations

import json
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from . import measure
from .measure import Outage
from .report_words import END_OF_TIME, number
from .samples import BLIND

DRAWN = 20_000
FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Shot:
    """One sample. ``at`` is when it was due (seconds since the epoch); ``latency`` counts from then, in seconds."""

    probe: str
    at: float
    latency: float | None
    ok: bool
    error: str  # the class of a failure, "" for a success
    status: str
    server: str
    release: str
    zone: str

    @property
    def blind(self) -> bool:
        """The prober could not ask: this says nothing about the service."""
        return not self.ok and self.error in BLIND

    @property
    def failed(self) -> bool:
        return not self.ok and not self.blind


@dataclass
class Shots:
    """All samples of a run by scheduled time, and how many lines of their file could not be read. Not changed once it is made."""

    all: list[Shot] = field(default_factory=list)
    unreadable: int = 0

    @cached_property
    def failed(self) -> list[Shot]:
        return [shot for shot in self.all if shot.failed]

    @cached_property
    def blind(self) -> int:
        return sum(shot.blind for shot in self.all)

    @cached_property
    def by_probe(self) -> dict[str, list[Shot]]:
        """The samples of each probe, probes in the order in which they appear."""
        found: dict[str, list[Shot]] = defaultdict(list)
        for shot in self.all:
            found[shot.probe].append(shot)
        return dict(found)

    @cached_property
    def classes(self) -> Counter[str]:
        """How many failures there are of each class."""
        return Counter(shot.error for shot in self.failed)


def read_shots(path: Path | str | None) -> Shots:
    """The samples of a file. What is missing, cut off or broken is counted, never an error: reports of killed runs need this."""
    found: list[Shot] = []
    unreadable = 0
    if path is None or not Path(path).is_file():
        return Shots()
    with Path(path).open("rb") as lines:
        for line in lines:
            shot = _shot(line)
            if shot:
                found.append(shot)
            elif line.strip():
                unreadable += 1
    return Shots(sorted(found, key=lambda shot: shot.at), unreadable)


def _shot(line: bytes) -> Shot | None:
    try:
        data = json.loads(line)
    except ValueError:
        return None
    if not isinstance(data, dict):
        return None
    at, ended, ok = number(data.get("scheduled")), number(data.get("ended")), data.get("ok") is True
    if at is None or not 0 <= at < END_OF_TIME:
        return None
    status = _text(data.get("status"))
    return Shot(
        probe=_text(data.get("probe")) or "probe",
        at=at,
        latency=None if ended is None else max(ended - at, 0.0),
        ok=ok,
        error="" if ok else _text(data.get("error")) or (f"status {status}" if status else FAILED),
        status=status,
        server=_text(data.get("server")),
        release=_text(data.get("release")),
        zone=_text(data.get("zone")),
    )


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def thin(shots: Sequence[Shot], limit: int = DRAWN) -> list[Shot]:
    """At most about ``limit`` successes, evenly spread, the slowest of each stretch among them; and every failure.

    Each stretch of successes of one probe gives its slowest and one at its middle, so neither the crowd nor a spike is lost.
    """
    good = [shot for shot in shots if shot.ok]
    room = max(limit - (len(shots) - len(good)), limit // 4)
    if len(good) <= room:
        return list(shots)
    stretch = 2 * math.ceil(len(good) / room)
    kept = [shot for shot in shots if not shot.ok]
    for mine in Shots(good).by_probe.values():
        for start in range(0, len(mine), stretch):
            part = mine[start : start + stretch]
            middle = len(part) // 2
            slowest = max(range(len(part)), key=lambda place: part[place].latency or 0.0)
            kept.extend(part[place] for place in sorted({middle, slowest}))
    return sorted(kept, key=lambda shot: shot.at)


def quantile(values: Sequence[float], share: float) -> float | None:
    """The nearest-rank quantile; ``values`` need not be sorted."""
    return sorted(values)[max(math.ceil(share * len(values)) - 1, 0)] if values else None


def outages(shots: Iterable[Shot], stable: float = measure.STABLE) -> list[Outage]:
    """The outages of one probe, as the verdict counts them; a single failure counts too."""
    samples = [{"scheduled": shot.at, "ok": shot.ok, "error": shot.error, "ended": None} for shot in shots]
    return measure.outages(samples, stable=stable, least=1)


def summary(name: str, shots: Sequence[Shot]) -> dict[str, Any]:
    """A probe's figures from its samples alone, where the run did not live to measure them."""
    latencies = [shot.latency for shot in shots if shot.ok and shot.latency is not None]
    return {
        "name": name,
        "requests": sum(not shot.blind for shot in shots),
        "failed": sum(shot.failed for shot in shots),
        "longest_outage": measure.longest(outages(shots, stable=0.0)),
        **{f"p{share}": quantile(latencies, share / 100) for share in (50, 95, 99)},
    }


def buckets(shots: Iterable[Shot], start: float, width: float) -> Iterator[tuple[float, list[Shot]]]:
    """The samples in stretches of ``width`` seconds: (start of the stretch, samples); empty stretches are left out."""
    found: dict[int, list[Shot]] = defaultdict(list)
    for shot in shots:
        found[int((shot.at - start) // width)].append(shot)
    for place in sorted(found):
        yield start + place * width, found[place]
