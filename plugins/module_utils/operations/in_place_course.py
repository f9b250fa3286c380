"""What becomes of a deployment in place batch by batch: outcomes, the failure budget, the release pointer, and turning back."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from ..engine.errors import OptionError
from ..engine.sdk import Clients
from ..resources.ec2_launch import RELEASE_TAG
from . import measure
from .errors import OperationError
from .launch_versions import make_default, new_version, point_group_at
from .run import Operation
from .samples import read_samples
from .undo import pending

DONE = ("deployed", "skipped")
OUTCOMES = (*DONE, "failed", "reverted", "left_out")
POINTER = "restore_release_pointer"


class Course:
    """A deployment that has begun, as its journal tells it."""

    def __init__(self, operation: Operation) -> None:
        self.operation = operation
        self.reload()

    def reload(self) -> None:
        """Read the journal again."""
        self.records = self.operation.journal.read().records
        plans = [record for record in self.records if record.kind == "plan"]
        if not plans or "hosts" not in plans[0].data:
            raise OperationError(
                f"Run {self.operation.run_id} is no deployment in place. Give the run_id that state=begun returned"
            )
        self.plan: dict[str, Any] = plans[0].data
        self.outcomes: dict[str, dict[str, Any]] = {}  # host → its last outcome, in the order of the last ones
        for record in self.records:
            if record.kind == "event" and record.step == "outcome":
                self.outcomes.pop(record.data["host"], None)
                self.outcomes[record.data["host"]] = record.data

    def of(self, *outcomes: str) -> list[str]:
        """The hosts whose last outcome is one of these, oldest first."""
        return [host for host, row in self.outcomes.items() if row["outcome"] in outcomes]

    @property
    def gave_up(self) -> str | None:
        """Why the deployment goes no further; None while it does."""
        return next((record.data["reason"] for record in self.records if record.kind == "abort"), None)

    @property
    def promoted(self) -> bool:
        return any(record.kind == "event" and record.step == "promoted" for record in self.records)

    @property
    def deploying_since(self) -> float:
        """When the baseline was over."""
        times = [
            float(record.data["time"])
            for record in self.records
            if record.kind == "event" and record.step == "baseline"
        ]
        return times[0] if times else float(self.plan["started"])

    def give_up(self, reason: str) -> None:
        if not self.gave_up:
            self.operation.record("abort", "deployment", {"reason": reason})
            self.reload()


def record_batch(course: Course, hosts: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Note what became of some hosts, move the pointer after the first good batch, and say whether the next may begin."""
    plan_, operation, clients = course.plan, course.operation, course.operation.clients
    for host, row in hosts.items():
        _check_outcome(course, host, row)
    for host, row in hosts.items():
        facts = {
            "host": host,
            "outcome": row["outcome"],
            "reason": str(row.get("reason") or ""),
            "batch": row.get("batch"),
        }
        operation.record("event", "outcome", facts)
    operation.record("event", "batch", {"hosts": list(hosts)})
    course.reload()
    _tag(clients, plan_["region"], [host for host in hosts if hosts[host]["outcome"] == "deployed"], plan_["release"])
    if plan_["before"]:
        _tag(
            clients, plan_["region"], [host for host in hosts if hosts[host]["outcome"] == "reverted"], plan_["before"]
        )
    if reason := _why_not_on(course):
        course.give_up(reason)
    changed = False
    if not course.gave_up and course.of(*DONE) and not course.promoted:
        changed = _promote(course)
    return {
        "changed": changed,
        "proceed": course.gave_up is None,
        "why": course.gave_up or "",
        "next_batch": sum(record.kind == "event" and record.step == "batch" for record in course.records) + 1,
    }


def _check_outcome(course: Course, host: str, row: Mapping[str, Any]) -> None:
    if host not in course.plan["hosts"]:
        raise OptionError("hosts", host, f"The hosts of this deployment are {', '.join(course.plan['hosts'])}")
    if row.get("outcome") not in OUTCOMES:
        raise OptionError(f"hosts.{host}.outcome", row.get("outcome"), f"It is one of {', '.join(OUTCOMES)}")


def _why_not_on(course: Course) -> str | None:
    plan_ = course.plan
    failed = course.of("failed", "left_out")
    if len(failed) * 100 > plan_["max_fail_percentage"] * len(plan_["hosts"]):
        reasons = "; ".join(f"{host}: {course.outcomes[host]['reason']}" for host in failed)
        return f"{len(failed)} of {len(plan_['hosts'])} hosts failed, {plan_['max_fail_percentage']:g} % may. {reasons}"
    if reason := course.operation.stop():
        return reason
    return _users_are_failed(course)


def _users_are_failed(course: Course) -> str | None:
    """More requests have failed already than were expected to in all."""
    limit = course.plan["expect"].get("failed_requests")
    if limit is None:
        return None
    samples = read_samples(course.operation.folder / "samples.jsonl")
    failed = [one for one in measure.known(samples) if not one["ok"] and one["probe"] == course.plan["judged"]]
    if len(failed) <= limit:
        return None
    return f"{len(failed)} requests of probe {course.plan['judged']} failed, at most {limit:g} were expected"


def _promote(course: Course) -> bool:
    """Let instances that start from now on run the release."""
    plan_, operation, clients = course.plan, course.operation, course.operation.clients
    region, group = plan_["region"], plan_["group"]
    data = {"region": region, "group": group, "version": plan_["version"], "default": plan_["default"]}
    if plan_["before"] != plan_["release"]:
        target = f"{group}: what it launches"
        operation.arm(POINTER, target, data)
        number = new_version(clients, region, group, plan_["release"])
        point_group_at(clients, region, group, number)
        make_default(clients, region, group, number)
        operation.record("acknowledged", target)
    operation.record(
        "event", "promoted", {"time": time.time(), "label": "release pointer moved", "release": plan_["release"]}
    )
    course.reload()
    return bool(plan_["before"] != plan_["release"])


def _tag(clients: Clients, region: str, hosts: Sequence[str], release: str) -> None:
    """Let the instances' own tags say what they run."""
    if hosts:
        clients("ec2", region).create_tags(Resources=list(hosts), Tags=[{"Key": RELEASE_TAG, "Value": release}])


def turn_back(course: Course) -> dict[str, Any]:
    """Where the deployment was given up: the pointer first, then say which hosts are to go back, the newest first."""
    if not course.gave_up:
        return {"changed": False, "hosts": [], "why": ""}
    changed = False
    for intent in pending(course.operation.journal.read().records):
        if intent.action == POINTER:
            changed |= course.operation.undo(intent)
    return {"changed": changed, "hosts": list(reversed(course.of("deployed"))), "why": course.gave_up}
