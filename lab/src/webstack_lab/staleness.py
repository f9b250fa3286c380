"""Eventual consistency: what was made a moment ago is not seen yet, and IAM takes its time to tell other services.

"The Amazon EC2 API follows an eventual consistency model … the result of an API command you run might not be immediately visible to all
subsequent commands": https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html. S3 is strongly consistent.
https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency

What a create call has made is known by the identifiers in its answer that no answer has held before. A read that names one is
put to the emulator with that name spelled differently, so the answer is its own NotFound; out of other answers the thing is left out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from webstack_lab.calls import kind_of
from webstack_lab.extend import AwsError, Raw
from webstack_lab.wire import Call, compose, parse, serialize

Run = Callable[[Call], Raw]
Fits = Callable[[Call], bool]

MAKING = re.compile(r"^(Create|Allocate|Request|Run|Import)")
IDENTITY = re.compile(r"(Id|Arn|ARN|Name|Identifier|logGroupName)$")
CONSISTENT = frozenset({"s3", "sts", "ssm", "resourcegroupstaggingapi"})
# Operations that use an instance profile or a role, how AWS refuses one that it does not know yet (traps 21, 23).
USERS_OF_IAM = {
    ("autoscaling", "CreateAutoScalingGroup"): (
        "ValidationError",
        "You must use a valid fully-formed launch template. Value ({name}) for parameter iamInstanceProfile.name is invalid. "
        "Invalid IAM Instance Profile name",
    ),
    ("autoscaling", "UpdateAutoScalingGroup"): (
        "ValidationError",
        "You must use a valid fully-formed launch template. Value ({name}) for parameter iamInstanceProfile.name is invalid. "
        "Invalid IAM Instance Profile name",
    ),
    ("ec2", "RunInstances"): (
        "InvalidParameterValue",
        "Value ({name}) for parameter iamInstanceProfile.name is invalid. Invalid IAM Instance Profile name",
    ),
    ("ec2", "CreateFlowLogs"): ("InvalidParameter", "Unable to assume given IAM role {name}"),
    ("rds", "CreateDBInstance"): (
        "InvalidParameterValue",
        "IAM role ARN value is invalid or does not include the required permissions",
    ),
}


@dataclass
class Hidden:
    """An identifier that reads do not show yet."""

    reads: int
    until: float


class Staleness:
    """What is not seen yet."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self._rules: list[tuple[Fits, int, float]] = []
        self._iam_seconds = 0.0
        self._seen: set[str] = set()
        self._hidden: dict[tuple[str, str], Hidden] = {}  # service and identifier
        self._fresh: dict[str, float] = {}  # name of a role or profile, and when everybody knows it
        self._counts = {"stale": 0, "iam_delay": 0}

    def follow(self, fits: Fits, reads: int, seconds: float) -> None:
        """Hide what fitting calls make: for a number of reads, and for a time."""
        self._rules.append((fits, reads, seconds))

    def delay_iam(self, seconds: float) -> None:
        """Let other services know roles and instance profiles only after a time."""
        self._iam_seconds = seconds

    def counts(self) -> dict[str, int]:
        """How many reads were stale, how many calls came too early for IAM."""
        return {name: number for name, number in self._counts.items() if number}

    def answer(self, call: Call, run: Run) -> tuple[Raw, str | None]:
        """The answer to a call, as stale as it has to be."""
        if not self._rules and not self._iam_seconds:
            return run(call), None
        if (refused := self._too_early(call, run)) is not None:
            return serialize(call, refused, "staleness"), "iam_delay"
        if kind_of(call.operation) == "read" and call.model is not None and call.service not in CONSISTENT:
            return self._read(call, run)
        raw = run(call)
        self._learn(call, raw)
        return raw, None

    # IAM.

    def _too_early(self, call: Call, run: Run) -> AwsError | None:
        if (call.service, call.operation) not in USERS_OF_IAM or not self._fresh:
            return None
        text = json.dumps(call.params, default=str) + self._template_of(call, run)
        for name, known_at in self._fresh.items():
            if self.clock() < known_at and name in text:
                code, message = USERS_OF_IAM[call.service, call.operation]
                self._counts["iam_delay"] += 1
                return AwsError(code, message.format(name=name), 400)
        return None

    def _template_of(self, call: Call, run: Run) -> str:
        """The launch template that a group is made from, where it has one: it holds the instance profile."""
        which = call.params.get("LaunchTemplate") or {}
        wanted = {key: which[key] for key in ("LaunchTemplateId", "LaunchTemplateName") if which.get(key)}
        if not wanted:
            return ""
        versions = {**wanted, "Versions": [str(which.get("Version") or "$Default")]}
        asked = compose("ec2", "DescribeLaunchTemplateVersions", call.region, versions, call)
        raw = run(asked)
        return json.dumps(parse(asked, raw), default=str) if raw.status < 300 else ""

    # Reads.

    def _learn(self, call: Call, raw: Raw) -> None:
        """Note what a call has made."""
        if raw.status >= 300 or call.model is None:
            return
        answer = parse(call, raw)
        if (
            call.service == "iam"
            and self._iam_seconds
            and call.operation in ("CreateRole", "CreateInstanceProfile", "AddRoleToInstanceProfile")
        ):
            name = call.params.get("InstanceProfileName") or call.params["RoleName"]
            self._fresh[str(name)] = self.clock() + self._iam_seconds
        found = list(_identifiers(answer)) or list(_identifiers(call.params))
        identifiers = {value for _key, value in found}
        if MAKING.match(call.operation) and call.service not in CONSISTENT:
            for fits, reads, seconds in self._rules:
                if fits(call):
                    for one in _names_of_made(call.operation, found) - self._seen:
                        self._hidden[call.service, one] = Hidden(reads, self.clock() + seconds if seconds else 0.0)
                    break
        self._seen |= identifiers

    def _read(self, call: Call, run: Run) -> tuple[Raw, str | None]:
        hidden = {
            one for (service, one), state in self._hidden.items() if service == call.service and self._lags(state)
        }
        asked = json.dumps(call.params, default=str)
        named = {one for one in hidden if f'"{one}"' in asked}
        if named:
            self._used(call.service, named)
            stranger = json.loads(asked)
            for one in named:
                stranger = _renamed(stranger, one, _twin(one))
            return run(compose(call.service, call.operation, call.region, stranger, call)), "stale"
        raw = run(call)
        if raw.status >= 300:
            return raw, None
        answer = parse(call, raw)
        shown = hidden & set(_strings(answer))
        if not shown:
            self._seen |= {value for _key, value in _identifiers(answer)}
            return raw, None
        self._used(call.service, shown)
        return serialize(call, _without(answer, shown), "staleness"), "stale"

    def _lags(self, state: Hidden) -> bool:
        return state.reads > 0 or self.clock() < state.until

    def _used(self, service: str, identifiers: set[str]) -> None:
        self._counts["stale"] += 1
        for one in identifiers:
            self._hidden[service, one].reads -= 1


