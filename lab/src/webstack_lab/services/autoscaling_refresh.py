"""Instance refreshes: one instance after the other, one refresh at a time, and a way back only to a numbered version.

https://docs.aws.amazon.com/autoscaling/ec2/userguide/instance-refresh-overview.html
"""

from __future__ import annotations

import time
import uuid
from datetime import datetime, timezone
from typing import Any

from webstack_lab.extend import Answer, AwsError, Context, Params, operation, page
from webstack_lab.services import reality
from webstack_lab.services.autoscaling import group_named, keep_extras
from webstack_lab.services.autoscaling_instances import BOOT, DESIRED, deregister, live, point_to, record
from webstack_lab.services.passing import Pace

RUNNING = ("Pending", "InProgress", "Baking", "RollbackInProgress", "Cancelling")


def refreshes_of(context: Context, group: str) -> list[dict[str, Any]]:
    """The refreshes of a group, oldest first."""
    found: list[dict[str, Any]] = context.table("refreshes").setdefault(group, [])
    return found


def running(context: Context, group: str) -> dict[str, Any] | None:
    """The refresh that is under way."""
    return next((one for one in refreshes_of(context, group) if one["Status"] in RUNNING), None)


def template_of(group: Any) -> dict[str, str]:
    """What the group launches now."""
    return {"LaunchTemplateId": group.ec2_launch_template.id, "Version": str(group.launch_template_version)}


def set_template(context: Context, group: Any, template: dict[str, str]) -> None:
    """Let the group launch another version."""
    point_to(group, template)
    keep_extras(context, {"AutoScalingGroupName": group.name})


def advance(context: Context, group: Any, refresh: dict[str, Any]) -> None:
    """Let the time act: one instance is replaced for each boot time that has passed."""
    if reality.now.on:
        return  # the data plane's loop does it
    while refresh["Status"] in RUNNING:
        if time.monotonic() - refresh["_since"] < BOOT * Pace.scale:
            return
        refresh["_since"] += BOOT * Pace.scale
        if refresh["Status"] == "Cancelling":
            finish(refresh, "Cancelled")
        elif refresh["Status"] == "Pending":
            refresh["Status"] = "InProgress"
        elif not refresh["_left"]:
            finish(refresh, "RollbackSuccessful" if refresh["Status"] == "RollbackInProgress" else "Successful")
        else:
            replace(group, refresh["_left"].pop(0))
            refresh["InstancesToUpdate"] = len(refresh["_left"])
            refresh["PercentageComplete"] = 100 - 100 * len(refresh["_left"]) // max(refresh["_total"], 1)


def finish(refresh: dict[str, Any], status: str) -> None:
    """The end of a refresh."""
    refresh["Status"] = status
    refresh["EndTime"] = datetime.now(timezone.utc)
    refresh["PercentageComplete"] = refresh["PercentageComplete"] if status == "Cancelled" else 100


def replace(group: Any, instance_id: str) -> None:
    """A new instance, then the old one ends."""
    old = [state for state in live(group) if state.instance.id == instance_id]
    if not old:
        return
    group.replace_autoscaling_group_instances(1, group.get_propagated_tags())
    group.instance_states.remove(old[0])
    deregister(group, [instance_id])
    group.ec2_backend.terminate_instances([instance_id])
    record(group, f"Terminating EC2 instance: {instance_id}", "an instance refresh replaced it")
    group.autoscaling_backend.update_attached_target_groups(group.name)


def outdated(group: Any, skip_matching: bool) -> list[str]:
    """The instances to replace."""
    desired = (vars(group).get(DESIRED) or {}).get("Version") or group.launch_template_version
    wanted = str(group.ec2_launch_template.get_version(desired).number)
    return [
        state.instance.id
        for state in live(group)
        if not skip_matching or (state.launch_template or {}).get("Version") != wanted
    ]


