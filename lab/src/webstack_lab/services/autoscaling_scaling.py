"""Scaling policies and scheduled actions: names inside their group, alarms of target tracking, and sizes that are checked.

https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_PutScalingPolicy.html
"""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta, timezone
from typing import Any

from webstack_lab.extend import Answer, AwsError, Context, Params, operation, page
from webstack_lab.services.autoscaling import check_sizes, group_named, invalid

METRIC_NAMES = {
    "ASGAverageCPUUtilization": ("AWS/EC2", "CPUUtilization"),
    "ASGAverageNetworkIn": ("AWS/EC2", "NetworkIn"),
    "ASGAverageNetworkOut": ("AWS/EC2", "NetworkOut"),
    "ALBRequestCountPerTarget": ("AWS/ApplicationELB", "RequestCountPerTarget"),
}


@operation("autoscaling", "PutScalingPolicy")
def put_scaling_policy(context: Context, params: Params) -> Answer:
    """A policy; target tracking gets its two alarms."""
    group = group_named(context, params["AutoScalingGroupName"])
    policies = context.table("policies").setdefault(group.name, {})
    known = policies.get(params["PolicyName"])
    kind = params.get("PolicyType", "SimpleScaling")
    if known and known["PolicyType"] != kind:
        raise invalid("Cannot change the type of an existing scaling policy. Delete it and create a new one.")
    tracking = params.get("TargetTrackingConfiguration")
    if (kind == "TargetTrackingScaling") != bool(tracking):
        raise invalid("TargetTrackingConfiguration belongs to policies of type TargetTrackingScaling")
    if tracking:
        check_tracking(context, group, tracking)
    policy_id = known["PolicyARN"].split(":")[6] if known else str(uuid.uuid4())
    arn = context.arn(f"scalingPolicy:{policy_id}:autoScalingGroupName/{group.name}:policyName/{params['PolicyName']}")
    policy = {"Enabled": True, "StepAdjustments": [], **params, "PolicyType": kind, "PolicyARN": arn}
    if tracking:
        policy["TargetTrackingConfiguration"] = {"DisableScaleIn": False, **tracking}
    if kind == "SimpleScaling":
        policy.setdefault("Cooldown", 300)
    if kind == "StepScaling":
        policy.setdefault("MetricAggregationType", "Average")
    policy["Alarms"] = known["Alarms"] if known else (alarms_of(context, group.name, policy) if tracking else [])
    policies[params["PolicyName"]] = policy
    return {"PolicyARN": arn, "Alarms": policy["Alarms"]}


def check_tracking(context: Context, group: Any, tracking: dict[str, Any]) -> None:
    """One metric, and for the request count a label of a target group that the group serves behind a load balancer."""
    predefined, own = tracking.get("PredefinedMetricSpecification"), tracking.get("CustomizedMetricSpecification")
    if bool(predefined) == bool(own):
        raise invalid("Exactly one of PredefinedMetricSpecification and CustomizedMetricSpecification is needed")
    if not predefined or predefined["PredefinedMetricType"] != "ALBRequestCountPerTarget":
        if predefined and predefined.get("ResourceLabel"):
            raise invalid("ResourceLabel must not be specified for this PredefinedMetricType")
        return
    label = predefined.get("ResourceLabel", "")
    for arn in group.target_group_arns:
        target = context.backend("elbv2").target_groups.get(arn)
        for balancer in target.load_balancer_arns if target else ():
            if label == f"{balancer.split(':loadbalancer/', 1)[1]}/{arn.rsplit(':', 1)[1]}":
                return
    raise invalid("The load balancer and target group of the ResourceLabel must be attached to the Auto Scaling group.")


