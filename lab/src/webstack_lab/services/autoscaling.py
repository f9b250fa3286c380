"""Auto Scaling groups: instances over all subnets, activities, limits that hold, and deletion that waits for the instances.

https://docs.aws.amazon.com/autoscaling/ec2/APIReference/
"""

from __future__ import annotations

from typing import Any

from webstack_lab.extend import Answer, AwsError, Context, Params, operation, page
from webstack_lab.services.autoscaling_instances import activities_of, settle_groups, wind_down

# What moto neither keeps nor answers, with what AWS answers where it was never given.
EXTRAS: dict[str, Any] = {
    "AvailabilityZoneDistribution": {"CapacityDistributionStrategy": "balanced-best-effort"},
    "AvailabilityZoneImpairmentPolicy": {
        "ZonalShiftEnabled": False,
        "ImpairedZoneHealthCheckBehavior": "ReplaceUnhealthy",
    },
    "CapacityReservationSpecification": {"CapacityReservationPreference": "default"},
    "Context": None,
    "DefaultInstanceWarmup": None,
    "DeletionProtection": "none",
    "DesiredCapacityType": None,
    "InstanceMaintenancePolicy": None,
    "MaxInstanceLifetime": None,
}
# What moto keeps but forgets to change.
KEPT = {
    "CapacityRebalance": "capacity_rebalance",
    "DefaultCooldown": "default_cooldown",
    "PlacementGroup": "placement_group",
    "TerminationPolicies": "termination_policies",
}
METRICS = [
    "GroupMinSize", "GroupMaxSize", "GroupDesiredCapacity", "GroupInServiceInstances", "GroupPendingInstances",
    "GroupStandbyInstances", "GroupTerminatingInstances", "GroupTotalInstances", "GroupInServiceCapacity",
    "GroupPendingCapacity", "GroupStandbyCapacity", "GroupTerminatingCapacity", "GroupTotalCapacity",
    "WarmPoolDesiredCapacity", "WarmPoolWarmedCapacity", "WarmPoolPendingCapacity", "WarmPoolTerminatingCapacity",
    "WarmPoolTotalCapacity", "GroupAndWarmPoolDesiredCapacity", "GroupAndWarmPoolTotalCapacity",
]  # fmt: skip


def invalid(message: str) -> AwsError:
    """Auto Scaling's one error for everything that it finds wrong."""
    return AwsError("ValidationError", message)


def group_named(context: Context, name: str | None) -> Any:
    """moto's group of a name, instances up to date."""
    settle_groups(context)
    group = context.backend("autoscaling").autoscaling_groups.get(name)
    if group is None:
        raise invalid(f"AutoScalingGroup name not found - AutoScalingGroup '{name}' not found")
    return group


def check_sizes(low: int, high: int, desired: int | None) -> None:
    """The limits of a group, as AWS words them."""
    if low > high:
        raise invalid(f"Min bound, {low}, must be less than or equal to max bound, {high}")
    if desired is not None and not low <= desired <= high:
        raise invalid(f"Desired capacity:{desired} must be between the specified min size:{low} and max size:{high}")


def check_template(context: Context, params: Params) -> None:
    """A launch template must be whole: its image and its instance profile must exist."""
    given = params.get("LaunchTemplate") or (
        (params.get("MixedInstancesPolicy") or {}).get("LaunchTemplate") or {}
    ).get("LaunchTemplateSpecification")
    if not given:
        return
    wanted = {key: value for key, value in given.items() if key != "Version"}
    versions = context.call(
        "ec2", "DescribeLaunchTemplateVersions", **wanted, Versions=[given.get("Version") or "$Default"]
    )["LaunchTemplateVersions"]
    data = versions[0]["LaunchTemplateData"]
    broken = "You must use a valid fully-formed launch template."
    images = context.backend("ec2").describe_images(filters={"image-id": data.get("ImageId", "")})
    if not images:
        raise invalid(f"{broken} The image id '[{data.get('ImageId')}]' does not exist")
    profile = data.get("IamInstanceProfile") or {}
    name = profile.get("Name") or profile.get("Arn", "").rsplit("/", 1)[-1]
    if name and not any(one.name == name for one in context.backend("iam").instance_profiles.values()):
        kind = "arn" if profile.get("Arn") else "name"
        raise invalid(
            f"{broken} Value ({profile.get('Arn') or name}) for parameter iamInstanceProfile.{kind} is invalid. "
            f"Invalid IAM Instance Profile {'ARN' if kind == 'arn' else kind}"
        )


def keep_extras(context: Context, params: Params) -> None:
    """Remember what moto does not."""
    extras = context.table("groups").setdefault(params["AutoScalingGroupName"], {})
    extras.update({key: params[key] for key in EXTRAS if params.get(key) is not None})
    maintenance = extras.get("InstanceMaintenancePolicy")
    if maintenance and maintenance["MinHealthyPercentage"] == maintenance["MaxHealthyPercentage"] == -1:
        extras["InstanceMaintenancePolicy"] = None


