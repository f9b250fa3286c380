"""Preconditions that every drill and deployment shares: nothing else is wrong with the stack, or changing it, right now."""

from __future__ import annotations

from ..engine.sdk import SDK_ERRORS, Clients, error_code
from .drill import Precondition

REFRESHING = ("Pending", "InProgress", "Baking", "RollbackInProgress", "Cancelling")


def alarms_ok(clients: Clients, stack: str, region: str, ignored: tuple[str, ...] = ()) -> Precondition:
    """No alarm of the stack rings. Alarms that scaling policies own are no sign of trouble (trap 78)."""
    pages = (
        clients("cloudwatch", region)
        .get_paginator("describe_alarms")
        .paginate(AlarmNamePrefix=f"{stack}-", StateValue="ALARM", AlarmTypes=["MetricAlarm", "CompositeAlarm"])
    )
    ringing = sorted(
        alarm["AlarmName"]
        for page in pages
        for kind in ("MetricAlarms", "CompositeAlarms")
        for alarm in page.get(kind, [])
        if alarm["AlarmName"] not in ignored
    )
    if ringing:
        return Precondition(
            "alarms", False, f"in ALARM: {', '.join(ringing)}. Wait until they are OK, or mend what they show"
        )
    return Precondition("alarms", True, f"no alarm named {stack}-… is in ALARM")


def no_refresh(clients: Clients, stack: str, region: str) -> Precondition:
    """No instance refresh runs on the stack's group."""
    group = f"{stack}-web"
    try:
        answer = clients("autoscaling", region).describe_instance_refreshes(AutoScalingGroupName=group, MaxRecords=1)
    except SDK_ERRORS as error:
        if error_code(error) != "ValidationError":
            raise
        return Precondition("instance_refresh", True, f"there is no group {group}")
    for refresh in answer["InstanceRefreshes"]:
        if refresh["Status"] in REFRESHING:
            text = f"refresh {refresh['InstanceRefreshId']} of {group} is {refresh['Status']}. Wait until it ends"
            return Precondition("instance_refresh", False, text)
    return Precondition("instance_refresh", True, f"no refresh of {group} is under way")
