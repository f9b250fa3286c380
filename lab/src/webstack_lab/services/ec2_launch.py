"""EC2 launch templates: versions with user data, numbers that are never used twice, tokens, and no tags of their own.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateLaunchTemplateVersion.html
"""

from __future__ import annotations

import base64
import binascii
import copy
from typing import Any

from moto.core.types import Base64EncodedString
from moto.ec2.exceptions import InvalidLaunchTemplateVersionNotFound
from moto.ec2.models.launch_templates import LaunchTemplate, LaunchTemplateVersion

from webstack_lab.extend import Answer, AwsError, Context, Params, mend, operation, page

USER_DATA_LIMIT = 16 * 1024


def user_data(self: Any) -> Base64EncodedString | None:
    """The user data of a version, however it came in."""
    data = self.data.get("UserData")
    return Base64EncodedString(str(data)) if data else None


def get_version(self: Any, wanted: Any) -> Any:
    """A version by its number, which it keeps when others are deleted."""
    text = str(wanted).lower()
    if text == "$latest":
        return self.versions[-1]
    number = self.default_version_number if text == "$default" else text
    for version in self.versions:
        if str(version.number) == str(number):
            return version
    raise InvalidLaunchTemplateVersionNotFound(template_id=self.id, version=wanted)


def create_version(self: Any, data: dict[str, Any], description: str) -> Any:
    """A new version; no number is given out twice."""
    self.issued = getattr(self, "issued", 0) + 1
    version = LaunchTemplateVersion(self, self.issued, data, description)
    self.versions.append(version)
    return version


mend(LaunchTemplateVersion, "user_data", property(user_data))
mend(LaunchTemplate, "get_version", get_version)
mend(LaunchTemplate, "default_version", lambda self: get_version(self, "$default"))
mend(LaunchTemplate, "create_version", create_version)


def check_data(data: Params) -> None:
    """What EC2 refuses in the data of a template."""
    if data.get("UserData"):
        try:
            raw = base64.b64decode(data["UserData"], validate=True)
        except (binascii.Error, ValueError):
            raise AwsError("InvalidUserData.Malformed", "Invalid BASE64 encoding of user data.") from None
        if len(raw) > USER_DATA_LIMIT:
            raise AwsError("InvalidParameterValue", "User data is limited to 16384 bytes")
    if data.get("InstanceType") and data.get("InstanceRequirements"):
        raise AwsError("InvalidParameterCombination", "InstanceType and InstanceRequirements are mutually exclusive")
    for entry in data.get("TagSpecifications", []):
        if entry.get("ResourceType") == "launch-template":
            raise AwsError("InvalidParameterValue", "launch-template is not a valid taggable resource type for this")


def repeated(context: Context, params: Params) -> Any:
    """The object that an earlier call with the same token made, or None. Other parameters with it are refused."""
    known = context.table("_launch_template_tokens").get(params.get("ClientToken") or "")
    if known is None:
        return None
    if known["params"] != params:
        raise AwsError("IdempotentParameterMismatch", "The client token was used with other parameters")
    return known["made"]


def remember(context: Context, params: Params, made: Any) -> None:
    """Keep what a token made."""
    if params.get("ClientToken"):
        context.table("_launch_template_tokens")[params["ClientToken"]] = {
            "params": copy.deepcopy(params),
            "made": made,
        }


def find(context: Context, params: Params) -> Any:
    """The template that a call names."""
    backend = context.backend()
    if params.get("LaunchTemplateId"):
        return backend.get_launch_template(params["LaunchTemplateId"])
    return backend.get_launch_template_by_name(params["LaunchTemplateName"])


def described(context: Context, template: Any) -> Answer:
    """A template as EC2 answers it."""
    return {
        "LaunchTemplateId": template.id,
        "LaunchTemplateName": template.name,
        "CreateTime": template.create_time,
        "CreatedBy": f"arn:{context.partition}:iam::{context.account_id}:root",
        "DefaultVersionNumber": template.default_version_number,
        "LatestVersionNumber": template.latest_version_number,
        "Tags": [{"Key": tag["key"], "Value": tag["value"]} for tag in template.get_tags()],
    }


def described_version(context: Context, version: Any) -> Answer:
    """A version as EC2 answers it."""
    template = version.template
    return {
        "LaunchTemplateId": template.id,
        "LaunchTemplateName": template.name,
        "VersionNumber": version.number,
        "VersionDescription": version.description,
        "CreateTime": version.create_time,
        "CreatedBy": f"arn:{context.partition}:iam::{context.account_id}:root",
        "DefaultVersion": template.is_default(version),
        "LaunchTemplateData": {key: value for key, value in version.data.items() if value is not None},
    }


