"""Instance refreshes that wait for real health.

At each look: old instances end as far as the healthy rest allows, new ones start as far as the maximum allows, and the refresh goes on to its
next checkpoint, to baking and to its end when the new ones are in service, healthy behind their load balancers and warm.
https://docs.aws.amazon.com/autoscaling/ec2/userguide/instance-refresh-overview.html
"""

from __future__ import annotations

import math
import time
from datetime import datetime, timezone
from typing import Any

from webstack_lab.dataplane import scaling
from webstack_lab.extend import backends_of, stores
from webstack_lab.services import reality
from webstack_lab.services.autoscaling_instances import (
    DESIRED,
    activities_of,
    end_instance,
    live,
    point_to,
    target_groups_of,
)
from webstack_lab.services.autoscaling_refresh import roll_back
from webstack_lab.services.passing import Pace

# Seconds without any progress after which a refresh gives up: an hour of AWS, on this machine ten seconds at least.
PATIENCE, SHORTEST_PATIENCE = 3600.0, 10.0


def advance(group: Any, refresh: dict[str, Any]) -> None:
    """One look at a running refresh."""
    if refresh["Status"] == "Pending":
        refresh["Status"] = "InProgress"
    if refresh["Status"] == "Cancelling":
        close(group, refresh, "Cancelled", "The refresh was cancelled.")
        return
    if refresh["Status"] != "RollbackInProgress" and (alarm := alarming(group, refresh)):
        fail(group, refresh, f"The CloudWatch alarm {alarm} is in ALARM.")
        return
    if refresh["Status"] == "Baking":
        bake(group, refresh)
        return
    replace(group, refresh)
    measure(group, refresh)


def replace(group: Any, refresh: dict[str, Any]) -> None:
    """End old instances and start new ones, within the limits and up to the next checkpoint."""
    low, high = limits(group, refresh)
    old = old_ones(group, refresh)
    end_now = len(old) - (refresh["_total"] - allowed(refresh))
    ready = [state for state in live(group) if healthy(group, refresh, state)]
    spare = len(ready) - low
    for state in sorted(old, key=lambda one: one in ready):
        if end_now <= 0 or scaling.suspended(group, "Terminate"):
            break
        if state in ready:
            if spare <= 0:
                break
            spare -= 1
        end_now -= 1
        refresh["_left"].remove(state.instance.id)
        end_instance(group, state, "an instance was taken out of service in response to an instance refresh.")
    serving = [state for state in live(group) if state.lifecycle_state != "Standby"]
    target = max(min(high, group.desired_capacity + max(end_now, 0)), group.desired_capacity)
    if len(serving) < target:
        scaling.launch(group, target - len(serving))
    elif len(serving) > high and not old:
        group.set_desired_capacity(group.desired_capacity)


def old_ones(group: Any, refresh: dict[str, Any]) -> list[Any]:
    """The instances still to be replaced; what has ended by itself needs no replacing."""
    there = {state.instance.id: state for state in live(group)}
    refresh["_left"] = [one for one in refresh["_left"] if one in there]
    return [there[one] for one in refresh["_left"]]