def _names_of_made(operation: str, found: list[tuple[str, str]]) -> set[str]:
    """Of what an answer names, the thing that was made: CreateSecurityGroup makes the GroupId; all where nothing is called like it."""
    noun = MAKING.sub("", operation).lower()
    own = {value for key, value in found if (stem := IDENTITY.sub("", key).lower()) and noun.endswith(stem)}
    return own or {value for _key, value in found}


def _identifiers(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """What in an answer identifies things: keys like VpcId, Arn or RoleName, and their values."""
    if isinstance(value, dict):
        for name, part in value.items():
            if name not in ("Tags", "TagSet", "tags", "OwnerId", "RequestId", "ClientToken"):
                yield from _identifiers(part, str(name))
    elif isinstance(value, list):
        for part in value:
            yield from _identifiers(part, key)
    elif isinstance(value, str) and IDENTITY.search(key):
        yield key, value


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for part in value.values():
            yield from _strings(part)
    elif isinstance(value, list):
        for part in value:
            yield from _strings(part)
    elif isinstance(value, str):
        yield value


def _without(value: Any, hidden: set[str]) -> Any:
    """An answer without the list items that are one of the hidden things."""
    if isinstance(value, dict):
        return {key: _without(part, hidden) for key, part in value.items()}
    if isinstance(value, list):
        return [_without(part, hidden) for part in value if not _is_one_of(part, hidden)]
    return value


def _is_one_of(item: Any, hidden: set[str]) -> bool:
    """Whether a list item is a hidden thing itself, by its own identifiers, not by those of what it contains."""
    if isinstance(item, str):
        return item in hidden
    return isinstance(item, dict) and any(
        isinstance(part, str) and part in hidden and IDENTITY.search(key) for key, part in item.items()
    )


def _renamed(value: Any, old: str, new: str) -> Any:
    if isinstance(value, dict):
        return {key: _renamed(part, old, new) for key, part in value.items()}
    if isinstance(value, list):
        return [_renamed(part, old, new) for part in value]
    return new if value == old else value


def _twin(identifier: str) -> str:
    """Something of the same form that does not exist."""
    return identifier[:-4] + identifier[-4:].translate(str.maketrans("0123456789abcdef", "123456789abcdef0"))
