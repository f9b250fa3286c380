"""EC2 launch templates. https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-launch-templates.html"""

from __future__ import annotations

import base64
import binascii
import gzip
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..engine.resource import Resource, Scope, Unknown, as_dict, as_list
from .ec2 import SecurityGroup, described, names_of, set_tags, specification
from .iam import InstanceProfile
from .images import Image, ImageParameter

USER_DATA_LIMIT = 16 * 1024  # bytes before base64 (trap 52)
TAGGED = ("instance", "volume", "network-interface")
RELEASE_TAG = "webstack:release"  # what an instance is to run; deployments move it, converge leaves it alone
GZIP = b"\x1f\x8b"
NOTE = re.compile(r"^(ami-\w+) from (\S+)$")

METADATA = {
    "http_endpoint": "HttpEndpoint",
    "http_tokens": "HttpTokens",
    "http_put_response_hop_limit": "HttpPutResponseHopLimit",
    "instance_metadata_tags": "InstanceMetadataTags",
}
VOLUME = {
    "size": "VolumeSize",
    "type": "VolumeType",
    "iops": "Iops",
    "throughput": "Throughput",
    "encrypted": "Encrypted",
    "kms_key_id": "KmsKeyId",
    "delete_on_termination": "DeleteOnTermination",
}


def canonical(text: str) -> str:
    """User data with one kind of line end and no blank end, so that an editor's habits make no new version (trap 52)."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    return lines.strip("\n").rstrip() + "\n" if lines.strip() else ""


def encoded(text: str) -> str:
    """User data as a template carries it; compressed, which cloud-init understands, where it is too long as it is."""
    raw = canonical(text).encode()
    if len(raw) > USER_DATA_LIMIT:
        raw = gzip.compress(raw, mtime=0)
    return base64.b64encode(raw).decode()


def decoded(data: str | None) -> str:
    """What ``encoded`` made of a text; of anything else, as much as can be shown."""
    try:
        raw = base64.b64decode(data or "", validate=True)
        return canonical((gzip.decompress(raw) if raw.startswith(GZIP) else raw).decode())
    except (binascii.Error, UnicodeDecodeError, OSError, EOFError):
        return data or ""


def size_of(text: str) -> int:
    """Bytes of user data as AWS counts them: before base64."""
    return len(base64.b64decode(encoded(text)))


def image_note(image_id: str, source: str) -> str:
    """The description of a version: which image was chosen, and where from. Only a choice so recorded is kept (trap 51)."""
    return f"{image_id} from {source}"


@dataclass(eq=False)
class LaunchTemplate(Resource):
    """A launch template, found by its name or id. What counts is its default version, and each version is the whole document.

    An image that comes from a parameter is chosen once: while the parameter moves on, the recorded choice stays, until
    ``image_update`` or another parameter asks for a new one.
    """

    service = "ec2"
    missing = (
        "InvalidLaunchTemplateId.NotFound",
        "InvalidLaunchTemplateId.NotFoundException",
        "InvalidLaunchTemplateName.NotFoundException",
    )
    retry = ("InvalidLaunchTemplateId.NotFound", "InvalidLaunchTemplateId.NotFoundException", "InvalidGroup.NotFound")
    within = (Image, ImageParameter)
    shown = ("version", "image_id", "newer_image_id", "release")

    image: Image | ImageParameter | None = None
    image_update: bool = False
    instance_type: str | None = None
    security_groups: list[SecurityGroup] = field(default_factory=list)
    profile: InstanceProfile | None = None
    user_data: str | None = None
    release: str | None = None  # where none was deployed yet
    key_name: str | None = None
    root_volume: dict[str, Any] = field(
        default_factory=dict
    )  # keys of VOLUME, and device_name where the image does not say
    metadata: dict[str, Any] = field(default_factory=dict)  # keys of METADATA
    detailed_monitoring: bool = False
    keep_versions: int = 10

    @classmethod
    def list_all(cls, client: Any, scope: Scope) -> Iterable[Any]:
        ids = sorted(name for name in scope.names if name.startswith("lt-"))
        names = [f"{scope.stack}-*", *sorted(scope.names - set(ids))]
        filters = [{"Name": "launch-template-name", "Values": list(dict.fromkeys(names))}]
        found = described(client, "describe_launch_templates", "LaunchTemplates", Filters=filters)
        if ids:
            found += described(client, "describe_launch_templates", "LaunchTemplates", LaunchTemplateIds=ids)
        return found

    @classmethod
    def identify(cls, item: Any) -> tuple[str, ...]:
        return tuple(dict.fromkeys((item["LaunchTemplateName"], *names_of(item, "LaunchTemplateId"))))

    def read(self, client: Any, item: Any) -> dict[str, Any]:
        have: dict[str, Any] = {
            "id": item["LaunchTemplateId"],
            "latest": item["LatestVersionNumber"],
            "version": item["DefaultVersionNumber"],
            "created_at": item["CreateTime"],
            "tags": as_dict(item.get("Tags")),
        }
        if self.image is None:  # nobody's wish, or a reference: only the numbers count
            return have
        versions = client.describe_launch_template_versions(
            LaunchTemplateId=item["LaunchTemplateId"], Versions=["$Latest", "$Default"]
        )["LaunchTemplateVersions"]
        by_number = {version["VersionNumber"]: version for version in versions}
        default = by_number[item["DefaultVersionNumber"]]
        have |= document_of(default["LaunchTemplateData"])
        have["release"] = have["launched_tags"].get("instance", {}).get(RELEASE_TAG)
        have["image_chosen"], have["image_source"] = chosen_in(default)
        have["latest_version"] = by_number[item["LatestVersionNumber"]]
        newest = self.image.get("image_id")
        if not isinstance(newest, Unknown) and newest != have["image_id"]:
            have["newer_image_id"] = newest
        return have

    # The wish.

    def _image_id(self) -> str:
        """The image to use: the user's, or the one in use if it was chosen from the same parameter, or what that names."""
        if self.image is None:
            raise TypeError("an owned launch template is built with its image")
        have = self.have or {}
        if (
            isinstance(self.image, ImageParameter)
            and not self.image_update
            and have.get("image_source") == self.image.name
        ):
            return str(have["image_chosen"])
        image_id: str = self.image.get("image_id")
        return image_id

    def _device_name(self) -> str:
        known = self.image.get("root_device_name") if isinstance(self.image, Image) else "/dev/xvda"
        return str(self.root_volume.get("device_name") or known)

    def want(self) -> dict[str, Any]:
        if self.image is None:
            return {}
        volume = {**self.root_volume, "device_name": self._device_name(), "delete_on_termination": True}
        return {
            "image_id": self._image_id(),
            "image_source": self._image_source(),
            "instance_type": self.instance_type,
            "security_group_ids": {group.id for group in self.security_groups},
            "instance_profile_arn": self.profile.arn if self.profile else "",
            "user_data": canonical(self.user_data or ""),
            "key_name": self.key_name or "",
            "root_volume": {key: value for key, value in volume.items() if value is not None},
            "metadata_options": dict(self.metadata),
            "detailed_monitoring": self.detailed_monitoring,
            "launched_tags": self._launched_tags(),
            "other_data": {},
        }

    def _launched_tags(self) -> dict[str, dict[str, str]]:
        """The template's own tags, and on instances the release that the last deployment left, else the first one."""
        tags = {kind: dict(self.wanted_tags or {}) for kind in TAGGED}
        release = (self.have or {}).get("release") or self.release
        if release:
            tags["instance"][RELEASE_TAG] = release
        return tags

    @property
    def version(self) -> Any:
        """The number of the version to launch, or an Unknown while a change is due that makes a new one."""
        have = self.have
        if have is None or any(have.get(key) != value for key, value in self.want().items()):
            return Unknown(f"{self.address}.version")
        return have["version"]

    def _data(self) -> dict[str, Any]:
        """The whole document: what a new version is not given, it does not have (trap 53)."""
        want = self.want()
        volume = want["root_volume"]
        data: dict[str, Any] = {
            "ImageId": want["image_id"],
            "InstanceType": want["instance_type"],
            "SecurityGroupIds": sorted(want["security_group_ids"]),
            "BlockDeviceMappings": [
                {
                    "DeviceName": volume["device_name"],
                    "Ebs": {VOLUME[key]: value for key, value in volume.items() if key in VOLUME},
                }
            ],
            "MetadataOptions": {METADATA[key]: value for key, value in want["metadata_options"].items()},
            "Monitoring": {"Enabled": want["detailed_monitoring"]},
            "TagSpecifications": [
                {"ResourceType": kind, "Tags": as_list(tags)} for kind, tags in want["launched_tags"].items()
            ],
        }
        if want["instance_profile_arn"]:
            data["IamInstanceProfile"] = {"Arn": want["instance_profile_arn"]}
        if want["user_data"]:
            data["UserData"] = encoded(want["user_data"])
        if want["key_name"]:
            data["KeyName"] = want["key_name"]
        return data

    def _image_source(self) -> str:
        return self.image.name if isinstance(self.image, ImageParameter) else "image_id"

    def refuse(self, change: dict[str, Any]) -> str | None:
        return unknown_type(self, [self.instance_type]) if "instance_type" in change else None

    # The calls.

    def create(self, client: Any, want: dict[str, Any]) -> None:
        data = self._data()
        client.create_launch_template(
            LaunchTemplateName=self.name,
            VersionDescription=image_note(data["ImageId"], self._image_source()),
            LaunchTemplateData=data,
            TagSpecifications=specification("launch-template", want),
        )

    def update(self, client: Any, change: dict[str, Any]) -> None:
        if "tags" in change:
            set_tags(client, self, change["tags"])
        if set(change) - {"tags"}:
            self._move(client)

    def _move(self, client: Any) -> None:
        """Make a version of what is wanted, unless the latest one is that already, and make it the default."""
        data, latest, made = self._data(), self.get("latest"), self.get("latest_version")
        is_it = document_of(made["LaunchTemplateData"]) == document_of(data)
        if not is_it or chosen_in(made) != (data["ImageId"], self._image_source()):
            answer = client.create_launch_template_version(
                LaunchTemplateId=self.id,
                VersionDescription=image_note(data["ImageId"], self._image_source()),
                LaunchTemplateData=data,
                ClientToken=token(self.id, latest, data),
            )
            latest = answer["LaunchTemplateVersion"]["VersionNumber"]
        client.modify_launch_template(LaunchTemplateId=self.id, DefaultVersion=str(latest))
        self._prune(client, latest)

    def _prune(self, client: Any, latest: int) -> None:
        """Delete all but the newest versions. The one that was the default until now may still be in use."""
        versions = described(
            client, "describe_launch_template_versions", "LaunchTemplateVersions", LaunchTemplateId=self.id
        )
        numbers = sorted(version["VersionNumber"] for version in versions)[: -self.keep_versions]
        old = [str(number) for number in numbers if number not in (latest, self.get("version"))]
        for start in range(0, len(old), 200):  # as many as one call takes
            client.delete_launch_template_versions(LaunchTemplateId=self.id, Versions=old[start : start + 200])

    def delete(self, client: Any) -> None:
        client.delete_launch_template(LaunchTemplateId=self.id)


