"""The compute tier: what changes with the options and in time, and what does not."""

from __future__ import annotations

import base64
from datetime import datetime, timedelta, timezone

import pytest
from compute_world import (
    OPTIONS,
    USER_DATA,
    ZONES,
    World,
    converge,
)
from stack import Stack, quiet


@pytest.fixture
def world(stack: Stack) -> World:
    return World(stack).build()


def test_desired_capacity_belongs_to_the_scaling_policies(world: World) -> None:
    """trap 71"""
    converge(world)
    world.asg.set_desired_capacity(AutoScalingGroupName="demo-web", DesiredCapacity=5)
    quiet(world.stack, "compute_asg", OPTIONS)
    assert world.group()["DesiredCapacity"] == 5
    lower = converge(world, max_size=4)
    assert lower.changes == {"AutoScalingGroup[demo-web]": {"max_size", "desired_capacity"}}
    assert lower.sent("UpdateAutoScalingGroup")[0]["DesiredCapacity"] == 4
    forced = converge(world, force_desired_capacity=True)
    assert forced.changes == {"AutoScalingGroup[demo-web]": {"max_size", "desired_capacity"}}
    assert world.group()["DesiredCapacity"] == 3


def test_a_limit_that_a_schedule_sets_is_left_alone(world: World) -> None:
    converge(world)
    world.update(MinSize=1)  # the action "night" has just run
    quiet(world.stack, "compute_asg", OPTIONS)
    world.update(MinSize=0)
    assert converge(world).changes == {"AutoScalingGroup[demo-web]": {"min_size"}}


def test_an_image_is_chosen_once_and_its_successor_only_reported(world: World) -> None:
    """trap 51"""
    ssm, images = world.stack.lab.client("ssm"), world.ec2.describe_images(Owners=["amazon"])["Images"]
    old, new, newest = (image["ImageId"] for image in images[:3])
    options = {**OPTIONS, "image_ssm_parameter": "/demo/image"}
    ssm.put_parameter(Name="/demo/image", Value=old, Type="String")
    world.stack.converge("compute_asg", **options)
    ssm.put_parameter(Name="/demo/image", Value=new, Type="String", Overwrite=True)
    told = quiet(world.stack, "compute_asg", options).resources
    template = next(one for one in told if one["address"] == "LaunchTemplate[demo-web]")
    assert (template["image_id"], template["newer_image_id"]) == (old, new)
    updated = world.stack.converge("compute_asg", **options, image_update=True)
    assert updated.changes == {
        "LaunchTemplate[demo-web]": {"image_id"},
        "AutoScalingGroup[demo-web]": {"launch_template"},
    }
    assert world.version()["LaunchTemplateData"]["ImageId"] == new
    group = next(one for one in updated.resources if one["address"] == "AutoScalingGroup[demo-web]")
    assert group["instances_on_old_version"] == 3  # trap 73: reported; a refresh is another job
    quiet(world.stack, "compute_asg", options)
    # Another parameter is another wish, even if the image stays the same.
    ssm.put_parameter(Name="/demo/image", Value=newest, Type="String", Overwrite=True)
    ssm.put_parameter(Name="/demo/other", Value=new, Type="String")
    moved = world.stack.converge("compute_asg", **{**options, "image_ssm_parameter": "/demo/other"})
    assert moved.changes["LaunchTemplate[demo-web]"] == {"image_source"}
    assert world.version()["LaunchTemplateData"]["ImageId"] == new


def test_a_change_makes_one_version_and_old_ones_go(world: World) -> None:
    """traps 53, 54"""
    converge(world, keep_template_versions=2)
    for size in (21, 22, 23):
        changed = converge(world, keep_template_versions=2, root_volume_size=size)
        assert changed.changes["LaunchTemplate[demo-web]"] == {"root_volume"}
        sent = changed.sent("CreateLaunchTemplateVersion")[0]
        assert len(sent["ClientToken"]) == 64
        data = sent["LaunchTemplateData"]
        assert set(data) >= {"ImageId", "UserData", "SecurityGroupIds", "MetadataOptions", "TagSpecifications"}
    versions = world.ec2.describe_launch_template_versions(LaunchTemplateName="demo-web")["LaunchTemplateVersions"]
    assert [version["VersionNumber"] for version in versions] == [4, 3]
    assert world.group()["LaunchTemplate"]["Version"] == "4"


