"""The compute tier: every mistake in the options gets one clear sentence."""

from __future__ import annotations

from typing import Any

import pytest
from compute_world import (
    HOOK,
    MIXED,
    OPTIONS,
    World,
    converge,
)
from stack import Stack, refusal

from ansible_collections.webstack.aws.plugins.module_utils.module import validate
from ansible_collections.webstack.aws.plugins.module_utils.tiers.compute_asg import TIER


@pytest.fixture
def world(stack: Stack) -> World:
    return World(stack).build()


def test_an_unknown_instance_type_is_refused_before_anything_is_made(world: World) -> None:
    text = refusal(lambda: converge(world, instance_type="t3.gigantic"))
    assert "t3.gigantic is no instance type that the installed botocore knows" in text
    text = refusal(lambda: converge(world, mixed_instances={**MIXED, "instance_types": ["x99.huge"]}))
    assert "x99.huge is no instance type" in text
    assert world.iam.list_roles()["Roles"] == []


POLICY = {"name": "a", "predefined_metric": "ASGAverageNetworkIn", "target_value": 1}
NIGHT = {"name": "n", "recurrence": "0 1 * * *", "min_size": 1}


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"availability_zones": []}, "availability_zones: [] cannot be used. Name the zones"),
        ({"availability_zones": ["eu-west-1a"]}, "It is not a zone of us-east-1"),
        ({"subnet_ids": ["subnet_1"]}, "subnet_ids: 'subnet_1' cannot be used"),
        ({"security_group_ids": ["web"]}, "It is not an id of the form sg-"),
        ({"target_group_names": ["web_1"]}, "target_group_names: 'web_1' cannot be used"),
        ({"instance_profile_arn": "web"}, "It is not the ARN of an instance profile"),
        (
            {
                "instance_profile_arn": "arn:aws:iam::123456789012:instance-profile/x",
                "inline_policies": {"a": {"Statement": []}},
            },
            "It would go to the stack's own role",
        ),
        ({"managed_policies": ["no such name"]}, "Give the name of an AWS managed policy"),
        ({"inline_policies": {"a": "text"}}, "inline_policies: 'a' cannot be used"),
        ({"permissions_boundary": "x"}, "It is not the ARN of a managed policy"),
        ({"image_id": "resolve:ssm:/x"}, "cannot be rolled back"),
        ({"image_id": "ami_1"}, "It is not an id of the form ami-"),
        ({"image_ssm_parameter": "x"}, "Give the name of a parameter"),
        ({"instance_type": "big"}, "Instance types look like"),
        ({"user_data": "echo hello"}, "cloud-init only runs what begins with"),
        ({"user_data": "#!" + "".join(str(n * n) for n in range(9000))}, "EC2 takes 16384 bytes"),
        ({"root_volume_size": 0}, "Allowed are 1 to 65536 GiB"),
        ({"root_volume_type": "io2"}, "It needs root_volume_iops"),
        ({"root_volume_type": "gp2", "root_volume_iops": 3000}, "gp2 has no setting for it"),
        ({"root_volume_type": "gp2", "root_volume_throughput": 200}, "Only gp3 has a throughput"),
        ({"http_put_response_hop_limit": 0}, "Allowed are 1 to 64 hops"),
        ({"keep_template_versions": 1}, "Allowed are 2 to 5000 versions"),
        ({"min_size": 7}, "max_size: 6 cannot be used. Allowed are 7 to"),
        ({"desired_capacity": 9}, "desired_capacity: 9 cannot be used. Allowed are 2 to 6"),
        ({"desired_capacity": None, "force_desired_capacity": True}, "It needs desired_capacity"),
        ({"min_healthy_percentage": 100, "max_healthy_percentage": 100}, "nothing can be replaced"),
        ({"health_check_grace_period": -1}, "Allowed are 0 to 7200 seconds"),
        ({"max_instance_lifetime": 5}, "Allowed are 86400 to 31536000"),
        (
            {"target_group_names": [], "health_check_type": "ELB", "request_count_target": None},
            "It needs a target group",
        ),
        ({"target_group_names": []}, "request_count_target: 1000.0 cannot be used"),
        ({"termination_policies": ["Random"]}, "Allowed are AllocationStrategy"),
        ({"termination_policies": ["Default", "OldestInstance"]}, "Default must be the last one"),
        ({"mixed_instances": {}}, "Set either instance_types or instance_requirements"),
        (
            {"mixed_instances": {**MIXED, "weights": {"t3.small": 1}}},
            "Give a weight to every instance type, or to none",
        ),
        ({"lifecycle_hooks": [HOOK, HOOK]}, "The name occurs twice"),
        ({"lifecycle_hooks": [{**HOOK, "heartbeat_timeout": 5}]}, "lifecycle_hooks.drain.heartbeat_timeout: 5"),
        ({"lifecycle_hooks": [{**HOOK, "role_arn": "x"}]}, "belong together"),
        ({"cpu_target": 101}, "Allowed are 1 to 100 percent, or 0 for none"),
        (
            {"scaling_policies": [{**POLICY, "name": "cpu"}]},
            "scaling_policies: 'cpu' cannot be used. The name occurs twice",
        ),
        ({"scaling_policies": [{**POLICY, "customized_metric": {"a": 1}}]}, "Set either predefined_metric or"),
        ({"scaling_policies": [{**POLICY, "target_value": 0}]}, "target_value must be above 0"),
        ({"schedules": [{**NIGHT, "recurrence": "nightly"}]}, "A cron expression has five fields"),
        ({"schedules": [{"name": "n", "min_size": 1}]}, "Set recurrence (cron) or start_time"),
        ({"schedules": [{"name": "n", "recurrence": "0 1 * * *"}]}, "Set at least one of min_size"),
        ({"schedules": [{**NIGHT, "min_size": 3, "max_size": 2}]}, "min_size is above max_size"),
        ({"schedules": [{**NIGHT, "desired_capacity": 0}]}, "desired_capacity must lie between"),
        ({"schedules": [{**NIGHT, "start_time": "tomorrow"}]}, "Write it as 2030-01-31T22:00:00Z"),
        (
            {"schedules": [{**NIGHT, "start_time": "2031-01-01", "end_time": "2030-01-01"}]},
            "It must come after start_time",
        ),
        ({"schedules": [{**NIGHT, "time_zone": "CET!"}]}, "Write it as Europe/Berlin"),
    ],
)
def test_every_mistake_gets_its_own_sentence(options: dict[str, Any], text: str) -> None:
    """Before any call: a tier's function has no client."""
    run = {"stack": "demo", "region": "us-east-1", "account_id": "123456789012", "partition": "aws"}
    assert text in refusal(lambda: TIER.resources({**validate(TIER, {**OPTIONS, **options}), **run}))
