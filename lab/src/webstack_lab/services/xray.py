"""X-Ray groups and sampling rules, which moto lacks. https://docs.aws.amazon.com/xray/latest/api/"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any
from zlib import crc32

from webstack_lab.extend import Answer, AwsError, Context, Params, operation, page, tagged

MOST = 25
DEFAULT_RULE = {
    "RuleName": "Default",
    "ResourceARN": "*",
    "Priority": 10000,
    "FixedRate": 0.05,
    "ReservoirSize": 1,
    "ServiceName": "*",
    "ServiceType": "*",
    "Host": "*",
    "HTTPMethod": "*",
    "URLPath": "*",
    "Version": 1,
    "Attributes": {},
}


def refuse(message: str) -> AwsError:
    return AwsError("InvalidRequestException", message)


def groups(context: Context) -> dict[str, Any]:
    """By name."""
    return context.table("groups", service="xray")


def rules(context: Context) -> dict[str, Any]:
    """By name; AWS's own Default rule is always there."""
    table = context.table("sampling_rules", service="xray")
    if "Default" not in table:
        arn = context.arn("sampling-rule/Default", "xray")
        table["Default"] = {
            "SamplingRule": {**DEFAULT_RULE, "RuleARN": arn},
            "CreatedAt": epoch(),
            "ModifiedAt": epoch(),
        }
    return table


def epoch() -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC)


def tags_of(context: Context) -> dict[str, dict[str, str]]:
    """By ARN."""
    return context.table("tags", service="xray")


def name_of(params: Params, noun: str) -> str:
    """The name or the ARN, never both."""
    name, arn = params.get(f"{noun}Name"), params.get(f"{noun}ARN")
    if bool(name) == bool(arn):
        raise refuse(f"Exactly one of {noun}Name and {noun}ARN must be given")
    return str(name or str(arn).split("/")[1])


@operation("xray", "CreateGroup")
def create_group(context: Context, params: Params) -> Answer:
    """Its name is unique in the region."""
    name = params["GroupName"]
    if name in groups(context) or name == "Default":
        raise refuse(f"Group {name} already exists")
    if not 1 <= len(name) <= 32 or len(groups(context)) >= MOST:
        raise refuse("A name has 1 to 32 characters, and a region 25 groups")
    arn = context.arn(f"group/{name}/{crc32(name.encode()):010}")
    groups(context)[name] = {
        "GroupName": name,
        "GroupARN": arn,
        "FilterExpression": "",
        "InsightsConfiguration": insights({}),
    }
    tags_of(context)[arn] = {tag["Key"]: tag["Value"] for tag in params.get("Tags") or []}
    return {"Group": changed(groups(context)[name], params)}


def insights(given: dict[str, bool]) -> dict[str, bool]:
    """What is left out is off; notifications need insights."""
    both = {"InsightsEnabled": False, "NotificationsEnabled": False, **given}
    if both["NotificationsEnabled"] and not both["InsightsEnabled"]:
        raise refuse("Notifications can only be enabled with insights")
    return both


def changed(group: dict[str, Any], params: Params) -> dict[str, Any]:
    if "InsightsConfiguration" in params:
        group["InsightsConfiguration"] = insights(params["InsightsConfiguration"])
    if "FilterExpression" in params:
        group["FilterExpression"] = params["FilterExpression"]
    return group


def existing_group(context: Context, params: Params) -> dict[str, Any]:
    name = name_of(params, "Group")
    if name not in groups(context):
        raise refuse(f"Group {name} not found")
    group: dict[str, Any] = groups(context)[name]
    return group


@operation("xray", "GetGroup", "UpdateGroup")
def group(context: Context, params: Params) -> Answer:
    """One group, changed where asked."""
    one = existing_group(context, params)
    return {"Group": changed(one, params) if context.operation == "UpdateGroup" else one}


@operation("xray", "GetGroups")
def get_groups(context: Context, params: Params) -> Answer:
    """AWS's own Default group is listed too."""
    default = {"GroupName": "Default", "GroupARN": context.arn("group/Default"), "InsightsConfiguration": insights({})}
    return page([default, *groups(context).values()], params, "Groups", token="NextToken", limit=50)