def test_a_run_that_died_between_version_and_default_makes_no_second_version(world: World) -> None:
    converge(world)
    converge(world, instance_type="t3.small")
    world.ec2.modify_launch_template(LaunchTemplateName="demo-web", DefaultVersion="1")
    again = converge(world, instance_type="t3.small")
    assert again.sent("CreateLaunchTemplateVersion") == []
    assert again.sent("ModifyLaunchTemplate")[0]["DefaultVersion"] == "2"


def test_user_data_is_compared_by_what_it_says(world: World) -> None:
    """trap 52"""
    converge(world)
    quiet(world.stack, "compute_asg", {**OPTIONS, "user_data": "\n" + USER_DATA.replace("\n", "\r\n") + "\n\n"})
    long = "#!/bin/bash\n" + "echo the same line again and again\n" * 1000
    packed = converge(world, user_data=long).sent("CreateLaunchTemplateVersion")[0]["LaunchTemplateData"]["UserData"]
    assert base64.b64decode(packed).startswith(b"\x1f\x8b")
    quiet(world.stack, "compute_asg", {**OPTIONS, "user_data": long})


def test_the_first_of_a_list_goes_alone(world: World) -> None:
    more = {"name": "morning", "recurrence": "0 6 * * *", "min_size": 2}
    both = [*OPTIONS["schedules"], more]
    converge(world, schedules=both)
    assert converge(world, schedules=[more]).plan == {("delete", "ScheduledAction[demo-web/night]")}
    assert converge(world, schedules=[more], cpu_target=0).plan == {("delete", "ScalingPolicy[demo-web/cpu]")}
    fewer = converge(world, schedules=[more], cpu_target=0, availability_zones=ZONES[1:])
    assert fewer.changes == {"AutoScalingGroup[demo-web]": {"subnet_ids"}}
    shorter = converge(
        world, schedules=[{**more, "recurrence": "0 7 * * *"}], cpu_target=0, availability_zones=ZONES[1:]
    )
    assert shorter.changes == {"ScheduledAction[demo-web/morning]": {"recurrence"}}


def test_what_is_over_is_over(world: World) -> None:
    """AWS forgets a scheduled action that has run, and a run does not bring it back."""
    soon = datetime.now(timezone.utc) + timedelta(hours=1)
    once = {"name": "sale", "start_time": soon.isoformat(), "max_size": 20}
    made = converge(world, schedules=[once])
    assert ("create", "ScheduledAction[demo-web/sale]") in made.plan
    quiet(world.stack, "compute_asg", {**OPTIONS, "schedules": [once]})
    past = {**once, "start_time": "2020-01-01T00:00:00Z"}
    assert converge(world, schedules=[past]).plan == {("delete", "ScheduledAction[demo-web/sale]")}


def test_the_release_belongs_to_the_deployments(world: World) -> None:
    """The option names the first one only; what a deployment left in the default version stays (design decision 8)."""
    made = converge(world, release="A")
    data = made.sent("CreateLaunchTemplate")[0]["LaunchTemplateData"]
    tags = {one["ResourceType"]: {tag["Key"]: tag["Value"] for tag in one["Tags"]} for one in data["TagSpecifications"]}
    assert tags["instance"]["webstack:release"] == "A"
    assert "webstack:release" not in tags["volume"]
    quiet(world.stack, "compute_asg", {**OPTIONS, "release": "B"})
    assert converge(world, detailed_monitoring=True).changes["LaunchTemplate[demo-web]"] == {"detailed_monitoring"}
    told = quiet(world.stack, "compute_asg", {**OPTIONS, "detailed_monitoring": True, "release": "C"}).resources
    assert next(one["release"] for one in told if one["address"] == "LaunchTemplate[demo-web]") == "A"


def test_a_template_without_a_release_takes_the_one_that_is_given(world: World) -> None:
    converge(world)
    assert converge(world, release="A").changes["LaunchTemplate[demo-web]"] == {"launched_tags"}
    quiet(world.stack, "compute_asg", {**OPTIONS, "release": "A"})
