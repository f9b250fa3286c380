"""The compute tier: the instances' role, the launch template, and the Auto Scaling group with what changes its size."""

from __future__ import annotations

import math
from datetime import datetime, timezone
from typing import Any

from ..engine.resource import Resource
from ..engine.tier import Tier
from ..resources.autoscaling import METRICS, AutoScalingGroup
from ..resources.autoscaling_scaling import REQUESTS, ScalingPolicy, ScheduledAction, key_of
from ..resources.ec2 import SecurityGroup, Subnet
from ..resources.ec2_launch import LaunchTemplate
from ..resources.elbv2 import TargetGroup
from ..resources.iam import InstanceProfile, Role
from ..resources.images import Image, ImageParameter
from ..resources.policies import Policy, trust
from .compute_asg_checks import check, moment
from .compute_asg_options import ARGUMENTS

NETWORK = "Run the network tier first (--tags network), or set {option}"
SIZES = ("min_size", "max_size", "desired_capacity")


def compute_asg_tier(options: dict[str, Any]) -> list[Resource]:
    """What runs the application: everything from the instances' role to their number."""
    check(options)
    template = launch_template(options, instance_profile(options))
    targets = target_groups(options)
    group = auto_scaling_group(options, template, targets)
    return [group, *scaling_policies(options, group, targets), *scheduled_actions(options, group)]


def instance_profile(options: dict[str, Any]) -> InstanceProfile:
    """The user's profile, or our own around a role of our own."""
    if options["instance_profile_arn"]:
        hint = "Make it, or leave out instance_profile_arn"
        return InstanceProfile(options["instance_profile_arn"], owned=False, hint=hint)
    name = f"{options['stack']}-{options['region']}-web"
    inline = options["inline_policies"]
    aws = f"arn:{options['partition']}:iam::aws:policy"
    role = Role(
        name,
        trust=trust("ec2.amazonaws.com"),
        managed_policy_arns={
            policy if policy.startswith("arn:") else f"{aws}/{policy}" for policy in options["managed_policies"]
        },
        inline_policies=None if inline is None else {key: Policy(value) for key, value in inline.items()},
        permissions_boundary=options["permissions_boundary"],
        description=f"Web instances of {options['stack']}",
    )
    return InstanceProfile(name, role=role)


def launch_template(options: dict[str, Any], profile: InstanceProfile) -> LaunchTemplate:
    """What an instance is: image, type, role, firewall, disk, user data."""
    stack, image_id = options["stack"], options["image_id"]
    image: Image | ImageParameter
    if image_id:
        image = Image(image_id, owned=False, hint="Images are regional: correct image_id, or share the image")
    else:
        image = ImageParameter(options["image_ssm_parameter"], owned=False, hint="Correct image_ssm_parameter")
    names = options["security_group_ids"] or [f"{stack}-app"]
    hint = NETWORK.format(option="security_group_ids")
    return LaunchTemplate(
        f"{stack}-web",
        image=image,
        image_update=options["image_update"],
        instance_type=options["instance_type"],
        security_groups=[SecurityGroup(name, owned=False, hint=hint) for name in names],
        profile=profile,
        user_data=options["user_data"],
        release=options["release"],
        key_name=options["key_name"],
        root_volume={
            "device_name": options["root_device_name"],
            "size": options["root_volume_size"],
            "type": options["root_volume_type"],
            "iops": options["root_volume_iops"],
            "throughput": options["root_volume_throughput"],
            "encrypted": True,
            "kms_key_id": options["root_volume_kms_key_id"],
        },
        metadata={
            "http_endpoint": "enabled",
            "http_tokens": options["http_tokens"],
            # One hop more than the default, or containers cannot reach it (trap 55).
            "http_put_response_hop_limit": options["http_put_response_hop_limit"],
            "instance_metadata_tags": "enabled",
        },
        detailed_monitoring=options["detailed_monitoring"],
        keep_versions=options["keep_template_versions"],
    )


def target_groups(options: dict[str, Any]) -> list[TargetGroup]:
    """Where the instances are registered: by default the group behind the stack's ALB."""
    names = options["target_group_names"]
    hint = "Run the lb tier first (--tags lb), or set target_group_names ([] for none)"
    names = [f"{options['stack']}-web"] if names is None else names
    return [TargetGroup(name, owned=False, hint=hint) for name in dict.fromkeys(names)]


