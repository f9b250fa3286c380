"""Secrets. https://docs.aws.amazon.com/secretsmanager/latest/userguide/"""

from __future__ import annotations

import json
import secrets
import string
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ..engine.resource import Resource, Scope, as_dict, as_list, changed_tags
from .kms import Key
from .tagging import stack_tags

LENGTH = 32  # letters and digits, because engines and URLs refuse various signs; MySQL takes no more than 41
SET_ON = "Master user of DB instance "
NOT_SET = "Master user, not yet set on a DB instance"


@dataclass(eq=False)
class Secret(Resource):
    """A generated user name and password, found by name. No output ever holds the value, and no run changes it.

    The description says on which DB instance the password is set, by the instance's resource id: so a run that died between secret
    and instance, and a secret that was made again, are both seen and put right.
    """

    service = "secretsmanager"
    missing = ("ResourceNotFoundException",)
    retry = ("KMSKeyNotAccessibleFault",)

    username: str | None = None
    kms_key: Key | None = None
    recovery_window_in_days: int = 7

    @classmethod
    def list_all(cls, client: Any, scope: Scope) -> Iterable[Any]:
        """One call for each secret that is wished for or, by its tags, ours; none where there is none."""
        names = set(scope.names)
        if not scope.fresh:
            left = (arn.split(":secret:")[1] for arn, tags in stack_tags(scope).items() if ":secret:" in arn)
            names |= {
                name[:-7] for name in left if name.startswith(f"{scope.stack}-")
            }  # less the six random signs of the ARN
        found = scope.gather(*(lambda name=name: _described(client, name) for name in sorted(names)))
        return [item for item in found if item is not None]

    @classmethod
    def identify(cls, item: Any) -> tuple[str, ...]:
        return (item["Name"],)

    def read(self, client: Any, item: Any) -> dict[str, Any]:
        description = item.get("Description") or ""
        return {
            "id": item["Name"],
            "arn": item["ARN"],
            "kms_key_id": item.get("KmsKeyId"),
            "set_on": description.removeprefix(SET_ON) if description.startswith(SET_ON) else None,
            "created_at": item.get("CreatedDate"),
            "tags": as_dict(item.get("Tags")),
        }

    def want(self) -> dict[str, Any]:
        return {"kms_key_id": self.kms_key.arn if self.kms_key else None}

    def create(self, client: Any, want: dict[str, Any]) -> None:
        alphabet = string.ascii_letters + string.digits
        password = "".join(secrets.choice(alphabet) for _position in range(LENGTH))
        arguments = {"KmsKeyId": want["kms_key_id"]} if want.get("kms_key_id") else {}
        value = json.dumps({"username": self.username, "password": password})
        try:
            client.create_secret(
                Name=self.name, Description=NOT_SET, SecretString=value, Tags=as_list(want["tags"]), **arguments
            )
        except client.exceptions.InvalidRequestException:
            # The name waits for its deletion (trap 28): the old secret is taken back, with a new value and our tags.
            client.restore_secret(SecretId=self.name)
            client.update_secret(SecretId=self.name, SecretString=value, Description=NOT_SET, **arguments)
            client.tag_resource(SecretId=self.name, Tags=as_list(want["tags"]))

    def update(self, client: Any, change: dict[str, Any]) -> None:
        if "kms_key_id" in change:
            client.update_secret(SecretId=self.id, KmsKeyId=change["kms_key_id"])
        if "tags" in change:
            to_set, to_remove = changed_tags((self.have or {}).get("tags") or {}, change["tags"])
            if to_set:
                client.tag_resource(SecretId=self.id, Tags=as_list(to_set))
            if to_remove:
                client.untag_resource(SecretId=self.id, TagKeys=to_remove)

    def record(self, resource_id: str) -> None:
        """Note that the password is now set on a DB instance."""
        self.scope.client("secretsmanager").update_secret(SecretId=self.id, Description=SET_ON + resource_id)
        if self.have is not None:
            self.have["set_on"] = resource_id

    def delete(self, client: Any) -> None:
        client.delete_secret(SecretId=self.id, RecoveryWindowInDays=self.recovery_window_in_days or 7)

    def leftover(self) -> str | None:
        days = self.recovery_window_in_days or 7
        return (
            f"secret {self.name} is deleted in {days} days and costs nothing until then; restore-secret brings it back"
        )


def _described(client: Any, name: str) -> dict[str, Any] | None:
    """A secret by name; None where it does not exist or waits for its deletion."""
    try:
        item: dict[str, Any] = client.describe_secret(SecretId=name)
    except client.exceptions.ResourceNotFoundException:
        return None
    return None if item.get("DeletedDate") else item
