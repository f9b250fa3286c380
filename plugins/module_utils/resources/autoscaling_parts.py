"""The nested parts of an Auto Scaling group, as we write them and as the API does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

PATIENCE = timedelta(minutes=2)  # launches may fail this long while an instance profile propagates (trap 22)
FAILURES = 3  # so many failed launches in a row are no accident

DISTRIBUTION = {
    "on_demand_allocation_strategy": "OnDemandAllocationStrategy",
    "on_demand_base_capacity": "OnDemandBaseCapacity",
    "on_demand_percentage_above_base_capacity": "OnDemandPercentageAboveBaseCapacity",
    "spot_allocation_strategy": "SpotAllocationStrategy",
    "spot_max_price": "SpotMaxPrice",
}
HOOK = {
    "heartbeat_timeout": "HeartbeatTimeout",
    "default_result": "DefaultResult",
    "notification_target_arn": "NotificationTargetARN",
    "role_arn": "RoleARN",
    "notification_metadata": "NotificationMetadata",
}
TRANSITIONS = {"launching": "autoscaling:EC2_INSTANCE_LAUNCHING", "terminating": "autoscaling:EC2_INSTANCE_TERMINATING"}


def launch_template_of(item: Mapping[str, Any]) -> dict[str, Any]:
    """Which version of which launch template a group launches, with or without a mixed instances policy."""
    mixed = (item.get("MixedInstancesPolicy") or {}).get("LaunchTemplate") or {}
    found = item.get("LaunchTemplate") or mixed.get("LaunchTemplateSpecification") or {}
    return {"id": found.get("LaunchTemplateId"), "version": found.get("Version")}


def mixed_policy(wish: Mapping[str, Any], template: Mapping[str, Any]) -> dict[str, Any]:
    """A wish for several instance types, in the form of the API; empty where there is none."""
    if not wish:
        return {}
    weights = wish.get("weights") or {}
    overrides: list[dict[str, Any]] = [
        {"InstanceType": kind, **({"WeightedCapacity": str(weights[kind])} if kind in weights else {})}
        for kind in wish.get("instance_types") or ()
    ]
    if wish.get("instance_requirements"):
        overrides.append({"InstanceRequirements": dict(wish["instance_requirements"])})
    return {
        "LaunchTemplate": {"LaunchTemplateSpecification": dict(template), "Overrides": overrides},
        "InstancesDistribution": {
            name: wish[key] for key, name in DISTRIBUTION.items() if wish.get(key) not in (None, "")
        },
    }


def mixed_of(policy: Mapping[str, Any] | None) -> dict[str, Any]:
    """What a mixed instances policy says, in a form that compares; empty where there is none."""
    if not policy:
        return {}
    overrides = (policy.get("LaunchTemplate") or {}).get("Overrides") or []
    distribution = policy.get("InstancesDistribution") or {}
    types = [(one["InstanceType"], one.get("WeightedCapacity", "")) for one in overrides if one.get("InstanceType")]
    # Only prioritized strategies give the order a meaning; otherwise AWS may answer in any order (trap 84).
    strategies = [distribution.get(f"{kind}AllocationStrategy", "") for kind in ("OnDemand", "Spot")]
    return {
        "instance_types": types if any("prioritized" in strategy for strategy in strategies) else sorted(types),
        "instance_requirements": [one["InstanceRequirements"] for one in overrides if one.get("InstanceRequirements")],
        **{key: distribution[name] for key, name in DISTRIBUTION.items() if distribution.get(name) not in (None, "")},
    }


def hook_arguments(name: str, hook: Mapping[str, Any]) -> dict[str, Any]:
    """A lifecycle hook in the form of the API."""
    arguments = {parameter: hook[key] for key, parameter in HOOK.items() if hook.get(key) is not None}
    return {"LifecycleHookName": name, "LifecycleTransition": TRANSITIONS[hook["transition"]], **arguments}


def hooks_of(hooks: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Lifecycle hooks by name, in our words."""
    words = {value: key for key, value in TRANSITIONS.items()}
    return {
        hook["LifecycleHookName"]: {
            "transition": words.get(hook["LifecycleTransition"], hook["LifecycleTransition"]),
            **{key: hook[name] for key, name in HOOK.items() if hook.get(name) is not None},
        }
        for hook in hooks
    }


def warm_pool_of(pool: Mapping[str, Any] | None) -> dict[str, Any]:
    """A warm pool in our words; empty where there is none, or only one that is on its way out."""
    if not pool or pool.get("Status") == "PendingDelete":
        return {}
    most = pool.get("MaxGroupPreparedCapacity")
    return {
        "pool_state": pool.get("PoolState", "Stopped"),
        "min_size": pool.get("MinSize", 0),
        "reuse_on_scale_in": bool((pool.get("InstanceReusePolicy") or {}).get("ReuseOnScaleIn")),
        **({"max_group_prepared_capacity": most} if most not in (None, -1) else {}),
    }


def launch_problems(client: Any, group: Mapping[str, Any], since: datetime | None) -> tuple[str, bool]:
    """Why instances do not come, and whether waiting is pointless.

    CreateAutoScalingGroup succeeds even where no instance can ever start: only the activities tell (trap 86). They come
    newest first. What failed before the change of this run does not count.
    """
    answer = client.describe_scaling_activities(AutoScalingGroupName=group["AutoScalingGroupName"], MaxRecords=20)
    begin = max(group["CreatedTime"], since or group["CreatedTime"])
    launches = [
        one
        for one in answer["Activities"]
        if one.get("Description", "").startswith("Launching") and one["StartTime"] >= (since or one["StartTime"])
    ]
    failed: list[Any] = []
    for activity in launches:
        if activity["StatusCode"] not in ("Failed", "Cancelled"):
            break
        failed.append(activity)
    if not failed:
        return "", False
    reason = (
        f"{len(failed)} launches in a row failed, the last with: {failed[0].get('StatusMessage') or 'no reason given'}"
    )
    late = failed[0]["StartTime"] - begin >= PATIENCE
    return reason, late and len(failed) >= FAILURES
