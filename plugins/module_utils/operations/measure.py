"""What the samples say: outages, latencies, who answered when, lost writes, and whether the prober itself can be believed.

Pure functions over samples of one probe (unless they say otherwise). Times are seconds since the epoch, durations seconds.
A sample counts for the moment when it was due. Samples of the classes in ``BLIND`` are neither failed nor good: they leave a hole
in what is known, and ``doubts`` names it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from .probe_specs import ProbeSpec
from .ratios import failure_bound
from .samples import BLIND, Sample, scheduled

STABLE = 1.0
LATE = 0.1


@dataclass(frozen=True)
class Outage:
    """A stretch in which the service failed: from the first failed sample to the first good one of a stable window.

    ``end`` is None while no stable window has begun. ``errors`` counts the failed samples by class; ``good`` counts the
    successes in between. Each end is known to ``uncertainty`` seconds: the distance of the samples on both sides of it, and the
    time that these took to reach the service.
    """

    start: float
    end: float | None
    last_failed: float
    failed: int
    good: int
    errors: Mapping[str, int]
    uncertainty: float

    def seconds(self, now: float | None = None) -> float:
        """How long it lasted; one that has not ended lasts until ``now``, or until its last failed sample."""
        return max((self.end if self.end is not None else now or self.last_failed) - self.start, 0.0)

    def as_dict(self) -> dict[str, Any]:
        return {
            "start": self.start,
            "end": self.end,
            "seconds": round(self.seconds(), 6),
            "uncertainty": round(self.uncertainty, 6),
            "failed": self.failed,
            "good": self.good,
            "errors": dict(self.errors),
        }


def is_blind(sample: Sample) -> bool:
    return not sample["ok"] and sample["error"] in BLIND


def known(samples: Iterable[Sample]) -> list[Sample]:
    """The samples that say something about the service, by scheduled time."""
    return sorted((sample for sample in samples if not is_blind(sample)), key=scheduled)


def latency(sample: Sample) -> float:
    """Seconds from the moment when the sample was due, so that what delayed it counts (coordinated omission)."""
    return max((sample["ended"] or scheduled(sample)) - scheduled(sample), 0.0)


def is_bad(sample: Sample, slow: float | None = None) -> bool:
    """Whether a user was failed: an error, or an answer later than ``slow`` seconds."""
    return not sample["ok"] or (slow is not None and latency(sample) > slow)


def outages(
    samples: Iterable[Sample], *, stable: float = STABLE, least: int = 2, slow: float | None = None
) -> list[Outage]:
    """The outages with at least ``least`` failed samples, in order.

    An outage ends with the first good sample after which nothing fails for ``stable`` seconds; with 0 it ends with the first
    good sample. Its true ends lie at most one interval of the schedule before its measured ones.
    """
    return [outage for outage in _runs(known(samples), stable, slow) if outage.failed >= least]


def single_failures(samples: Iterable[Sample], *, stable: float = STABLE, slow: float | None = None) -> list[Outage]:
    """Failed samples with nothing but successes around them."""
    return [outage for outage in _runs(known(samples), stable, slow) if outage.failed == 1]


def _runs(samples: Sequence[Sample], stable: float, slow: float | None) -> list[Outage]:
    runs = []
    place = 0
    while place < len(samples):
        if is_bad(samples[place], slow):
            after = _recovery(samples, place, stable, slow)
            runs.append(_outage(samples, place, after, slow))
            place = after
        place += 1
    return runs


def _recovery(samples: Sequence[Sample], place: int, stable: float, slow: float | None) -> int:
    """Where the first good sample of a stable window stands, or the end. A window cut off by the end of the samples is stable."""
    good: int | None = None
    for index in range(place, len(samples)):
        if is_bad(samples[index], slow):
            good = None
            continue
        good = index if good is None else good
        if scheduled(samples[index]) - scheduled(samples[good]) >= stable:
            return good
    return len(samples) if good is None else good


def _outage(samples: Sequence[Sample], begin: int, after: int, slow: float | None) -> Outage:
    run = samples[begin:after]
    failed = [sample for sample in run if is_bad(sample, slow)]
    edges = [samples[max(begin - 1, 0) : begin + 1], samples[after - 1 : after + 1]]
    return Outage(
        start=scheduled(failed[0]),
        end=scheduled(samples[after]) if after < len(samples) else None,
        last_failed=scheduled(failed[-1]),
        failed=len(failed),
        good=len(run) - len(failed),
        errors=Counter(sample["error"] or "slow" for sample in failed),
        uncertainty=max(scheduled(edge[-1]) - scheduled(edge[0]) + max(map(_reaching, edge)) for edge in edges),
    )


def _reaching(sample: Sample) -> float:
    """The longest that a sample can have taken to reach the service. Of one without an answer only the first phases are known."""
    if sample["ok"] or sample["error"] != "timeout":
        return latency(sample)
    phases: Mapping[str, float] = sample.get("phases") or {}
    return _late(sample) + sum(phases.values())


def longest(found: Iterable[Outage]) -> float:
    return max((outage.seconds() for outage in found), default=0.0)


def total(found: Iterable[Outage]) -> float:
    return sum(outage.seconds() for outage in found)


def recovery_time(
    samples: Iterable[Sample], *, since: float | None = None, window: float = 30.0, objective: float = 1.0
) -> float | None:
    """Seconds from the first failure to the start of the first ``window`` in which the share of good samples is at least
    ``objective``; the service's RTO. 0 when nothing failed, None when no whole window was good enough.

    Failures before ``since`` do not count.
    """
    asked = [sample for sample in known(samples) if since is None or scheduled(sample) >= since]
    first = next((index for index, sample in enumerate(asked) if not sample["ok"]), None)
    if first is None:
        return 0.0
    good_before = [0]
    for sample in asked:
        good_before.append(good_before[-1] + bool(sample["ok"]))
    end = first
    for begin in range(first, len(asked)):
        until = scheduled(asked[begin]) + window
        while end < len(asked) and scheduled(asked[end]) < until:
            end += 1
        if end == len(asked) and scheduled(asked[-1]) < until - _interval(asked):
            return None
        if asked[begin]["ok"] and good_before[end] - good_before[begin] >= objective * (end - begin):
            return scheduled(asked[begin]) - scheduled(asked[first])
    return None


def _interval(samples: Sequence[Sample]) -> float:
    """The usual time between two samples."""
    gaps = sorted(scheduled(after) - scheduled(before) for before, after in pairwise(samples))
    return gaps[len(gaps) // 2] if gaps else 0.0


def brown_out_seconds(
    samples: Iterable[Sample], *, objective: float = 0.999, slow: float | None = None, bucket: float = 1.0
) -> float:
    """Seconds in which some samples were good but fewer than the objective asks for; whole outages are not in it."""
    good: Counter[int] = Counter()
    asked: Counter[int] = Counter()
    for sample in known(samples):
        place = int(scheduled(sample) // bucket)
        asked[place] += 1
        good[place] += not is_bad(sample, slow)
    return bucket * sum(0 < good[place] < objective * count for place, count in asked.items())


def failed_ratio(samples: Iterable[Sample]) -> float:
    asked = known(samples)
    return sum(not sample["ok"] for sample in asked) / len(asked) if asked else 0.0


def percentile(values: Sequence[float], share: float) -> float | None:
    """The nearest-rank percentile; ``share`` from 0 to 1. None without values."""
    if not values:
        return None
    return sorted(values)[max(math.ceil(share * len(values)) - 1, 0)]


def latencies(samples: Iterable[Sample]) -> dict[str, float | None]:
    """p50, p95 and p99 of the good samples from the scheduled time. Failed ones are counted elsewhere: a fast refusal is no speed."""
    values = sorted(latency(sample) for sample in samples if sample["ok"])
    return {f"p{share}": percentile(values, share / 100) for share in (50, 95, 99)}


def budget_share(seconds: float, objective: float = 0.999, days: float = 30.0) -> float:
    """The part of an error budget that a whole outage of so many seconds uses up; 1 is all of it."""
    return seconds / ((1 - objective) * days * 86_400)


def windows(samples: Iterable[Sample], start: float, end: float) -> dict[str, list[Sample]]:
    """The samples ``before``, ``during`` and ``after`` the stretch from ``start`` to ``end``."""
    found: dict[str, list[Sample]] = {"before": [], "during": [], "after": []}
    for sample in sorted(samples, key=scheduled):
        at = scheduled(sample)
        found["before" if at < start else "during" if at < end else "after"].append(sample)
    return found


def by_identity(samples: Iterable[Sample], key: str) -> list[dict[str, Any]]:
    """Who answered: a line for each ``server``, ``release`` or ``zone`` with its share and when it was seen, by first appearance.

    Samples without an answer that names itself are left out.
    """
    groups: dict[str, list[Sample]] = {}
    for sample in known(samples):
        if sample.get(key):
            groups.setdefault(str(sample[key]), []).append(sample)
    named = sum(map(len, groups.values()))
    return [
        {
            "name": name,
            "first": scheduled(group[0]),
            "last": scheduled(group[-1]),
            "requests": len(group),
            "failed": sum(not sample["ok"] for sample in group),
            "share": len(group) / named,
        }
        for name, group in groups.items()
    ]


def switches(samples: Iterable[Sample], key: str = "server") -> list[dict[str, Any]]:
    """Each change of who answered: when the new one's first answer was there, and when the old one's last."""
    changes: list[dict[str, Any]] = []
    before: Sample | None = None
    answered = [sample for sample in known(samples) if sample["ok"] and sample.get(key)]
    for sample in sorted(answered, key=lambda sample: float(sample["ended"])):
        if before is not None and sample[key] != before[key]:
            change = {"time": sample["ended"], "last_before": before["ended"]}
            changes.append({**change, "before": before[key], "after": sample[key]})
        before = sample
    return changes


def markers(samples: Iterable[Sample], surviving: Collection[int]) -> dict[str, Any]:
    """What became of the write markers, given the numbers that were read back afterwards.

    ``lost`` were acknowledged and are absent; ``unknown_found`` had no answer and are stored all the same; ``failed_found`` were
    refused and are stored, which must not happen. ``rpo_seconds`` reaches from the last marker that survived before the first
    lost one to the last lost one, by the times at which they were due.
    """
    written = [sample for sample in sorted(samples, key=scheduled) if sample.get("marker")]
    states = {
        state: [s for s in written if s["marker"]["state"] == state] for state in ("acknowledged", "unknown", "failed")
    }

    def stored(sample: Sample) -> bool:
        return sample["marker"]["n"] in surviving

    lost = [sample for sample in states["acknowledged"] if not stored(sample)]
    return {
        "acknowledged": len(states["acknowledged"]),
        "surviving": sum(map(stored, states["acknowledged"])),
        "lost": len(lost),
        "lost_markers": [sample["marker"]["n"] for sample in lost],
        "unknown": len(states["unknown"]),
        "unknown_found": sum(map(stored, states["unknown"])),
        "failed": len(states["failed"]),
        "failed_found": sum(map(stored, states["failed"])),
        "rpo_seconds": _rpo(states["acknowledged"], lost, stored),
    }


def _rpo(acknowledged: Sequence[Sample], lost: Sequence[Sample], stored: Callable[[Sample], bool]) -> float:
    if not lost:
        return 0.0
    first = scheduled(lost[0])
    kept = [scheduled(sample) for sample in acknowledged if stored(sample) and scheduled(sample) < first]
    return scheduled(lost[-1]) - max(kept, default=first)


def lateness(samples: Iterable[Sample]) -> dict[str, float | None]:
    """How late the prober itself started its samples: p50, p99 and the worst, in seconds."""
    values = sorted(max(s["started"] - scheduled(s), 0.0) for s in samples if s["started"] is not None)
    return {"p50": percentile(values, 0.5), "p99": percentile(values, 0.99), "max": values[-1] if values else None}


def doubts(
    samples: Iterable[Sample], rate: float, *, late: float = LATE, start: float | None = None, end: float | None = None
) -> list[str]:
    """Why the measurement cannot be believed; empty when it can. Any reason makes a verdict inconclusive.

    ``rate`` is the schedule's. Between ``start`` and ``end``, where given, samples must be there from end to end.
    """
    taken = sorted(samples, key=scheduled)
    if not taken:
        return ["There are no samples"]
    reasons = []
    if blind := [sample for sample in taken if is_blind(sample)]:
        classes = ", ".join(f"{count} {name}" for name, count in Counter(s["error"] for s in blind).items())
        reasons.append(f"{len(blind)} of {len(taken)} samples were never put to the service ({classes})")
    moments = [*([start] if start is not None else []), *map(scheduled, taken), *([end] if end is not None else [])]
    gap = max((after - before for before, after in pairwise(moments)), default=0.0)
    if gap > 2.5 / rate:
        reasons.append(f"For {gap:.2f} s there are no samples at all")
    p99 = lateness(taken)["p99"]
    if p99 is not None and p99 > late:
        reasons.append(f"1 in 100 samples was started more than {p99:.2f} s late: this machine was too busy")
    worst = max((_late(sample) for sample in _at_edges(taken)), default=0.0)
    if worst > late:
        reasons.append(f"A sample at the begin or end of an outage was started {worst:.2f} s late")
    return reasons


def _late(sample: Sample) -> float:
    started: float | None = sample.get("started")
    return 0.0 if started is None else max(started - scheduled(sample), 0.0)


def _at_edges(samples: Sequence[Sample]) -> list[Sample]:
    """The samples on both sides of every change between good and failed."""
    asked = [sample for sample in samples if not is_blind(sample)]
    edges = []
    for before, after in pairwise(asked):
        if before["ok"] != after["ok"]:
            edges += [before, after]
    return edges


def summary(spec: ProbeSpec, samples: Iterable[Sample]) -> dict[str, Any]:
    """One probe in figures. ``samples`` may be those of all probes. ``longest_outage`` and ``outage_total`` are of unbroken runs."""
    mine = sorted((sample for sample in samples if sample["probe"] == spec.name), key=scheduled)
    asked = known(mine)
    failed = sum(not sample["ok"] for sample in asked)
    unbroken = outages(asked, stable=0.0)
    return {
        "name": spec.name,
        "kind": spec.kind,
        "flavour": spec.flavour,
        "rate": spec.rate,
        "requests": len(asked),
        "failed": failed,
        "blind": len(mine) - len(asked),
        "failed_ratio": failed / len(asked) if asked else 0.0,
        "failed_bound": failure_bound(len(asked), failed),
        "errors": dict(Counter(sample["error"] for sample in asked if not sample["ok"])),
        "single_failures": len(single_failures(asked, stable=0.0)),
        "outages": [outage.as_dict() for outage in outages(asked)],
        "longest_outage": longest(unbroken),
        "outage_total": total(unbroken),
        "brown_out": brown_out_seconds(asked),
        **latencies(asked),
        "lateness": lateness(mine),
        "doubts": doubts(mine, spec.rate),
    }