def unknown_type(template: LaunchTemplate, types: Iterable[str | None]) -> str | None:
    """Why an instance type cannot be used, as far as the installed SDK knows (trap 18)."""
    image = template.image
    if image is None or not image.exists:
        return None
    known = image.scope.client("ec2").meta.service_model.shape_for("InstanceType").enum
    for kind in types:
        if kind and kind not in known:
            return (
                f"{kind} is no instance type that the installed botocore knows. Correct instance_type; "
                "if AWS has introduced it lately, update boto3 and botocore"
            )
    return None


def token(name: str, latest: int, data: Mapping[str, Any]) -> str:
    """A token that repeats with the same intent after the same version only, so that a retry makes no second one (trap 54)."""
    return hashlib.sha256(json.dumps([name, latest, data], sort_keys=True).encode()).hexdigest()


def chosen_in(version: Mapping[str, Any]) -> tuple[str, str]:
    """The image that the description of a version records, and where it came from; blanks where it records none."""
    found = NOTE.match(version.get("VersionDescription") or "")
    return (found[1], found[2]) if found else ("", "")


def document_of(data: Mapping[str, Any]) -> dict[str, Any]:
    """The data of a version in the shape of ``LaunchTemplate.want``. What we never write is kept as ``other_data``."""
    rest = dict(data)
    mappings = rest.pop("BlockDeviceMappings", None) or []
    first: dict[str, Any] = mappings[0] if mappings else {}
    disk = dict(first.get("Ebs") or {})
    volume = {key: disk.pop(name, None) for key, name in VOLUME.items()} | {"device_name": first.get("DeviceName")}
    rest |= {"BlockDeviceMappings": mappings[1:], "Ebs": disk}
    options = rest.pop("MetadataOptions", None) or {}
    profile = rest.pop("IamInstanceProfile", None) or {}
    specifications = rest.pop("TagSpecifications", None) or []
    return {
        "image_id": rest.pop("ImageId", ""),
        "instance_type": rest.pop("InstanceType", ""),
        "security_group_ids": set(rest.pop("SecurityGroupIds", None) or ()),
        "instance_profile_arn": profile.get("Arn") or profile.get("Name") or "",
        "user_data": decoded(rest.pop("UserData", None)),
        "key_name": rest.pop("KeyName", None) or "",
        "root_volume": {key: value for key, value in volume.items() if value is not None},
        "metadata_options": {key: options[name] for key, name in METADATA.items() if options.get(name) is not None},
        "detailed_monitoring": bool((rest.pop("Monitoring", None) or {}).get("Enabled")),
        "launched_tags": {entry["ResourceType"]: as_dict(entry.get("Tags")) for entry in specifications},
        "other_data": {key: value for key, value in rest.items() if value not in (None, "", [], {})},
    }