@operation("autoscaling", "StartInstanceRefresh")
def start_instance_refresh(context: Context, params: Params) -> Answer:
    """Begin; a desired configuration becomes the group's when the refresh succeeds, without a data plane at once."""
    group = group_named(context, params["AutoScalingGroupName"])
    for refresh in refreshes_of(context, group.name):
        advance(context, group, refresh)
    if running(context, group.name):
        raise AwsError(
            "InstanceRefreshInProgress", "An Instance Refresh is already in progress and blocks the execution"
        )
    preferences = params.get("Preferences") or {}
    desired = (params.get("DesiredConfiguration") or {}).get("LaunchTemplate") or {}
    before = template_of(group)
    if preferences.get("AutoRollback") and not desired:
        raise AwsError("ValidationError", "Auto rollback requires a desired configuration")
    if desired and reality.now.on:
        vars(group)[DESIRED] = dict(desired)
    elif desired:
        set_template(context, group, desired)
    left = outdated(group, bool(preferences.get("SkipMatching")))
    refresh = {
        "InstanceRefreshId": str(uuid.uuid4()),
        "AutoScalingGroupName": group.name,
        "Status": "Pending",
        "StartTime": datetime.now(timezone.utc),
        "PercentageComplete": 0,
        "InstancesToUpdate": len(left),
        "Preferences": {"MinHealthyPercentage": 90, **preferences},
        **({"DesiredConfiguration": params["DesiredConfiguration"]} if desired else {}),
        "Strategy": params.get("Strategy", "Rolling"),
        "_given": dict(preferences),
        "_left": left,
        "_total": len(left),
        "_since": time.monotonic(),
        "_before": before,
        "_reversible": bool(desired) and before["Version"].isdigit() and str(desired.get("Version", "")).isdigit(),
    }
    refreshes_of(context, group.name).append(refresh)
    return {"InstanceRefreshId": refresh["InstanceRefreshId"]}


@operation("autoscaling", "DescribeInstanceRefreshes")
def describe_instance_refreshes(context: Context, params: Params) -> Answer:
    """The refreshes of a group, newest first."""
    group = group_named(context, params["AutoScalingGroupName"])
    found = []
    for refresh in reversed(refreshes_of(context, group.name)):
        advance(context, group, refresh)
        if refresh["InstanceRefreshId"] in (params.get("InstanceRefreshIds") or [refresh["InstanceRefreshId"]]):
            found.append({key: value for key, value in refresh.items() if not key.startswith("_")})
    return page(found, params, "InstanceRefreshes", token="NextToken", limit=50)


def active(context: Context, params: Params) -> tuple[Any, dict[str, Any]]:
    """The group and its running refresh."""
    group = group_named(context, params["AutoScalingGroupName"])
    refresh = running(context, group.name)
    if refresh:
        advance(context, group, refresh)
    if not refresh or refresh["Status"] not in RUNNING:
        raise AwsError("ActiveInstanceRefreshNotFound", "No in progress or pending Instance Refresh found")
    return group, refresh


@operation("autoscaling", "CancelInstanceRefresh")
def cancel_instance_refresh(context: Context, params: Params) -> Answer:
    """Stop; what is replaced stays replaced."""
    _group, refresh = active(context, params)
    refresh["Status"] = "Cancelling"
    return {"InstanceRefreshId": refresh["InstanceRefreshId"]}


@operation("autoscaling", "RollbackInstanceRefresh")
def rollback_instance_refresh(context: Context, params: Params) -> Answer:
    """Replace what was replaced, from the version before; impossible where a version has no number."""
    group, refresh = active(context, params)
    if not refresh["_reversible"]:
        raise AwsError(
            "IrreversibleInstanceRefresh",
            "The instance refresh has no desired configuration, or a version without a number",
        )
    roll_back(group, refresh)
    return {"InstanceRefreshId": refresh["InstanceRefreshId"]}


def roll_back(group: Any, refresh: dict[str, Any], reason: str = "") -> None:
    """Turn a refresh round: back to the version before, for every instance that has another."""
    vars(group).pop(DESIRED, None)
    point_to(group, refresh["_before"])
    refresh["Status"] = "RollbackInProgress"
    refresh["StatusReason"] = reason or "A rollback was asked for."
    refresh["_left"] = outdated(group, skip_matching=True)
    refresh["_total"] = refresh["InstancesToUpdate"] = len(refresh["_left"])
    refresh["PercentageComplete"] = 0
    refresh["_since"] = time.monotonic()
    for key in ("_stage", "_hold", "_bake", "_progress", "_mark"):
        refresh.pop(key, None)