@operation("xray", "DeleteGroup")
def delete_group(context: Context, params: Params) -> Answer:
    """Gone at once."""
    one = existing_group(context, params)
    del groups(context)[one["GroupName"]]
    tags_of(context).pop(one["GroupARN"], None)
    return {}


@operation("xray", "CreateSamplingRule")
def create_sampling_rule(context: Context, params: Params) -> Answer:
    """Version 1 only; 25 in a region."""
    rule, known = params["SamplingRule"], rules(context)
    name = rule.get("RuleName")
    if not name or rule.get("RuleARN") or name in known:
        raise refuse(f"Give a name and no ARN; a rule {name} must not exist yet")
    if rule["Version"] != 1 or not 1 <= rule["Priority"] <= 9999 or not 0 <= rule["FixedRate"] <= 1 or len(name) > 32:
        raise refuse("Version is 1, Priority 1 to 9999, FixedRate 0 to 1, a name at most 32 characters")
    if len(known) > MOST:
        raise AwsError("RuleLimitExceededException", f"A region holds {MOST} sampling rules")
    arn = context.arn(f"sampling-rule/{name}")
    now = datetime.now(UTC)
    known[name] = {"SamplingRule": {"Attributes": {}, **rule, "RuleARN": arn}, "CreatedAt": now, "ModifiedAt": now}
    tags_of(context)[arn] = {tag["Key"]: tag["Value"] for tag in params.get("Tags") or []}
    return {"SamplingRuleRecord": known[name]}


def existing_rule(context: Context, params: Params) -> dict[str, Any]:
    name = name_of(params, "Rule")
    if name not in rules(context):
        raise refuse(f"Sampling rule {name} does not exist")
    record: dict[str, Any] = rules(context)[name]
    return record


@operation("xray", "UpdateSamplingRule")
def update_sampling_rule(context: Context, params: Params) -> Answer:
    """What is given changes. Of the Default rule, only its rate and reservoir do."""
    update = params["SamplingRuleUpdate"]
    record = existing_rule(context, update)
    values = {key: value for key, value in update.items() if key not in ("RuleName", "RuleARN")}
    if record["SamplingRule"]["RuleName"] == "Default" and set(values) - {"FixedRate", "ReservoirSize"}:
        raise refuse("Only the rate and the reservoir of the Default rule can be changed")
    record["SamplingRule"] |= values
    record["ModifiedAt"] = datetime.now(UTC)
    return {"SamplingRuleRecord": record}


@operation("xray", "GetSamplingRules")
def get_sampling_rules(context: Context, params: Params) -> Answer:
    """All, the Default rule included."""
    return page(list(rules(context).values()), params, "SamplingRuleRecords", token="NextToken", limit=50)


@operation("xray", "DeleteSamplingRule")
def delete_sampling_rule(context: Context, params: Params) -> Answer:
    """All but the Default rule can be deleted."""
    record = existing_rule(context, params)
    name = record["SamplingRule"]["RuleName"]
    if name == "Default":
        raise refuse("The Default rule cannot be deleted")
    del rules(context)[name]
    tags_of(context).pop(record["SamplingRule"]["RuleARN"], None)
    return {"SamplingRuleRecord": record}


@operation("xray", "TagResource", "UntagResource", "ListTagsForResource")
def tags(context: Context, params: Params) -> Answer:
    """Of groups and rules."""
    known = tags_of(context).get(params["ResourceARN"])
    if known is None:
        raise AwsError("ResourceNotFoundException", f"Unknown resource {params['ResourceARN']}")
    if context.operation == "TagResource":
        known |= {tag["Key"]: tag["Value"] for tag in params["Tags"]}
    elif context.operation == "UntagResource":
        for key in params["TagKeys"]:
            known.pop(key, None)
    else:
        return {"Tags": [{"Key": key, "Value": value} for key, value in known.items()]}
    return {}


@tagged
def tagged_things(context: Context) -> Iterable[tuple[str, dict[str, str]]]:
    """Groups and sampling rules."""
    yield from tags_of(context).items()
