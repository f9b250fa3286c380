"""The options of the compute tier: their types and defaults."""

from __future__ import annotations

from typing import Any

AMAZON_LINUX = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
INSTANCE_POLICIES = ["AmazonSSMManagedInstanceCore", "CloudWatchAgentServerPolicy"]
PROCESSES = [
    "Launch",
    "Terminate",
    "AddToLoadBalancer",
    "AlarmNotification",
    "AZRebalance",
    "HealthCheck",
    "InstanceRefresh",
    "ReplaceUnhealthy",
    "ScheduledActions",
]

WHERE: dict[str, Any] = {
    "availability_zones": {"type": "list", "elements": "str", "default": []},
    "subnet_ids": {"type": "list", "elements": "str", "default": []},
    "security_group_ids": {"type": "list", "elements": "str", "default": []},
    "target_group_names": {"type": "list", "elements": "str"},
}

ROLE: dict[str, Any] = {
    "instance_profile_arn": {"type": "str"},
    "managed_policies": {"type": "list", "elements": "str", "default": INSTANCE_POLICIES},
    "inline_policies": {"type": "dict"},
    "permissions_boundary": {"type": "str"},
}

TEMPLATE: dict[str, Any] = {
    "image_id": {"type": "str"},
    "image_ssm_parameter": {"type": "str", "default": AMAZON_LINUX},
    "image_update": {"type": "bool", "default": False},
    "instance_type": {"type": "str", "default": "t3.micro"},
    "key_name": {"type": "str", "no_log": False},
    "user_data": {"type": "str"},
    "release": {"type": "str"},
    "http_tokens": {"type": "str", "default": "required", "choices": ["required", "optional"]},
    "http_put_response_hop_limit": {"type": "int", "default": 2},
    "root_device_name": {"type": "str"},
    "root_volume_size": {"type": "int", "default": 20},
    "root_volume_type": {"type": "str", "default": "gp3", "choices": ["gp3", "gp2", "io1", "io2"]},
    "root_volume_iops": {"type": "int"},
    "root_volume_throughput": {"type": "int"},
    "root_volume_kms_key_id": {"type": "str", "no_log": False},
    "detailed_monitoring": {"type": "bool", "default": False},
    "keep_template_versions": {"type": "int", "default": 10},
    "mixed_instances": {
        "type": "dict",
        "options": {
            "instance_types": {"type": "list", "elements": "str", "default": []},
            "weights": {"type": "dict", "default": {}},
            "instance_requirements": {"type": "dict", "default": {}},
            "on_demand_base_capacity": {"type": "int", "default": 0},
            "on_demand_percentage_above_base_capacity": {"type": "int", "default": 100},
            "on_demand_allocation_strategy": {
                "type": "str",
                "default": "lowest-price",
                "choices": ["lowest-price", "prioritized"],
            },
            "spot_allocation_strategy": {
                "type": "str",
                "default": "price-capacity-optimized",
                "choices": [
                    "price-capacity-optimized",
                    "capacity-optimized",
                    "capacity-optimized-prioritized",
                    "lowest-price",
                ],
            },
            "spot_max_price": {"type": "str"},
        },
    },
}

GROUP: dict[str, Any] = {
    "min_size": {"type": "int", "default": 2},
    "max_size": {"type": "int", "default": 6},
    "desired_capacity": {"type": "int"},
    "force_desired_capacity": {"type": "bool", "default": False},
    "health_check_type": {"type": "str", "choices": ["EC2", "ELB", "EBS", "VPC_LATTICE"]},
    "health_check_grace_period": {"type": "int", "default": 300},
    "default_instance_warmup": {"type": "int", "default": 180},
    "min_healthy_percentage": {"type": "int", "default": 100},
    "max_healthy_percentage": {"type": "int"},
    "termination_policies": {"type": "list", "elements": "str", "default": ["Default"]},
    "capacity_rebalance": {"type": "bool", "default": False},
    "max_instance_lifetime": {"type": "int", "default": 0},
    "protect_new_instances": {"type": "bool", "default": False},
    "availability_zone_distribution": {"type": "str", "choices": ["balanced-best-effort", "balanced-only"]},
    "deletion_protection": {"type": "str", "choices": ["none", "prevent-force-deletion", "prevent-all-deletion"]},
    "group_metrics": {"type": "bool", "default": True},
    "suspended_processes": {"type": "list", "elements": "str", "default": [], "choices": PROCESSES},
    "warm_pool": {
        "type": "dict",
        "options": {
            "pool_state": {"type": "str", "default": "Stopped", "choices": ["Stopped", "Running", "Hibernated"]},
            "min_size": {"type": "int", "default": 0},
            "max_group_prepared_capacity": {"type": "int"},
            "reuse_on_scale_in": {"type": "bool", "default": False},
        },
    },
    "lifecycle_hooks": {
        "type": "list",
        "elements": "dict",
        "options": {
            "name": {"type": "str", "required": True},
            "transition": {"type": "str", "required": True, "choices": ["launching", "terminating"]},
            "heartbeat_timeout": {"type": "int", "default": 300},
            "default_result": {"type": "str", "default": "ABANDON", "choices": ["ABANDON", "CONTINUE"]},
            "notification_target_arn": {"type": "str"},
            "role_arn": {"type": "str"},
            "notification_metadata": {"type": "str"},
        },
    },
}

SCALING: dict[str, Any] = {
    "cpu_target": {"type": "float", "default": 50.0},
    "request_count_target": {"type": "float"},
    "scaling_policies": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "name": {"type": "str", "required": True},
            "predefined_metric": {
                "type": "str",
                "choices": ["ASGAverageCPUUtilization", "ASGAverageNetworkIn", "ASGAverageNetworkOut"],
            },
            "customized_metric": {"type": "dict"},
            "target_value": {"type": "float", "required": True},
            "disable_scale_in": {"type": "bool", "default": False},
        },
    },
    "schedules": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "name": {"type": "str", "required": True},
            "recurrence": {"type": "str"},
            "time_zone": {"type": "str"},
            "start_time": {"type": "str"},
            "end_time": {"type": "str"},
            "min_size": {"type": "int"},
            "max_size": {"type": "int"},
            "desired_capacity": {"type": "int"},
        },
    },
}

ARGUMENTS: dict[str, Any] = {**WHERE, **ROLE, **TEMPLATE, **GROUP, **SCALING}
