"""What the options of the monitoring tier may say. Every mistake gets its own sentence, before any call."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from ..engine.errors import OptionError
from ..resources.logs import FOREVER, RETENTION_DAYS
from ..resources.xray import DEFAULT
from .alarm_packs import GLOBAL

NAME = r"[A-Za-z0-9][A-Za-z0-9._-]*"
LOG_GROUP = r"[A-Za-z0-9._/#-]+"
STATISTIC = r"SampleCount|Average|Sum|Minimum|Maximum|IQM|(p|tm|wm|tc|ts|pr)\d{1,3}(\.\d+)?|(TM|WM|TC|TS|PR)\([^)]*\)"
ENDPOINTS = {
    "email": (r"[^@\s]+@[^@\s]+\.[^@\s]+", "an e-mail address"),
    "email-json": (r"[^@\s]+@[^@\s]+\.[^@\s]+", "an e-mail address"),
    "http": (r"http://\S+", "a URL that begins with http://"),
    "https": (r"https://\S+", "a URL that begins with https://"),
    "lambda": (r"arn:[^:]+:lambda:\S+", "the ARN of a Lambda function"),
    "sms": (r"\+[1-9]\d{6,14}", "a telephone number as +4915112345678"),
    "sqs": (r"arn:[^:]+:sqs:\S+", "the ARN of an SQS queue"),
}
ACTION = r"arn:[^:\s]+:(sns|ssm|ssm-incidents|lambda|autoscaling|automate|swf|aiops|ec2):\S+"
DAY, WEEK = 86400, 7 * 86400
ALARM_NAME = 255
XRAY_NAME = 32


def check(options: dict[str, Any]) -> None:
    """Everything that can be said about the options without knowing the alarms."""
    _check_coverage(options)
    _check_topic(options)
    for number, alarm in enumerate(options["extra_alarms"]):
        _check_extra_alarm(options, f"extra_alarms[{number}]", alarm)
    _check_logs(options)
    _check_xray(options)
    for option, least in (("cache_replicas", 0), ("cache_nodes", 1), ("cache_shards", 1), ("read_replica_count", 0)):
        value = options[option]
        if value is not None and value < least:
            raise OptionError(option, value, f"Give {least} or more")


def _check_coverage(options: dict[str, Any]) -> None:
    """CloudFront and Route 53 report to us-east-1 only (traps 152, 173)."""
    if options["coverage"] == "global" and options["region"] != "us-east-1":
        told = f"What CloudFront and Route 53 report is in us-east-1 only, and this run is in {options['region']}"
        raise OptionError("coverage", "global", told)
    if options["coverage"] == "global" and not set(options["tiers"]) & set(GLOBAL):
        raise OptionError("tiers", options["tiers"], f"With coverage=global there are {', '.join(GLOBAL)}")


def _check_topic(options: dict[str, Any]) -> None:
    key = options["topic_kms_key_id"]
    if key and "alias/aws/sns" in key:  # trap 29
        raise OptionError(
            "topic_kms_key_id", key, "CloudWatch cannot publish to a topic under AWS's own key: give a key of yours"
        )
    for address in options["email"]:
        _check_endpoint("email", "email", address)
    for number, one in enumerate(options["subscriptions"]):
        _check_endpoint(f"subscriptions[{number}].endpoint", one["protocol"], one["endpoint"])
    wished = [("email", address) for address in options["email"]]
    wished += [(one["protocol"], one["endpoint"]) for one in options["subscriptions"]]
    _check_unique("subscriptions", [f"{protocol}:{endpoint}" for protocol, endpoint in wished])
    if wished and not options["topic"]:
        raise OptionError("topic", False, "email and subscriptions are about the stack's own topic")
    for action in options["alarm_actions"]:
        if not re.fullmatch(ACTION, action):
            raise OptionError("alarm_actions", action, "Give ARNs of what an alarm can call, such as an SNS topic")
    if len(options["alarm_actions"]) + options["topic"] > 5:
        raise OptionError(
            "alarm_actions", options["alarm_actions"], "An alarm has at most five actions, the topic included"
        )
    if options["runbook_url"] and not re.fullmatch(r"https?://\S+", options["runbook_url"]):
        raise OptionError("runbook_url", options["runbook_url"], "Give a URL that begins with http:// or https://")


def _check_endpoint(option: str, protocol: str, endpoint: str) -> None:
    pattern, wanted = ENDPOINTS[protocol]
    if not re.fullmatch(pattern, endpoint):
        raise OptionError(option, endpoint, f"Give {wanted}")


def _check_unique(option: str, names: list[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise OptionError(option, twice[0], "It is there twice. Keep one of them")


def _check_extra_alarm(options: dict[str, Any], option: str, alarm: dict[str, Any]) -> None:
    if not re.fullmatch(NAME, alarm["name"]):
        raise OptionError(f"{option}.name", alarm["name"], "Give letters, digits, dots, hyphens and underscores")
    if bool(alarm["metrics"]) == bool(alarm["metric_name"] or alarm["namespace"]):
        raise OptionError(option, alarm["name"], "Give either namespace and metric_name, or metrics")
    if not alarm["metrics"] and not (alarm["metric_name"] and alarm["namespace"]):
        raise OptionError(option, alarm["name"], "namespace and metric_name go together")
    _check_threshold(option, alarm)
    if not re.fullmatch(STATISTIC, alarm["statistic"]):
        raise OptionError(
            f"{option}.statistic", alarm["statistic"], "Give Average, Sum, Minimum, Maximum, SampleCount or p95"
        )
    period, periods, datapoints = alarm["period"], alarm["evaluation_periods"], alarm["datapoints_to_alarm"]
    if period not in (10, 20, 30) and (period < 60 or period % 60):
        raise OptionError(f"{option}.period", period, "Give 10, 20, 30, or a multiple of 60 seconds")
    if periods < 1 or period * periods > (WEEK if period >= 3600 else DAY):
        told = "period times evaluation_periods is at most a day, or seven days with periods of an hour or more"
        raise OptionError(f"{option}.evaluation_periods", periods, told)
    if datapoints is not None and not 1 <= datapoints <= periods:
        raise OptionError(f"{option}.datapoints_to_alarm", datapoints, f"Give 1 to {periods}, the evaluation_periods")


def _check_threshold(option: str, alarm: dict[str, Any]) -> None:
    band = alarm["comparison_operator"].endswith(("UpperThreshold", "LowerThreshold"))
    if band != bool(alarm["threshold_metric_id"]):
        told = "threshold_metric_id goes with the comparisons with a band (…LowerThreshold, …UpperThreshold), and they with it"
        raise OptionError(f"{option}.threshold_metric_id", alarm["threshold_metric_id"], told)
    if (alarm["threshold"] is None) != band:
        raise OptionError(
            f"{option}.threshold", alarm["threshold"], "Give a threshold, or a threshold_metric_id in its place"
        )
    ids = [query.get("Id") for query in alarm["metrics"]]
    if None in ids:
        raise OptionError(
            f"{option}.metrics", alarm["metrics"], "Each query has an Id, and a MetricStat or an Expression"
        )
    if band and alarm["threshold_metric_id"] not in ids:
        raise OptionError(
            f"{option}.threshold_metric_id", alarm["threshold_metric_id"], f"The ids are {', '.join(ids)}"
        )


def _check_logs(options: dict[str, Any]) -> None:
    days = ", ".join(map(str, RETENTION_DAYS))
    values = [("log_retention_days", options["log_retention_days"])]
    for number, group in enumerate(options["log_groups"]):
        values.append((f"log_groups[{number}].retention_days", group.get("retention_days")))
        if not re.fullmatch(LOG_GROUP, group["name"]) or group["name"].startswith("/"):
            told = "Give letters, digits and the characters ._/#- only, no slash first: the group's name becomes /STACK/NAME"
            raise OptionError(f"log_groups[{number}].name", group["name"], told)
    for option, value in values:
        if value is not None and value not in (FOREVER, *RETENTION_DAYS):  # trap 186
            raise OptionError(option, value, f"CloudWatch Logs takes {days} days, or 0 for ever")
    names = [group["name"] for group in options["log_groups"]]
    _check_unique("log_groups", names)
    _check_unique("metric_filters", [one["name"] for one in options["metric_filters"]])
    for number, one in enumerate(options["metric_filters"] if options["coverage"] == "regional" else []):
        option = f"metric_filters[{number}]"
        if not re.fullmatch(NAME, one["name"]):
            raise OptionError(f"{option}.name", one["name"], "Give letters, digits, dots, hyphens and underscores")
        if one["log_group"] not in names:
            raise OptionError(f"{option}.log_group", one["log_group"], f"log_groups has {', '.join(names) or 'none'}")
        if one.get("dimensions") and (one.get("default_value") is not None or len(one["dimensions"]) > 3):
            raise OptionError(
                f"{option}.dimensions", one["dimensions"], "Three at most, and none together with default_value"
            )


def _check_xray(options: dict[str, Any]) -> None:
    """The Default rule belongs to AWS (trap 188)."""
    stack = options["stack"]
    if options["xray_insights_notifications"] and not options["xray_insights"]:
        raise OptionError(
            "xray_insights_notifications", True, "Notifications are about insights: set xray_insights=true"
        )
    _check_unique("xray_sampling_rules", [rule["name"] for rule in options["xray_sampling_rules"]])
    for number, rule in enumerate(options["xray_sampling_rules"]):
        option = f"xray_sampling_rules[{number}]"
        if (
            rule["name"] == DEFAULT
            or not re.fullmatch(NAME, rule["name"])
            or len(f"{stack}-{rule['name']}") > XRAY_NAME
        ):
            told = f"Give a name of at most {XRAY_NAME - len(stack) - 1} letters, digits, hyphens and underscores, but not Default"
            raise OptionError(f"{option}.name", rule["name"], told)
        if not 1 <= rule.get("priority", 1000) <= 9999:
            raise OptionError(f"{option}.priority", rule["priority"], "Give 1 (decides first) to 9999")
        if not 0 <= rule.get("fixed_rate", 0.05) <= 1:
            raise OptionError(f"{option}.fixed_rate", rule["fixed_rate"], "Give the part of requests to trace, 0 to 1")
        if rule.get("reservoir_size", 1) < 0:
            raise OptionError(f"{option}.reservoir_size", rule["reservoir_size"], "Give 0 or more requests a second")
        if len(rule.get("attributes") or {}) > 5:
            raise OptionError(f"{option}.attributes", rule["attributes"], "X-Ray compares five attributes at most")


def check_alarm_names(options: dict[str, Any], known: Collection[str], prefix: str) -> None:
    """That what is said about alarms is about alarms that there are; ``known`` are short names, and those of their tables."""
    for name, value in options["thresholds"].items():
        if name not in known:
            raise OptionError("thresholds", name, _told(known))
        if isinstance(value, bool) or not re.fullmatch(r"[+-]?\d+(\.\d*)?([eE][+-]?\d+)?", str(value)):
            raise OptionError(f"thresholds.{name}", value, "Give a number")
    for name in options["disabled_alarms"]:
        if name not in known:
            raise OptionError("disabled_alarms", name, _told(known))
    names = [alarm["name"] for alarm in options["extra_alarms"]]
    _check_unique("extra_alarms", names)
    for name in names:
        if name in known:
            raise OptionError(
                "extra_alarms", name, "The tier has an alarm of that name: choose another, or set its threshold"
            )
    for name in [*known, *names]:
        if len(f"{prefix}{name}") > ALARM_NAME:
            raise OptionError(
                "extra_alarms", name, f"With {prefix} before it, it has more than {ALARM_NAME} characters"
            )


def _told(known: Collection[str]) -> str:
    return f"The alarms are {', '.join(sorted(known)) or 'none'}"