def auto_scaling_group(
    options: dict[str, Any], template: LaunchTemplate, targets: list[TargetGroup]
) -> AutoScalingGroup:
    """The group: how many, where, behind what."""
    stack = options["stack"]
    hint = NETWORK.format(option="subnet_ids")
    subnets = options["subnet_ids"] or [f"{stack}-app-{zone}" for zone in options["availability_zones"]]
    hooks, pool = options["lifecycle_hooks"], options["warm_pool"] or {}
    return AutoScalingGroup(
        f"{stack}-web",
        template=template,
        subnets=[Subnet(name, owned=False, hint=hint) for name in dict.fromkeys(subnets)],
        target_groups=targets,
        min_size=options["min_size"],
        max_size=options["max_size"],
        desired_capacity=options["desired_capacity"],
        force_desired_capacity=options["force_desired_capacity"],
        scheduled=[{key: schedule[key] for key in SIZES} for schedule in options["schedules"]],
        health_check_type=options["health_check_type"] or ("ELB" if targets else "EC2"),
        health_check_grace_period=options["health_check_grace_period"],
        default_instance_warmup=options["default_instance_warmup"],
        termination_policies=options["termination_policies"],
        capacity_rebalance=options["capacity_rebalance"],
        max_instance_lifetime=options["max_instance_lifetime"],
        new_instances_protected_from_scale_in=options["protect_new_instances"],
        instance_maintenance_policy=maintenance_policy(options),
        availability_zone_distribution=options["availability_zone_distribution"],
        deletion_protection=options["deletion_protection"],
        mixed_instances=options["mixed_instances"] or {},
        lifecycle_hooks=None if hooks is None else {hook["name"]: hook_of(hook) for hook in hooks},
        warm_pool={key: value for key, value in pool.items() if value is not None},
        metrics=set(METRICS) if options["group_metrics"] else set(),
        suspended_processes=set(options["suspended_processes"]),
    )


def hook_of(hook: dict[str, Any]) -> dict[str, Any]:
    """A lifecycle hook without its name and without what is not given."""
    return {key: value for key, value in hook.items() if key != "name" and value is not None}


def maintenance_policy(options: dict[str, Any]) -> dict[str, int]:
    """How many instances more or less a replacement may have; by default room for one more at least (trap 75)."""
    size = max(options["desired_capacity"] or options["min_size"], 1)
    one_more = min(max(110, math.ceil(100 * (size + 1) / size)), 200, options["min_healthy_percentage"] + 100)
    return {
        "min_healthy_percentage": options["min_healthy_percentage"],
        "max_healthy_percentage": options["max_healthy_percentage"] or one_more,
    }


def scaling_policies(
    options: dict[str, Any], group: AutoScalingGroup, targets: list[TargetGroup]
) -> list[ScalingPolicy]:
    """Target tracking on processor load, on requests, and on whatever else the user names."""
    policies = []
    if options["cpu_target"]:
        metric = "ASGAverageCPUUtilization"
        policies.append(
            ScalingPolicy(key_of(group.name, "cpu"), group, metric=metric, target_value=options["cpu_target"])
        )
    if options["request_count_target"] is not None:
        policies.append(
            ScalingPolicy(
                key_of(group.name, "requests"),
                group,
                metric=REQUESTS,
                target_value=options["request_count_target"],
                target_group=targets[0],
            )
        )
    for policy in options["scaling_policies"]:
        policies.append(
            ScalingPolicy(
                key_of(group.name, policy["name"]),
                group,
                metric=policy["predefined_metric"],
                customized_metric=policy["customized_metric"],
                target_value=policy["target_value"],
                disable_scale_in=policy["disable_scale_in"],
            )
        )
    return policies


def scheduled_actions(options: dict[str, Any], group: AutoScalingGroup) -> list[ScheduledAction]:
    """Scheduled changes of the size. AWS forgets what happens once when its time is over, and so do we."""
    actions = []
    now = datetime.now(timezone.utc)
    for schedule in options["schedules"]:
        start, end = (moment(f"schedules.{key}", schedule[key]) for key in ("start_time", "end_time"))
        over = end is not None and end <= now
        if over or (not schedule["recurrence"] and start is not None and start <= now):
            continue
        actions.append(
            ScheduledAction(
                key_of(group.name, schedule["name"]),
                group,
                sizes={key: schedule[key] for key in SIZES if schedule[key] is not None},
                recurrence=schedule["recurrence"],
                time_zone=schedule["time_zone"],
                start_time=start,
                end_time=end,
            )
        )
    return actions


TIER = Tier(
    "compute_asg",
    ARGUMENTS,
    compute_asg_tier,
    (Role, InstanceProfile, LaunchTemplate, AutoScalingGroup, ScalingPolicy, ScheduledAction),
)
