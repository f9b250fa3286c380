"""CloudWatch, SNS, Logs and X-Ray as AWS's references describe them, where moto does otherwise."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from webstack_lab.testing import Lab

ALARM: dict[str, Any] = {
    "MetricName": "m",
    "Namespace": "n",
    "Statistic": "Sum",
    "Period": 60,
    "EvaluationPeriods": 1,
    "Threshold": 1,
    "ComparisonOperator": "GreaterThanThreshold",
}
TAGS = [{"Key": "webstack:stack", "Value": "demo"}]


def refused(call: Any, **arguments: Any) -> str:
    with pytest.raises(ClientError) as error:
        call(**arguments)
    return str(error.value.response["Error"]["Code"])


def names(answer: dict[str, Any]) -> list[str]:
    return [one["AlarmName"] for key in ("MetricAlarms", "CompositeAlarms") for one in answer.get(key, [])]


def test_composite_alarms_follow_what_they_are_made_of(lab: Lab) -> None:
    """https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutCompositeAlarm.html"""
    watch = lab.client("cloudwatch")
    for name in ("a", "b"):
        watch.put_metric_alarm(AlarmName=name, Tags=TAGS, **ALARM)
    assert refused(watch.put_composite_alarm, AlarmName="c", AlarmRule="ALARM(x)") == "ValidationError"
    assert refused(watch.put_composite_alarm, AlarmName="c", AlarmRule="print(1)") == "ValidationError"
    watch.put_composite_alarm(AlarmName="c", AlarmRule='ALARM("a") AND NOT (ALARM("b") OR FALSE)', Tags=TAGS)
    watch.set_alarm_state(AlarmName="a", StateValue="ALARM", StateReason="test")
    (alarm,) = watch.describe_alarms(AlarmTypes=["CompositeAlarm"])["CompositeAlarms"]
    assert alarm["StateValue"] == "ALARM" and alarm["ActionsEnabled"]
    watch.set_alarm_state(AlarmName="b", StateValue="ALARM", StateReason="test")
    assert names(watch.describe_alarms(AlarmTypes=["CompositeAlarm"], StateValue="OK")) == ["c"]
    assert names(watch.describe_alarms()) == ["a", "b"], "without AlarmTypes, metric alarms only"
    assert names(watch.describe_alarms(ParentsOfAlarmName="a", AlarmTypes=["CompositeAlarm"])) == ["c"]
    assert names(watch.describe_alarms(ChildrenOfAlarmName="c", AlarmTypes=["MetricAlarm"])) == ["a", "b"]
    watch.disable_alarm_actions(AlarmNames=["c"])
    both = watch.describe_alarms(AlarmTypes=["MetricAlarm", "CompositeAlarm"])
    assert not both["CompositeAlarms"][0]["ActionsEnabled"] and len(names(both)) == 3
    tagging = lab.client("resourcegroupstaggingapi").get_resources(TagFilters=[{"Key": "webstack:stack"}])
    assert len(tagging["ResourceTagMappingList"]) == 3
    assert watch.list_tags_for_resource(ResourceARN=alarm["AlarmArn"])["Tags"] == TAGS


def test_deleting_alarms_is_guarded(lab: Lab) -> None:
    """https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DeleteAlarms.html"""
    watch = lab.client("cloudwatch")
    watch.put_metric_alarm(AlarmName="a", **ALARM)
    for name in ("c", "d"):
        watch.put_composite_alarm(AlarmName=name, AlarmRule="ALARM(a)")
    assert refused(watch.delete_alarms, AlarmNames=["a"]) == "ValidationError"
    assert refused(watch.delete_alarms, AlarmNames=["c", "d"]) == "ValidationError"
    watch.delete_alarms(AlarmNames=["c"])
    watch.delete_alarms(AlarmNames=["d", "a"])
    assert names(watch.describe_alarms(AlarmTypes=["MetricAlarm", "CompositeAlarm"])) == []


def test_putting_an_alarm_again_keeps_its_state_and_tags(lab: Lab) -> None:
    """https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html"""
    watch = lab.client("cloudwatch")
    warm = {"WarmUpPeriodDurationInMinutes": 5}
    watch.put_metric_alarm(AlarmName="a", Tags=TAGS, WarmUpConfiguration=warm, **ALARM)
    watch.set_alarm_state(AlarmName="a", StateValue="ALARM", StateReason="test")
    assert watch.describe_alarms()["MetricAlarms"][0]["WarmUpConfiguration"] == warm
    watch.put_metric_alarm(AlarmName="a", Tags=[{"Key": "x", "Value": "y"}], **ALARM)
    (alarm,) = watch.describe_alarms()["MetricAlarms"]
    assert alarm["StateValue"] == "ALARM" and "WarmUpConfiguration" not in alarm
    assert watch.list_tags_for_resource(ResourceARN=alarm["AlarmArn"])["Tags"] == TAGS


@pytest.mark.parametrize(
    "wrong",
    [
        {"ExtendedStatistic": "p90"},
        {"Period": 45},
        {"Period": 3540, "EvaluationPeriods": 100},
        {"DatapointsToAlarm": 2},
        {"TreatMissingData": "no"},
        {"Metrics": [{"Id": "a", "Expression": "1"}]},
    ],
)
def test_refuses_alarms_that_make_no_sense(lab: Lab, wrong: dict[str, Any]) -> None:
    assert refused(lab.client("cloudwatch").put_metric_alarm, AlarmName="a", **{**ALARM, **wrong}) == "ValidationError"


def test_dashboards_are_one_list_for_all_regions(lab: Lab) -> None:
    """https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutDashboard.html"""
    east, west = lab.client("cloudwatch"), lab.client("cloudwatch", "eu-west-1")
    text = {"type": "text", "x": 0, "y": 0, "width": 24, "height": 2, "properties": {"markdown": "hello"}}
    for wrong in (
        "no",
        json.dumps({}),
        json.dumps({"widgets": [{**text, "width": 30}]}),
        json.dumps({"widgets": [text] * 501}),
    ):
        assert refused(east.put_dashboard, DashboardName="d", DashboardBody=wrong) == "InvalidParameterInput"
    east.put_dashboard(DashboardName="d", DashboardBody=json.dumps({"widgets": [text]}))
    assert [one["DashboardName"] for one in west.list_dashboards(DashboardNamePrefix="d")["DashboardEntries"]] == ["d"]
    assert json.loads(west.get_dashboard(DashboardName="d")["DashboardBody"]) == {"widgets": [text]}
    assert refused(west.delete_dashboards, DashboardNames=["d", "e"]) == "ResourceNotFound"
    west.delete_dashboards(DashboardNames=["d"])
    assert refused(east.get_dashboard, DashboardName="d") == "ResourceNotFound"


def test_subscriptions_of_mailboxes_wait(lab: Lab) -> None:
    """https://docs.aws.amazon.com/sns/latest/api/API_Subscribe.html"""
    sns = lab.client("sns")
    topic = sns.create_topic(Name="t")["TopicArn"]
    answer = sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="a@example.com")
    assert answer["SubscriptionArn"] == "pending confirmation"
    (one,) = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    assert one["SubscriptionArn"] == "PendingConfirmation"
    assert refused(sns.unsubscribe, SubscriptionArn="PendingConfirmation") == "InvalidParameter"
    assert sns.get_topic_attributes(TopicArn=topic)["Attributes"]["SubscriptionsPending"] == "1"
    arn = sns.confirm_subscription(TopicArn=topic, Token="a@example.com")["SubscriptionArn"]
    assert sns.list_subscriptions()["Subscriptions"][0]["SubscriptionArn"] == arn
    assert sns.get_topic_attributes(TopicArn=topic)["Attributes"]["SubscriptionsConfirmed"] == "1"


