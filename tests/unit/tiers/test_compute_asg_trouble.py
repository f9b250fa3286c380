"""The compute tier: what others do to it, failures, removal, and answers of the real AWS."""

from __future__ import annotations

import base64
from datetime import datetime, timedelta, timezone

import pytest
from compute_world import (
    OPTIONS,
    ZONES,
    World,
    converge,
    image_only,
)
from stack import Stack, quiet, refusal

from ansible_collections.webstack.aws.plugins.module_utils.resources.autoscaling_parts import (
    launch_problems,
    launch_template_of,
    mixed_of,
    mixed_policy,
    warm_pool_of,
)
from ansible_collections.webstack.aws.plugins.module_utils.resources.autoscaling_scaling import tidy
from ansible_collections.webstack.aws.plugins.module_utils.resources.ec2_launch import canonical, document_of
from webstack_lab.extend import stores


@pytest.fixture
def world(stack: Stack) -> World:
    return World(stack).build()


def test_a_group_does_not_change_under_a_refresh(world: World) -> None:
    """trap 74"""
    converge(world)
    refresh = world.asg.start_instance_refresh(AutoScalingGroupName="demo-web")["InstanceRefreshId"]
    stored = stores.of("123456789012", "us-east-1", "autoscaling")["refreshes"]["demo-web"][0]
    stored["_since"] += 3600
    assert f"instance refresh {refresh} is Pending" in refusal(lambda: converge(world, availability_zones=ZONES[:2]))
    quiet(world.stack, "compute_asg", OPTIONS)
    stored["_since"] -= 7200
    assert converge(world, availability_zones=ZONES[:2]).changes == {"AutoScalingGroup[demo-web]": {"subnet_ids"}}
    assert len(world.group()["Instances"]) == 3


def test_target_groups_of_others_stay_attached(world: World) -> None:
    converge(world)
    stranger = world.target_group("somebodys")
    world.asg.attach_load_balancer_target_groups(AutoScalingGroupName="demo-web", TargetGroupARNs=[stranger])
    quiet(world.stack, "compute_asg", OPTIONS)
    second = world.target_group("demo-tcp")
    both = converge(world, target_group_names=["demo-web", "demo-tcp"])
    assert both.sent("AttachLoadBalancerTargetGroups")[0]["TargetGroupARNs"] == [second]  # trap 81
    assert both.sent("DetachLoadBalancerTargetGroups") == []
    assert set(world.group()["TargetGroupARNs"]) == {world.web, second, stranger}


def test_a_deleted_target_group_is_named_and_a_new_one_attached(world: World) -> None:
    converge(world)
    world.elb.delete_listener(
        ListenerArn=world.elb.describe_listeners(LoadBalancerArn=world.balancer)["Listeners"][0]["ListenerArn"]
    )
    world.elb.delete_target_group(TargetGroupArn=world.web)
    assert "Run the lb tier first" in refusal(lambda: converge(world))
    world.target_group("demo-web")
    text = refusal(lambda: converge(world))
    assert "target group demo-web is on no load balancer yet" in text


def test_the_reason_why_instances_do_not_start_is_told(world: World) -> None:
    """traps 22, 86: the call succeeds, only the activities know."""
    faults = stores.of("123456789012", "us-east-1", "autoscaling").setdefault("launch_faults", {})
    faults["demo-web"] = "You have requested more vCPU capacity than your current vCPU limit (VcpuLimitExceeded)"
    started = world.stack.converge("compute_asg", wait=False, **OPTIONS)
    assert started.report.pending == ["AutoScalingGroup[demo-web]"]
    # A wish that mends it is carried out although the group is not ready.
    repaired = world.stack.converge("compute_asg", wait=False, **{**OPTIONS, "instance_type": "t3.small"})
    assert repaired.changes["AutoScalingGroup[demo-web]"] == {"launch_template"}
    long_ago = datetime.now(timezone.utc) - timedelta(hours=1)
    group = world.asg.describe_auto_scaling_groups()["AutoScalingGroups"][0]
    assert launch_problems(world.asg, group, None)[1] is False, "a new profile may take two minutes"
    reason, hopeless = launch_problems(world.asg, {**group, "CreatedTime": long_ago}, None)
    assert hopeless and "VcpuLimitExceeded" in reason
    assert launch_problems(
        world.asg, {**group, "CreatedTime": long_ago}, datetime.now(timezone.utc) + timedelta(1)
    ) == ("", False)
    faults.clear()
    converge(world, instance_type="t3.small")
    assert len(world.group()["Instances"]) == 3


def test_removal_scales_down_and_never_forces(world: World) -> None:
    """trap 77"""
    options = {**OPTIONS, "protect_new_instances": True, "deletion_protection": "prevent-all-deletion"}
    world.stack.converge("compute_asg", **options)
    world.asg.suspend_processes(AutoScalingGroupName="demo-web", ScalingProcesses=["Terminate"])
    text = refusal(lambda: world.stack.remove("compute_asg", lift=False, **options))
    assert "deletion_protection is prevent-all-deletion" in text
    gone = world.stack.remove("compute_asg", **options)
    assert all(not call.get("ForceDelete") for call in gone.sent("DeleteAutoScalingGroup"))
    assert world.asg.describe_auto_scaling_groups()["AutoScalingGroups"] == []
    states = {i["State"]["Name"] for r in world.ec2.describe_instances()["Reservations"] for i in r["Instances"]}
    assert states == {"terminated"}
    assert world.elb.describe_target_groups(Names=["demo-web"])["TargetGroups"], "the target group is the lb tier's"