def alarms_of(context: Context, group: str, policy: dict[str, Any]) -> list[dict[str, str]]:
    """The alarms that AWS makes for target tracking: high for more instances, low for fewer."""
    tracking = policy["TargetTrackingConfiguration"]
    predefined = tracking.get("PredefinedMetricSpecification") or {}
    own = tracking.get("CustomizedMetricSpecification") or {}
    namespace, metric = METRIC_NAMES.get(
        predefined.get("PredefinedMetricType", ""), (own.get("Namespace", "Custom"), own.get("MetricName", "metric"))
    )
    alarms = []
    sides = [("AlarmHigh", "GreaterThanThreshold", 3, 1.0), ("AlarmLow", "LessThanThreshold", 15, 0.9)]
    for side, comparison, periods, share in sides[: 1 if tracking.get("DisableScaleIn") else 2]:
        name = f"TargetTracking-{group}-{side}-{uuid.uuid4()}"
        context.call(
            "cloudwatch",
            "PutMetricAlarm",
            AlarmName=name,
            AlarmDescription=f"DO NOT EDIT OR DELETE. For TargetTrackingScaling policy {policy['PolicyARN']}.",
            ActionsEnabled=True,
            AlarmActions=[policy["PolicyARN"]],
            Namespace=namespace,
            MetricName=metric,
            Dimensions=[{"Name": "AutoScalingGroupName", "Value": group}],
            Statistic="Average",
            Period=60,
            EvaluationPeriods=periods,
            Threshold=tracking["TargetValue"] * share,
            ComparisonOperator=comparison,
        )
        arn = context.arn(f"alarm:{name}", "cloudwatch")
        alarms.append({"AlarmName": name, "AlarmARN": arn})
    return alarms


@operation("autoscaling", "DescribePolicies")
def describe_policies(context: Context, params: Params) -> Answer:
    """The policies of one group, or of all."""
    wanted = params.get("AutoScalingGroupName")
    found = [
        policy
        for group, policies in context.table("policies").items()
        for policy in policies.values()
        if wanted in (None, group)
        and (not params.get("PolicyNames") or {policy["PolicyName"], policy["PolicyARN"]} & set(params["PolicyNames"]))
        and (not params.get("PolicyTypes") or policy["PolicyType"] in params["PolicyTypes"])
    ]
    return page(found, params, "ScalingPolicies", token="NextToken", limit=50)


def policy_named(context: Context, params: Params) -> tuple[str, dict[str, Any]]:
    """The group and the policy of a name or ARN."""
    for group, policies in context.table("policies").items():
        for policy in policies.values():
            if params["PolicyName"] in (policy["PolicyName"], policy["PolicyARN"]) and (
                params.get("AutoScalingGroupName") in (None, group)
            ):
                return group, policy
    raise invalid("PolicyName not found - Policy name could not be found")


@operation("autoscaling", "DeletePolicy")
def delete_policy(context: Context, params: Params) -> Answer:
    """A policy and the alarms that AWS made for it."""
    group, policy = policy_named(context, params)
    if policy["Alarms"]:
        context.call("cloudwatch", "DeleteAlarms", AlarmNames=[alarm["AlarmName"] for alarm in policy["Alarms"]])
    del context.table("policies")[group][policy["PolicyName"]]
    return {}


@operation("autoscaling", "ExecutePolicy")
def execute_policy(context: Context, params: Params) -> Answer:
    """Simple and step scaling, by hand; the capacity stays within the limits."""
    name, policy = policy_named(context, params)
    group = group_named(context, name)
    change = policy.get("ScalingAdjustment")
    if policy["PolicyType"] == "StepScaling":
        beyond = float(params.get("MetricValue", 0)) - float(params.get("BreachThreshold", 0))
        steps = [
            step
            for step in policy["StepAdjustments"]
            if step.get("MetricIntervalLowerBound", float("-inf"))
            <= beyond
            < step.get("MetricIntervalUpperBound", float("inf"))
        ]
        change = steps[0]["ScalingAdjustment"] if steps else 0
    elif change is None:
        raise invalid("A target tracking policy cannot be executed")
    now = group.desired_capacity
    wanted = {
        "ExactCapacity": change,
        "ChangeInCapacity": now + change,
        "PercentChangeInCapacity": now + round(now * change / 100),
    }[policy["AdjustmentType"]]
    group.set_desired_capacity(min(max(wanted, group.min_size), group.max_size))
    return {}


ACTION_KEYS = ("StartTime", "EndTime", "Recurrence", "TimeZone", "MinSize", "MaxSize", "DesiredCapacity")


