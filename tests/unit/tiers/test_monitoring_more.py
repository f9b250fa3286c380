"""The monitoring tier: alarms on metric math rewritten by hand, and alarms that come and go by name."""

from __future__ import annotations

from typing import Any

from stack import ACCOUNT, Stack, cycle, quiet
from test_monitoring import BARE, TOPIC, put_again

QUERY = {"Metric": {"Namespace": "shop", "MetricName": "Orders", "Dimensions": []}, "Period": 60, "Stat": "Sum"}
BAND: dict[str, Any] = {
    "name": "orders",
    "metrics": [
        {"Id": "m1", "MetricStat": QUERY},
        {"Id": "band", "Expression": "ANOMALY_DETECTION_BAND(m1, 2)"},
        {"Id": "wide", "Expression": "ANOMALY_DETECTION_BAND(m1, 9)"},
    ],
    "threshold_metric_id": "band",
    "comparison_operator": "LessThanLowerThreshold",
}
CARTS: dict[str, Any] = {"name": "carts", "namespace": "shop", "metric_name": "Carts", "threshold": 3}
OPTIONS = {**BARE, "extra_alarms": [BAND, CARTS], "dashboard": False}


def test_alarms_on_metric_math_are_repaired_and_made_again(stack: Stack) -> None:
    watch = stack.lab.client("cloudwatch")
    address = "MetricAlarm[demo-orders]"

    def rewrite() -> None:
        """Stretch the period of the metric, as a person does in the console."""
        alarm = watch.describe_alarms(AlarmNames=["demo-orders"])["MetricAlarms"][0]
        metrics = [
            {**one, "MetricStat": {**one["MetricStat"], "Period": 300}} if "MetricStat" in one else one
            for one in alarm["Metrics"]
        ]
        put_again(stack, "demo-orders", Metrics=metrics)

    def silence(name: str) -> Any:
        return lambda: put_again(stack, name, InsufficientDataActions=[TOPIC])

    composite = "demo-compute-asg-unhealthy"
    cycle(
        stack,
        "monitoring",
        OPTIONS,
        drifts=[
            (address, rewrite, {"metrics"}),
            (address, lambda: put_again(stack, "demo-orders", ThresholdMetricId="wide"), {"threshold_metric_id"}),
            (
                f"CompositeAlarm[{composite}]",
                silence(composite),
                {"insufficient_data_actions"},
            ),
        ],
        vanishings=[(lambda: watch.delete_alarms(AlarmNames=["demo-orders"]), {address})],
    )


def test_the_first_alarm_filter_and_recipient_go_alone_and_others_come_alone(stack: Stack) -> None:
    pager = f"arn:aws:sns:us-east-1:{ACCOUNT}:pager"
    sms = [{"protocol": "sms", "endpoint": f"+491511234567{number}"} for number in (1, 2)]
    filters = [
        {"name": name, "log_group": "app", "pattern": name.upper(), "metric_name": name.title()}
        for name in ("errors", "slow")
    ]
    options = {**OPTIONS, "metric_filters": filters, "subscriptions": sms}
    stack.converge("monitoring", **options)
    options["extra_alarms"] = [CARTS]
    assert stack.converge("monitoring", **options).plan == {("delete", "MetricAlarm[demo-orders]")}
    options["extra_alarms"] = [{**CARTS, "name": "baskets"}, CARTS]
    assert stack.converge("monitoring", **options).plan == {("create", "MetricAlarm[demo-baskets]")}
    options["metric_filters"] = filters[1:]
    assert stack.converge("monitoring", **options).plan == {("delete", "MetricFilter[/demo/app:demo-errors]")}
    options["subscriptions"] = sms[1:]
    assert stack.converge("monitoring", **options).plan == {("delete", "Subscription[sms:+4915112345671]")}
    changed = stack.converge("monitoring", **options, alarm_actions=[pager])
    assert {attribute for one in changed.changes.values() for attribute in one} <= {"alarm_actions", "ok_actions"}
    quiet(stack, "monitoring", {**options, "alarm_actions": [pager]})
