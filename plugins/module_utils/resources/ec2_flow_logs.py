"""VPC flow logs: who talked to whom. https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs.html"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from ..engine.resource import NAME_TAG, Resource, Scope, as_dict
from ..engine.sdk import SDK_ERRORS, error_code
from .ec2 import Vpc, described, names_of, ours, set_tags, specification

S3 = "s3"
CLOUDWATCH = "cloud-watch-logs"
# AWS writes this format when it is given none.
DEFAULT_FORMAT = (
    "${version} ${account-id} ${interface-id} ${srcaddr} ${dstaddr} ${srcport} ${dstport} ${protocol} ${packets} ${bytes} "
    "${start} ${end} ${action} ${log-status}"
)


@dataclass(eq=False)
class FlowLog(Resource):
    """The flow log of a VPC. AWS cannot change one: another is made beside it, then the old one is deleted (trap 50)."""

    service = "ec2"
    missing = ("InvalidFlowLogId.NotFound",)
    # The role or the bucket policy made just now is not known everywhere yet (trap 23).
    retry = (
        "400:Access Denied",
        "400:does not exist",
        "400:assume",
        "InvalidParameter:Access Denied",
        "InvalidParameter:assume",
        "InvalidVpcId.NotFound",
        "InvalidVpcID.NotFound",
    )

    vpc: Vpc | None = None
    destination_type: str | None = None
    bucket: Resource | None = None
    log_group: Resource | None = None
    role: Resource | None = None
    destination: str = ""  # where in S3: the ARN of a bucket, with a folder or without
    traffic_type: str | None = None
    aggregation_interval: int | None = None
    log_format: str | None = None
    file_format: str | None = None  # these three only in S3
    hive_partitions: bool | None = None
    hourly_partitions: bool | None = None

    @classmethod
    def list_all(cls, client: Any, scope: Scope) -> Iterable[Any]:
        """The newest of each name; older ones are what a run that died between making and deleting has left behind."""
        newest: dict[str, Any] = {}
        found = described(client, "describe_flow_logs", "FlowLogs", Filter=ours(scope))
        for item in sorted(found, key=lambda one: (one["CreationTime"], one["FlowLogId"])):
            name = as_dict(item.get("Tags")).get(NAME_TAG, item["FlowLogId"])
            older = newest.get(name)
            newest[name] = {**item, "Older": [*older["Older"], older["FlowLogId"]] if older else []}
        return newest.values()

    @classmethod
    def identify(cls, item: Any) -> tuple[str, ...]:
        return names_of(item, "FlowLogId")

    def read(self, client: Any, item: Any) -> dict[str, Any]:
        in_s3 = item["LogDestinationType"] == S3
        options = item.get("DestinationOptions") or {}
        return {
            "id": item["FlowLogId"],
            "vpc_id": item["ResourceId"],
            "destination_type": item["LogDestinationType"],
            "destination": item.get("LogDestination") if in_s3 else item.get("LogGroupName"),
            "role_arn": None if in_s3 else item.get("DeliverLogsPermissionArn"),
            "traffic_type": item["TrafficType"],
            "aggregation_interval": item.get("MaxAggregationInterval", 600),
            "log_format": item.get("LogFormat") or DEFAULT_FORMAT,
            "file_format": options.get("FileFormat", "plain-text"),
            "hive_partitions": bool(options.get("HiveCompatiblePartitions")),
            "hourly_partitions": bool(options.get("PerHourPartition")),
            "superseded": set(item["Older"]),
            "tags": as_dict(item.get("Tags")),
        }

    def want(self) -> dict[str, Any]:
        in_s3 = self.destination_type == S3
        group = self.log_group.name if self.log_group else None
        return {
            "vpc_id": self.vpc.id if self.vpc else None,
            "destination_type": self.destination_type,
            "destination": self.destination if in_s3 else group,
            "role_arn": self.role.arn if self.role else None,
            "traffic_type": self.traffic_type,
            "aggregation_interval": self.aggregation_interval,
            "log_format": self.log_format or DEFAULT_FORMAT,
            "file_format": self.file_format if in_s3 else None,
            "hive_partitions": self.hive_partitions if in_s3 else None,
            "hourly_partitions": self.hourly_partitions if in_s3 else None,
            "superseded": set(),
        }

    def refuse(self, change: dict[str, Any]) -> str | None:
        if self.exists and change.get("destination_type") == S3:
            return (
                "its log group and its role would be left behind. Set flow_log_destination=none and run once, which deletes both with "
                "all logs in them, then set flow_log_destination=s3"
            )
        return None

    def create(self, client: Any, want: dict[str, Any]) -> None:
        arguments: dict[str, Any] = {}
        if want["log_format"] != DEFAULT_FORMAT:
            arguments["LogFormat"] = want["log_format"]
        if want["destination_type"] == S3:
            arguments["LogDestination"] = want["destination"]
            arguments["DestinationOptions"] = {
                "FileFormat": want["file_format"],
                "HiveCompatiblePartitions": want["hive_partitions"],
                "PerHourPartition": want["hourly_partitions"],
            }
        else:
            arguments |= {"LogGroupName": want["destination"], "DeliverLogsPermissionArn": want["role_arn"]}
        answer = client.create_flow_logs(
            ResourceType="VPC",
            ResourceIds=[want["vpc_id"]],
            TrafficType=want["traffic_type"],
            LogDestinationType=want["destination_type"],
            MaxAggregationInterval=want["aggregation_interval"],
            TagSpecifications=specification("vpc-flow-log", want),
            ClientToken=uuid4().hex,  # the SDK sends the call again when its answer is lost, and makes no token here
            **arguments,
        )
        for one in answer.get("Unsuccessful") or []:  # HTTP says success all the same
            raise client.exceptions.ClientError({"Error": one["Error"]}, "CreateFlowLogs")

    def update(self, client: Any, change: dict[str, Any]) -> None:
        older = sorted(self.get("superseded"))
        if change.keys() - {"tags", "superseded"}:
            kept = {key: value for key, value in self.get("tags").items() if not key.startswith("aws:")}
            self._replace(client, {**self.want(), "tags": change.get("tags", kept)}, older)
            return
        if older and "superseded" in change:
            client.delete_flow_logs(FlowLogIds=older)
        if "tags" in change:
            set_tags(client, self, change["tags"])

    def _replace(self, client: Any, want: dict[str, Any], older: list[str]) -> None:
        """Make the new one, then delete the old; AWS refuses two alike to one place, and then the old one must go first."""
        try:
            self.create(client, want)
            client.delete_flow_logs(FlowLogIds=[*older, self.id])
        except SDK_ERRORS as error:
            if error_code(error) != "FlowLogAlreadyExists":
                raise
            client.delete_flow_logs(FlowLogIds=[*older, self.id])
            self.create(client, want)

    def delete(self, client: Any) -> None:
        client.delete_flow_logs(FlowLogIds=[*sorted(self.get("superseded")), self.id])