def limits(group: Any, refresh: dict[str, Any]) -> tuple[int, int]:
    """How many must stay healthy and how many there may be. One can always be replaced (trap 75)."""
    size = group.desired_capacity
    extras = stores.of(group.account_id, group.region, "autoscaling").get("groups", {}).get(group.name, {})
    policy = extras.get("InstanceMaintenancePolicy") or {}
    given = refresh["_given"]
    least = given.get("MinHealthyPercentage", policy.get("MinHealthyPercentage", 90))
    most = given.get("MaxHealthyPercentage", policy.get("MaxHealthyPercentage", 100))
    low = math.ceil(size * least / 100)
    if most <= 100:
        return max(min(low, size - 1), 0), size
    return min(low, size), max(size + 1, size * most // 100)


def allowed(refresh: dict[str, Any]) -> int:
    """How many instances may be replaced before the next checkpoint."""
    stages = checkpoints(refresh)
    share = stages[min(refresh.setdefault("_stage", 0), len(stages) - 1)]
    return math.ceil(int(refresh["_total"]) * int(share) / 100)


def checkpoints(refresh: dict[str, Any]) -> list[int]:
    """The percentages at which the refresh waits; a rollback never does."""
    found = refresh["_given"].get("CheckpointPercentages") or [100]
    return [100] if refresh["Status"] == "RollbackInProgress" else list(found)


def healthy(group: Any, refresh: dict[str, Any], state: Any) -> bool:
    """In service, healthy behind every load balancer that uses it, and warm if it is new."""
    if state.lifecycle_state != "InService" or state.health_status != "Healthy" or state.instance.state != "running":
        return False
    if state.instance.id not in reality.now.serving:
        return False
    states = [scaling.target_state(arn, state) for arn in used_target_groups(group)]
    if any(one != "healthy" for one in states):
        return False
    warmup = refresh["_given"].get("InstanceWarmup", group.health_check_grace_period or 0)
    age = time.monotonic() - vars(state).get(scaling.IN_SERVICE_SINCE, 0.0)
    return state.instance.id in refresh["_left"] or age >= float(warmup) * Pace.scale


def used_target_groups(group: Any) -> list[str]:
    """The target groups of a group that a load balancer sends to."""
    groups = group.autoscaling_backend.elbv2_backend.target_groups
    return [arn for arn in target_groups_of(group) if groups[arn].load_balancer_arns]


def measure(group: Any, refresh: dict[str, Any]) -> None:
    """Progress, the next checkpoint, the end; failure when nothing has moved for too long."""
    total = refresh["_total"]
    fresh = [state for state in live(group) if state.instance.id not in refresh["_left"]]
    ready = [state for state in fresh if healthy(group, refresh, state)]
    replaced = total - len(refresh["_left"])
    refresh["InstancesToUpdate"] = max(total - min(len(ready), replaced), 0)
    refresh["PercentageComplete"] = 100 * (total - refresh["InstancesToUpdate"]) // total if total else 100
    mark = (replaced, len(ready))
    if refresh.get("_mark") != mark:
        refresh["_mark"], refresh["_progress"] = mark, time.monotonic()
    settled = replaced >= allowed(refresh) and len(ready) == len(fresh) and len(live(group)) >= group.desired_capacity
    settled = settled and len(live(group)) == len(group.instance_states)  # none is on its way out
    if settled:
        pass_checkpoint(group, refresh)
    elif time.monotonic() - refresh["_progress"] >= max(PATIENCE * Pace.scale, SHORTEST_PATIENCE):
        fail(group, refresh, f"No progress for too long. {last_problem(group, refresh)}".strip())


def pass_checkpoint(group: Any, refresh: dict[str, Any]) -> None:
    """Hold at a checkpoint for its delay; after the last one bake, then end."""
    refresh["_progress"] = time.monotonic()
    if refresh["Status"] == "RollbackInProgress":
        close(group, refresh, "RollbackSuccessful")
        return
    if refresh["_given"].get("CheckpointPercentages"):
        delay = float(refresh["_given"].get("CheckpointDelay", 3600)) * Pace.scale
        if time.monotonic() - refresh.setdefault("_hold", time.monotonic()) < delay:
            refresh["StatusReason"] = f"Waiting at the checkpoint of {checkpoints(refresh)[refresh['_stage']]} percent."
            return
    refresh.pop("_hold", None)
    refresh.pop("StatusReason", None)
    refresh["_stage"] += 1
    if refresh["_stage"] >= len(checkpoints(refresh)):
        refresh["Status"] = "Baking"
        refresh["_bake"] = time.monotonic()
        bake(group, refresh)


def bake(group: Any, refresh: dict[str, Any]) -> None:
    """The time in which an alarm still turns the refresh round."""
    if time.monotonic() - refresh["_bake"] >= float(refresh["_given"].get("BakeTime", 0)) * Pace.scale:
        close(group, refresh, "Successful")


def alarming(group: Any, refresh: dict[str, Any]) -> str:
    """The name of an alarm of the refresh that is in ALARM; blank where none is."""
    names = (refresh["_given"].get("AlarmSpecification") or {}).get("Alarms") or []
    alarms = backends_of("cloudwatch")[group.account_id][group.region].alarms
    return next((name for name in names if name in alarms and alarms[name].state_value == "ALARM"), "")


def last_problem(group: Any, refresh: dict[str, Any]) -> str:
    """The newest failed launch since the refresh began (trap 86)."""
    for activity in reversed(activities_of(group.account_id, group.region)):
        if activity["AutoScalingGroupName"] != group.name or activity["StartTime"] < refresh["StartTime"]:
            continue
        if activity["StatusCode"] == "Failed":
            return str(activity["StatusMessage"])
    return "New instances did not become healthy."


def fail(group: Any, refresh: dict[str, Any], reason: str) -> None:
    """Turn round if that was asked for, else end."""
    if refresh["Status"] == "RollbackInProgress":
        close(group, refresh, "RollbackFailed", reason)
    elif refresh["_given"].get("AutoRollback") and refresh["_reversible"]:
        roll_back(group, refresh, reason)
        refresh["_progress"] = time.monotonic()
    else:
        close(group, refresh, "Failed", reason)


def close(group: Any, refresh: dict[str, Any], status: str, reason: str = "") -> None:
    """The end of a refresh; only after a success is what it wanted the group's own."""
    desired = vars(group).pop(DESIRED, None)
    if status == "Successful" and desired:
        point_to(group, desired)
    refresh.update(Status=status, EndTime=datetime.now(timezone.utc))
    if reason:
        refresh["StatusReason"] = reason
    if status in ("Successful", "RollbackSuccessful"):
        refresh.update(PercentageComplete=100, InstancesToUpdate=0)
