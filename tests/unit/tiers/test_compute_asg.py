"""The compute tier: what its types promise, from an empty account to a removed tier."""

from __future__ import annotations

import base64
import json
from datetime import datetime, timezone

import pytest
from compute_world import (
    EVERYTHING,
    GROUP_CHILDREN,
    HOOK,
    MIXED,
    OPTIONS,
    PARAMETER,
    ROLE,
    USER_DATA,
    ZONES,
    World,
    converge,
    group_tag,
    policy,
    schedule,
)
from stack import Stack, cycle, quiet, refusal


@pytest.fixture
def world(stack: Stack) -> World:
    return World(stack).build()


LATER = datetime(2099, 1, 1, tzinfo=timezone.utc)
GROUP_ATTRIBUTES = {
    "min_size", "max_size", "health_check_type", "health_check_grace_period", "default_instance_warmup",
    "termination_policies", "capacity_rebalance", "max_instance_lifetime", "new_instances_protected_from_scale_in",
    "instance_maintenance_policy", "subnet_ids", "target_group_arns", "suspended_processes", "metrics", "warm_pool",
    "tags", "unpropagated_tags",
}  # fmt: skip


def test_life_of_the_reference_tier(world: World) -> None:
    drifts = [
        (f"Role[{ROLE}]", lambda: meddle_with_role(world), {"trust", "description", "managed_policy_arns", "tags"}),
        (f"InstanceProfile[{ROLE}]", lambda: meddle_with_profile(world), {"role_name", "tags"}),
        ("AutoScalingGroup[demo-web]", lambda: meddle_with_group(world), GROUP_ATTRIBUTES),
        (
            "ScalingPolicy[demo-web/cpu]",
            lambda: policy(world, "cpu", "ASGAverageNetworkIn", enabled=False, TargetValue=10, DisableScaleIn=True),
            {"metric", "target_value", "disable_scale_in", "enabled"},
        ),
        (
            "ScheduledAction[demo-web/night]",
            lambda: schedule(world, DesiredCapacity=2, Recurrence="0 1 * * *", TimeZone="Etc/UTC", EndTime=LATER),
            {"sizes", "recurrence", "time_zone", "end_time"},
        ),
    ]
    vanishings = [
        (lambda: drop_profile_and_role(world), {f"Role[{ROLE}]", f"InstanceProfile[{ROLE}]"}),
        (
            lambda: world.ec2.delete_launch_template(LaunchTemplateName="demo-web"),
            {"LaunchTemplate[demo-web]"},
        ),
        (
            lambda: world.asg.delete_policy(AutoScalingGroupName="demo-web", PolicyName="cpu"),
            {"ScalingPolicy[demo-web/cpu]"},
        ),
        (
            lambda: world.asg.delete_scheduled_action(AutoScalingGroupName="demo-web", ScheduledActionName="night"),
            {"ScheduledAction[demo-web/night]"},
        ),
        (world.drop_group, {"AutoScalingGroup[demo-web]", *GROUP_CHILDREN}),
    ]
    cycle(world.stack, "compute_asg", OPTIONS, drifts=drifts, vanishings=vanishings)
    assert world.asg.describe_policies()["ScalingPolicies"] == []
    assert world.iam.list_roles()["Roles"] == []
    assert world.iam.list_instance_profiles()["InstanceProfiles"] == []
    assert world.ec2.describe_launch_templates()["LaunchTemplates"] == []


def meddle_with_group(world: World) -> None:
    world.update(
        MinSize=0,
        MaxSize=9,
        HealthCheckType="EC2",
        HealthCheckGracePeriod=9,
        DefaultInstanceWarmup=9,
        TerminationPolicies=["NewestInstance"],
        CapacityRebalance=True,
        MaxInstanceLifetime=86400,
        NewInstancesProtectedFromScaleIn=True,
        InstanceMaintenancePolicy={"MinHealthyPercentage": 50, "MaxHealthyPercentage": 100},
        VPCZoneIdentifier=next(iter(world.subnets.values())),
    )
    name = {"AutoScalingGroupName": "demo-web"}
    other = world.target_group("demo-other")
    world.asg.attach_load_balancer_target_groups(**name, TargetGroupARNs=[other])
    world.asg.detach_load_balancer_target_groups(**name, TargetGroupARNs=[world.web])
    world.asg.suspend_processes(**name, ScalingProcesses=["AZRebalance"])
    world.asg.disable_metrics_collection(**name, Metrics=["GroupMinSize"])
    world.asg.enable_metrics_collection(**name, Granularity="1Minute", Metrics=["GroupTotalCapacity"])
    world.asg.put_warm_pool(**name, MinSize=1, PoolState="Stopped")
    world.asg.delete_tags(Tags=[group_tag("Name")])
    world.asg.create_or_update_tags(
        Tags=[{**group_tag("webstack:name"), "Value": "demo-web", "PropagateAtLaunch": False}]
    )


