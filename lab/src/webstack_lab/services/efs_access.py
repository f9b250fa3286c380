"""EFS: mount targets, access points and replication. https://docs.aws.amazon.com/efs/latest/ug/api-reference.html"""

from __future__ import annotations

import time
from typing import Any

from webstack_lab.extend import Answer, AwsError, Context, Params, operation
from webstack_lab.services.efs import STATE, file_system, file_systems, require_available
from webstack_lab.services.passing import settle, start


@operation("efs", "CreateMountTarget")
def create_mount_target(context: Context, params: Params) -> Answer:
    """One in a zone, in an available file system; without groups it gets the VPC's default one."""
    one = file_system(context, params["FileSystemId"])
    require_available(one)
    subnets = context.backend("ec2").describe_subnets()
    subnet: Any = next((subnet for subnet in subnets if subnet.id == params["SubnetId"]), None)
    if subnet is None:
        raise AwsError("SubnetNotFound", f"The subnet ID '{params['SubnetId']}' does not exist")
    if one.availability_zone_name and subnet.availability_zone != one.availability_zone_name:
        raise AwsError("AvailabilityZonesMismatch", "The mount target must be in the zone of the One Zone file system")
    if not params.get("SecurityGroups"):
        groups = context.call("ec2", "DescribeSecurityGroups")["SecurityGroups"]
        own = [group for group in groups if group["VpcId"] == subnet.vpc_id and group["GroupName"] == "default"]
        params = {**params, "SecurityGroups": [group["GroupId"] for group in own]}
    answer = context.moto(params)
    target = context.backend().mount_targets_by_id[answer["MountTargetId"]]
    start(vars(target), STATE, "creating", "available", 90)
    interface = context.backend("ec2").enis[target.network_interface_id]
    interface.description = f"EFS mount target for {one.file_system_id} ({target.mount_target_id})"
    return shown(target)


def shown(target: Any) -> dict[str, Any]:
    """A mount target as AWS shows it; its groups are asked for separately."""
    return {key: value for key, value in target.info_json().items() if key != "SecurityGroups" and value is not None}


@operation("efs", "DescribeMountTargets")
def describe_mount_targets(context: Context, params: Params) -> Answer:
    """Pages of 100 unless asked otherwise."""
    file_systems(context)
    if params.get("AccessPointId") and params["AccessPointId"] not in context.backend().access_points:
        raise AwsError("AccessPointNotFound", f"Access Point {params['AccessPointId']} does not exist.")
    answer = context.moto({"MaxItems": 100} | params)
    for target in answer["MountTargets"]:
        target.pop("SecurityGroups", None)
    return answer


@operation("efs", "DeleteMountTarget")
def delete_mount_target(context: Context, params: Params) -> Answer:
    """It takes a while, and holds its security groups and subnet until then."""
    file_systems(context)
    target = context.backend().mount_targets_by_id.get(params["MountTargetId"])
    if target is None:
        raise AwsError("MountTargetNotFound", f"Mount target '{params['MountTargetId']}' does not exist.")
    start(vars(target), STATE, "deleting", "deleted", 60)
    return {}


@operation("efs", "ModifyMountTargetSecurityGroups", "DescribeMountTargetSecurityGroups")
def mount_target_security_groups(context: Context, params: Params) -> Answer:
    """Only of one that stays."""
    file_systems(context)
    target = context.backend().mount_targets_by_id.get(params["MountTargetId"])
    allowed = ("available",) if context.operation.startswith("Modify") else ("creating", "available", "updating")
    if target is not None and target.life_cycle_state not in allowed:
        text = f"Mount target '{target.mount_target_id}' is in the {target.life_cycle_state} state"
        raise AwsError("IncorrectMountTargetState", text)
    return context.moto()


