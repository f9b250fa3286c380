"""What takes back the deeds of an in-place deployment, should it die: targets, suspended processes, the release pointer."""

from __future__ import annotations

from typing import Any

from ..engine.sdk import SDK_ERRORS, Clients, error_code
from .errors import OperationError
from .launch_versions import make_default, point_group_at
from .undo import undoes

# A target that is gone, or whose target group is, has nowhere to come back to.
GONE = ("InvalidTarget", "TargetGroupNotFound")
OUT = ("unused", "draining")


def target_of(data: dict[str, Any]) -> dict[str, Any]:
    """A target as the calls take it."""
    return {"Id": data["target_id"], **({"Port": data["port"]} if data.get("port") else {})}


def state_of(client: Any, data: dict[str, Any]) -> str:
    """The state of one target; ``unused`` where it is not registered."""
    rows = client.describe_target_health(TargetGroupArn=data["target_group_arn"], Targets=[target_of(data)])
    for row in rows["TargetHealthDescriptions"]:
        # A target of an availability zone or a group that is not used is "unused" although it is registered.
        health = row["TargetHealth"]
        registered = health["State"] == "unused" and health.get("Reason") != "Target.NotRegistered"
        return "registered" if registered else str(health["State"])
    return "unused"


@undoes("register_target", "elbv2")
def register_target(clients: Clients, data: dict[str, Any]) -> bool:
    """Register a target again that was deregistered for a while; that it is healthy is the load balancer's to find out."""
    client = clients("elbv2", data["region"])
    try:
        if state_of(client, data) not in OUT:
            return False
        client.register_targets(TargetGroupArn=data["target_group_arn"], Targets=[target_of(data)])
        if state_of(client, data) in OUT:
            raise OperationError(f"{data['target_id']} is not shown as registered yet")
    except SDK_ERRORS as error:
        if error_code(error) in GONE:
            return False
        raise
    return True


@undoes("resume_processes", "autoscaling")
def resume_processes(clients: Clients, data: dict[str, Any]) -> bool:
    """Let a group do again what a run had suspended (trap 80)."""
    client = clients("autoscaling", data["region"])
    suspended = _suspended(client, data["group"]) & set(data["processes"])
    if not suspended:
        return False
    client.resume_processes(AutoScalingGroupName=data["group"], ScalingProcesses=sorted(suspended))
    if left := _suspended(client, data["group"]) & set(data["processes"]):
        raise OperationError(f"{', '.join(sorted(left))} of {data['group']} are not shown as resumed yet")
    return True


def _suspended(client: Any, group: str) -> set[str]:
    found = client.describe_auto_scaling_groups(AutoScalingGroupNames=[group])["AutoScalingGroups"]
    return {one["ProcessName"] for item in found for one in item.get("SuspendedProcesses", [])}


@undoes("restore_release_pointer", "autoscaling", "ec2")
def restore_release_pointer(clients: Clients, data: dict[str, Any]) -> bool:
    """Let the group launch the version again that it launched before, and the template have its former default version."""
    region, group = data["region"], data["group"]
    changed = point_group_at(clients, region, group, data["version"])
    return make_default(clients, region, group, data["default"]) or changed
