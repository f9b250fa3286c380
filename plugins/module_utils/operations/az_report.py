"""What an isolation drill says afterwards: its measures, whether the fault was one, and where the seconds went."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from . import measure
from .drill import Drill, Scene
from .report_words import seconds
from .samples import Sample, scheduled

if TYPE_CHECKING:
    from .az_isolation import Cut

SETTLED = 5.0  # seconds for a network ACL to be at work everywhere


class AzReport(Drill):
    """The part of the drill that only looks back."""

    cut: Cut
    isolated: set[str]
    acknowledged: float | None

    def happened(self, scene: Scene) -> str | None:
        """The fault was one if somebody noticed it, and the zone was silent while it was cut off."""
        if self.acknowledged is None:
            return None
        ended = scene.marks["undo"][0] if "undo" in scene.marks else float("inf")
        settled = self.acknowledged + min(SETTLED, self.cut.hold / 2)
        talking = sorted(
            {str(one["server"]) for one in self._answers_from_zone(scene) if settled < scheduled(one) < ended}
        )
        if talking:
            return f"The fault did not happen: {', '.join(talking)} in {self.cut.zone} went on answering while it was cut off"
        noticed = {"first_failure", "detected"} & scene.marks.keys() or self._answers_from_zone(scene)
        if not noticed:
            return (
                f"The fault cannot be told to have happened: no failure, no target unhealthy within {self.cut.hold:g} s, and no "
                "answer that names a server of the zone. Hold longer than the health check takes, or let servers name themselves"
            )
        return None

    def _answers_from_zone(self, scene: Scene) -> list[Sample]:
        found = [one for spec in self.terms.probes for one in scene.of(spec.name)]
        return [
            one
            for one in found
            if one["ok"] and one.get("server") and (one["server"] in self.isolated or one.get("zone") == self.cut.zone)
        ]

    def measures(self, scene: Scene) -> dict[str, float | None]:
        """``rto_redundancy`` counts from the end of the isolation: before it nothing can come back."""
        samples = scene.of(self.judged.name, scene.injected)
        times = {name: at for name, (at, _label) in scene.marks.items()}
        found = measure.outages(samples, stable=self.terms.stable)
        open_end = any(outage.end is None for outage in found)
        self._tell_silence(scene, times)
        return {
            "rto_service": None if open_end else measure.longest(found),
            "rto_redundancy": _between(times, "undone", "redundant"),
            "undo": _between(times, "undo", "undone"),
            "failed_ratio": measure.failed_ratio(samples),
            "failed_requests": float(sum(not one["ok"] for one in measure.known(samples))),
            "longest_outage": measure.longest(measure.outages(samples, stable=0.0, least=1)),
        }

    def _tell_silence(self, scene: Scene, times: Mapping[str, float]) -> None:
        """When the zone's servers were last heard, and when again."""
        answers = sorted(scheduled(one) for one in self._answers_from_zone(scene))
        if scene.injected is None or not answers:
            return
        restored = times.get("undone", float("inf"))
        before = [at - scene.injected for at in answers if at < restored]
        after = [at - scene.injected for at in answers if at >= restored]
        last = f"last answered {max(before):+.1f} s from the fault" if before else "had not answered before"
        again = f"again from {min(after):+.1f} s on" if after else "not again"
        scene.findings.append(f"Servers of {self.cut.zone} {last}, {again}.")

    def sentence(self, verdict: str, measured: Mapping[str, float | None]) -> str:
        zone, held = self.cut.zone, f"{self.cut.zone} was cut off"
        ratio, outage, redundancy = (
            measured.get(name) for name in ("failed_ratio", "longest_outage", "rto_redundancy")
        )
        felt = []
        if ratio is not None:
            felt.append("no request failed" if ratio == 0 else f"{ratio:.2%} of the requests failed")
        if outage:
            felt.append(f"the longest outage was {seconds(outage)}")
        if "rto_redundancy" in measured:
            felt.append(
                f"{zone} served again {seconds(redundancy)} after the isolation ended"
                if redundancy is not None
                else f"{zone} did NOT come back within {seconds(self.terms.timeout)}"
            )
        return f"{held}: {', '.join(felt) or verdict}."

    def details(self, scene: Scene) -> dict[str, Any]:
        """Where the seconds went, and when the zone's share of the service was missing."""
        times = {name: at for name, (at, _label) in scene.marks.items()}
        names = {
            "detected": "until noticed",
            "evacuated": "until taken out",
            "undo": "without the zone",
            "undone": "undo",
            "redundant": "until whole again",
        }
        course = sorted((times[name], name) for name in ("inject", *names) if name in times)
        phases = [
            {"name": names.get(name, name), "start": before, "end": at}
            for (before, _name), (at, name) in pairwise(course)
        ]
        copies = [
            {"copy": f"{self.cut.zone} before", "start": None, "end": times.get("inject")},
            {"copy": f"{self.cut.zone}", "start": times.get("redundant"), "end": None},
        ]
        return {"phases": phases, "redundancy": [copy for copy in copies if copy["start"] or copy["end"]]}


def _between(times: Mapping[str, float], first: str, second: str) -> float | None:
    """Seconds between two marks; None unless both came."""
    return max(times[second] - times[first], 0.0) if {first, second} <= times.keys() else None
