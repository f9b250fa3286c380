"""Machine images, referred to only: by id, or by a parameter of Systems Manager that names the newest one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ..engine.resource import Resource, Scope
from .ec2 import described


@dataclass(eq=False)
class Image(Resource):
    """An AMI, found by its id. https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/AMIs.html"""

    service = "ec2"
    missing = ("InvalidAMIID.NotFound", "InvalidAMIID.Malformed", "InvalidAMIID.Unavailable")
    tagged = False

    @classmethod
    def list_all(cls, client: Any, scope: Scope) -> Iterable[Any]:
        return described(client, "describe_images", "Images", ImageIds=sorted(scope.names)) if scope.names else []

    @classmethod
    def identify(cls, item: Any) -> tuple[str, ...]:
        return (item["ImageId"],)

    def read(self, client: Any, item: Any) -> dict[str, Any]:
        return {
            "id": item["ImageId"],
            "image_id": item["ImageId"],
            "root_device_name": item.get("RootDeviceName"),
            "architecture": item.get("Architecture"),
        }


@dataclass(eq=False)
class ImageParameter(Resource):
    """A parameter that names an AMI, such as AWS's own for Amazon Linux. What it names moves with every release (trap 51).

    https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-public-parameters-ami.html
    """

    service = "ssm"
    missing = ("ParameterNotFound",)
    tagged = False

    @classmethod
    def list_all(cls, client: Any, scope: Scope) -> Iterable[Any]:
        # GetParameters answers for up to ten names at once, and lists unknown ones instead of failing.
        names = sorted(scope.names)
        parts = [names[start : start + 10] for start in range(0, len(names), 10)]
        return [item for part in parts for item in client.get_parameters(Names=part)["Parameters"]]

    @classmethod
    def identify(cls, item: Any) -> tuple[str, ...]:
        return (item["Name"], item.get("ARN", ""))

    def read(self, client: Any, item: Any) -> dict[str, Any]:
        return {"id": item["Name"], "image_id": item["Value"]}
