"""Alarms as AWS answers, which is not as they were put."""

from __future__ import annotations

from typing import Any

from ansible_collections.webstack.aws.plugins.module_utils.engine.resource import Scope
from ansible_collections.webstack.aws.plugins.module_utils.resources.cloudwatch import CompositeAlarm, MetricAlarm

ARN = "arn:aws:cloudwatch:us-east-1:123456789012:alarm:demo-orders"
STATE = {"StateValue": "INSUFFICIENT_DATA", "StateReason": "Unchecked: Initial alarm creation"}


class Tags:
    """The one call that reading a single alarm makes."""

    def list_tags_for_resource(self, **arguments: Any) -> dict[str, Any]:
        assert arguments == {"ResourceARN": ARN}
        return {"Tags": [{"Key": "webstack:stack", "Value": "demo"}]}


def read(alarm: Any, item: dict[str, Any]) -> dict[str, Any]:
    members = [alarm]
    alarm.scope = Scope(
        stack="demo",
        region="us-east-1",
        kind=type(alarm),
        members=members,
        client=lambda service, region: Tags(),
        found=lambda kind, region: [],
        memory={},
        fresh=True,
    )
    have: dict[str, Any] = alarm.read(Tags(), item)
    return have


def differences(alarm: Any, item: dict[str, Any]) -> set[str]:
    have = read(alarm, item)
    return {key for key, value in alarm.want().items() if value is not None and have[key] != value}


def test_what_aws_leaves_out_or_fills_in_is_no_difference() -> None:
    alarm = MetricAlarm(
        "demo-orders",
        description="",
        alarm_actions=[],
        ok_actions=[],
        namespace="shop",
        metric_name="Orders",
        dimensions={"b": "2", "a": "1"},
        statistic="p99.9",
        period=60,
        evaluation_periods=3,
        threshold=1,
        comparison_operator="LessThanThreshold",
    )
    answer = {
        "AlarmName": "demo-orders",
        "AlarmArn": ARN,
        "ActionsEnabled": True,
        "OKActions": [],
        "AlarmActions": [],
        "InsufficientDataActions": [],
        "MetricName": "Orders",
        "Namespace": "shop",
        "ExtendedStatistic": "p99.9",
        "Dimensions": [{"Name": "b", "Value": "2"}, {"Name": "a", "Value": "1"}],
        "Period": 60,
        "EvaluationPeriods": 3,
        "Threshold": 1.0,
        "ComparisonOperator": "LessThanThreshold",
        **STATE,
    }
    assert differences(alarm, answer) == set()
    assert differences(alarm, {**answer, "DatapointsToAlarm": 3, "TreatMissingData": "missing"}) == set()
    assert differences(alarm, {**answer, "DatapointsToAlarm": 2}) == {"datapoints_to_alarm"}
    assert differences(alarm, {**answer, "Unit": "Count", "TreatMissingData": "ignore"}) == {
        "unit",
        "treat_missing_data",
    }


def test_metric_queries_are_the_same_in_any_order() -> None:
    metric = {"Namespace": "shop", "MetricName": "Orders"}
    band = {"Id": "band", "Expression": "ANOMALY_DETECTION_BAND(m1, 2)"}
    queries = [{"Id": "m1", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Sum"}}, band]
    alarm = MetricAlarm(
        "demo-orders",
        metrics=queries,
        evaluation_periods=2,
        comparison_operator="LessThanLowerThreshold",
        threshold_metric_id="band",
    )
    full = {"Metric": {**metric, "Dimensions": []}, "Period": 60, "Stat": "Sum"}
    answer: dict[str, Any] = {
        "AlarmName": "demo-orders",
        "AlarmArn": ARN,
        "ActionsEnabled": True,
        "Dimensions": [],
        "EvaluationPeriods": 2,
        "ComparisonOperator": "LessThanLowerThreshold",
        "Metrics": [{**band, "ReturnData": True}, {"Id": "m1", "MetricStat": full, "ReturnData": True}],
        "ThresholdMetricId": "band",
        **STATE,
    }
    assert differences(alarm, answer) == set()
    assert differences(alarm, {**answer, "Metrics": answer["Metrics"][1:]}) == {"metrics"}


def test_a_rule_is_the_same_however_it_is_spaced() -> None:
    child = MetricAlarm("demo-a")
    alarm = CompositeAlarm("demo-orders", children=[child, MetricAlarm("demo-b")])
    answer = {"AlarmName": "demo-orders", "AlarmArn": ARN, "ActionsEnabled": True, **STATE}
    assert differences(alarm, {**answer, "AlarmRule": 'ALARM("demo-a")\n  OR ALARM("demo-b")'}) == set()
    assert differences(alarm, {**answer, "AlarmRule": 'ALARM("demo-a")'}) == {"rule"}
