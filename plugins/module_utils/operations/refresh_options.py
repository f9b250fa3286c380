"""How instances are replaced: the preferences of an instance refresh, checked before anything is sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..engine.errors import OptionError

LONGEST_WAIT = 172_800  # seconds; AWS's limit for a checkpoint's delay and for baking


@dataclass(frozen=True)
class Preferences:
    """The user's preferences. Percentages are of the desired capacity, times in seconds; None leaves it to AWS and the group."""

    min_healthy_percentage: int = 100
    max_healthy_percentage: int = 110
    instance_warmup: int | None = None
    checkpoint_percentages: Sequence[int] = ()
    checkpoint_delay: int | None = None
    bake_time: int | None = None
    alarms: Sequence[str] = ()
    skip_matching: bool = True
    auto_rollback: bool = True

    def check(self) -> None:
        """Refuse what AWS would refuse, or would do otherwise than meant. Raises OptionError."""
        _between("min_healthy_percentage", self.min_healthy_percentage, 0, 100)
        _between("max_healthy_percentage", self.max_healthy_percentage, 100, 200)
        if self.max_healthy_percentage - self.min_healthy_percentage > 100:
            raise OptionError(
                "max_healthy_percentage",
                self.max_healthy_percentage,
                "It may be at most 100 above min_healthy_percentage",
            )
        for name in ("instance_warmup", "checkpoint_delay", "bake_time"):
            if getattr(self, name) is not None:
                _between(name, getattr(self, name), 0, LONGEST_WAIT)
        self._check_checkpoints()
        if len(self.alarms) > 10:
            raise OptionError("alarms", f"{len(self.alarms)} names", "AWS takes 10 at most")

    def _check_checkpoints(self) -> None:
        stages = list(self.checkpoint_percentages)
        if self.checkpoint_delay is not None and not stages:
            raise OptionError("checkpoint_delay", self.checkpoint_delay, "Give checkpoint_percentages with it")
        for stage in stages:
            _between("checkpoint_percentages", stage, 1, 100)
        if stages and (stages != sorted(set(stages)) or stages[-1] != 100):
            raise OptionError(
                "checkpoint_percentages",
                stages,
                "Give each once, ascending, the last one 100: anything less leaves two releases side by side",
            )

    @property
    def hold(self) -> int:
        """Seconds for which a refresh may stand still on purpose."""
        return max((self.checkpoint_delay or 3600) if self.checkpoint_percentages else 0, self.bake_time or 0)

    def as_request(self) -> dict[str, Any]:
        """In the form of StartInstanceRefresh."""
        chosen: dict[str, Any] = {
            "MinHealthyPercentage": self.min_healthy_percentage,
            "MaxHealthyPercentage": self.max_healthy_percentage,
            "SkipMatching": self.skip_matching,
            "AutoRollback": self.auto_rollback,
            "InstanceWarmup": self.instance_warmup,
            "CheckpointPercentages": list(self.checkpoint_percentages) or None,
            "CheckpointDelay": self.checkpoint_delay,
            "BakeTime": self.bake_time,
            "AlarmSpecification": {"Alarms": list(self.alarms)} if self.alarms else None,
        }
        return {key: value for key, value in chosen.items() if value is not None}


PREFERENCE_ARGUMENTS: dict[str, Any] = {
    "min_healthy_percentage": {"type": "int", "default": 100},
    "max_healthy_percentage": {"type": "int", "default": 110},
    "instance_warmup": {"type": "int"},
    "checkpoint_percentages": {"type": "list", "elements": "int", "default": []},
    "checkpoint_delay": {"type": "int"},
    "bake_time": {"type": "int"},
    "alarms": {"type": "list", "elements": "str", "default": []},
    "skip_matching": {"type": "bool", "default": True},
    "auto_rollback": {"type": "bool", "default": True},
}


def preferences_of(options: Mapping[str, Any]) -> Preferences:
    """The preferences that a module's options state. Raises OptionError."""
    found = Preferences(**{name: options[name] for name in PREFERENCE_ARGUMENTS})
    found.check()
    return found


def _between(option: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise OptionError(option, value, f"Use a number from {least} to {most}")