def put_action(context: Context, group: str, action: Params) -> None:
    """Make or change one scheduled action; what is not given stays."""
    actions = context.table("actions").setdefault(group, {})
    name = action["ScheduledActionName"]
    known = actions.get(name)
    arn = (
        known["ScheduledActionARN"]
        if known
        else context.arn(
            f"scheduledUpdateGroupAction:{uuid.uuid4()}:autoScalingGroupName/{group}:scheduledActionName/{name}"
        )
    )
    given = {key: action[key] for key in ACTION_KEYS if action.get(key) is not None}
    wanted = {**(known or {}), **given, "AutoScalingGroupName": group, "ScheduledActionName": name}
    sizes = [wanted.get(key) for key in ("MinSize", "MaxSize", "DesiredCapacity")]
    if all(size is None for size in sizes):
        raise invalid("At least one of MinSize, MaxSize and DesiredCapacity is needed")
    check_sizes(sizes[0] or 0, sizes[1] if sizes[1] is not None else 10**6, sizes[2])
    now = datetime.now(timezone.utc)
    if not wanted.get("Recurrence") and not wanted.get("StartTime"):
        raise invalid("Either StartTime or Recurrence is needed")
    if not wanted.get("Recurrence") and moment(wanted["StartTime"]) <= now:
        raise invalid("Given start time is in the past")
    if wanted.get("Recurrence") and len(wanted["Recurrence"].split()) != 5:
        raise invalid("Recurrence string is not a valid cron expression")
    actions[name] = {**wanted, "ScheduledActionARN": arn}


def moment(value: Any) -> datetime:
    """A time, however it came in."""
    found = value if isinstance(value, datetime) else datetime.fromisoformat(str(value).replace("Z", "+00:00"))
    return found if found.tzinfo else found.replace(tzinfo=timezone.utc)


@operation("autoscaling", "PutScheduledUpdateGroupAction")
def put_scheduled_update_group_action(context: Context, params: Params) -> Answer:
    """One scheduled action."""
    put_action(context, group_named(context, params["AutoScalingGroupName"]).name, params)
    return {}


@operation("autoscaling", "BatchPutScheduledUpdateGroupAction")
def batch_put_scheduled_update_group_action(context: Context, params: Params) -> Answer:
    """Several; each fails alone."""
    failed = []
    for action in params["ScheduledUpdateGroupActions"]:
        try:
            put_action(context, group_named(context, params["AutoScalingGroupName"]).name, action)
        except AwsError as error:
            failed.append(failure(action["ScheduledActionName"], error))
    return {"FailedScheduledUpdateGroupActions": failed}


def failure(name: str, error: AwsError) -> dict[str, str]:
    """One entry of a batch that failed."""
    return {"ScheduledActionName": name, "ErrorCode": error.code, "ErrorMessage": error.message}


@operation("autoscaling", "DescribeScheduledActions")
def describe_scheduled_actions(context: Context, params: Params) -> Answer:
    """The actions of one group or all; of a recurring one the start is its next time. What happened once is forgotten."""
    now = datetime.now(timezone.utc)
    wanted, names = params.get("AutoScalingGroupName"), params.get("ScheduledActionNames")
    found = []
    for group, actions in context.table("actions").items():
        for action in actions.values():
            over = not action.get("Recurrence") and moment(action["StartTime"]) <= now
            if over or wanted not in (None, group) or (names and action["ScheduledActionName"] not in names):
                continue
            following = (now + timedelta(days=1)).replace(microsecond=0)
            start = following if action.get("Recurrence") else action["StartTime"]
            found.append({**action, "StartTime": start, "Time": start})
    return page(found, params, "ScheduledUpdateGroupActions", token="NextToken", limit=50)


def delete_action(context: Context, group: str, name: str) -> None:
    """Delete one scheduled action."""
    if context.table("actions").get(group, {}).pop(name, None) is None:
        raise invalid("Scheduled action name not found")


@operation("autoscaling", "DeleteScheduledAction")
def delete_scheduled_action(context: Context, params: Params) -> Answer:
    """One scheduled action."""
    delete_action(context, params["AutoScalingGroupName"], params["ScheduledActionName"])
    return {}


@operation("autoscaling", "BatchDeleteScheduledAction")
def batch_delete_scheduled_action(context: Context, params: Params) -> Answer:
    """Several; each fails alone."""
    failed = []
    for name in params["ScheduledActionNames"]:
        try:
            delete_action(context, params["AutoScalingGroupName"], name)
        except AwsError as error:
            failed.append(failure(name, error))
    return {"FailedScheduledActions": failed}
