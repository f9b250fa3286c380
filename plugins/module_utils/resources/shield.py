"""Shield Advanced protections. https://docs.aws.amazon.com/waf/latest/DDOSAPIReference/

Nothing here subscribes: Shield Advanced is a commitment of a year and a lot of money (trap 166).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ..engine.resource import Resource, Scope, as_dict, as_list, changed_tags
from .tagging import tags_of


@dataclass(eq=False)
class Protection(Resource):
    """A protection of Shield Advanced, which only an account with a subscription can have."""

    service = "shield"
    fixed_region = "us-east-1"
    missing = ("ResourceNotFoundException",)
    busy = ("OptimisticLockException",)
    immutable = {
        "resource_arn": "A protection stays with its resource: add another one, and remove this one from the list"
    }

    resource_arn: str | None = None

    _subscribed = False

    @classmethod
    def list_all(cls, client: Any, scope: Scope) -> Iterable[Any]:
        subscribed = client.get_subscription_state()["SubscriptionState"] == "ACTIVE"
        for member in scope.members:
            if not isinstance(member, Protection):
                raise TypeError("a kind's members are of that kind")
            member._subscribed = subscribed
        if not subscribed:
            return
        for page in client.get_paginator("list_protections").paginate():
            for item in page["Protections"]:
                if item["Name"] in scope.names or item["Name"].startswith(f"{scope.stack}-"):
                    yield item

    @classmethod
    def identify(cls, item: Any) -> tuple[str, ...]:
        return (item["Name"],)

    def read(self, client: Any, item: Any) -> dict[str, Any]:
        arn = item["ProtectionArn"]
        return {
            "id": item["Id"],
            "arn": arn,
            "resource_arn": item["ResourceArn"],
            "tags": tags_of(self, arn, lambda: as_dict(client.list_tags_for_resource(ResourceARN=arn)["Tags"])),
        }

    def want(self) -> dict[str, Any]:
        return {"resource_arn": self.resource_arn}

    def refuse(self, change: dict[str, Any]) -> str | None:
        if self._subscribed:
            return None
        return (
            "this account has no subscription to Shield Advanced, and this collection never makes one, because it binds for a year. "
            "Subscribe by hand, or set shield_advanced to false; Shield Standard protects without it"
        )

    def create(self, client: Any, want: dict[str, Any]) -> None:
        client.create_protection(Name=self.name, ResourceArn=want["resource_arn"], Tags=as_list(want["tags"]))

    def update(self, client: Any, change: dict[str, Any]) -> None:
        to_set, to_remove = changed_tags((self.have or {}).get("tags") or {}, change["tags"])
        if to_set:
            client.tag_resource(ResourceARN=self.arn, Tags=as_list(to_set))
        if to_remove:
            client.untag_resource(ResourceARN=self.arn, TagKeys=to_remove)

    def delete(self, client: Any) -> None:
        client.delete_protection(ProtectionId=self.id)
