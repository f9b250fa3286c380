"""The course of each instance through a refresh, as it is seen from look to look."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

STARTING, REGISTERING, DRAINING, ENDING = "starting", "registering", "draining", "ending"


class Waves:
    """Which instance was in which phase from when to when; epoch seconds, as exact as the looks are frequent."""

    def __init__(self, old: Iterable[str]) -> None:
        self._old = set(old)
        self._now: dict[str, dict[str, Any]] = {}
        self._finished: list[dict[str, Any]] = []

    def look(
        self, at: float, group: Mapping[str, Any], health: Mapping[str, Mapping[str, str]], batch: int = 1
    ) -> None:
        """Take in what AWS shows at a time."""
        phases = {one["InstanceId"]: phase for one in group["Instances"] if (phase := self._phase(one, health))}
        for host in [host for host, row in self._now.items() if phases.get(host) != row["phase"]]:
            self._finished.append({**self._now.pop(host), "end": at})
        for host, phase in phases.items():
            self._now.setdefault(host, {"host": host, "batch": batch, "phase": phase, "start": at})

    @property
    def rows(self) -> list[dict[str, Any]]:
        """Every phase so far; those that go on have no end."""
        return sorted(
            [*self._finished, *({**row, "end": None} for row in self._now.values())],
            key=lambda row: (float(row["start"]), str(row["host"])),
        )

    def _phase(self, instance: Mapping[str, Any], health: Mapping[str, Mapping[str, str]]) -> str | None:
        """None while an instance merely serves."""
        name, state = instance["InstanceId"], instance["LifecycleState"]
        targets = [states[name] for states in health.values() if name in states]
        if state.startswith("Terminating"):
            return DRAINING if "draining" in targets else ENDING
        if name in self._old:
            return None
        if state.startswith("Pending"):
            return STARTING
        serves = targets and all(one == "healthy" for one in targets)
        return None if serves or not health else REGISTERING