@operation("ec2", "CreateLaunchTemplate")
def create_launch_template(context: Context, params: Params) -> Answer:
    """A template with version 1. moto puts the tags of the template into the data of the version."""
    template = repeated(context, params)
    if template is None:
        data = copy.deepcopy(params["LaunchTemplateData"])
        check_data(data)
        tags: dict[str, dict[str, str]] = {}
        for entry in params.get("TagSpecifications", []):
            if entry.get("ResourceType") != "launch-template":
                raise AwsError("InvalidParameterValue", "TagSpecifications of a template tag the template itself")
            tags.setdefault("launch-template", {}).update({tag["Key"]: tag["Value"] for tag in entry["Tags"]})
        template = context.backend().create_launch_template(
            params["LaunchTemplateName"], params.get("VersionDescription"), data, tags
        )
        remember(context, params, template)
    return {"LaunchTemplate": described(context, template)}


@operation("ec2", "CreateLaunchTemplateVersion")
def create_launch_template_version(context: Context, params: Params) -> Answer:
    """A further version: of the data sent alone, or on top of a source version."""
    version = repeated(context, params)
    if version is None:
        template = find(context, params)
        data = copy.deepcopy(params["LaunchTemplateData"])
        if params.get("SourceVersion"):
            data = {**copy.deepcopy(template.get_version(params["SourceVersion"]).data), **data}
        check_data(data)
        version = template.create_version(data, params.get("VersionDescription"))
        remember(context, params, version)
    return {"LaunchTemplateVersion": described_version(context, version)}


@operation("ec2", "DescribeLaunchTemplates")
def describe_launch_templates(context: Context, params: Params) -> Answer:
    """moto's choice of templates, with pages."""
    found = context.backend().describe_launch_templates(
        template_names=params.get("LaunchTemplateNames"),
        template_ids=[find(context, {"LaunchTemplateId": one}).id for one in params.get("LaunchTemplateIds", [])],
        filters={entry["Name"]: entry["Values"] for entry in params.get("Filters", [])},
    )
    templates = [described(context, template) for template in found]
    return page(templates, params, "LaunchTemplates", size="MaxResults", token="NextToken", limit=200)


@operation("ec2", "DescribeLaunchTemplateVersions")
def describe_launch_template_versions(context: Context, params: Params) -> Answer:
    """The versions asked for, each once, newest first."""
    wanted = params.get("Versions") or []
    if params.get("LaunchTemplateId") or params.get("LaunchTemplateName"):
        template = find(context, params)
        versions = [template.get_version(one) for one in wanted] if wanted else list(template.versions)
    elif wanted and set(wanted) <= {"$Latest", "$Default"}:
        templates = context.backend().launch_templates.values()
        versions = [template.get_version(one) for template in templates for one in wanted]
    else:
        raise AwsError("InvalidParameterValue", "To describe all templates, specify $Latest or $Default")
    low, high = int(params.get("MinVersion") or 0), int(params.get("MaxVersion") or 10**9)
    kept = {(one.template.id, one.number): one for one in versions if low <= one.number <= high}
    answers = [described_version(context, kept[key]) for key in sorted(kept, key=lambda key: (key[0], -key[1]))]
    return page(answers, params, "LaunchTemplateVersions", size="MaxResults", token="NextToken", limit=200)


@operation("ec2", "DeleteLaunchTemplateVersions")
def delete_launch_template_versions(context: Context, params: Params) -> Answer:
    """Delete versions; the default one stays."""
    template = find(context, params)
    good, bad = [], []
    for wanted in params["Versions"]:
        place = {
            "LaunchTemplateId": template.id,
            "LaunchTemplateName": template.name,
            "VersionNumber": int(wanted) if str(wanted).isdigit() else 0,
        }
        match = [version for version in template.versions if str(version.number) == str(wanted)]
        if not match:
            problem = {"Code": "launchTemplateVersionDoesNotExist", "Message": f"No version {wanted}"}
        elif template.is_default(match[0]):
            raise AwsError("InvalidParameterValue", "Cannot delete the default version; use ModifyLaunchTemplate first")
        else:
            template.versions.remove(match[0])
            good.append(place)
            continue
        bad.append({**place, "ResponseError": problem})
    return {
        "SuccessfullyDeletedLaunchTemplateVersions": good,
        "UnsuccessfullyDeletedLaunchTemplateVersions": bad,
    }


@operation("ec2", "DeleteLaunchTemplate")
def delete_launch_template(context: Context, params: Params) -> Answer:
    """Delete a template with its tags, which moto keeps for good."""
    template = find(context, params)
    answer = context.moto()
    backend = context.backend()
    backend.tags.pop(template.id, None)
    backend.launch_template_insert_order.remove(template.id)
    return answer
