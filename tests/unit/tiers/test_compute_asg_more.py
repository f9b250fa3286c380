"""The compute tier: policies, schedules and tags that somebody rewrites behind our back."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from compute_world import OPTIONS, World, group_tag
from stack import Stack, cycle, quiet

GROUP = "AutoScalingGroup[demo-web]"
QUEUE = {
    "name": "queue",
    "customized_metric": {"MetricName": "Queue", "Namespace": "App", "Statistic": "Average"},
    "target_value": 10,
}


@pytest.fixture
def world(stack: Stack) -> World:
    return World(stack).build()


def put_policy(world: World, name: str, **policy: Any) -> None:
    world.asg.put_scaling_policy(AutoScalingGroupName="demo-web", PolicyName=name, **policy)


def test_policies_schedules_and_templates_rewritten_by_hand_are_repaired(world: World) -> None:
    asg, name = world.asg, {"AutoScalingGroupName": "demo-web"}
    start = datetime.now(timezone.utc).replace(microsecond=0) + timedelta(days=2)
    once = {"name": "sale", "start_time": start.isoformat(), "max_size": 20}
    options = {**OPTIONS, "schedules": [*OPTIONS["schedules"], once], "scaling_policies": [QUEUE]}
    options |= {"target_group_names": ["demo-web", "demo-second"]}
    second = world.target_group("demo-second")
    forward = [{"Type": "forward", "TargetGroupArn": second}]
    world.elb.create_listener(LoadBalancerArn=world.balancer, Protocol="HTTP", Port=81, DefaultActions=forward)

    def step() -> None:
        asg.delete_policy(**name, PolicyName="cpu")
        put_policy(world, "cpu", PolicyType="SimpleScaling", AdjustmentType="ChangeInCapacity", ScalingAdjustment=1)

    def other_queue() -> None:
        other = {"MetricName": "Other", "Namespace": "App", "Statistic": "Sum"}
        tracking = {"CustomizedMetricSpecification": other, "TargetValue": 10.0, "DisableScaleIn": False}
        put_policy(world, "queue", PolicyType="TargetTrackingScaling", TargetTrackingConfiguration=tracking)

    def other_group() -> None:
        found = asg.describe_policies(**name, PolicyNames=["requests"])["ScalingPolicies"][0]
        tracking = found["TargetTrackingConfiguration"]
        balancer = world.balancer.split(":loadbalancer/")[1]
        tracking["PredefinedMetricSpecification"]["ResourceLabel"] = f"{balancer}/{second.rsplit(':', 1)[1]}"
        put_policy(world, "requests", PolicyType="TargetTrackingScaling", TargetTrackingConfiguration=tracking)

    def later() -> None:
        asg.put_scheduled_update_group_action(
            **name, ScheduledActionName="sale", StartTime=start + timedelta(hours=1), MaxSize=20
        )

    def untag_template() -> None:
        template = world.ec2.describe_launch_templates(LaunchTemplateNames=["demo-web"])["LaunchTemplates"][0]
        world.ec2.delete_tags(Resources=[template["LaunchTemplateId"]], Tags=[{"Key": "Name"}])

    cycle(
        world.stack,
        "compute_asg",
        options,
        drifts=[
            (
                "ScalingPolicy[demo-web/cpu]",
                step,
                {"policy_type", "metric", "target_value"},
            ),
            ("ScalingPolicy[demo-web/queue]", other_queue, {"customized_metric"}),
            ("ScalingPolicy[demo-web/requests]", other_group, {"resource_label"}),
            ("ScheduledAction[demo-web/sale]", later, {"start_time"}),
            ("LaunchTemplate[demo-web]", untag_template, {"tags"}),
            (GROUP, lambda: asg.delete_tags(Tags=[group_tag("Name")]), {"tags"}),
        ],
        vanishings=[
            (
                lambda: asg.delete_scheduled_action(**name, ScheduledActionName="sale"),
                {"ScheduledAction[demo-web/sale]"},
            )
        ],
    )


def test_the_first_hook_and_the_first_target_group_go_alone(world: World) -> None:
    hooks = [
        {"name": name, "transition": "terminating", "heartbeat_timeout": 60, "default_result": "CONTINUE"}
        for name in ("drain", "upload")
    ]
    world.target_group("demo-second")
    options = {**OPTIONS, "lifecycle_hooks": hooks, "target_group_names": ["demo-web", "demo-second"]}
    world.stack.converge("compute_asg", **options)
    fewer = world.stack.converge("compute_asg", **{**options, "lifecycle_hooks": hooks[1:]})
    assert fewer.changes == {GROUP: {"lifecycle_hooks"}} and fewer.plan == {("update", GROUP)}
    assert [call["operation"] for call in fewer.writes] == ["DeleteLifecycleHook"]
    back = world.stack.converge("compute_asg", **options)
    assert [call["params"]["LifecycleHookName"] for call in back.writes] == ["drain"]
    less = {**options, "target_group_names": ["demo-web"]}
    gone = world.stack.converge("compute_asg", **less)
    assert gone.changes == {GROUP: {"target_group_arns"}}
    quiet(world.stack, "compute_asg", less)
