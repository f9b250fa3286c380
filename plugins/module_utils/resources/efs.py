"""EFS: file systems, mount targets, access points. https://docs.aws.amazon.com/efs/latest/ug/"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from ..engine.resource import NAME_TAG, OWNER_TAG, Resource, Scope, as_dict, as_list, changed_tags
from ..engine.schedule import Deferred
from ..engine.sdk import SDK_ERRORS, error_code
from .ec2 import SecurityGroup, Subnet, described
from .kms import Key
from .policies import Policy

TOKEN = "webstack/"
TRANSITIONS = {
    "ia": "TransitionToIA",
    "archive": "TransitionToArchive",
    "primary": "TransitionToPrimaryStorageClass",
}
REPLACE = "make a file system under another name (stack), copy the files over with DataSync, then remove this one"


@dataclass(eq=False)
class FileSystem(Resource):
    """An encrypted file system, found by our tags or its id.

    EFS remembers the creation token while the file system lives, so two runs, or a repeated request, never make two (trap 10).
    """

    service = "efs"
    missing = ("FileSystemNotFound",)
    retry = ("BadRequest:KMS",)
    busy = ("FileSystemInUse", "IncorrectFileSystemLifeCycleState")
    immutable = {  # trap 90
        "encrypted": f"To encrypt it, {REPLACE}",
        "kms_key_id": f"Files stay under their key (one that waits for deletion can be kept: cancel-key-deletion). Else {REPLACE}",
        "performance_mode": f"To change it, {REPLACE}",
        "availability_zone": f"To move between One Zone and Regional, {REPLACE}",
    }
    pending = ("creating", "updating", "deleting")
    ready = ("available",)
    timeout = 900

    kms_key: Key | None = None
    performance_mode: str | None = None
    throughput_mode: str | None = None
    provisioned_throughput: float | None = None
    availability_zone: str | None = None
    lifecycle: dict[str, str] | None = None
    backup: bool | None = None
    policy: Policy | None = None  # statements without a resource are about this file system; an empty one means none

    _backed_up = False

    @classmethod
    def list_all(cls, client: Any, scope: Scope) -> Iterable[Any]:
        for item in described(client, "describe_file_systems", "FileSystems"):
            ours = as_dict(item.get("Tags")).get(OWNER_TAG) == scope.stack
            if item["LifeCycleState"] != "deleted" and (ours or scope.names.intersection(cls.identify(item))):
                yield item

    @classmethod
    def identify(cls, item: Any) -> tuple[str, ...]:
        name = as_dict(item.get("Tags")).get(NAME_TAG)
        token = item.get("CreationToken", "")
        made_as = token.removeprefix(TOKEN) if token.startswith(TOKEN) else None
        return tuple(one for one in (name, item["FileSystemId"], made_as) if one)

    def read(self, client: Any, item: Any) -> dict[str, Any]:
        have = {
            "id": item["FileSystemId"],
            "arn": item["FileSystemArn"],
            "state": item["LifeCycleState"],
            "encrypted": item.get("Encrypted", False),
            "kms_key_id": item.get("KmsKeyId", "").rpartition("/")[2],
            "performance_mode": item["PerformanceMode"],
            "throughput_mode": item.get("ThroughputMode", "bursting"),
            "provisioned_throughput": item.get("ProvisionedThroughputInMibps"),
            "availability_zone": item.get("AvailabilityZoneName", ""),
            "tags": as_dict(item.get("Tags")),
        }
        wished = {"lifecycle": self._lifecycle, "backup": self._backup, "policy": self._policy}
        calls = {key: call for key, call in wished.items() if self.owned and getattr(self, key) is not None}
        if not calls:
            return have
        answers = self.scope.gather(*(lambda call=call: call(client, have) for call in calls.values()))
        return have | dict(zip(calls, answers, strict=True))

    def _lifecycle(self, client: Any, have: dict[str, Any]) -> dict[str, str]:
        policies = client.describe_lifecycle_configuration(FileSystemId=have["id"])["LifecyclePolicies"]
        given = {key: value for policy in policies for key, value in policy.items()}
        return {ours: given[theirs] for ours, theirs in TRANSITIONS.items() if theirs in given}

    def _backup(self, client: Any, have: dict[str, Any]) -> bool:
        answer = _or_none(lambda: client.describe_backup_policy(FileSystemId=have["id"])["BackupPolicy"]["Status"])
        return answer in ("ENABLED", "ENABLING")

    def _policy(self, client: Any, have: dict[str, Any]) -> Policy:
        text = _or_none(lambda: client.describe_file_system_policy(FileSystemId=have["id"])["Policy"])
        return _about(Policy.parse(text) or Policy(), have["arn"])

    def want(self) -> dict[str, Any]:
        return {
            "encrypted": True,
            "kms_key_id": self.kms_key.id if self.kms_key is not None else None,
            "performance_mode": self.performance_mode,
            "throughput_mode": self.throughput_mode,
            "provisioned_throughput": self.provisioned_throughput,
            "availability_zone": self.availability_zone,
            "lifecycle": self.lifecycle,
            "backup": self.backup,
            "policy": _about(self.policy, self.arn) if self.policy is not None else None,
        }

    def create(self, client: Any, want: dict[str, Any]) -> None:
        choices = {
            "KmsKeyId": self.kms_key.arn if self.kms_key is not None else None,
            "PerformanceMode": self.performance_mode,
            "ThroughputMode": self.throughput_mode,
            "ProvisionedThroughputInMibps": self.provisioned_throughput,
            "AvailabilityZoneName": self.availability_zone or None,
            "Backup": self.backup,
        }
        given = {key: value for key, value in choices.items() if value is not None}
        # the SDK repeated a request whose answer was lost; the token says that it is this one
        with suppress(client.exceptions.FileSystemAlreadyExists):
            client.create_file_system(
                CreationToken=TOKEN + self.name, Encrypted=True, Tags=as_list(want["tags"]), **given
            )

    def update(self, client: Any, change: dict[str, Any]) -> None:
        file_system = {"FileSystemId": self.id}
        if "tags" in change:
            _set_tags(client, self, change["tags"])
        if "lifecycle" in change:
            # One transition an element, and the whole configuration every time (trap 12).
            policies = [{TRANSITIONS[key]: value} for key, value in change["lifecycle"].items()]
            client.put_lifecycle_configuration(**file_system, LifecyclePolicies=policies)
        if "backup" in change:
            status = "ENABLED" if change["backup"] else "DISABLED"
            client.put_backup_policy(**file_system, BackupPolicy={"Status": status})
        if change.get("policy"):
            # EFS refuses a policy that would lock its author out, as long as we do not bypass the check (trap 92).
            client.put_file_system_policy(
                **file_system, Policy=change["policy"].text, BypassPolicyLockoutSafetyCheck=False
            )
        elif "policy" in change:
            client.delete_file_system_policy(**file_system)
        if "throughput_mode" in change or "provisioned_throughput" in change:
            self._change_throughput(client)

    def _change_throughput(self, client: Any) -> None:
        arguments: dict[str, Any] = {"FileSystemId": self.id, "ThroughputMode": self.throughput_mode}
        if self.provisioned_throughput is not None:
            arguments["ProvisionedThroughputInMibps"] = self.provisioned_throughput
        try:
            client.update_file_system(**arguments)
        except client.exceptions.TooManyRequests as error:  # trap 89
            raise Deferred("EFS changes the throughput mode, or lowers the throughput, once in 24 hours") from error

    def delete(self, client: Any) -> None:
        self._backed_up = bool((self.have or {}).get("backup"))
        client.delete_file_system(FileSystemId=self.id)

    def protection(self) -> str | None:
        return "it may hold files, and nothing brings them back but a backup"

    def leftover(self) -> str | None:
        if not self._backed_up:
            return None
        return f"Recovery points of {self.name} in the AWS Backup vault aws/efs/automatic-backup-vault cost money until they expire"


@dataclass(eq=False)
class MountTarget(Resource):
    """Where a file system can be reached in one zone. Its name is the file system's, a slash, and the zone or the subnet id.

    EFS allows one in a zone, so the zone, and not a position in a list, tells which is which (trap 87).
    """

    service = "efs"
    missing = ("MountTargetNotFound", "FileSystemNotFound")
    retry = ("SubnetNotFound", "SecurityGroupNotFound", "FileSystemNotFound")
    busy = ("DependencyTimeout", "IncorrectMountTargetState")
    immutable = {
        "subnet_id": "A mount target stays in its subnet: delete it by hand, clients of that zone hang meanwhile, and run again"
    }
    within = (FileSystem,)
    needs_ready = ("file_system",)
    pending = ("creating", "updating", "deleting")
    ready = ("available",)
    timeout = 900
    usual = 90
    tagged = False
    purge = True

    file_system: FileSystem | None = None
    subnet: Subnet | None = None
    security_groups: list[SecurityGroup] = field(default_factory=list)

    @classmethod
    def list_all(cls, client: Any, scope: Scope) -> Iterable[Any]:
        targets: list[dict[str, Any]] = []
        for parent in scope.of(FileSystem):
            have = parent.have or {}
            if have["tags"].get(OWNER_TAG) == scope.stack and have["state"] != "deleting":
                found = described(client, "describe_mount_targets", "MountTargets", FileSystemId=have["id"])
                targets += [{**item, "name": have["tags"].get(NAME_TAG, parent.name)} for item in found]
        targets = [item for item in targets if item["LifeCycleState"] != "deleted"]
        groups = _groups_of_interfaces(scope, targets) if targets and scope.members else {}
        return [{**item, "groups": groups.get(str(item.get("NetworkInterfaceId")))} for item in targets]

    @classmethod
    def identify(cls, item: Any) -> tuple[str, ...]:
        return f"{item['name']}/{item['AvailabilityZoneName']}", f"{item['name']}/{item['SubnetId']}"

    def read(self, client: Any, item: Any) -> dict[str, Any]:
        groups = item["groups"]
        if groups is None and self.subnet is not None and item["LifeCycleState"] != "deleting":
            answer = client.describe_mount_target_security_groups(MountTargetId=item["MountTargetId"])
            groups = set(answer["SecurityGroups"])
        return {
            "id": item["MountTargetId"],
            "state": item["LifeCycleState"],
            "subnet_id": item["SubnetId"],
            "security_group_ids": groups or set(),
            "ip_address": item.get("IpAddress"),
        }

    def want(self) -> dict[str, Any]:
        groups = {group.id for group in self.security_groups or []}
        return {"subnet_id": self.subnet.id if self.subnet else None, "security_group_ids": groups or None}

    def create(self, client: Any, want: dict[str, Any]) -> None:
        if self.file_system is None:
            raise TypeError("an owned mount target is built with its file system")
        client.create_mount_target(
            FileSystemId=self.file_system.id,
            SubnetId=want["subnet_id"],
            SecurityGroups=sorted(want["security_group_ids"]),
        )

    def update(self, client: Any, change: dict[str, Any]) -> None:
        groups = sorted(change["security_group_ids"])
        client.modify_mount_target_security_groups(MountTargetId=self.id, SecurityGroups=groups)

    def delete(self, client: Any) -> None:
        client.delete_mount_target(MountTargetId=self.id)


@dataclass(eq=False)
class AccessPoint(Resource):
    """A directory of a file system, entered as one POSIX user whoever mounts it. Nothing of it but its tags ever changes."""

    service = "efs"
    missing = ("AccessPointNotFound", "FileSystemNotFound")
    retry = ("FileSystemNotFound",)
    busy = ("IncorrectFileSystemLifeCycleState",)
    immutable = {
        "posix_user": "Add an access point under another name, mount that one, then remove this one",
        "root_directory": "Add an access point under another name, mount that one, then remove this one",
        "file_system_id": "It belongs to another file system: remove it first",
    }
    needs_ready = ("file_system",)
    pending = ("creating", "updating", "deleting")
    ready = ("available",)

    file_system: FileSystem | None = None
    posix_user: dict[str, Any] | None = None
    root_directory: dict[str, Any] | None = None

    @classmethod
    def list_all(cls, client: Any, scope: Scope) -> Iterable[Any]:
        for item in described(client, "describe_access_points", "AccessPoints"):
            ours = as_dict(item.get("Tags")).get(OWNER_TAG) == scope.stack
            if item["LifeCycleState"] != "deleted" and (ours or item["AccessPointId"] in scope.names):
                yield item

    @classmethod
    def identify(cls, item: Any) -> tuple[str, ...]:
        name = as_dict(item.get("Tags")).get(NAME_TAG)
        return tuple(one for one in (name, item["AccessPointId"]) if one)

    def read(self, client: Any, item: Any) -> dict[str, Any]:
        return {
            "id": item["AccessPointId"],
            "arn": item["AccessPointArn"],
            "state": item["LifeCycleState"],
            "file_system_id": item["FileSystemId"],
            "posix_user": _user(item.get("PosixUser") or {}),
            "root_directory": item.get("RootDirectory") or {"Path": "/"},
            "tags": as_dict(item.get("Tags")),
        }

    def want(self) -> dict[str, Any]:
        return {
            "file_system_id": self.file_system.id if self.file_system else None,
            "posix_user": None if self.posix_user is None else _user(self.posix_user),
            "root_directory": self.root_directory,
        }

    def create(self, client: Any, want: dict[str, Any]) -> None:
        # The same request again gives no second access point, a changed one is a new intent (trap 10).
        intent = repr([want["file_system_id"], self.name, self.posix_user, want["root_directory"]])
        with suppress(client.exceptions.AccessPointAlreadyExists):
            client.create_access_point(
                ClientToken=hashlib.sha256(intent.encode()).hexdigest(),
                FileSystemId=want["file_system_id"],
                PosixUser=self.posix_user,
                RootDirectory=want["root_directory"],
                Tags=as_list(want["tags"]),
            )

    def update(self, client: Any, change: dict[str, Any]) -> None:
        _set_tags(client, self, change["tags"])

    def delete(self, client: Any) -> None:
        client.delete_access_point(AccessPointId=self.id)


def _or_none(call: Any) -> Any:
    """An answer, or None where EFS says that no policy was ever set."""
    try:
        return call()
    except SDK_ERRORS as error:
        if error_code(error) != "PolicyNotFound":
            raise
        return None


def _about(policy: Policy, arn: str) -> Policy:
    """The policy with the file system named in statements that name none: EFS adds it."""
    if not policy:
        return policy
    statements = policy["Statement"] if isinstance(policy["Statement"], list) else [policy["Statement"]]
    return Policy({**policy, "Statement": [{"Resource": arn, **statement} for statement in statements]})


def _user(user: dict[str, Any]) -> dict[str, Any]:
    """A POSIX user whose further groups have no order, and may be left out."""
    return {"Uid": user.get("Uid"), "Gid": user.get("Gid"), "SecondaryGids": set(user.get("SecondaryGids") or [])}


def _groups_of_interfaces(scope: Scope, targets: list[dict[str, Any]]) -> dict[str, set[str]]:
    """Interface id → security groups, for all mount targets in one call; EFS itself would want one call each."""
    ids = sorted(item["NetworkInterfaceId"] for item in targets if item.get("NetworkInterfaceId"))
    filters = [{"Name": "network-interface-id", "Values": ids}]
    found = described(scope.client("ec2"), "describe_network_interfaces", "NetworkInterfaces", Filters=filters)
    return {item["NetworkInterfaceId"]: {group["GroupId"] for group in item["Groups"]} for item in found}


def _set_tags(client: Any, resource: Resource, want: dict[str, str]) -> None:
    to_set, to_remove = changed_tags((resource.have or {}).get("tags") or {}, want)
    if to_set:
        client.tag_resource(ResourceId=resource.id, Tags=as_list(to_set))
    if to_remove:
        client.untag_resource(ResourceId=resource.id, TagKeys=to_remove)
