"""A deployment to the instances that run, batch by batch: its plan, and how it begins.

Several tasks of one playbook share it through the journal of its run: see in_place_course. The tasks on the hosts need no AWS.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from ..engine.errors import OptionError
from ..engine.sdk import Clients
from ..resources.ec2_launch import RELEASE_TAG
from . import measure
from .drill import Drill, Precondition, Scene, Terms, plan, refuse
from .errors import OperationError
from .launch_versions import (
    Pointer,
    check_release,
    default_version,
    described_group,
    pointer_of,
)
from .refresh_checks import template_checks
from .rotation import Pool, pools_of
from .run import Operation, Plan
from .samples import read_samples
from .stack_checks import alarms_ok, no_refresh

# What a group does by itself and would take for trouble, or make trouble with, while hosts are out of rotation.
SUSPENDED = ("AZRebalance", "HealthCheck", "ReplaceUnhealthy", "ScheduledActions")
PASSING = ("initial", "draining", "unused")  # states of targets that end by themselves
SETTLING = 90.0  # seconds for targets that a killed run has left on their way


@dataclass(frozen=True)
class Wish:
    """What is to be deployed, and what is put up with."""

    group: str
    release: str
    target_group_names: Sequence[str] = ()
    min_healthy: int | None = None  # None: half of the instances, rounded up
    max_fail_percentage: float = 0.0
    check_alarms: bool = True


class InPlace(Drill):
    """The plan of a deployment in place, in the form that drills have too."""

    kind = "deploy-in-place"
    noun, deed, done = "deployment", "deployment", "deployed"

    def __init__(self, clients: Clients, terms: Terms, wish: Wish) -> None:
        check_release(wish.release)
        if not 0 <= wish.max_fail_percentage <= 100:
            raise OptionError("max_fail_percentage", wish.max_fail_percentage, "Give a percentage from 0 to 100")
        super().__init__(clients, terms)
        self.wish = wish
        self.purpose = f"deploy of {wish.release} to {wish.group} in {terms.region}"
        self.title = f"Deploy {wish.release} to {wish.group}, in place"

    def target(self) -> dict[str, Any]:
        region = self.terms.region
        self.group = described_group(self.clients, region, self.wish.group)
        self.pointer: Pointer = pointer_of(self.clients, region, self.group)
        self.default = default_version(self.clients, region, self.pointer.template_id)
        self.pools = pools_of(self.clients, region, self.wish.group, list(self.wish.target_group_names))
        self.health = health_of(self.clients, region, self.pools)
        return {
            "id": self.wish.group,
            "release": self.wish.release,
            "release_before": self.pointer.release,
            "launch_template": self.pointer.template_id,
            "version_before": self.pointer.version,
            "instances": sorted(one["InstanceId"] for one in self.group["Instances"]),
        }

    @property
    def min_healthy(self) -> int:
        """How many targets must stay healthy at every moment."""
        return (len(self.group["Instances"]) + 1) // 2 if self.wish.min_healthy is None else self.wish.min_healthy

    def preconditions(self, target: Mapping[str, Any]) -> list[Precondition]:
        terms = self.terms
        rows = [row for row in template_checks(self.pointer, self.default, adopting=False) if row.name == "version"]
        found = [*rows, self._in_service(), self._enough_healthy(), no_refresh(self.clients, terms.stack, terms.region)]
        if self.wish.check_alarms:
            found.append(alarms_ok(self.clients, terms.stack, terms.region))
        return found

    def _in_service(self) -> Precondition:
        name, instances = self.wish.group, self.group["Instances"]
        others = [
            f"{one['InstanceId']} is {one['LifecycleState']}"
            for one in instances
            if one["LifecycleState"] != "InService"
        ]
        if others or not instances:
            text = f"{name}: {', '.join(others) or 'there are no instances'}. Wait until all are in service"
            return Precondition("group", False, text)
        return Precondition("group", True, f"{name}: {len(instances)} instances, all in service")

    def _enough_healthy(self) -> Precondition:
        sick = {name: state for name, state in self.health.items() if state != "healthy"}
        healthy = sum(one["InstanceId"] not in sick for one in self.group["Instances"])
        words = ", ".join(f"{name} is {state}" for name, state in sorted(sick.items()))
        if healthy < self.min_healthy + (not sick):
            text = f"{healthy} targets are healthy, {self.min_healthy} must stay so while one is taken out. {words}".strip()
            return Precondition(
                "targets", False, f"{text}. Add instances, deploy by instance_refresh, or lower min_healthy"
            )
        return Precondition(
            "targets", True, f"{healthy} targets are healthy" + (f"; first in line: {words}" if words else "")
        )

    def requests(self, target: Mapping[str, Any]) -> list[str]:
        group, pools = self.wish.group, ", ".join(pool.name for pool in self.pools)
        found = [f"autoscaling:SuspendProcesses {group} {', '.join(self.due())}"] if self.due() else []
        found.append(
            f"each of {len(target['instances'])} instances: elbv2:DeregisterTargets, elbv2:RegisterTargets {pools}"
        )
        if self.pointer.release != self.wish.release:
            found.append(
                f"after the first batch: ec2:CreateLaunchTemplateVersion {target['launch_template']} {RELEASE_TAG}={self.wish.release}"
            )
            found.append(
                f"after the first batch: autoscaling:UpdateAutoScalingGroup {group}, ec2:ModifyLaunchTemplate, to that version"
            )
        return [
            *found,
            f"each instance done: ec2:CreateTags {RELEASE_TAG}={self.wish.release}",
            "autoscaling:ResumeProcesses",
        ]

    def due(self) -> list[str]:
        """The processes that run and are to be suspended; what the user has suspended stays his."""
        suspended = {one["ProcessName"] for one in self.group.get("SuspendedProcesses", [])}
        return [name for name in SUSPENDED if name not in suspended]

    def hosts(self) -> list[dict[str, str]]:
        """The instances in the order in which they are deployed to: first those that serve nobody, then zone by zone in turn."""
        rows = [
            {
                "id": one["InstanceId"],
                "zone": one["AvailabilityZone"],
                "health": self.health.get(one["InstanceId"], "unused"),
            }
            for one in sorted(self.group["Instances"], key=lambda one: one["InstanceId"])
        ]
        zones: dict[str, list[dict[str, str]]] = {}
        for row in rows:
            zones.setdefault(row["zone"], []).append(row)
        mixed = [row for layer in zip_longest(*(zones[zone] for zone in sorted(zones))) for row in layer if row]
        return sorted(mixed, key=lambda row: row["health"] == "healthy")

    def inject(self, scene: Scene, target: Mapping[str, Any]) -> None:
        raise NotImplementedError("the playbook deploys")

    def watch(self, scene: Scene, target: Mapping[str, Any]) -> bool:
        raise NotImplementedError("the playbook deploys")

    def measures(self, scene: Scene) -> dict[str, float | None]:
        raise NotImplementedError("see in_place_end")

    def sentence(self, verdict: str, measured: Mapping[str, float | None]) -> str:
        raise NotImplementedError("see in_place_end")


def health_of(clients: Clients, region: str, pools: Sequence[Pool]) -> dict[str, str]:
    """Instance → state; one that is in several pools is as bad as in the worst of them."""
    client = clients("elbv2", region)
    found: dict[str, str] = {}
    for pool in pools:
        for row in client.describe_target_health(TargetGroupArn=pool.arn)["TargetHealthDescriptions"]:
            if found.get(row["Target"]["Id"], "healthy") == "healthy":
                found[row["Target"]["Id"]] = row["TargetHealth"]["State"]
    return found


def begin(deployment: InPlace, connection: Mapping[str, Any]) -> dict[str, Any]:
    """Check, take the lock, set the keeper and the probes up, see that all is well, and quieten the group.

    Raises OperationError or OptionError, and has then left nothing behind.
    """
    terms, wish = deployment.terms, deployment.wish
    if terms.controller_pid is None:
        raise OperationError(
            "A deployment is watched over by the machine that runs the playbook. Use connection: local"
        )
    _settle(deployment)
    planned = plan(deployment)
    refuse(deployment, planned)
    started = time.time()
    operation = Operation.begin(
        Plan(
            kind=deployment.kind,
            stack=terms.stack,
            purpose=deployment.purpose,
            region=terms.region,
            lock_region=terms.lock_region,
            runs_dir=terms.runs_dir,
            controller_pid=terms.controller_pid,
            specs=terms.probes,
        ),
        connection,
        deployment.clients,
    )
    try:
        operation.record("plan", deployment.kind, _plan_record(deployment, planned, started))
        operation.record("precondition", "", {"all": planned["preconditions"]})
        if trouble := _baseline(operation, terms):
            raise OperationError(trouble)
        operation.record("event", "baseline", {"time": time.time(), "label": "deployment begins"})
        _quieten(deployment, operation)
    except BaseException:
        operation.finish()
        raise
    return {
        "changed": True,
        "run_id": operation.run_id,
        "runs_dir": str(terms.runs_dir.absolute()),
        "hosts": deployment.hosts(),
        "release": wish.release,
        "min_healthy": deployment.min_healthy,
        "release_before": deployment.pointer.release or "",
        "auto_scaling_group_name": wish.group,
        "proceed": True,
    }


def _plan_record(deployment: InPlace, planned: Mapping[str, Any], started: float) -> dict[str, Any]:
    terms, wish = deployment.terms, deployment.wish
    shown = ("name", "kind", "flavour", "rate")
    return {
        **{key: planned[key] for key in ("target", "requests", "expect", "findings")},
        "title": deployment.title,
        "started": started,
        "region": terms.region,
        "group": wish.group,
        "release": wish.release,
        "before": deployment.pointer.release,
        "version": deployment.pointer.number,
        "default": deployment.default,
        "hosts": [row["id"] for row in deployment.hosts()],
        "max_fail_percentage": wish.max_fail_percentage,
        "judged": deployment.judged.name,
        "probes": [{key: getattr(spec, key) for key in shown} for spec in terms.probes],
    }


def _settle(deployment: InPlace) -> None:
    """Wait for targets that are on their way, as after a run that was killed a moment ago."""
    deadline = time.monotonic() + SETTLING
    while time.monotonic() < deadline:
        deployment.target()
        if not any(state in PASSING for state in deployment.health.values()):
            return
        time.sleep(0.5)


def _baseline(operation: Operation, terms: Terms) -> str | None:
    """Let the probes show for a while that all is well. Why it is not, or None."""
    deadline = time.time() + max(terms.baseline, 1.0)
    while time.time() < deadline:
        if reason := operation.stop():
            return reason
        time.sleep(0.05)
    samples = read_samples(operation.folder / "samples.jsonl")
    for spec in terms.probes:
        mine = [one for one in samples if one["probe"] == spec.name]
        failed = [one for one in measure.known(mine) if not one["ok"]]
        if not mine:
            return f"The baseline is bad: probe {spec.name} has no samples. Nothing was deployed"
        if failed:
            return (
                f"The baseline is bad: {len(failed)} of {len(mine)} samples of probe {spec.name} failed before the deployment "
                f"({failed[-1]['error']}). Nothing was deployed"
            )
    return None


def _quieten(deployment: InPlace, operation: Operation) -> None:
    processes = deployment.due()
    if not processes:
        return
    region, group = deployment.terms.region, deployment.wish.group
    operation.arm("resume_processes", group, {"region": region, "group": group, "processes": processes})
    deployment.clients("autoscaling", region).suspend_processes(AutoScalingGroupName=group, ScalingProcesses=processes)
    operation.record("acknowledged", group)
