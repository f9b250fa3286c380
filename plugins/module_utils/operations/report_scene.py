"""What all pictures of a run share: samples, time, marks, and which colour and shape means what."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from . import figures_samples as drawn
from .figures import Axis
from .markup import Child, Markup, tag
from .measure import Outage, longest
from .report_samples import DRAWN, Shots, outages, thin
from .report_sections import Report
from .report_words import mark_time, marks_of, moment, number, rows


@dataclass
class Scene:
    """What all pictures of a run share: its samples, its axis, its marks, one shape a class of failures, one colour a release."""

    report: Report
    shots: Shots
    limit: int = DRAWN
    shapes: dict[str, int] = field(init=False)
    releases: dict[str, int] = field(init=False)

    def __post_init__(self) -> None:
        self.shapes = drawn.shapes_of(self.shots.classes)
        names = dict.fromkeys(shot.release for shot in self.shots.all if shot.ok and shot.release)
        self.releases = {name: place for place, name in enumerate(names)}
        self.marks = marks_of(self.report)

    @cached_property
    def whole(self) -> Axis | None:
        """From the run's start to its end, as far as they are known; None where nothing is."""
        report, shots = self.report, self.shots.all
        times = [number(report.get("started")), number(report.get("ended")), *(at for _name, at, _label in self.marks)]
        times += [shots[0].at, shots[-1].at] if shots else []
        for row in rows(report.get("waves")):
            times += [number(row.get("start")), number(row.get("end"))]
        known = [at for at in times if at is not None and moment(at)]
        if not known:
            return None
        start, end = min(known), max(known)
        zero = mark_time(report, "inject")
        return Axis(start, max(end, start + 1.0), start if zero is None else zero)

    @cached_property
    def close(self) -> Axis | None:
        """Around the outage: from the fault to the service's return; None where that is most of the run."""
        if self.whole is None:
            return None
        edges = [mark_time(self.report, name) for name in ("inject", "first_failure", "dns", "first_ok")]
        edges += [at for gap in self._gaps() for at in (gap.start, gap.end or gap.last_failed)]
        known = [at for at in edges if at is not None and self.whole.holds(at)]
        if len(known) < 2 or max(known) - min(known) > 0.45 * self.whole.span:
            return None
        pad = max((max(known) - min(known)) * 0.2, 1.0)
        start, end = max(min(known) - pad, self.whole.start), min(max(known) + pad, self.whole.end)
        return self.whole.focus(start, end) if end > start else None

    def _gaps(self) -> list[Outage]:
        if mark_time(self.report, "inject") is None:
            return []
        gaps = [gap for mine in self.shots.by_probe.values() for gap in outages(mine)]
        return [gap for gap in gaps if gap.failed > 1]

    @cached_property
    def primary(self) -> str | None:
        """The probe that stands for the users: the run's choice; else the one whose outage the marks are about, else the one with
        the longest outage. Never the control probe, which watches the prober."""
        probes = self.shots.by_probe
        chosen = str(self.report.get("primary") or "")
        if chosen in probes:
            return chosen
        start, end = mark_time(self.report, "first_failure"), mark_time(self.report, "first_ok")

        def rank(name: str) -> float:
            gaps = outages(probes[name])
            if start is None or end is None or not gaps:
                return longest(gaps)
            return -min(abs(gap.start - start) + abs((gap.end or end) - end) for gap in gaps)

        names = [name for name in probes if name != "control"] or list(probes)
        return max((name for name in names if outages(probes[name])), key=rank, default=next(iter(names), None))

    @cached_property
    def thinned(self) -> Shots:
        return Shots(thin(self.shots.all, self.limit))

    @property
    def zero(self) -> float | None:
        return self.whole.zero if self.whole else None


def figure(picture: Markup, caption: str, *below: Child) -> Markup:
    return tag("figure", tag("figcaption", caption), picture, *below)
