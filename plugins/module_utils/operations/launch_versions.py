"""Which release an instance that boots now runs: the tag in the numbered launch template version that its group names.

A deployment makes a version that differs from the present one in that tag (and, if asked, in the image) and leads the group there.
The template's default version follows, because that is what a converge compares the group with.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..engine.errors import OptionError
from ..engine.resource import as_dict, as_list
from ..engine.sdk import SDK_ERRORS, Clients, error_code
from ..resources.autoscaling_parts import launch_template_of
from ..resources.ec2_launch import RELEASE_TAG, chosen_in, image_note, token
from .errors import OperationError

RELEASE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
UNSEEN = ("InvalidLaunchTemplateId.VersionNotFound", "InvalidLaunchTemplateId.NotFound")
PATIENCE, LOOK = 15.0, 0.5  # seconds for a new version to be seen everywhere, and between looks

Version = Mapping[str, Any]  # as DescribeLaunchTemplateVersions answers


@dataclass(frozen=True)
class Pointer:
    """What a group launches now."""

    group: str
    template_id: str
    version: str  # as the group names it: a number, $Latest or $Default
    document: Version  # that very version

    @property
    def number(self) -> int:
        number: int = self.document["VersionNumber"]
        return number

    @property
    def release(self) -> str | None:
        return release_of(self.document)

    @property
    def image_id(self) -> str:
        return str(self.document["LaunchTemplateData"].get("ImageId") or "")


def check_release(release: Any, option: str = "release") -> None:
    """Refuse what is no name of a release. Raises OptionError."""
    if not isinstance(release, str) or not RELEASE.fullmatch(release):
        raise OptionError(
            option, release, "Give 1 to 64 letters, digits, dots, underscores and hyphens, a letter or digit first"
        )


def described_group(clients: Clients, region: str, group: str) -> dict[str, Any]:
    """A group as AWS shows it. Raises OptionError where there is none of that name."""
    found = clients("autoscaling", region).describe_auto_scaling_groups(AutoScalingGroupNames=[group])
    for item in found["AutoScalingGroups"]:
        return dict(item)
    raise OptionError(
        "auto_scaling_group_name", group, f"There is no such group in {region}. Run the compute_asg tier first"
    )


def release_of(version: Version) -> str | None:
    """The release that instances of a version run; None where it names none."""
    return _launched_tags(version["LaunchTemplateData"]).get(RELEASE_TAG)


def pointer_of(clients: Clients, region: str, group: str | Mapping[str, Any]) -> Pointer:
    """What a group, by its name or as AWS shows it, launches now. Raises OptionError where there is no such group or template."""
    item = described_group(clients, region, group) if isinstance(group, str) else group
    name = str(item["AutoScalingGroupName"])
    named = launch_template_of(item)
    if not named["id"]:
        raise OptionError("auto_scaling_group_name", name, "It has no launch template: move it to one first")
    version = str(named["version"] or "$Default")
    return Pointer(name, named["id"], version, described_version(clients, region, named["id"], version))


def described_version(clients: Clients, region: str, template_id: str, version: str) -> dict[str, Any]:
    """A version of a template, by its number, $Latest or $Default. Raises OperationError where there is none."""
    found = clients("ec2", region).describe_launch_template_versions(LaunchTemplateId=template_id, Versions=[version])
    for one in found["LaunchTemplateVersions"]:
        return dict(one)
    raise OperationError(f"{template_id} has no version {version}. Run the compute_asg tier")


def new_version(clients: Clients, region: str, group: str, release: str, image_id: str | None = None) -> int:
    """A version like the one that the group launches now, but for the release and, where given, the image; its number.

    One that is the same already (the present one, or the latest, which an earlier attempt has left) is taken as it is.
    """
    check_release(release)
    pointer = pointer_of(clients, region, group)
    present = pointer.document
    client = clients("ec2", region)
    data = _document(client, present["LaunchTemplateData"], release, image_id)
    description = _description(present, image_id)
    if _same(client, present, data, description):
        return pointer.number
    latest = described_version(clients, region, pointer.template_id, "$Latest")
    if _same(client, latest, data, description):
        return int(latest["VersionNumber"])
    answer = client.create_launch_template_version(
        LaunchTemplateId=pointer.template_id,
        SourceVersion=str(pointer.number),
        LaunchTemplateData=data,  # the whole document: what is left out of a version may be lost (trap 53)
        ClientToken=token(pointer.template_id, latest["VersionNumber"], data),  # trap 54
        **({"VersionDescription": description} if description else {}),
    )
    number = int(answer["LaunchTemplateVersion"]["VersionNumber"])
    _await_version(clients, region, pointer.template_id, number)
    return number


def point_group_at(clients: Clients, region: str, group: str, number: int) -> bool:
    """Let a group launch a version from now on. Instances stay as they are. Whether that changed anything."""
    item = described_group(clients, region, group)
    named = launch_template_of(item)
    if named["version"] == str(number):
        return False
    clients("autoscaling", region).update_auto_scaling_group(
        AutoScalingGroupName=group, **configuration(item, named["id"], number)
    )
    return True


def make_default(clients: Clients, region: str, group: str, number: int) -> bool:
    """Make a version the default one of a group's template. Whether that changed anything."""
    template_id = launch_template_of(described_group(clients, region, group))["id"]
    if default_version(clients, region, template_id) == number:
        return False
    clients("ec2", region).modify_launch_template(LaunchTemplateId=template_id, DefaultVersion=str(number))
    return True