@operation("efs", "CreateAccessPoint")
def create_access_point(context: Context, params: Params) -> Answer:
    """A token in use names the access point that it made."""
    one = file_system(context, params["FileSystemId"])
    require_available(one)
    for point in context.backend().access_points.values():
        if point.client_token == params["ClientToken"]:
            text = f"Access point '{point.access_point_id}' already exists with this client token"
            raise AwsError("AccessPointAlreadyExists", text, AccessPointId=point.access_point_id)
    answer = context.moto(params)
    point = context.backend().access_points[answer["AccessPointId"]]
    point._state = {}
    start(point._state, "LifeCycleState", "creating", "available", 5)
    return point_shown(point)


def point_shown(point: Any) -> dict[str, Any]:
    """An access point as AWS shows it."""
    state = getattr(point, "_state", {})
    settle(state)
    found = {key: value for key, value in point.info_json().items() if value is not None}
    return found | {"LifeCycleState": state.get("LifeCycleState", "available")}


@operation("efs", "DescribeAccessPoints")
def describe_access_points(context: Context, params: Params) -> Answer:
    """All of them, those of a file system, or one."""
    file_systems(context)
    if params.get("FileSystemId"):
        file_system(context, params["FileSystemId"])
    points = context.backend().access_points
    context.moto()  # refuses what does not exist
    wanted = [point for point in points.values() if params.get("AccessPointId") in (None, point.access_point_id)]
    return {
        "AccessPoints": [
            point_shown(point) for point in wanted if params.get("FileSystemId") in (None, point.file_system_id)
        ]
    }


@operation("efs", "DeleteAccessPoint")
def delete_access_point(context: Context, params: Params) -> Answer:
    """moto forgets to refuse an unknown one, and keeps the tags."""
    if params["AccessPointId"] not in context.backend().access_points:
        raise AwsError("AccessPointNotFound", f"Access Point {params['AccessPointId']} does not exist.")
    context.backend().tagging_service.delete_all_tags_for_resource(params["AccessPointId"])
    return context.moto()


@operation("efs", "CreateReplicationConfiguration")
def create_replication_configuration(context: Context, params: Params) -> Answer:
    """A copy in another region, made for it or given."""
    source = file_system(context, params["SourceFileSystemId"])
    table = context.table("replications")
    if source.file_system_id in table:
        raise AwsError("ConflictException", f"File system '{source.file_system_id}' is already replicated")
    destinations = []
    for wish in params["Destinations"]:
        region = wish.get("Region") or context.region
        identity = wish.get("FileSystemId")
        if identity is None:
            copy = context.call(
                "efs",
                "CreateFileSystem",
                region=region,
                CreationToken=f"replica-of-{source.file_system_id}",
                Encrypted=True,
            )
            identity = copy["FileSystemId"]
        destinations.append(
            {"Status": "ENABLED", "FileSystemId": identity, "Region": region, "LastReplicatedTimestamp": time.time()}
        )
    table[source.file_system_id] = {
        "SourceFileSystemId": source.file_system_id,
        "SourceFileSystemRegion": context.region,
        "SourceFileSystemArn": source.file_system_arn,
        "OriginalSourceFileSystemArn": source.file_system_arn,
        "CreationTime": time.time(),
        "Destinations": destinations,
    }
    answer: Answer = table[source.file_system_id]
    return answer


@operation("efs", "DescribeReplicationConfigurations")
def describe_replication_configurations(context: Context, params: Params) -> Answer:
    """All, or that of one file system."""
    table = context.table("replications")
    wanted = params.get("FileSystemId")
    if wanted is not None and wanted not in table:
        raise AwsError("ReplicationNotFound", f"File system '{wanted}' is not replicated")
    return {"Replications": [table[wanted]] if wanted else list(table.values())}


@operation("efs", "DeleteReplicationConfiguration")
def delete_replication_configuration(context: Context, params: Params) -> Answer:
    """Both file systems stay, and the copy becomes writable."""
    if context.table("replications").pop(params["SourceFileSystemId"], None) is None:
        raise AwsError("ReplicationNotFound", f"File system '{params['SourceFileSystemId']}' is not replicated")
    return {}