def meddle_with_role(world: World) -> None:
    elsewhere = {"Effect": "Allow", "Principal": {"Service": "ecs.amazonaws.com"}, "Action": "sts:AssumeRole"}
    world.iam.update_assume_role_policy(
        RoleName=ROLE, PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [elsewhere]})
    )
    world.iam.update_role(RoleName=ROLE, Description="other", MaxSessionDuration=3600)
    world.iam.detach_role_policy(RoleName=ROLE, PolicyArn="arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore")
    world.iam.untag_role(RoleName=ROLE, TagKeys=["Name"])


def meddle_with_profile(world: World) -> None:
    world.iam.remove_role_from_instance_profile(InstanceProfileName=ROLE, RoleName=ROLE)
    world.iam.untag_instance_profile(InstanceProfileName=ROLE, TagKeys=["Name"])


def drop_profile_and_role(world: World) -> None:
    world.iam.remove_role_from_instance_profile(InstanceProfileName=ROLE, RoleName=ROLE)
    world.iam.delete_instance_profile(InstanceProfileName=ROLE)
    for one in world.iam.list_attached_role_policies(RoleName=ROLE)["AttachedPolicies"]:
        world.iam.detach_role_policy(RoleName=ROLE, PolicyArn=one["PolicyArn"])
    world.iam.delete_role(RoleName=ROLE)


def test_every_drift_of_the_launch_template_is_repaired_by_one_new_version(world: World) -> None:
    converge(world)
    other_image = world.ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
    world.another_version(
        ImageId=other_image,
        InstanceType="t3.large",
        SecurityGroupIds=[world.other_group],
        IamInstanceProfile={"Name": "other"},
        UserData=base64.b64encode(b"#!/bin/sh\nother\n").decode(),
        KeyName="somebody",
        BlockDeviceMappings=[{"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 8, "Encrypted": False}}],
        MetadataOptions={"HttpTokens": "optional"},
        Monitoring={"Enabled": True},
        TagSpecifications=[{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "x"}]}],
        DisableApiTermination=True,
    )
    shown = converge(world, user_data=USER_DATA)
    assert shown.changes == {
        "LaunchTemplate[demo-web]": {
            "image_id", "instance_type", "security_group_ids", "instance_profile_arn", "user_data", "key_name",
            "root_volume", "metadata_options", "detailed_monitoring", "launched_tags", "other_data",
        },
        "AutoScalingGroup[demo-web]": {"launch_template"},
    }  # fmt: skip
    assert len(shown.sent("CreateLaunchTemplateVersion")) == 1
    assert world.group()["LaunchTemplate"]["Version"] == "3"
    quiet(world.stack, "compute_asg", OPTIONS)


def test_requests_say_what_was_asked_for(world: World) -> None:
    made = converge(world)
    template = made.sent("CreateLaunchTemplate")[0]
    data = template["LaunchTemplateData"]
    assert template["VersionDescription"].endswith(f"from {PARAMETER}")
    assert data["MetadataOptions"] == {
        "HttpEndpoint": "enabled",
        "HttpTokens": "required",
        "HttpPutResponseHopLimit": 2,  # trap 55
        "InstanceMetadataTags": "enabled",
    }
    disk = {"VolumeSize": 20, "VolumeType": "gp3", "Encrypted": True, "DeleteOnTermination": True}
    assert data["BlockDeviceMappings"] == [{"DeviceName": "/dev/xvda", "Ebs": disk}]
    assert base64.b64decode(data["UserData"]).decode() == USER_DATA
    assert {entry["ResourceType"] for entry in data["TagSpecifications"]} == {"instance", "volume", "network-interface"}
    group = made.sent("CreateAutoScalingGroup")[0]
    assert group["LaunchTemplate"]["Version"] == "1"  # trap 72
    assert (group["MinSize"], group["DesiredCapacity"], group["MaxSize"]) == (2, 3, 6)
    assert group["TargetGroupARNs"] == [world.web]
    assert set(group["VPCZoneIdentifier"].split(",")) == set(world.subnets.values())
    assert group["InstanceMaintenancePolicy"] == {"MinHealthyPercentage": 100, "MaxHealthyPercentage": 134}  # trap 75
    assert all(tag["PropagateAtLaunch"] for tag in group["Tags"])
    requests = next(one for one in made.sent("PutScalingPolicy") if one["PolicyName"] == "requests")
    label = requests["TargetTrackingConfiguration"]["PredefinedMetricSpecification"]["ResourceLabel"]
    assert label == f"{world.balancer.split(':loadbalancer/')[1]}/{world.web.rsplit(':', 1)[1]}"
    zones = {instance["AvailabilityZone"] for instance in world.group()["Instances"]}
    assert zones == set(ZONES)


def test_a_quiet_run_costs_twelve_reads(world: World) -> None:
    converge(world)
    calls = quiet(world.stack, "compute_asg", OPTIONS).reads
    assert len(calls) <= 12, [call["operation"] for call in calls]


