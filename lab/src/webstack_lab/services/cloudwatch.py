"""CloudWatch alarms: composite ones, which moto lacks, and what it forgets of the others.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarms.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from webstack_lab.extend import Answer, AwsError, Context, Params, operation, page, tagged

FORGOTTEN = (
    "EvaluationWindow",
    "EvaluationInterval",
    "WarmUpConfiguration",
    "ActionConfiguration",
    "EvaluateLowSampleCountPercentile",
)
ACTIONS = ("AlarmActions", "OKActions", "InsufficientDataActions")
MISSING = ("missing", "ignore", "breaching", "notBreaching")
STATES = ("ALARM", "OK", "INSUFFICIENT_DATA")
TERM = re.compile(rf"({'|'.join(STATES)})\s*\(\s*[\"']?([^\"')]+?)[\"']?\s*\)")
STATE = ("state_value", "state_reason", "state_reason_data", "state_updated_timestamp", "history")


def composites(context: Context) -> dict[str, Any]:
    """Our composite alarms, by name."""
    return context.table("composite_alarms", service="cloudwatch")


def metric_alarms(context: Context) -> dict[str, Any]:
    """moto's metric alarms, by name."""
    alarms: dict[str, Any] = context.backend("cloudwatch").alarms
    return alarms


def named(name: str) -> str:
    """An alarm's name, where its ARN may stand too."""
    return name.rpartition(":alarm:")[2] if name.startswith("arn:") else name


def children(rule: str) -> list[str]:
    """The alarms that a rule is about."""
    return [named(name) for _state, name in TERM.findall(rule)]


@operation("cloudwatch", "PutMetricAlarm")
def put_metric_alarm(context: Context, params: Params) -> Answer:
    """The whole alarm; its state stays, and its tags are given only when it is made."""
    name = params["AlarmName"]
    if name in composites(context):
        raise AwsError("ValidationError", f"A composite alarm named {name} exists already")
    check(params)
    before = metric_alarms(context).get(name)
    answer = context.moto({key: value for key, value in params.items() if key != "Tags" or before is None})
    if before is not None:
        vars(metric_alarms(context)[name]).update({key: getattr(before, key) for key in STATE})
    context.table("_alarm_fields")[name] = {key: params[key] for key in FORGOTTEN if key in params}
    return answer


def check(params: Params) -> None:
    """What AWS refuses and moto takes."""
    if bool(params.get("Metrics")) == bool(params.get("MetricName")):
        raise AwsError("ValidationError", "Exactly one element of the [MetricName, Metrics] list must be provided")
    if params.get("MetricName"):
        if bool(params.get("Statistic")) == bool(params.get("ExtendedStatistic")):
            raise AwsError("ValidationError", "Exactly one of Statistic and ExtendedStatistic must be provided")
        period = params.get("Period", 0)
        if period not in (10, 20, 30) and (not period or period % 60):
            raise AwsError("ValidationError", "The period must be 10, 20, 30 or a multiple of 60")
        if period * params["EvaluationPeriods"] > (604800 if period >= 3600 else 86400):
            raise AwsError(
                "ValidationError", "Metrics cannot be checked across more than a day (EvaluationPeriods * Period)"
            )
    if params.get("DatapointsToAlarm", 1) > params["EvaluationPeriods"]:
        raise AwsError("ValidationError", "DatapointsToAlarm must be less than or equal to EvaluationPeriods")
    if params.get("TreatMissingData", "missing") not in MISSING:
        raise AwsError("ValidationError", f"Option {params['TreatMissingData']} is not supported for TreatMissingData")
    if (params.get("Threshold") is None) == (not params.get("ThresholdMetricId")):
        raise AwsError("ValidationError", "Exactly one of Threshold and ThresholdMetricId must be provided")


