"""EFS: states, guards, settings that moto lacks. https://docs.aws.amazon.com/efs/latest/ug/api-reference.html"""

from __future__ import annotations

import json
import time
from typing import Any

from webstack_lab.extend import Answer, AwsError, Context, Params, operation
from webstack_lab.services.passing import settle, start

DAY = 24 * 3600
STATE = "life_cycle_state"


def file_system(context: Context, identity: str) -> Any:
    """moto's file system, as it is now."""
    found = file_systems(context).get(identity)
    if found is None:
        raise AwsError("FileSystemNotFound", f"File system '{identity}' does not exist.")
    return found


def file_systems(context: Context) -> dict[str, Any]:
    """All file systems, as they are now."""
    backend = context.backend()
    for target in list(backend.mount_targets_by_id.values()):
        if settle(vars(target)) is not None and target.life_cycle_state == "deleted":
            backend.delete_mount_target(target.mount_target_id)
    for one in list(backend.file_systems_by_id.values()):
        if settle(vars(one)) is not None and one.life_cycle_state == "deleted":
            remove(backend, one)
    found: dict[str, Any] = backend.file_systems_by_id
    return found


def remove(backend: Any, one: Any) -> None:
    """A file system takes its access points with it."""
    for point in [point for point in backend.access_points.values() if point.file_system_id == one.file_system_id]:
        backend.delete_access_point(point.access_point_id)
        backend.tagging_service.delete_all_tags_for_resource(point.access_point_id)
    backend.delete_file_system(one.file_system_id)
    backend.tagging_service.delete_all_tags_for_resource(one.file_system_id)


def require_available(one: Any) -> None:
    """Most changes want a file system that is available."""
    if one.life_cycle_state != "available":
        text = f"File system '{one.file_system_id}' is in the {one.life_cycle_state} lifecycle state"
        raise AwsError("IncorrectFileSystemLifeCycleState", text)


def description(one: Any) -> dict[str, Any]:
    """A file system as AWS shows it: what was not chosen is not there."""
    shown = {key: value for key, value in one.info_json().items() if value is not None}
    known = {
        "FileSystemId",
        "FileSystemArn",
        "CreationToken",
        "CreationTime",
        "OwnerId",
        "LifeCycleState",
        "Name",
        "Tags",
    }
    known |= {"NumberOfMountTargets", "SizeInBytes", "PerformanceMode", "Encrypted", "KmsKeyId", "ThroughputMode"}
    known |= {"ProvisionedThroughputInMibps", "AvailabilityZoneName", "AvailabilityZoneId"}
    protection = getattr(one, "_protection", "ENABLED")
    return {key: value for key, value in shown.items() if key in known} | {
        "FileSystemProtection": {"ReplicationOverwriteProtection": protection}
    }


@operation("efs", "CreateFileSystem")
def create_file_system(context: Context, params: Params) -> Answer:
    """A token in use names the file system that it made; a key must be usable."""
    backend = context.backend()
    for one in file_systems(context).values():
        if one.creation_token == params["CreationToken"]:
            text = f"File system '{one.file_system_id}' already exists with creation token '{one.creation_token}'"
            raise AwsError("FileSystemAlreadyExists", text, FileSystemId=one.file_system_id)
    check_throughput(params)
    answer = context.moto(params)
    one = backend.file_systems_by_id[answer["FileSystemId"]]
    if one.encrypted:
        one.kms_key_id = key_arn(context, params.get("KmsKeyId") or "alias/aws/elasticfilesystem")
    start(vars(one), STATE, "creating", "available", 5)
    return description(one)


def check_throughput(params: Params) -> None:
    """Provisioned throughput has an amount, the other modes have none."""
    provisioned = params.get("ThroughputMode") == "provisioned"
    if provisioned != (params.get("ProvisionedThroughputInMibps") is not None):
        raise AwsError(
            "BadRequest", "ProvisionedThroughputInMibps goes with ThroughputMode provisioned, and only with it"
        )
    if params.get("ThroughputMode") == "elastic" and params.get("PerformanceMode") == "maxIO":
        raise AwsError("BadRequest", "Elastic throughput is only supported with General Purpose performance mode")


def key_arn(context: Context, name: str) -> str:
    """The ARN of a key that can be used."""
    try:
        key = context.call("kms", "DescribeKey", KeyId=name)["KeyMetadata"]
    except AwsError as error:
        raise AwsError("BadRequest", f"KMS key {name} does not exist") from error
    if key["KeyState"] != "Enabled":
        raise AwsError("BadRequest", f"KMS key {name} is in the {key['KeyState']} state")
    return str(key["Arn"])


@operation("efs", "DescribeFileSystems")
def describe_file_systems(context: Context, params: Params) -> Answer:
    """Pages of 100 unless asked otherwise."""
    found = file_systems(context)
    answer = context.moto({"MaxItems": 100} | params)
    answer["FileSystems"] = [description(found[one["FileSystemId"]]) for one in answer["FileSystems"]]
    return answer


@operation("efs", "UpdateFileSystem")
def update_file_system(context: Context, params: Params) -> Answer:
    """The mode changes, and provisioned throughput shrinks, once a day."""
    one = file_system(context, params["FileSystemId"])
    require_available(one)
    mode = params.get("ThroughputMode") or one.throughput_mode
    amount = params.get("ProvisionedThroughputInMibps")
    before = one.provisioned_throughput_in_mibps
    check_throughput({"ThroughputMode": mode, "ProvisionedThroughputInMibps": amount})
    slow = mode != one.throughput_mode or (amount is not None and before is not None and amount < before)
    changed = getattr(one, "_throughput_changed", None)
    if slow and changed is not None and time.time() - changed < DAY:
        raise AwsError(
            "TooManyRequests", "You can change the throughput mode or decrease the throughput once in 24 hours"
        )
    if slow:
        one._throughput_changed = time.time()
    one.throughput_mode, one.provisioned_throughput_in_mibps = mode, amount
    start(vars(one), STATE, "updating", "available", 10)
    return description(one)