@operation("autoscaling", "CreateAutoScalingGroup")
def create_auto_scaling_group(context: Context, params: Params) -> Answer:
    """A group, its lifecycle hooks, then its first instances."""
    name = params["AutoScalingGroupName"]
    settle_groups(context)
    if name in context.backend().autoscaling_groups:
        raise AwsError(
            "AlreadyExists",
            f"AutoScalingGroup by this name already exists - A group with the name {name} already exists",
        )
    check_sizes(params["MinSize"], params["MaxSize"], params.get("DesiredCapacity"))
    check_template(context, params)
    for arn in params.get("TargetGroupARNs", []):
        check_target_group(context, arn)
    answer = context.moto()
    keep_extras(context, params)
    group = context.backend().autoscaling_groups[name]
    group.target_group_arns = list(group.target_group_arns)
    for hook in params.get("LifecycleHookSpecificationList", []):
        context.call("autoscaling", "PutLifecycleHook", AutoScalingGroupName=name, **hook)
    return answer


def check_target_group(context: Context, arn: str) -> None:
    """A target group must exist."""
    if arn not in context.backend("elbv2").target_groups:
        raise invalid(f"Invalid Target Group ARN(s) - {arn}: the target group does not exist")


@operation("autoscaling", "UpdateAutoScalingGroup")
def update_auto_scaling_group(context: Context, params: Params) -> Answer:
    """Changes what is given, and nothing else; moto forgets the mixed instances policy and half of the rest."""
    group = group_named(context, params["AutoScalingGroupName"])
    low = params.get("MinSize", group.min_size)
    high = params.get("MaxSize", group.max_size)
    if "DesiredCapacity" in params or low > high:
        check_sizes(low, high, params.get("DesiredCapacity"))
    check_template(context, params)
    sent = dict(params)
    if "DesiredCapacity" not in sent and not low <= group.desired_capacity <= high:
        sent["DesiredCapacity"] = min(max(group.desired_capacity, low), high)
    if "LaunchTemplate" not in sent and "MixedInstancesPolicy" not in sent and group.mixed_instances_policy:
        sent["MixedInstancesPolicy"] = as_sent(group.mixed_instances_policy)
    answer = context.moto(sent)
    for key, attribute in KEPT.items():
        if params.get(key) is not None:
            setattr(group, attribute, params[key])
    keep_extras(context, params)
    return answer


def as_sent(policy: dict[str, Any]) -> dict[str, Any]:
    """A policy as a request may hold it: its template named once, where moto keeps both id and name."""
    template = dict(policy["LaunchTemplate"])
    source = template["LaunchTemplateSpecification"]
    template["LaunchTemplateSpecification"] = {key: source[key] for key in source if key != "LaunchTemplateName"}
    return {**policy, "LaunchTemplate": template}


@operation("autoscaling", "DescribeAutoScalingGroups")
def describe_auto_scaling_groups(context: Context, params: Params) -> Answer:
    """moto's groups, with what it does not know."""
    settle_groups(context)
    answer = context.moto()
    for item in answer["AutoScalingGroups"]:
        group = context.backend().autoscaling_groups[item["AutoScalingGroupName"]]
        extras = {**EXTRAS, **context.table("groups").get(group.name, {})}
        item.update({key: value for key, value in extras.items() if value is not None})
        item["AvailabilityZones"] = sorted(set(item["AvailabilityZones"]))
        item["TerminationPolicies"] = list(group.termination_policies)
        item["TrafficSources"] = [{"Identifier": arn, "Type": "elbv2"} for arn in group.target_group_arns]
        if group.mixed_instances_policy:
            item.pop("LaunchTemplate", None)
        for process in item.get("SuspendedProcesses", []):
            process["SuspensionReason"] = "User suspended"
        for tag in item.get("Tags", []):
            tag["PropagateAtLaunch"] = str(tag.get("PropagateAtLaunch")).lower() == "true"
    return answer


@operation("autoscaling", "SetDesiredCapacity")
def set_desired_capacity(context: Context, params: Params) -> Answer:
    """Within the limits of the group."""
    group = group_named(context, params["AutoScalingGroupName"])
    wanted = params["DesiredCapacity"]
    if wanted > group.max_size:
        raise invalid(
            f"New SetDesiredCapacity value {wanted} is above max value {group.max_size} for the AutoScalingGroup."
        )
    if wanted < group.min_size:
        raise invalid(
            f"New SetDesiredCapacity value {wanted} is below min value {group.min_size} for the AutoScalingGroup."
        )
    return context.moto()


