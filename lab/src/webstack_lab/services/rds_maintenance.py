"""Maintenance that AWS wants to do on DB instances. The lab wants none by itself; a rehearsal may put one in."""

from __future__ import annotations

from typing import Any

from webstack_lab.extend import Answer, Context, Params, operation
from webstack_lab.services.rds import named, settle


@operation("rds", "DescribePendingMaintenanceActions")
def describe_pending_maintenance_actions(context: Context, params: Params) -> Answer:
    """https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DescribePendingMaintenanceActions.html"""
    settle(context)
    identifier = params.get("ResourceIdentifier")
    chosen = [named(context, identifier)] if identifier else list(context.backend("rds").databases.values())
    found = [{"ResourceIdentifier": one.arn, "PendingMaintenanceActionDetails": waiting(one)} for one in chosen]
    return {"PendingMaintenanceActions": [one for one in found if one["PendingMaintenanceActionDetails"]]}


def waiting(one: Any) -> list[dict[str, str]]:
    """What waits for an instance's window."""
    return [{"Action": action} for action in getattr(one, "lab_maintenance", [])]