@operation("cloudwatch", "PutCompositeAlarm")
def put_composite_alarm(context: Context, params: Params) -> Answer:
    """The whole alarm. Every alarm in its rule must exist."""
    name, rule, ours = params["AlarmName"], params["AlarmRule"], composites(context)
    if name in metric_alarms(context):
        raise AwsError("ValidationError", f"A metric alarm named {name} exists already")
    try:
        judge(context, rule)
    except (SyntaxError, NameError, TypeError):
        raise AwsError("ValidationError", f"AlarmRule {rule!r} cannot be understood") from None
    for child in children(rule):
        if child != name and child not in ours and child not in metric_alarms(context):
            raise AwsError("ValidationError", f"Could not save the composite alarm as alarm {child} does not exist")
    arn = context.arn(f"alarm:{name}")
    if name not in ours:
        context.backend().tagger.tag_resource(arn, params.get("Tags") or [])
    now = datetime.now(UTC)
    before = ours.get(name, {"StateUpdatedTimestamp": now})
    fields = {key: value for key, value in params.items() if key != "Tags"}
    fields = {"ActionsEnabled": True, **{key: [] for key in ACTIONS}, **fields}
    ours[name] = {**before, **fields, "AlarmArn": arn, "AlarmConfigurationUpdatedTimestamp": now}
    for key in ("AlarmDescription", "ActionsSuppressor", "ActionConfiguration"):
        if key not in params:
            ours[name].pop(key, None)
    return {}


def judge(context: Context, rule: str, seen: tuple[str, ...] = ()) -> bool:
    """Whether a composite alarm's rule holds: AND, OR, NOT, TRUE, FALSE and the states of other alarms."""
    text = TERM.sub(lambda term: str(state_of(context, named(term[2]), seen) == term[1]), rule)
    text = re.sub(r"\b(AND|OR|NOT)\b", lambda word: word[1].lower(), text)
    text = re.sub(r"\b(TRUE|FALSE)\b", lambda word: word[1].capitalize(), text)
    if re.sub(r"\b(and|or|not|True|False)\b|[()\s]", "", text):
        raise SyntaxError(rule)
    return bool(eval(text.strip(), {"__builtins__": {}}))  # only words and brackets are left, see above


def state_of(context: Context, name: str, seen: tuple[str, ...] = ()) -> str:
    """The state of an alarm of either type. The evaluation of a circle stops."""
    if name in composites(context):
        held = name not in seen and judge(context, composites(context)[name]["AlarmRule"], (*seen, name))
        return str(composites(context)[name].get("forced") or ("ALARM" if held else "OK"))
    alarm = metric_alarms(context).get(name)
    return str(alarm.state_value) if alarm else ""


@operation("cloudwatch", "DescribeAlarms")
def describe_alarms(context: Context, params: Params) -> Answer:
    """Both types, each where asked for; without AlarmTypes, metric alarms only."""
    found = [alarm for alarm in every_alarm(context) if fits(context, alarm, params)]
    found.sort(key=lambda alarm: str(alarm["AlarmName"]))
    answer = page(found, params, "Alarms", size="MaxRecords", token="NextToken", limit=100)
    shown = answer.pop("Alarms")
    answer["MetricAlarms"] = [alarm for alarm in shown if "AlarmRule" not in alarm]
    answer["CompositeAlarms"] = [alarm for alarm in shown if "AlarmRule" in alarm]
    return answer


def every_alarm(context: Context) -> Iterable[dict[str, Any]]:
    """All alarms as AWS shows them."""
    kept = context.table("_alarm_fields")
    for alarm in context.moto({})["MetricAlarms"]:
        one = {key: value for key, value in alarm.items() if value is not None}
        for key in (
            "Unit",
            "TreatMissingData",
            "AlarmDescription",
            "Metrics",
            "MetricName",
            "Namespace",
            "ThresholdMetricId",
        ):
            if not one.get(key):
                one.pop(key, None)
        if "Metrics" in one:
            one["Metrics"] = [{"ReturnData": True, **query} for query in one["Metrics"]]
        yield {**one, **kept.get(one["AlarmName"], {})}
    for alarm in composites(context).values():
        state = state_of(context, alarm["AlarmName"])
        shown = {key: value for key, value in alarm.items() if key != "forced"}
        yield {**shown, "StateValue": state, "StateReason": f"{alarm['AlarmName']} is in state {state}"}


