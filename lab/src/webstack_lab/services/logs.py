"""CloudWatch Logs: keys of log groups, fixed retentions, metric filters that go with their group.

https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/
"""

from __future__ import annotations

from typing import Any

from webstack_lab.extend import Answer, AwsError, Context, Params, operation

# fmt: off
RETENTIONS = (
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653
)
# fmt: on


def group(context: Context, name: str) -> Any:
    """A log group that exists, by name or ARN."""
    name = name.partition(":log-group:")[2].removesuffix(":*") if name.startswith("arn:") else name
    one = context.backend().groups.get(name)
    if one is None:
        raise AwsError("ResourceNotFoundException", "The specified log group does not exist.")
    return one


@operation("logs", "AssociateKmsKey", "DisassociateKmsKey")
def associate_kms_key(context: Context, params: Params) -> Answer:
    """Data that comes in from now on."""
    one = group(context, params.get("logGroupName") or params["resourceIdentifier"])
    one.kms_key_id = key_arn(context, params["kmsKeyId"]) if context.operation == "AssociateKmsKey" else None
    return {}


def key_arn(context: Context, name: str) -> str:
    """The ARN of a key that exists and is enabled."""
    backend = context.backend("kms")
    key = backend.keys.get(backend.any_id_to_key_id(name))
    if not name.startswith("arn:") or key is None or not key.enabled:
        raise AwsError(
            "InvalidParameterException", f"The specified KMS key does not exist or is not allowed to be used: {name}"
        )
    return str(key.arn)


@operation("logs", "CreateLogGroup")
def create_log_group(context: Context, params: Params) -> Answer:
    """With a key that exists."""
    if params.get("kmsKeyId"):
        key_arn(context, params["kmsKeyId"])
    return context.moto()


@operation("logs", "PutRetentionPolicy")
def put_retention_policy(context: Context, params: Params) -> Answer:
    """For one of the numbers of days that AWS has."""
    group(context, params["logGroupName"])
    if params["retentionInDays"] not in RETENTIONS:
        raise AwsError("InvalidParameterException", f"{params['retentionInDays']} is not one of {RETENTIONS}")
    return context.moto()


@operation("logs", "DescribeLogGroups")
def describe_log_groups(context: Context, params: Params) -> Answer:
    """With the number of metric filters, of which moto knows nothing."""
    answer = context.moto()
    filters = [one["logGroupName"] for one in context.backend().filters.metric_filters]
    for one in answer["logGroups"]:
        one["metricFilterCount"] = filters.count(one["logGroupName"])
    return answer


@operation("logs", "PutMetricFilter")
def put_metric_filter(context: Context, params: Params) -> Answer:
    """On a log group that exists, in place of one of the same name; a default value and dimensions exclude each other."""
    group(context, params["logGroupName"])
    for one in params["metricTransformations"]:
        if "defaultValue" in one and one.get("dimensions"):
            raise AwsError(
                "InvalidParameterException", "Invalid metric transformation: dimensions with a default value"
            )
    filters = context.backend().filters
    ours = (params["logGroupName"], params["filterName"])
    filters.metric_filters = [one for one in filters.metric_filters if (one["logGroupName"], one["filterName"]) != ours]
    return context.moto()


@operation("logs", "DeleteLogGroup")
def delete_log_group(context: Context, params: Params) -> Answer:
    """Its metric filters go with it."""
    one = group(context, params["logGroupName"])
    filters = context.backend().filters
    filters.metric_filters = [held for held in filters.metric_filters if held["logGroupName"] != one.name]
    return context.moto()
