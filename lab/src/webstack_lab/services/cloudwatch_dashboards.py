"""CloudWatch dashboards: one list for all regions of an account, with bodies that must make sense.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from webstack_lab.extend import Answer, AwsError, Context, Params, operation, page

TYPES = ("alarm", "custom", "explorer", "log", "metric", "text")


def dashboards(context: Context) -> dict[str, Any]:
    """By name, whatever the region."""
    return context.table("dashboards", region="global")


@operation("cloudwatch", "PutDashboard")
def put_dashboard(context: Context, params: Params) -> Answer:
    """The whole dashboard, if its body is valid."""
    name = params["DashboardName"]
    messages = [{"DataPath": path, "Message": message} for path, message in faults(params["DashboardBody"])]
    if messages:
        told = "; ".join(f"{message['DataPath']}: {message['Message']}" for message in messages)
        raise AwsError(
            "InvalidParameterInput", f"The dashboard body is invalid, there are {len(messages)} faults: {told}"
        )
    arn = f"arn:{context.partition}:cloudwatch::{context.account_id}:dashboard/{name}"
    if params.get("Tags") and name not in dashboards(context):
        context.backend().tagger.tag_resource(arn, params["Tags"])
    body, now = params["DashboardBody"], datetime.now(UTC)
    dashboards(context)[name] = {"DashboardArn": arn, "DashboardBody": body, "DashboardName": name, "LastModified": now}
    return {"DashboardValidationMessages": []}


def faults(text: str) -> list[tuple[str, str]]:
    """What is wrong with a body: where, and what."""
    try:
        body = json.loads(text)
    except ValueError:
        return [("/", "The field DashboardBody must be a valid JSON object")]
    widgets = body.get("widgets") if isinstance(body, dict) else None
    if not isinstance(widgets, list):
        return [("/widgets", "should have required property 'widgets'")]
    found = [("/widgets", "should NOT have more than 500 items")] if len(widgets) > 500 else []
    for number, widget in enumerate(widgets):
        path, properties = f"/widgets/{number}", widget.get("properties") or {}
        if widget.get("type") not in TYPES:
            found.append((f"{path}/type", "should be equal to one of the allowed values"))
        if not (
            0 <= widget.get("x", 0) <= 23 and 1 <= widget.get("width", 6) <= 24 and 1 <= widget.get("height", 6) <= 1000
        ):
            found.append((path, "x is 0 to 23, width 1 to 24, height 1 to 1000"))
        needed = {"text": "markdown", "alarm": "alarms", "metric": "region"}.get(widget.get("type"))
        if needed and not properties.get(needed):
            found.append((f"{path}/properties", f"should have required property '{needed}'"))
        if len(properties.get("alarms") or []) > 100:
            found.append((f"{path}/properties/alarms", "should NOT have more than 100 items"))
    return found


@operation("cloudwatch", "GetDashboard")
def get_dashboard(context: Context, params: Params) -> Answer:
    """One, as it was put."""
    one = dashboards(context).get(params["DashboardName"])
    if one is None:
        raise AwsError("ResourceNotFound", f"Dashboard {params['DashboardName']} does not exist")
    return {key: value for key, value in one.items() if key != "LastModified"}


@operation("cloudwatch", "ListDashboards")
def list_dashboards(context: Context, params: Params) -> Answer:
    """Names and sizes."""
    begin = params.get("DashboardNamePrefix") or ""
    entries = [
        {
            "DashboardName": name,
            "DashboardArn": one["DashboardArn"],
            "LastModified": one["LastModified"],
            "Size": len(one["DashboardBody"]),
        }
        for name, one in sorted(dashboards(context).items())
        if name.startswith(begin)
    ]
    return page(entries, params, "DashboardEntries", token="NextToken", limit=1000)


@operation("cloudwatch", "DeleteDashboards")
def delete_dashboards(context: Context, params: Params) -> Answer:
    """All of them or, if one does not exist, none."""
    known = dashboards(context)
    for name in params["DashboardNames"]:
        if name not in known:
            raise AwsError("ResourceNotFound", f"Dashboard {name} does not exist")
    for name in params["DashboardNames"]:
        del known[name]
    return {}