def test_an_empty_account_is_previewed_whole(stack: Stack) -> None:
    shown = stack.converge("compute_asg", check=True, **OPTIONS)
    assert {address for verb, address in shown.plan if verb == "create"} == EVERYTHING
    assert set(shown.assumed) == {
        "SecurityGroup[demo-app]",
        "TargetGroup[demo-web]",
        *(f"Subnet[demo-app-{zone}]" for zone in ZONES),
    }
    text = refusal(lambda: stack.converge("compute_asg", **OPTIONS))
    assert "Run the network tier first" in text and "Run the lb tier first" in text


def test_the_users_own_network_profile_and_image(world: World) -> None:
    role = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    world.iam.create_role(
        RoleName="own", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [role]})
    )
    profile = world.iam.create_instance_profile(InstanceProfileName="own")["InstanceProfile"]["Arn"]
    world.iam.add_role_to_instance_profile(InstanceProfileName="own", RoleName="own")
    image = world.ec2.describe_images(Owners=["amazon"])["Images"][0]
    own = {
        "subnet_ids": list(world.subnets.values())[:2],
        "security_group_ids": [world.other_group],
        "instance_profile_arn": profile,
        "image_id": image["ImageId"],
        "target_group_names": [],
        "max_size": 2,
        "cpu_target": 0,
    }
    made = world.stack.converge("compute_asg", **own)
    assert {address for _verb, address in made.plan} == {"LaunchTemplate[demo-web]", "AutoScalingGroup[demo-web]"}
    data = world.version()["LaunchTemplateData"]
    assert data["IamInstanceProfile"] == {"Arn": profile}
    assert data["BlockDeviceMappings"][0]["DeviceName"] == image["RootDeviceName"]
    assert world.group()["HealthCheckType"] == "EC2"
    quiet(world.stack, "compute_asg", own)
    text = refusal(lambda: world.stack.converge("compute_asg", **{**own, "image_id": "ami-0123456789abcdef0"}))
    assert "Image[ami-0123456789abcdef0]: it does not exist in us-east-1" in text


def test_a_role_that_is_no_longer_needed_goes(world: World) -> None:
    converge(world)
    profile = world.iam.create_instance_profile(InstanceProfileName="own")["InstanceProfile"]["Arn"]
    moved = converge(world, instance_profile_arn=profile)
    assert ("delete", f"Role[{ROLE}]") in moved.plan and ("delete", f"InstanceProfile[{ROLE}]") in moved.plan
    assert world.iam.list_roles()["Roles"] == []


def test_spot_hooks_and_warm_pool_come_and_go(world: World) -> None:
    pool = {"min_size": 1, "pool_state": "Stopped"}
    extras = {"mixed_instances": MIXED, "lifecycle_hooks": [HOOK], "warm_pool": pool, "capacity_rebalance": True}
    options = {**OPTIONS, **extras}
    sent = world.stack.converge("compute_asg", **options).sent("CreateAutoScalingGroup")[0]
    assert "LaunchTemplate" not in sent
    policy = sent["MixedInstancesPolicy"]
    assert policy["LaunchTemplate"]["LaunchTemplateSpecification"]["Version"] == "1"
    assert policy["InstancesDistribution"]["SpotAllocationStrategy"] == "price-capacity-optimized"
    hook = sent["LifecycleHookSpecificationList"][0]
    assert (hook["HeartbeatTimeout"], hook["DefaultResult"]) == (120, "CONTINUE")  # trap 83
    quiet(world.stack, "compute_asg", options)
    reordered = {**MIXED, "instance_types": MIXED["instance_types"][::-1]}  # trap 84
    quiet(world.stack, "compute_asg", {**options, "mixed_instances": reordered})
    hooks = [{**HOOK, "heartbeat_timeout": 60}]
    changed = world.stack.converge("compute_asg", **{**options, "lifecycle_hooks": hooks, "warm_pool": {"min_size": 2}})
    assert changed.changes == {"AutoScalingGroup[demo-web]": {"lifecycle_hooks", "warm_pool"}}
    gone = world.stack.converge("compute_asg", **OPTIONS, lifecycle_hooks=[])
    assert gone.changes == {
        "AutoScalingGroup[demo-web]": {"mixed_instances", "lifecycle_hooks", "warm_pool", "capacity_rebalance"}
    }
    assert "MixedInstancesPolicy" not in world.group()
    quiet(world.stack, "compute_asg", OPTIONS)


def test_policies_on_metrics_of_the_users_own(world: World) -> None:
    metric = {
        "MetricName": "Queue",
        "Namespace": "App",
        "Statistic": "Average",
        "Dimensions": [{"Name": "A", "Value": "b"}],
    }
    mine = {"name": "queue", "customized_metric": metric, "target_value": 10}
    options = {**OPTIONS, "scaling_policies": [mine]}
    world.stack.converge("compute_asg", **options)
    quiet(world.stack, "compute_asg", options)
    changed = world.stack.converge("compute_asg", **{**OPTIONS, "scaling_policies": [{**mine, "target_value": 11.5}]})
    assert changed.changes == {"ScalingPolicy[demo-web/queue]": {"target_value"}}
