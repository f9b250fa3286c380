"""The lab's launch templates, Auto Scaling groups and roles behave as AWS documents them."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError

from webstack_lab.testing import Lab

TRUST = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}


def code(error: Any) -> str:
    return str(error.value.response["Error"]["Code"])


@pytest.fixture
def group(lab: Lab) -> dict[str, Any]:
    """A group of two over two subnets, from version 2 of a template."""
    ec2 = lab.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{number}.0/24", AvailabilityZone=f"us-east-1{zone}")["Subnet"][
            "SubnetId"
        ]
        for number, zone in enumerate("ab")
    ]
    image = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
    data = {
        "ImageId": image,
        "InstanceType": "t3.micro",
        "UserData": base64.b64encode(b"#!/bin/sh\n").decode(),
        "MetadataOptions": {"HttpTokens": "required"},
    }
    ec2.create_launch_template(LaunchTemplateName="tpl", LaunchTemplateData={"ImageId": image})
    ec2.create_launch_template_version(LaunchTemplateName="tpl", LaunchTemplateData=data)
    lab.client("autoscaling").create_auto_scaling_group(
        AutoScalingGroupName="g",
        MinSize=1,
        MaxSize=3,
        DesiredCapacity=2,
        LaunchTemplate={"LaunchTemplateName": "tpl", "Version": "2"},
        VPCZoneIdentifier=",".join(subnets),
    )
    time.sleep(0.1)
    return found(lab)


def found(lab: Lab) -> dict[str, Any]:
    return dict(
        lab.client("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=["g"])["AutoScalingGroups"][0]
    )


def test_a_version_on_a_source_keeps_what_it_is_not_given(lab: Lab) -> None:
    ec2 = lab.client("ec2")
    ec2.create_launch_template(
        LaunchTemplateName="tpl",
        LaunchTemplateData={"InstanceType": "t3.micro", "KeyName": "k"},
        TagSpecifications=[{"ResourceType": "launch-template", "Tags": [{"Key": "a", "Value": "b"}]}],
    )
    change = {"LaunchTemplateName": "tpl", "LaunchTemplateData": {"InstanceType": "t3.small"}}
    whole = ec2.create_launch_template_version(**change, ClientToken="one")["LaunchTemplateVersion"]
    assert whole["LaunchTemplateData"] == {"InstanceType": "t3.small"}
    again = ec2.create_launch_template_version(**change, ClientToken="one")["LaunchTemplateVersion"]
    assert again["VersionNumber"] == whole["VersionNumber"] == 2
    merged = ec2.create_launch_template_version(**change, SourceVersion="1")["LaunchTemplateVersion"]
    assert merged["LaunchTemplateData"] == {"InstanceType": "t3.small", "KeyName": "k"}
    ec2.delete_launch_template_versions(LaunchTemplateName="tpl", Versions=["2"])
    versions = ec2.describe_launch_template_versions(LaunchTemplateName="tpl")["LaunchTemplateVersions"]
    assert [one["VersionNumber"] for one in versions] == [3, 1]
    assert versions[1]["LaunchTemplateData"] == {"InstanceType": "t3.micro", "KeyName": "k"}, "no tags of its own"
    with pytest.raises(ClientError) as error:
        ec2.create_launch_template_version(LaunchTemplateName="tpl", LaunchTemplateData={"UserData": "!"})
    assert code(error) == "InvalidUserData.Malformed"


def test_instances_spread_and_carry_what_the_version_says(lab: Lab, group: dict[str, Any]) -> None:
    assert {one["AvailabilityZone"] for one in group["Instances"]} == {"us-east-1a", "us-east-1b"}
    assert {one["LifecycleState"] for one in group["Instances"]} == {"InService"}
    assert {one["LaunchTemplate"]["Version"] for one in group["Instances"]} == {"2"}
    instance = lab.client("ec2").describe_instances()["Reservations"][0]["Instances"][0]
    assert instance["MetadataOptions"]["HttpTokens"] == "required"
    activities = lab.client("autoscaling").describe_scaling_activities(AutoScalingGroupName="g")["Activities"]
    assert [one["StatusCode"] for one in activities] == ["Successful", "Successful"]


def test_limits_hold_and_an_occupied_group_stays(lab: Lab, group: dict[str, Any]) -> None:
    scaling = lab.client("autoscaling")
    for wrong in ({"DesiredCapacity": 4}, {"MinSize": 4}):
        with pytest.raises(ClientError) as error:
            scaling.update_auto_scaling_group(AutoScalingGroupName="g", **wrong)
        assert code(error) == "ValidationError"
    with pytest.raises(ClientError) as error:
        scaling.set_desired_capacity(AutoScalingGroupName="g", DesiredCapacity=4)
    assert "above max value 3" in str(error.value)
    with pytest.raises(ClientError) as error:
        scaling.delete_auto_scaling_group(AutoScalingGroupName="g")
    assert code(error) == "ResourceInUse"
    scaling.update_auto_scaling_group(AutoScalingGroupName="g", MinSize=0, DesiredCapacity=0)
    assert {one["LifecycleState"] for one in found(lab)["Instances"]} <= {"Terminating"}
    time.sleep(0.1)
    assert found(lab)["Instances"] == []
    scaling.delete_auto_scaling_group(AutoScalingGroupName="g")


def test_a_change_of_sizes_leaves_the_mixed_instances_policy_alone(lab: Lab, group: dict[str, Any]) -> None:
    scaling = lab.client("autoscaling")
    template = {
        "LaunchTemplateSpecification": {"LaunchTemplateName": "tpl", "Version": "2"},
        "Overrides": [{"InstanceType": "t3.micro"}],
    }
    for share in (50, 25):
        policy = {"LaunchTemplate": template, "InstancesDistribution": {"OnDemandPercentageAboveBaseCapacity": share}}
        scaling.update_auto_scaling_group(AutoScalingGroupName="g", MixedInstancesPolicy=policy)
    before = found(lab)["MixedInstancesPolicy"]
    for size in (3, 1):
        scaling.update_auto_scaling_group(AutoScalingGroupName="g", DesiredCapacity=size)
    assert found(lab)["MixedInstancesPolicy"] == before
    assert before["InstancesDistribution"]["OnDemandPercentageAboveBaseCapacity"] == 25


def test_target_tracking_has_alarms_and_steps_scale(lab: Lab, group: dict[str, Any]) -> None:
    scaling, watch = lab.client("autoscaling"), lab.client("cloudwatch")
    tracking = {
        "PredefinedMetricSpecification": {"PredefinedMetricType": "ASGAverageCPUUtilization"},
        "TargetValue": 50,
    }
    policy = {"AutoScalingGroupName": "g", "PolicyName": "cpu", "PolicyType": "TargetTrackingScaling"}
    made = scaling.put_scaling_policy(**policy, TargetTrackingConfiguration=tracking)
    assert made["PolicyARN"] and len(made["Alarms"]) == 2
    assert {one["AlarmName"] for one in watch.describe_alarms()["MetricAlarms"]} == {
        one["AlarmName"] for one in made["Alarms"]
    }
    label = {"PredefinedMetricType": "ALBRequestCountPerTarget", "ResourceLabel": "app/a/1/targetgroup/b/2"}
    with pytest.raises(ClientError) as error:
        scaling.put_scaling_policy(
            **policy, TargetTrackingConfiguration={**tracking, "PredefinedMetricSpecification": label}
        )
    assert "must be attached" in str(error.value)
    scaling.delete_policy(AutoScalingGroupName="g", PolicyName="cpu")
    assert watch.describe_alarms()["MetricAlarms"] == []
    step = [{"MetricIntervalLowerBound": 0.0, "ScalingAdjustment": 5}]
    scaling.put_scaling_policy(
        AutoScalingGroupName="g",
        PolicyName="step",
        PolicyType="StepScaling",
        AdjustmentType="ChangeInCapacity",
        StepAdjustments=step,
    )
    scaling.execute_policy(AutoScalingGroupName="g", PolicyName="step", MetricValue=90, BreachThreshold=80)
    assert found(lab)["DesiredCapacity"] == 3, "the maximum holds"


def test_a_refresh_replaces_all_and_can_go_back(lab: Lab, group: dict[str, Any]) -> None:
    scaling = lab.client("autoscaling")
    old = {one["InstanceId"] for one in group["Instances"]}
    desired = {"LaunchTemplate": {"LaunchTemplateName": "tpl", "Version": "1"}}
    scaling.start_instance_refresh(AutoScalingGroupName="g", DesiredConfiguration=desired)
    with pytest.raises(ClientError) as error:
        scaling.start_instance_refresh(AutoScalingGroupName="g")
    assert code(error) == "InstanceRefreshInProgress"
    time.sleep(0.3)
    assert (
        scaling.describe_instance_refreshes(AutoScalingGroupName="g")["InstanceRefreshes"][0]["Status"] == "Successful"
    )
    after = found(lab)
    assert not old & {one["InstanceId"] for one in after["Instances"]}
    assert {one["LaunchTemplate"]["Version"] for one in after["Instances"]} == {"1"}
    scaling.start_instance_refresh(AutoScalingGroupName="g")
    with pytest.raises(ClientError) as error:
        scaling.rollback_instance_refresh(AutoScalingGroupName="g")
    assert code(error) == "IrreversibleInstanceRefresh"
    scaling.cancel_instance_refresh(AutoScalingGroupName="g")


def test_a_trust_policy_must_be_one(lab: Lab) -> None:
    iam = lab.client("iam")
    for wrong in ("{", json.dumps({"Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole"}]})):
        with pytest.raises(ClientError) as error:
            iam.create_role(RoleName="r", AssumeRolePolicyDocument=wrong)
        assert code(error) == "MalformedPolicyDocument"
    iam.create_role(RoleName="r", AssumeRolePolicyDocument=json.dumps({"Statement": [TRUST]}), MaxSessionDuration=7200)
    iam.update_role(RoleName="r", Description="d")
    assert iam.get_role(RoleName="r")["Role"]["MaxSessionDuration"] == 3600
