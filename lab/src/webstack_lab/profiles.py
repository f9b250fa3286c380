"""Profiles of faults: what goes wrong in the lab, for which calls, how often.

    seed: 7
    rules:
      - {fault: throttle, share: 0.10}
      - {fault: server_error, share: 0.02, after_execution: 0.5}
      - {fault: access_denied, service: ec2, operation: CreateVpc}

A rule says what goes wrong (`fault`) for which calls (`service`, `operation`, `region`: patterns of fnmatch; `kind`: read or write), how
often (`share` of the calls, `times` at most, `skip` the first ones, only from `seconds_from_start` to `seconds_until`). The first rule that
applies wins. The same seed and the same order of calls give the same faults. `lab/profiles/` has examples with all faults.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Protocol

import yaml

from webstack_lab.calls import kind_of

FAULTS = ("throttle", "server_error", "reset", "slow", "expired", "access_denied", "stale", "iam_delay")


class Asked(Protocol):
    """What a rule looks at of a call."""

    service: str
    region: str

    @property
    def operation(self) -> str: ...


class BadProfile(ValueError):
    """A profile that cannot be used, with the reason."""


@dataclass
class Rule:
    """One line of a profile."""

    fault: str
    service: str = "*"
    operation: str = "*"
    region: str = "*"
    kind: str = "*"
    share: float = 1.0
    after_execution: float = 0.0  # share of the server errors and resets that come after AWS has done the work
    status: int = 500
    seconds: float = 0.0  # how slow; how long stale; how long IAM takes
    reads: int = 0  # how many reads stay stale
    times: int | None = None
    skip: int = 0
    seconds_from_start: float = 0.0
    seconds_until: float | None = None
    applied: int = field(default=0, init=False)
    seen: int = field(default=0, init=False)

    def fits(self, call: Asked) -> bool:
        """Whether the rule is about a call at all."""
        pairs = ((self.service, call.service), (self.operation, call.operation), (self.region, call.region))
        if not all(fnmatchcase(value, pattern) for pattern, value in pairs):
            return False
        return self.kind in ("*", kind_of(call.operation))

    def strikes(self, age: float, drawn: float) -> bool:
        """Whether it hits this time: `age` in seconds since the profile was loaded, `drawn` out of [0, 1)."""
        self.seen += 1
        late = self.seconds_until is not None and age >= self.seconds_until
        spent = self.times is not None and self.applied >= self.times
        if self.seen <= self.skip or age < self.seconds_from_start or late or spent or drawn >= self.share:
            return False
        self.applied += 1
        return True


def parse(profile: Any) -> list[Rule]:
    """The rules of a profile, or BadProfile."""
    if profile is None:
        return []
    if not isinstance(profile, dict) or set(profile) - {"seed", "rules"} or not isinstance(profile.get("rules"), list):
        raise BadProfile("a profile has the keys seed (a number) and rules (a list)")
    rules = []
    for number, line in enumerate(profile["rules"], 1):
        known = {name for name, item in Rule.__dataclass_fields__.items() if item.init}
        if not isinstance(line, dict) or line.get("fault") not in FAULTS or set(line) - known:
            raise BadProfile(
                f"rule {number}: {line!r}. fault is one of {', '.join(FAULTS)}; the other keys {', '.join(sorted(known))}"
            )
        rule = Rule(**line)
        if not 0 <= rule.share <= 1 or not 0 <= rule.after_execution <= 1:
            raise BadProfile(f"rule {number}: share and after_execution are between 0 and 1")
        rules.append(rule)
    return rules


def read_profile(path: Path) -> Any:
    """A profile out of a YAML file, checked."""
    try:
        profile = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise BadProfile(f"{path}: {error}") from error
    parse(profile)
    return profile