def test_a_group_of_somebody_else_is_left_alone(world: World) -> None:
    world.ec2.create_launch_template(LaunchTemplateName="theirs", LaunchTemplateData=image_only(world))
    world.asg.create_auto_scaling_group(
        AutoScalingGroupName="demo-web",
        MinSize=0,
        MaxSize=0,
        LaunchTemplate={"LaunchTemplateName": "theirs"},
        VPCZoneIdentifier=",".join(world.subnets.values()),
    )
    assert "AutoScalingGroup[demo-web]: it exists, but without the tag" in refusal(lambda: converge(world))


def test_groups_as_aws_returns_them_compare() -> None:
    """Parts of answers from the EC2 Auto Scaling API reference."""
    specification = {"LaunchTemplateId": "lt-0a4872e2c396d941c", "LaunchTemplateName": "web", "Version": "7"}
    policy = {
        "LaunchTemplate": {
            "LaunchTemplateSpecification": specification,
            "Overrides": [
                {"InstanceType": "m5.large", "WeightedCapacity": "2"},
                {"InstanceType": "c5.large", "WeightedCapacity": "1"},
            ],
        },
        "InstancesDistribution": {
            "OnDemandAllocationStrategy": "lowest-price",
            "OnDemandBaseCapacity": 1,
            "OnDemandPercentageAboveBaseCapacity": 0,
            "SpotAllocationStrategy": "price-capacity-optimized",
        },
    }
    wish = {
        "instance_types": ["c5.large", "m5.large"],
        "weights": {"m5.large": 2, "c5.large": 1},
        "on_demand_allocation_strategy": "lowest-price",
        "on_demand_base_capacity": 1,
        "on_demand_percentage_above_base_capacity": 0,
        "spot_allocation_strategy": "price-capacity-optimized",
        "spot_max_price": None,
    }
    assert launch_template_of({"MixedInstancesPolicy": policy}) == {"id": "lt-0a4872e2c396d941c", "version": "7"}
    assert mixed_of(policy) == mixed_of(mixed_policy(wish, {}))
    prioritized = {**wish, "on_demand_allocation_strategy": "prioritized"}
    assert mixed_of(mixed_policy(prioritized, {}))["instance_types"] == [("c5.large", "1"), ("m5.large", "2")]
    assert warm_pool_of({"MinSize": 1, "PoolState": "Stopped", "Status": "PendingDelete"}) == {}
    assert warm_pool_of({"MinSize": 1, "PoolState": "Stopped", "MaxGroupPreparedCapacity": -1}) == {
        "pool_state": "Stopped", "min_size": 1, "reuse_on_scale_in": False
    }  # fmt: skip
    assert tidy({"Metrics": [{"Id": "m1", "Expression": "m2", "ReturnData": True}], "Dimensions": []}) == {
        "Metrics": [{"Id": "m1", "Expression": "m2"}]
    }


def test_a_template_as_aws_returns_it_is_quiet() -> None:
    """An answer of DescribeLaunchTemplateVersions from the EC2 API reference, against what we would write."""
    answer = {
        "ImageId": "ami-8c1be5f6",
        "InstanceType": "t3.micro",
        "IamInstanceProfile": {"Arn": "arn:aws:iam::123456789012:instance-profile/web"},
        "BlockDeviceMappings": [
            {
                "DeviceName": "/dev/xvda",
                "Ebs": {"Encrypted": True, "DeleteOnTermination": True, "VolumeSize": 20, "VolumeType": "gp3"},
            }
        ],
        "Monitoring": {"Enabled": False},
        "UserData": base64.b64encode(b"#!/bin/bash\r\ntrue").decode(),
        "TagSpecifications": [{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "web"}]}],
        "SecurityGroupIds": ["sg-2", "sg-1"],
        "MetadataOptions": {
            "State": "pending",
            "HttpTokens": "required",
            "HttpPutResponseHopLimit": 2,
            "HttpEndpoint": "enabled",
        },
        "NetworkInterfaces": [],
    }
    document = document_of(answer)
    assert document["user_data"] == "#!/bin/bash\ntrue\n" == canonical("#!/bin/bash\ntrue\n\n")
    assert document["security_group_ids"] == {"sg-1", "sg-2"}
    assert document["metadata_options"] == {
        "http_endpoint": "enabled", "http_tokens": "required", "http_put_response_hop_limit": 2
    }  # fmt: skip
    assert document["other_data"] == {} and document["key_name"] == ""
    assert document_of({**answer, "EbsOptimized": True})["other_data"] == {"EbsOptimized": True}