def test_log_groups_have_keys_and_filters(lab: Lab) -> None:
    """https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_AssociateKmsKey.html"""
    logs, key = lab.client("logs"), lab.client("kms").create_key()["KeyMetadata"]["Arn"]
    logs.create_log_group(logGroupName="g")
    assert refused(logs.put_retention_policy, logGroupName="g", retentionInDays=31) == "InvalidParameterException"
    logs.associate_kms_key(logGroupName="g", kmsKeyId=key)
    metric = {"metricName": "m", "metricNamespace": "n", "metricValue": "1"}
    wish = {"filterName": "f", "filterPattern": "x", "metricTransformations": [metric]}
    assert refused(logs.put_metric_filter, logGroupName="h", **wish) == "ResourceNotFoundException"
    for _again in range(2):
        logs.put_metric_filter(logGroupName="g", **wish)
    (group,) = logs.describe_log_groups()["logGroups"]
    assert (group["kmsKeyId"], group["metricFilterCount"]) == (key, 1)
    logs.disassociate_kms_key(logGroupName="g")
    assert "kmsKeyId" not in logs.describe_log_groups()["logGroups"][0]
    logs.delete_log_group(logGroupName="g")
    assert logs.describe_metric_filters()["metricFilters"] == []


def test_x_ray_groups_and_rules(lab: Lab) -> None:
    """https://docs.aws.amazon.com/xray/latest/api/API_UpdateSamplingRule.html"""
    xray = lab.client("xray")
    group = xray.create_group(GroupName="g", FilterExpression="fault", Tags=TAGS)["Group"]
    assert refused(xray.create_group, GroupName="g") == "InvalidRequestException"
    assert refused(xray.update_group, GroupName="g", GroupARN=group["GroupARN"]) == "InvalidRequestException"
    assert [one["GroupName"] for one in xray.get_groups()["Groups"]] == ["Default", "g"]
    (default,) = xray.get_sampling_rules()["SamplingRuleRecords"]
    arn = default["SamplingRule"]["RuleARN"]
    assert refused(xray.delete_sampling_rule, RuleARN=arn) == "InvalidRequestException"
    both = {"RuleName": "Default", "RuleARN": arn, "FixedRate": 0.1}
    assert refused(xray.update_sampling_rule, SamplingRuleUpdate=both) == "InvalidRequestException"
    assert (
        refused(xray.update_sampling_rule, SamplingRuleUpdate={"RuleARN": arn, "Priority": 1})
        == "InvalidRequestException"
    )
    xray.update_sampling_rule(SamplingRuleUpdate={"RuleARN": arn, "FixedRate": 0.1})
    tagging = lab.client("resourcegroupstaggingapi").get_resources(TagFilters=[{"Key": "webstack:stack"}])
    assert [one["ResourceARN"] for one in tagging["ResourceTagMappingList"]] == [group["GroupARN"]]
    xray.delete_group(GroupARN=group["GroupARN"])
    assert refused(xray.get_group, GroupName="g") == "InvalidRequestException"
