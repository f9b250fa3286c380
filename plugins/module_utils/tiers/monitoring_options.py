"""The options of the monitoring tier."""

from __future__ import annotations

from typing import Any

from .alarm_packs import COMPARISONS, CRITICAL, GLOBAL, REGIONAL, WARNING

PACKS = list(dict.fromkeys([*REGIONAL, *GLOBAL]))
PROTOCOLS = ["email", "email-json", "http", "https", "lambda", "sms", "sqs"]
MISSING = ["missing", "ignore", "breaching", "notBreaching"]
BANDS = ["LessThanLowerOrGreaterThanUpperThreshold", "LessThanLowerThreshold", "GreaterThanUpperThreshold"]
SERVICE = "{stack}-web"

EXTRA_ALARM: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "description": {"type": "str", "default": ""},
    "severity": {"type": "str", "default": WARNING, "choices": [CRITICAL, WARNING]},
    "namespace": {"type": "str"},
    "metric_name": {"type": "str"},
    "dimensions": {"type": "dict", "default": {}},
    "statistic": {"type": "str", "default": "Average"},
    "unit": {"type": "str"},
    "metrics": {"type": "list", "elements": "dict", "default": []},
    "threshold_metric_id": {"type": "str"},
    "period": {"type": "int", "default": 60},
    "evaluation_periods": {"type": "int", "default": 5},
    "datapoints_to_alarm": {"type": "int"},
    "threshold": {"type": "float"},
    "comparison_operator": {
        "type": "str",
        "default": COMPARISONS[">"],
        "choices": [*COMPARISONS.values(), *BANDS],
    },
    "treat_missing_data": {"type": "str", "default": "notBreaching", "choices": MISSING},
}

ARGUMENTS: dict[str, Any] = {
    "coverage": {"type": "str", "default": "regional", "choices": ["regional", "global"]},
    "tiers": {"type": "list", "elements": "str", "default": PACKS, "choices": PACKS},
    "availability_zones": {"type": "list", "elements": "str", "default": []},
    "topic": {"type": "bool", "default": True},
    "topic_kms_key_id": {"type": "str", "no_log": False},
    "email": {"type": "list", "elements": "str", "default": []},
    "subscriptions": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "protocol": {"type": "str", "required": True, "choices": PROTOCOLS},
            "endpoint": {"type": "str", "required": True},
        },
    },
    "purge_subscriptions": {"type": "bool", "default": True},
    "alarm_actions": {"type": "list", "elements": "str", "default": []},
    "notify": {
        "type": "list",
        "elements": "str",
        "default": [CRITICAL, WARNING],
        "choices": [CRITICAL, WARNING],
    },
    "notify_ok": {"type": "bool", "default": True},
    "runbook_url": {"type": "str", "default": ""},
    "thresholds": {"type": "dict", "default": {}},
    "disabled_alarms": {"type": "list", "elements": "str", "default": []},
    "extra_alarms": {"type": "list", "elements": "dict", "default": [], "options": EXTRA_ALARM},
    "composite_alarms": {"type": "bool", "default": True},
    "dashboard": {"type": "bool", "default": True},
    "alb": {"type": "bool", "default": True},
    "alb_name": {"type": "str"},
    "alb_target_group_name": {"type": "str"},
    "nlb": {"type": "bool", "default": True},
    "nlb_name": {"type": "str"},
    "nlb_target_group_name": {"type": "str"},
    "auto_scaling_group_name": {"type": "str"},
    "nat_gateways": {"type": "str", "default": "per_zone", "choices": ["none", "single", "per_zone"]},
    "nat_zone": {"type": "str"},
    "file_system": {"type": "bool", "default": True},
    "file_system_id": {"type": "str"},
    "cache_engine": {"type": "str", "default": "redis", "choices": ["none", "redis", "valkey", "memcached"]},
    "cache_replicas": {"type": "int", "default": 1},
    "cache_shards": {"type": "int"},
    "cache_nodes": {"type": "int", "default": 2},
    "read_replica_count": {"type": "int", "default": 0},
    "read_replicas": {"type": "list", "elements": "str", "default": []},
    "regional_web_acl": {"type": "bool", "default": False},
    "web_acl_name": {"type": "str"},
    "distribution_id": {"type": "str"},
    "health_checks": {"type": "list", "elements": "str", "default": []},
    "log_groups": {
        "type": "list",
        "elements": "dict",
        "default": [{"name": "app"}, {"name": "access"}],
        "options": {"name": {"type": "str", "required": True}, "retention_days": {"type": "int"}},
    },
    "log_retention_days": {"type": "int", "default": 30},
    "log_kms_key_id": {"type": "str", "no_log": False},
    "metric_filters": {
        "type": "list",
        "elements": "dict",
        "default": [
            {
                "name": "app-errors",
                "log_group": "app",
                "pattern": "?ERROR ?FATAL ?CRITICAL",
                "metric_name": "AppErrors",
                "default_value": 0,
                "alarm_threshold": 10,
            }
        ],
        "options": {
            "name": {"type": "str", "required": True},
            "log_group": {"type": "str", "required": True},
            "pattern": {"type": "str", "required": True},
            "metric_name": {"type": "str", "required": True},
            "metric_value": {"type": "str", "default": "1"},
            "default_value": {"type": "float"},
            "dimensions": {"type": "dict", "default": {}},
            "unit": {"type": "str", "default": "None"},
            "alarm_threshold": {"type": "float"},
        },
    },
    "xray_group": {"type": "bool", "default": True},
    "xray_filter_expression": {"type": "str"},
    "xray_insights": {"type": "bool", "default": True},
    "xray_insights_notifications": {"type": "bool", "default": False},
    "xray_sampling_rules": {
        "type": "list",
        "elements": "dict",
        "default": [{"name": "web"}],
        "options": {
            "name": {"type": "str", "required": True},
            "priority": {"type": "int", "default": 1000},
            "fixed_rate": {"type": "float", "default": 0.05},
            "reservoir_size": {"type": "int", "default": 1},
            "service_name": {"type": "str"},
            "service_type": {"type": "str", "default": "*"},
            "host": {"type": "str", "default": "*"},
            "http_method": {"type": "str", "default": "*"},
            "url_path": {"type": "str", "default": "*"},
            "resource_arn": {"type": "str", "default": "*"},
            "attributes": {"type": "dict", "default": {}},
        },
    },
}