@operation("efs", "DeleteFileSystem")
def delete_file_system(context: Context, params: Params) -> Answer:
    """Refused while mount targets or a replication are left."""
    one = file_system(context, params["FileSystemId"])
    if one.number_of_mount_targets:
        raise AwsError("FileSystemInUse", f"File system '{one.file_system_id}' has mount targets: delete them first")
    if one.file_system_id in context.table("replications"):
        raise AwsError("FileSystemInUse", f"File system '{one.file_system_id}' is in a replication configuration")
    start(vars(one), STATE, "deleting", "deleted", 5)
    return {}


@operation("efs", "DescribeTags")
def describe_tags(context: Context, params: Params) -> Answer:
    """The older way to ask for the tags of a file system; nobody pages through it here."""
    one = file_system(context, params["FileSystemId"])
    tags = context.backend().list_tags_for_resource(one.file_system_id)
    return {"Tags": [{"Key": tag["Key"], "Value": tag["Value"]} for tag in tags]}


@operation("efs", "CreateTags")
def create_tags(context: Context, params: Params) -> Answer:
    """The older way to tag a file system, or to change its tags."""
    one = file_system(context, params["FileSystemId"])
    context.backend().tagging_service.tag_resource(one.file_system_id, params["Tags"])
    return {}


@operation("efs", "DescribeBackupPolicy")
def describe_backup_policy(context: Context, params: Params) -> Answer:
    """Not found until somebody chose one."""
    one = file_system(context, params["FileSystemId"])
    chosen = getattr(one, "_backup_status", None) or ("ENABLED" if one._backup else None)
    if chosen is None:
        raise AwsError("PolicyNotFound", f"File system '{one.file_system_id}' has no backup policy")
    one._backup_status = chosen.replace("ING", "ED")
    return {"BackupPolicy": {"Status": chosen}}


@operation("efs", "PutBackupPolicy")
def put_backup_policy(context: Context, params: Params) -> Answer:
    """It is on its way at first."""
    one = file_system(context, params["FileSystemId"])
    require_available(one)
    status = params["BackupPolicy"]["Status"]
    one._backup, one._backup_status = status == "ENABLED", status.replace("ED", "ING")
    return {"BackupPolicy": {"Status": one._backup_status}}


@operation("efs", "PutLifecycleConfiguration")
def put_lifecycle_configuration(context: Context, params: Params) -> Answer:
    """One transition an element, each kind once; archive with elastic throughput only."""
    one = file_system(context, params["FileSystemId"])
    require_available(one)
    kinds = [key for policy in params["LifecyclePolicies"] for key in policy]
    if len(kinds) != len(set(kinds)) or any(len(policy) != 1 for policy in params["LifecyclePolicies"]):
        raise AwsError("BadRequest", "Each LifecyclePolicy object can only have a single transition")
    if "TransitionToArchive" in kinds and one.throughput_mode != "elastic":
        raise AwsError("BadRequest", "Archive needs a Regional file system with Elastic throughput")
    return context.moto()


@operation("efs", "PutFileSystemPolicy")
def put_file_system_policy(context: Context, params: Params) -> Answer:
    """A document that is none, or that locks its author out, is refused."""
    one = file_system(context, params["FileSystemId"])
    require_available(one)
    try:
        statements = json.loads(params["Policy"])["Statement"]
    except (ValueError, KeyError, TypeError) as error:
        raise AwsError("InvalidPolicyException", "The policy document is not valid JSON with a Statement") from error
    for statement in statements if isinstance(statements, list) else [statements]:
        everybody = statement.get("Principal") in ("*", {"AWS": "*"}) and not statement.get("Condition")
        locks_out = (
            statement["Effect"] == "Deny" and everybody and statement.get("Action") in ("*", "elasticfilesystem:*")
        )
        if locks_out and not params.get("BypassPolicyLockoutSafetyCheck"):
            raise AwsError("InvalidPolicyException", "The policy would lock you out of changing it")
    one.file_system_policy = params["Policy"]
    return {"FileSystemId": one.file_system_id, "Policy": params["Policy"]}


@operation("efs", "DescribeFileSystemPolicy")
def describe_file_system_policy(context: Context, params: Params) -> Answer:
    """EFS names the file system in statements that name none."""
    one = file_system(context, params["FileSystemId"])
    if not one.file_system_policy:
        raise AwsError("PolicyNotFound", f"File system '{one.file_system_id}' has the default policy")
    policy = json.loads(one.file_system_policy)
    statements = policy["Statement"] if isinstance(policy["Statement"], list) else [policy["Statement"]]
    policy["Statement"] = [{"Resource": one.file_system_arn, **statement} for statement in statements]
    return {"FileSystemId": one.file_system_id, "Policy": json.dumps(policy)}


@operation("efs", "DeleteFileSystemPolicy")
def delete_file_system_policy(context: Context, params: Params) -> Answer:
    """Back to the default: whoever reaches a mount target may mount."""
    one = file_system(context, params["FileSystemId"])
    require_available(one)
    one.file_system_policy = None
    return {}


@operation("efs", "UpdateFileSystemProtection")
def update_file_system_protection(context: Context, params: Params) -> Answer:
    """Whether a replication may overwrite the file system."""
    one = file_system(context, params["FileSystemId"])
    one._protection = params.get("ReplicationOverwriteProtection", "ENABLED")
    return {"ReplicationOverwriteProtection": one._protection}