def default_version(clients: Clients, region: str, template_id: str) -> int:
    """The number of a template's default version."""
    [template] = clients("ec2", region).describe_launch_templates(LaunchTemplateIds=[template_id])["LaunchTemplates"]
    return int(template["DefaultVersionNumber"])


def instance_releases(clients: Clients, region: str, group: Mapping[str, Any]) -> dict[str, str | None]:
    """Instance → the release that it was started for, of all instances of a group as AWS shows it."""
    ids = [one["InstanceId"] for one in group["Instances"]]
    if not ids:
        return {}
    pages = clients("ec2", region).get_paginator("describe_instances").paginate(InstanceIds=ids)
    return {
        instance["InstanceId"]: as_dict(instance.get("Tags")).get(RELEASE_TAG)
        for page in pages
        for reservation in page["Reservations"]
        for instance in reservation["Instances"]
    }


def configuration(group: Mapping[str, Any], template_id: str, number: int) -> dict[str, Any]:
    """A group's launch configuration with another version, as UpdateAutoScalingGroup and StartInstanceRefresh take it.

    A mixed instances policy stays what it is but for the version.
    """
    named = {"LaunchTemplateId": template_id, "Version": str(number)}
    policy = group.get("MixedInstancesPolicy")
    if not policy:
        return {"LaunchTemplate": named}
    launch = {**policy["LaunchTemplate"], "LaunchTemplateSpecification": named}
    return {"MixedInstancesPolicy": {**policy, "LaunchTemplate": launch}}


def releases_by_version(clients: Clients, region: str, template_id: str) -> dict[int, str | None]:
    """The release of each version of a template, newest version first."""
    pages = clients("ec2", region).get_paginator("describe_launch_template_versions")
    versions = [
        version for page in pages.paginate(LaunchTemplateId=template_id) for version in page["LaunchTemplateVersions"]
    ]
    return {
        one["VersionNumber"]: release_of(one) for one in sorted(versions, key=lambda one: -int(one["VersionNumber"]))
    }


def _await_version(clients: Clients, region: str, template_id: str, number: int) -> None:
    """EC2 may answer that a version made just now does not exist (trap 21)."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            described_version(clients, region, template_id, str(number))
            return
        except SDK_ERRORS as error:
            if error_code(error) not in UNSEEN or time.monotonic() > deadline:
                raise
        time.sleep(LOOK)


def _launched_tags(data: Mapping[str, Any]) -> dict[str, str]:
    """The tags that a version gives to instances."""
    entries = data.get("TagSpecifications") or []
    return {
        key: value
        for entry in entries
        if entry.get("ResourceType") == "instance"
        for key, value in as_dict(entry.get("Tags")).items()
    }


def _document(client: Any, data: Mapping[str, Any], release: str, image_id: str | None) -> dict[str, Any]:
    """The whole data of a version with another release, in the form in which it is sent."""
    sent: dict[str, Any] = _as_request(client.meta.service_model.shape_for("RequestLaunchTemplateData"), data)
    tags = {**_launched_tags(data), RELEASE_TAG: release}
    others = [entry for entry in sent.get("TagSpecifications", []) if entry.get("ResourceType") != "instance"]
    sent["TagSpecifications"] = [{"ResourceType": "instance", "Tags": as_list(tags)}, *others]
    return {**sent, "ImageId": image_id} if image_id else sent


def _as_request(shape: Any, value: Any) -> Any:
    """What AWS answered, without what it answers only and would refuse to be sent."""
    if shape.type_name == "structure":
        return {key: _as_request(shape.members[key], part) for key, part in value.items() if key in shape.members}
    if shape.type_name == "list":
        return [_as_request(shape.member, part) for part in value]
    return value


def _description(present: Version, image_id: str | None) -> str | None:
    """The record of which image was chosen, and where from, without which a converge would choose anew (trap 51)."""
    description: str | None = present.get("VersionDescription")
    _chosen, source = chosen_in(present)
    return image_note(image_id, source) if image_id and source else description


def _same(client: Any, version: Version, data: Mapping[str, Any], description: str | None) -> bool:
    """Whether a version is what would be made."""
    release = release_of(version)
    if release is None or version.get("VersionDescription") != description:
        return False
    return _document(client, version["LaunchTemplateData"], release, None) == data
