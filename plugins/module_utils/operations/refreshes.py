"""Instance refreshes: starting one, looking at it, turning it round, and the undo that does so for a dead run.

https://docs.aws.amazon.com/autoscaling/ec2/userguide/instance-refresh-overview.html
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from ..engine.sdk import SDK_ERRORS, Clients, error_code
from ..resources.autoscaling_parts import launch_template_of
from .errors import OperationError
from .launch_versions import configuration, described_group, make_default, point_group_at
from .undo import undoes

FORWARD = ("Pending", "InProgress", "Baking")
RUNNING = (*FORWARD, "RollbackInProgress", "Cancelling")
BUSY = ("InstanceRefreshInProgress", "InstanceRefreshInProgressFault")
NONE_RUNS = ("ActiveInstanceRefreshNotFound", "ActiveInstanceRefreshNotFoundFault")
UNDO = "rollback_instance_refresh"
LATE = 1.0  # seconds after which a refresh that was asked for just before a death is listed

Refresh = Mapping[str, Any]  # as DescribeInstanceRefreshes answers


def desired_version(refresh: Refresh) -> str | None:
    """The version that a refresh brings; None for one that was started without a desired configuration."""
    version: str | None = launch_template_of(refresh.get("DesiredConfiguration") or {})["version"]
    return version


def refreshes(clients: Clients, region: str, group: str) -> list[dict[str, Any]]:
    """The last 100 refreshes of a group, newest first."""
    found: list[dict[str, Any]] = clients("autoscaling", region).describe_instance_refreshes(
        AutoScalingGroupName=group, MaxRecords=100
    )["InstanceRefreshes"]
    return sorted(found, key=lambda one: float(one["StartTime"].timestamp()) if one.get("StartTime") else 1e12)[::-1]


def running(clients: Clients, region: str, group: str) -> dict[str, Any] | None:
    """The refresh that is under way."""
    return next((one for one in refreshes(clients, region, group) if one["Status"] in RUNNING), None)


def refresh_by_id(clients: Clients, region: str, group: str, refresh_id: str) -> dict[str, Any]:
    """One refresh, now."""
    answer = clients("autoscaling", region).describe_instance_refreshes(
        AutoScalingGroupName=group, InstanceRefreshIds=[refresh_id]
    )
    for one in answer["InstanceRefreshes"]:
        return dict(one)
    raise OperationError(f"{group}: AWS does not know refresh {refresh_id} any more")


def start(clients: Clients, region: str, group: str, number: int, preferences: Mapping[str, Any]) -> str:
    """Begin to replace instances by such of a numbered version; the id of the refresh. The group's own version is AWS's to move,
    at the end: what it names until then is what a rollback goes back to.

    Where the SDK has sent the call twice, the refresh of the first time is found. Raises the SDK's error while another one runs.
    """
    item = described_group(clients, region, group)
    try:
        answer = clients("autoscaling", region).start_instance_refresh(
            AutoScalingGroupName=group,
            Strategy="Rolling",
            DesiredConfiguration=configuration(item, launch_template_of(item)["id"], number),
            Preferences=dict(preferences),
        )
    except SDK_ERRORS as error:
        found = running(clients, region, group) if error_code(error) in BUSY else None
        if found is None or desired_version(found) != str(number):
            raise
        return str(found["InstanceRefreshId"])
    return str(answer["InstanceRefreshId"])


def turn_round(clients: Clients, region: str, group: str, *, rollback: bool) -> bool:
    """Roll the running refresh back, or merely stop it. False where none runs any more, or it is on its way back already."""
    client = clients("autoscaling", region)
    call = client.rollback_instance_refresh if rollback else client.cancel_instance_refresh
    found = running(clients, region, group)
    if found is None or found["Status"] not in FORWARD:
        return False
    try:
        call(AutoScalingGroupName=group)
    except SDK_ERRORS as error:
        if error_code(error) in NONE_RUNS:
            return False
        raise
    return True


@undoes(UNDO, "autoscaling", "ec2")
def take_back(clients: Clients, data: dict[str, Any]) -> bool:
    """Bring a group back to ``version_before`` unless the refresh to ``version`` has succeeded: then that one counts everywhere.

    With ``rollback`` false, a running refresh is only stopped. Raises OperationError while instances are still being replaced.
    """
    region, group = data["region"], data["group"]
    found = _refresh_to(clients, region, group, data["version"])
    if found is None:
        return False
    if found["Status"] in FORWARD:
        turn_round(clients, region, group, rollback=data["rollback"])
        found = _refresh_to(clients, region, group, data["version"]) or found
    status = found["Status"]
    if status in RUNNING:
        raise OperationError(
            f"{group}: refresh {found['InstanceRefreshId']} is {status}; this goes on in AWS until it ends"
        )
    if status == "Successful":
        return make_default(clients, region, group, int(data["version"]))
    if not data["rollback"]:
        return True
    if status != "RollbackSuccessful":
        _refresh_back(clients, data)
    point_group_at(clients, region, group, int(data["version_before"]))
    return True


def _refresh_to(clients: Clients, region: str, group: str, version: int) -> dict[str, Any] | None:
    """The newest refresh that brings a version, also when it was asked for a moment ago."""
    for pause in (LATE, 0.0):
        found = next((one for one in refreshes(clients, region, group) if desired_version(one) == str(version)), None)
        if found is not None:
            return found
        time.sleep(pause)
    return None


def _refresh_back(clients: Clients, data: Mapping[str, Any]) -> None:
    """After a refresh that ended halfway, and can be rolled back no more: replace what it has brought. Raises until that is done."""
    region, group, version = data["region"], data["group"], str(data["version"])
    brought = [
        one["InstanceId"]
        for one in described_group(clients, region, group)["Instances"]
        if (one.get("LaunchTemplate") or {}).get("Version") == version
    ]
    if not brought:
        return
    newest = refreshes(clients, region, group)[0]
    if desired_version(newest) == str(data["version_before"]) and newest["Status"] not in RUNNING:
        raise OperationError(
            f"{group}: {', '.join(brought)} still run version {version}, and the refresh back to {data['version_before']} is "
            f"{newest['Status']}: {newest.get('StatusReason', 'no reason given')}. See the group's activities"
        )
    if newest["Status"] not in RUNNING:
        preferences = {**data.get("preferences", {}), "SkipMatching": True}
        start(clients, region, group, int(data["version_before"]), preferences)
    raise OperationError(f"{group}: {', '.join(brought)} are being replaced by version {data['version_before']}")