@operation("autoscaling", "DeleteAutoScalingGroup")
def delete_auto_scaling_group(context: Context, params: Params) -> Answer:
    """Only an empty group can go, unless by force; policies, actions, hooks and alarms of AWS's go with it."""
    name = params["AutoScalingGroupName"]
    group = group_named(context, name)
    force = bool(params.get("ForceDelete"))
    protection = context.table("groups").get(name, {}).get("DeletionProtection", "none")
    if protection == "prevent-all-deletion" or (force and protection == "prevent-force-deletion"):
        raise invalid(f"You cannot delete AutoScalingGroup {name}: its deletion protection is {protection}")
    if not force and group.warm_pool:
        raise AwsError(
            "ResourceInUse", "You cannot delete an AutoScalingGroup while there is a warm pool in the group."
        )
    if not force and group.instance_states:
        raise AwsError(
            "ResourceInUse",
            "You cannot delete an AutoScalingGroup while there are instances or pending Spot instance request(s) still "
            "in the group.",
        )
    for policy in list(context.table("policies").get(name, {})):
        context.call("autoscaling", "DeletePolicy", AutoScalingGroupName=name, PolicyName=policy)
    for table in ("policies", "actions", "hooks", "groups"):
        context.table(table).pop(name, None)
    wind_down(group)
    context.backend().autoscaling_groups.pop(name)
    return {}


@operation("autoscaling", "DescribeScalingActivities")
def describe_scaling_activities(context: Context, params: Params) -> Answer:
    """What the groups did, newest first."""
    settle_groups(context)
    wanted = params.get("AutoScalingGroupName")
    found = [
        {key: value for key, value in activity.items() if not key.startswith("_")}
        for activity in reversed(activities_of(context.account_id, context.region))
        if wanted in (None, activity["AutoScalingGroupName"])
        and activity["ActivityId"] in (params.get("ActivityIds") or [activity["ActivityId"]])
    ]
    return page(found, params, "Activities", token="NextToken", limit=100)


@operation("autoscaling", "AttachLoadBalancerTargetGroups")
def attach_load_balancer_target_groups(context: Context, params: Params) -> Answer:
    """Target groups that exist."""
    group_named(context, params["AutoScalingGroupName"])
    for arn in params["TargetGroupARNs"]:
        check_target_group(context, arn)
    return context.moto()


@operation("autoscaling", "DetachLoadBalancerTargetGroups")
def detach_load_balancer_target_groups(context: Context, params: Params) -> Answer:
    """Also of target groups that are gone."""
    group = group_named(context, params["AutoScalingGroupName"])
    gone = [arn for arn in params["TargetGroupARNs"] if arn not in context.backend("elbv2").target_groups]
    group.target_group_arns = [arn for arn in group.target_group_arns if arn not in gone]
    rest = [arn for arn in params["TargetGroupARNs"] if arn not in gone]
    return context.moto({**params, "TargetGroupARNs": rest}) if rest else {}


@operation("autoscaling", "EnableMetricsCollection")
def enable_metrics_collection(context: Context, params: Params) -> Answer:
    """Adds metrics; all of them where none is named."""
    group = group_named(context, params["AutoScalingGroupName"])
    if params.get("Granularity") != "1Minute":
        raise invalid("Granularity must be 1Minute")
    wanted = params.get("Metrics") or METRICS
    if unknown := sorted(set(wanted) - set(METRICS)):
        raise invalid(f"Invalid metrics: {', '.join(unknown)}")
    group.metrics = [metric for metric in METRICS if metric in {*group.metrics, *wanted}]
    return {}


@operation("autoscaling", "DisableMetricsCollection")
def disable_metrics_collection(context: Context, params: Params) -> Answer:
    """Takes metrics away; all of them where none is named."""
    group = group_named(context, params["AutoScalingGroupName"])
    group.metrics = [metric for metric in group.metrics if metric not in (params.get("Metrics") or METRICS)]
    return {}


@operation("autoscaling", "PutLifecycleHook")
def put_lifecycle_hook(context: Context, params: Params) -> Answer:
    """A hook as given; moto invents a role and a queue."""
    name = group_named(context, params["AutoScalingGroupName"]).name
    hooks = context.table("hooks").setdefault(name, {})
    known = hooks.get(params["LifecycleHookName"])
    if known is None and "LifecycleTransition" not in params:
        raise invalid("LifecycleTransition is required for a new hook")
    defaults = {"HeartbeatTimeout": 3600, "DefaultResult": "ABANDON"}
    hooks[params["LifecycleHookName"]] = {**defaults, **(known or {}), **params, "AutoScalingGroupName": name}
    timeout = hooks[params["LifecycleHookName"]]["HeartbeatTimeout"]
    hooks[params["LifecycleHookName"]]["GlobalTimeout"] = min(timeout * 100, 172800)
    return {}


@operation("autoscaling", "DescribeLifecycleHooks")
def describe_lifecycle_hooks(context: Context, params: Params) -> Answer:
    """The hooks of one group."""
    name = group_named(context, params["AutoScalingGroupName"]).name
    hooks = context.table("hooks").get(name, {}).values()
    wanted = params.get("LifecycleHookNames")
    return {"LifecycleHooks": [hook for hook in hooks if not wanted or hook["LifecycleHookName"] in wanted]}


@operation("autoscaling", "DeleteLifecycleHook")
def delete_lifecycle_hook(context: Context, params: Params) -> Answer:
    """A hook that exists."""
    name = group_named(context, params["AutoScalingGroupName"]).name
    if context.table("hooks").get(name, {}).pop(params["LifecycleHookName"], None) is None:
        raise invalid(f"No Lifecycle Hook found with name {params['LifecycleHookName']}")
    return {}
