"""KMS keys. https://docs.aws.amazon.com/kms/latest/developerguide/"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from ..engine.resource import NAME_TAG, OWNER_TAG, Resource, Scope, changed_tags
from ..engine.sdk import SDK_ERRORS, error_code
from .policies import Policy
from .tagging import stack_tags, tags_of

DOOMED = ("PendingDeletion", "PendingReplicaDeletion")


@dataclass(eq=False)
class Key(Resource):
    """A symmetric key together with its alias, found by the alias; a reference may also be a key id or an ARN.

    A run that died between key and alias leaves a key that only its tags lead to: it is found again, in the listing or, while
    the tagging API still lags (trap 8), by ``create``. A key that waits for its deletion does not exist for us (trap 28).
    """

    service = "kms"
    missing = ("NotFoundException",)
    sent_once = ("CreateKey",)
    pending = ("Creating", "Updating")
    ready = ("Enabled", "Disabled")

    description: str | None = None
    policy: Policy | None = None
    rotation: bool | None = None
    deletion_window: int = 30

    _deleted_id = ""

    @classmethod
    def list_all(cls, client: Any, scope: Scope) -> Iterable[Any]:
        found = {name: _metadata(client, name) for name in sorted(scope.names)}
        items = [
            {"name": name, "alias": name if name.startswith("alias/") else None, **key}
            for name, key in found.items()
            if key
        ]
        references = bool(scope.members) and all(
            not one.owned and f"/{scope.stack}-" in one.name for one in scope.members
        )
        if references or (scope.fresh and items):
            return items
        return [*items, *_without_alias(client, scope, items)]

    @classmethod
    def identify(cls, item: Any) -> tuple[str, ...]:
        return (item["name"],)

    def read(self, client: Any, item: Any) -> dict[str, Any]:
        key_id, arn = item["KeyId"], item["Arn"]
        have = {
            "id": key_id,
            "arn": arn,
            "alias": item["alias"],
            "description": item["Description"],
            "enabled": item["KeyState"] != "Disabled",
            "state": item["KeyState"],
            "created_at": item["CreationDate"],
        }
        if not self.owned:
            return have
        if self.policy is not None:
            have["policy"] = Policy.parse(client.get_key_policy(KeyId=key_id, PolicyName="default")["Policy"])
        if self.rotation is not None:
            have["rotation"] = client.get_key_rotation_status(KeyId=key_id)["KeyRotationEnabled"]
        have["tags"] = tags_of(self, arn, lambda: _tags(client, key_id))
        return have

    def want(self) -> dict[str, Any]:
        return {
            "alias": self.name,
            "description": self.description,
            "policy": self.policy,
            "enabled": True,
            "rotation": self.rotation,
        }

    def create(self, client: Any, want: dict[str, Any]) -> None:
        key_id = self._left_behind(client)
        if key_id is None:
            tags = [{"TagKey": key, "TagValue": value} for key, value in sorted(want["tags"].items())]
            policy = {"Policy": self.policy.text} if self.policy is not None else {}
            key_id = client.create_key(Description=self.description or "", Tags=tags, **policy)["KeyMetadata"]["KeyId"]
        self._point_alias(client, key_id)

    def update(self, client: Any, change: dict[str, Any]) -> None:
        if "enabled" in change:
            client.enable_key(KeyId=self.id)
        if "alias" in change:
            self._point_alias(client, self.id)
        if "description" in change:
            client.update_key_description(KeyId=self.id, Description=change["description"])
        if "policy" in change:
            client.put_key_policy(KeyId=self.id, PolicyName="default", Policy=change["policy"].text)
        if "rotation" in change:
            rotate = client.enable_key_rotation if change["rotation"] else client.disable_key_rotation
            rotate(KeyId=self.id)
        if "tags" in change:
            to_set, to_remove = changed_tags((self.have or {}).get("tags") or {}, change["tags"])
            if to_set:
                client.tag_resource(
                    KeyId=self.id, Tags=[{"TagKey": key, "TagValue": value} for key, value in to_set.items()]
                )
            if to_remove:
                client.untag_resource(KeyId=self.id, TagKeys=to_remove)

    def delete(self, client: Any) -> None:
        # The alias first: a run that dies here finds the key by its tags, while an alias left over would lead to a dying key.
        self._deleted_id = self.id
        for alias in client.list_aliases(KeyId=self.id)["Aliases"]:
            client.delete_alias(AliasName=alias["AliasName"])
        client.schedule_key_deletion(KeyId=self.id, PendingWindowInDays=self.deletion_window or 30)

    def leftover(self) -> str | None:
        days = self.deletion_window or 30
        return (
            f"KMS key {self._deleted_id} ({self.name}) is deleted in {days} days and costs nothing until then. "
            "What it has encrypted, snapshots included, is lost with it: cancel-key-deletion keeps it"
        )

    def _point_alias(self, client: Any, key_id: str) -> None:
        """Make the alias lead to the key, even where it still leads to one that waits for its deletion."""
        try:
            client.create_alias(AliasName=self.name, TargetKeyId=key_id)
        except client.exceptions.AlreadyExistsException:
            client.update_alias(AliasName=self.name, TargetKeyId=key_id)

    def _left_behind(self, client: Any) -> str | None:
        """The key that an interrupted run made for this very resource: our tags, no alias."""
        aliases = client.get_paginator("list_aliases").paginate()
        named = {alias.get("TargetKeyId") for answer in aliases for alias in answer["Aliases"]}
        keys = client.get_paginator("list_keys").paginate()
        nameless = [key["KeyId"] for answer in keys for key in answer["Keys"] if key["KeyId"] not in named]
        wanted = {key: (self.wanted_tags or {}).get(key) for key in (OWNER_TAG, NAME_TAG)}
        for key_id in nameless:
            tags = _tags_if_allowed(client, key_id)
            if all(tags.get(key) == value for key, value in wanted.items()) and _metadata(client, key_id):
                return str(key_id)
        return None


def _metadata(client: Any, name: str) -> dict[str, Any] | None:
    """A key by id, ARN or alias; None where it does not exist or waits for its deletion."""
    try:
        found: dict[str, Any] = client.describe_key(KeyId=name)["KeyMetadata"]
    except SDK_ERRORS as error:
        if error_code(error) not in Key.missing:
            raise
        return None
    return None if found["KeyState"] in DOOMED else found


def _without_alias(client: Any, scope: Scope, items: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The stack's other keys, which only their tags lead to. A second key of a name is left alone: data may need it."""
    arns, taken = {item["Arn"] for item in items}, {item["name"] for item in items}
    for arn, tags in sorted(stack_tags(scope).items()):
        name = tags.get(NAME_TAG)
        if ":kms:" not in arn or arn in arns or not name or name in taken:
            continue
        key = _metadata(client, arn)
        if key is not None:
            taken.add(name)
            yield {"name": name, "alias": None, **key}


def _tags(client: Any, key_id: str) -> dict[str, str]:
    return {tag["TagKey"]: tag["TagValue"] for tag in client.list_resource_tags(KeyId=key_id)["Tags"]}


def _tags_if_allowed(client: Any, key_id: str) -> dict[str, str]:
    """Tags of any key of the account; none of a key whose policy keeps us out, for such a key is not ours."""
    try:
        return _tags(client, key_id)
    except SDK_ERRORS as error:
        if error_code(error) in ("AccessDeniedException", *Key.missing):
            return {}
        raise