def fits(context: Context, alarm: dict[str, Any], params: Params) -> bool:
    """Whether an alarm is asked for."""
    kind = "CompositeAlarm" if "AlarmRule" in alarm else "MetricAlarm"
    name = alarm["AlarmName"]
    parents, offspring = params.get("ParentsOfAlarmName"), params.get("ChildrenOfAlarmName")
    known = composites(context)
    return (
        kind in (params.get("AlarmTypes") or ["MetricAlarm"])
        and (not params.get("AlarmNames") or name in params["AlarmNames"])
        and name.startswith(params.get("AlarmNamePrefix") or "")
        and params.get("StateValue") in (None, alarm["StateValue"])
        and any(action.startswith(params.get("ActionPrefix") or "") for action in alarm.get("AlarmActions") or [""])
        and (not parents or parents in children(alarm.get("AlarmRule", "")))
        and (not offspring or (offspring in known and name in children(known[offspring]["AlarmRule"])))
    )


@operation("cloudwatch", "DeleteAlarms")
def delete_alarms(context: Context, params: Params) -> Answer:
    """At most a hundred, one composite among them, and none that a composite alarm needs."""
    names, ours = set(params["AlarmNames"]), composites(context)
    if len(names) > 100 or len(names & set(ours)) > 1:
        raise AwsError("ValidationError", "You can delete 100 alarms in one call, and one composite alarm among them")
    for parent, fields in ours.items():
        used = names & set(children(fields["AlarmRule"])) - {parent}
        if used and parent not in names:
            raise AwsError(
                "ValidationError", f"Cannot delete {sorted(used)[0]} as there are composite alarm(s) depending on it."
            )
    context.moto({"AlarmNames": sorted(names)})
    for name in names:
        context.backend().tagger.delete_all_tags_for_resource(context.arn(f"alarm:{name}"))
        context.table("_alarm_fields").pop(name, None)
        ours.pop(name, None)
    return {}


@operation("cloudwatch", "EnableAlarmActions", "DisableAlarmActions")
def switch_actions(context: Context, params: Params) -> Answer:
    """Of both types."""
    for name in set(params["AlarmNames"]) & set(composites(context)):
        composites(context)[name]["ActionsEnabled"] = context.operation == "EnableAlarmActions"
    return context.moto()


@operation("cloudwatch", "SetAlarmState")
def set_alarm_state(context: Context, params: Params) -> Answer:
    """A composite alarm keeps a state that was set until its rule is put again."""
    name = params["AlarmName"]
    if name not in composites(context):
        if name not in metric_alarms(context):
            raise AwsError("ResourceNotFound", f"Unknown alarm {name}")
        return context.moto()
    composites(context)[name]["forced"] = params["StateValue"]
    return {}


def known_arn(context: Context, arn: str) -> bool:
    """Whether something of ours or moto's has this ARN."""
    name = arn.rpartition(":alarm:")[2]
    dashboard = arn.rpartition(":dashboard/")[2]
    known = [*metric_alarms(context), *composites(context)]
    rules = [rule for rule in context.backend().insight_rules if arn.endswith(f"insight-rule/{rule}")]
    return name in known or dashboard in context.table("dashboards", region="global") or bool(rules)


@operation("cloudwatch", "TagResource", "UntagResource", "ListTagsForResource")
def tags(context: Context, params: Params) -> Answer:
    """Of alarms of both types, dashboards and rules."""
    arn, tagger = params["ResourceARN"], context.backend().tagger
    if not known_arn(context, arn):
        raise AwsError("ResourceNotFoundException", f"Unknown resource {arn}")
    if context.operation == "TagResource":
        tagger.tag_resource(arn, params["Tags"])
    elif context.operation == "UntagResource":
        tagger.untag_resource_using_names(arn, params["TagKeys"])
    else:
        return {"Tags": tagger.list_tags_for_resource(arn)["Tags"]}
    return {}


@tagged
def tagged_composites(context: Context) -> Iterable[tuple[str, dict[str, str]]]:
    """Metric alarms are moto's own business."""
    tagger = context.backend("cloudwatch").tagger
    for alarm in composites(context).values():
        yield alarm["AlarmArn"], tagger.get_tag_dict_for_resource(alarm["AlarmArn"])
