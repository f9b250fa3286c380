"""Auto Scaling as it happens: instances enter service when they serve, leave it drained, and are replaced when they fail.

https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-lifecycle.html
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from webstack_lab.dataplane import rolling
from webstack_lab.extend import backends_of, stores
from webstack_lab.services import reality
from webstack_lab.services.autoscaling_instances import (
    REGISTERED,
    end_instance,
    finish,
    has_target,
    live,
    target_groups_of,
)
from webstack_lab.services.autoscaling_refresh import RUNNING
from webstack_lab.services.elbv2_targets import LEAVING
from webstack_lab.services.passing import Pace, settle

if TYPE_CHECKING:
    from webstack_lab.app import LabApp

IN_SERVICE_SINCE = "_in_service_since"
NEXT_LAUNCH = "_next_launch"
RETRY, SHORTEST_RETRY = 60.0, 0.5  # seconds of AWS, and of this machine at least, between launches that fail


class Scaling:
    """All Auto Scaling groups of all regions."""

    def __init__(self, app: LabApp, _folder: Path) -> None:
        self.app = app

    def tick(self) -> None:
        """One look at every group."""
        with self.app.lock:
            for account, regions in list(backends_of("autoscaling").items()):
                for region, backend in list(regions.items()):
                    for group in list(backend.autoscaling_groups.values()):
                        look_after(group, refresh_of(account, region, group.name))

    def close(self) -> None:
        """Nothing of its own runs."""


def refresh_of(account: str, region: str, name: str) -> dict[str, Any] | None:
    """The instance refresh that is under way in a group."""
    refreshes = stores.of(account, region, "autoscaling").get("refreshes", {}).get(name, [])
    return next((one for one in refreshes if one["Status"] in RUNNING), None)


def suspended(group: Any, process: str) -> bool:
    """Whether a process of a group is suspended."""
    return any(one["ProcessName"] == process for one in group.suspended_processes)


def look_after(group: Any, refresh: dict[str, Any] | None) -> None:
    """Bring a group forward by what has happened since the last look."""
    for state in list(group.instance_states):
        if state.lifecycle_state == "Pending":
            arrive(group, state)
        elif state.lifecycle_state == "Terminating":
            leave(group, state)
        if state.lifecycle_state in ("InService", "Standby"):
            attach(group, state)
    if not suspended(group, "HealthCheck"):
        examine(group)
    replace_unhealthy(group)
    if refresh is not None:
        rolling.advance(group, refresh)
    else:
        keep_size(group)


def arrive(group: Any, state: Any) -> None:
    """In service when its program serves and its time has come; ended when the instance was stopped meanwhile."""
    if state.instance.state != "running":
        state.health_status = "Unhealthy"
    elif state.instance.id in reality.now.serving and settle(vars(state)) is not None:
        vars(state)[IN_SERVICE_SINCE] = time.monotonic()
        finish(state)


def leave(group: Any, state: Any) -> None:
    """Terminated when its last requests are over, then forgotten."""
    backend = group.autoscaling_backend.elbv2_backend
    for arn in list(backend.target_groups):
        leaving = vars(backend.target_groups[arn]).get(LEAVING, {})
        if state.instance.id in leaving and not drained(backend.target_groups[arn], state.instance.id):
            return
    if state.instance.state != "terminated":
        group.ec2_backend.terminate_instances([state.instance.id])
    finish(state)
    group.instance_states.remove(state)


def drained(target_group: Any, instance_id: str) -> bool:
    """Whether a target has left: no request under way, and the delay over on the lab's clock."""
    since = vars(target_group)[LEAVING][instance_id][1]
    delay = float(target_group.attributes["deregistration_delay.timeout_seconds"]) * Pace.scale
    return time.monotonic() - since >= delay and (target_group.arn, instance_id) in reality.now.drained


def attach(group: Any, state: Any) -> None:
    """Register once with each target group of the group; leave those that are the group's no more, and all in Standby."""
    registered: set[str] = vars(state).setdefault(REGISTERED, set())
    backend = group.autoscaling_backend.elbv2_backend
    wanted = set(target_groups_of(group)) if state.lifecycle_state == "InService" else set()
    if state.instance.state == "running":
        for arn in wanted - registered:
            target = {"Id": state.instance.id, "Port": backend.target_groups[arn].port}
            backend.register_targets(arn, [target])
            registered.add(arn)
    for arn in registered - wanted:
        if arn in backend.target_groups and has_target(group, arn, state.instance.id):
            backend.deregister_targets(arn, [{"Id": state.instance.id}])
        registered.discard(arn)


def examine(group: Any) -> None:
    """EC2 says whether an instance runs; the load balancers are asked too where the group wants it, after the grace period."""
    grace = float(group.health_check_grace_period or 0) * Pace.scale
    for state in live(group):
        if state.lifecycle_state != "InService":
            continue
        age = time.monotonic() - vars(state).setdefault(IN_SERVICE_SINCE, time.monotonic())
        asked = "ELB" in (group.health_check_type or "") and age >= grace
        if state.instance.state != "running":
            state.health_status = "Unhealthy"
            vars(state)["_why"] = "an EC2 health check indicating it has been terminated or stopped"
        elif asked and any(target_state(arn, state) == "unhealthy" for arn in target_groups_of(group)):
            state.health_status = "Unhealthy"
            vars(state)["_why"] = "an ELB system health check failure"


def target_state(arn: str, state: Any) -> str:
    """What the load balancer says of an instance; blank where it is not asked."""
    return reality.now.targets.get((arn, state.instance.id), ("", "", ""))[0]


def replace_unhealthy(group: Any) -> None:
    """End what is unhealthy; the size is seen to afterwards."""
    if suspended(group, "ReplaceUnhealthy") or suspended(group, "Terminate"):
        return
    for state in live(group):
        if state.health_status == "Unhealthy" and state.lifecycle_state != "Standby":
            why = vars(state).get("_why", "a user health-check")
            end_instance(group, state, f"an instance was taken out of service in response to {why}.")


def keep_size(group: Any) -> None:
    """As many instances as desired; a launch that failed is tried again after a while."""
    serving = [state for state in live(group) if state.lifecycle_state != "Standby"]
    if len(serving) < (group.desired_capacity or 0):
        launch(group, (group.desired_capacity or 0) - len(serving))
    elif len(serving) > (group.desired_capacity or 0):
        group.set_desired_capacity(group.desired_capacity)


def launch(group: Any, number: int) -> None:
    """Start instances, unless a launch has failed just now."""
    now = time.monotonic()
    if now < vars(group).get(NEXT_LAUNCH, 0.0):
        return
    before = len(group.instance_states)
    group.replace_autoscaling_group_instances(number, group.get_propagated_tags())
    if len(group.instance_states) < before + number:
        vars(group)[NEXT_LAUNCH] = now + max(RETRY * Pace.scale, SHORTEST_RETRY)
