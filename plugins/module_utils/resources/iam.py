"""IAM roles and instance profiles. They are global, so their names carry the region of the run that makes them.

Ours lie under the path /webstack/<stack>/<region>/: one short listing finds what the stack no longer asks for, however
many roles the account has. https://docs.aws.amazon.com/IAM/latest/UserGuide/
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

from ..engine.resource import OWNER_TAG, Resource, Scope, as_dict, as_list, changed_tags
from ..engine.sdk import SDK_ERRORS, error_code
from .policies import Policy


def path_of(stack: str, region: str) -> str:
    """The path of everything in IAM that a stack makes for a region."""
    return f"/webstack/{stack}/{region}/"


def names_in(scope: Scope) -> set[str]:
    """The wished-for names; of an ARN, the name at its end."""
    return {name.rsplit("/", 1)[-1] for name in scope.names}


def existing(scope: Scope, names: Iterable[str], get: Callable[[str], Any]) -> list[Any]:
    """Those of the named things that exist, one Get call each, made at the same time."""

    def ask(name: str) -> Any:
        try:
            return get(name)
        except SDK_ERRORS as error:
            if error_code(error) == "NoSuchEntity":
                return None
            raise

    answers = scope.gather(*(partial(ask, name) for name in sorted(names)))
    return [answer for answer in answers if answer is not None]


@dataclass(eq=False)
class InstanceProfile(Resource):
    """The envelope in which EC2 takes a role. Found by its name, or by the ARN of the user's own."""

    service = "iam"
    missing = ("NoSuchEntity",)
    retry = ("NoSuchEntity",)
    busy = ("DeleteConflict",)

    role: Role | None = None

    @classmethod
    def list_all(cls, client: Any, scope: Scope) -> Iterable[Any]:
        found = existing(
            scope,
            names_in(scope),
            lambda name: client.get_instance_profile(InstanceProfileName=name)["InstanceProfile"],
        )
        if scope.fresh or any(member.owned for member in scope.members):
            return found
        path = path_of(scope.stack, scope.region)
        pages = client.get_paginator("list_instance_profiles").paginate(PathPrefix=path)
        names = {profile["InstanceProfileName"] for profile in found}
        listed = [profile for page in pages for profile in page["InstanceProfiles"] if profile["Path"].startswith(path)]
        return found + [profile for profile in listed if profile["InstanceProfileName"] not in names]

    @classmethod
    def identify(cls, item: Any) -> tuple[str, ...]:
        return (item["InstanceProfileName"], item["Arn"])

    def read(self, client: Any, item: Any) -> dict[str, Any]:
        if "Tags" not in item:  # a listing leaves them out
            item = client.get_instance_profile(InstanceProfileName=item["InstanceProfileName"])["InstanceProfile"]
        return {
            "id": item["InstanceProfileName"],
            "arn": item["Arn"],
            "role_name": next((role["RoleName"] for role in item["Roles"]), None),
            "created_at": item["CreateDate"],
            "tags": as_dict(item.get("Tags")),
        }

    def want(self) -> dict[str, Any]:
        return {"role_name": self.role.name.rsplit("/", 1)[-1] if self.role else None}

    def create(self, client: Any, want: dict[str, Any]) -> None:
        path = path_of(want["tags"][OWNER_TAG], self.region)
        client.create_instance_profile(InstanceProfileName=self.name, Path=path, Tags=as_list(want["tags"]))

    def update(self, client: Any, change: dict[str, Any]) -> None:
        if "role_name" in change:
            if (self.have or {}).get("role_name"):  # a profile holds one role at most
                client.remove_role_from_instance_profile(InstanceProfileName=self.id, RoleName=self.get("role_name"))
            client.add_role_to_instance_profile(InstanceProfileName=self.id, RoleName=change["role_name"])
        if "tags" in change:
            to_set, to_remove = changed_tags((self.have or {}).get("tags") or {}, change["tags"])
            if to_set:
                client.tag_instance_profile(InstanceProfileName=self.id, Tags=as_list(to_set))
            if to_remove:
                client.untag_instance_profile(InstanceProfileName=self.id, TagKeys=to_remove)

    def delete(self, client: Any) -> None:
        if (self.have or {}).get("role_name"):
            client.remove_role_from_instance_profile(InstanceProfileName=self.id, RoleName=self.get("role_name"))
        client.delete_instance_profile(InstanceProfileName=self.id)


@dataclass(eq=False)
class Role(Resource):
    """A role, found by its name (or by the ARN of the user's own).

    ``managed_policy_arns`` and ``inline_policies`` are the whole list: others are detached and deleted. An empty
    ``permissions_boundary`` removes it.
    """

    service = "iam"
    missing = ("NoSuchEntity",)
    retry = ("NoSuchEntity", "MalformedPolicyDocument:Invalid principal")
    busy = ("DeleteConflict", "ConcurrentModification")
    within = (InstanceProfile,)

    trust: Policy | None = None
    managed_policy_arns: set[str] | None = None
    inline_policies: dict[str, Policy] | None = None
    permissions_boundary: str | None = None
    description: str | None = None

    @classmethod
    def list_all(cls, client: Any, scope: Scope) -> Iterable[Any]:
        """The wished-for roles by name; unless all are roles of instances, also those under the stack's path."""
        names = names_in(scope)
        ours = [profile.have or {} for profile in scope.of(InstanceProfile) if profile.owned]
        held = {str(profile["role_name"]) for profile in ours if profile.get("role_name")}
        if not scope.fresh and (not held or names - held):
            path = path_of(scope.stack, scope.region)
            pages = client.get_paginator("list_roles").paginate(PathPrefix=path)
            names |= {role["RoleName"] for page in pages for role in page["Roles"] if role["Path"].startswith(path)}
        # GetRole for each, because ListRoles knows neither tags nor boundary.
        names |= set() if scope.fresh else held
        return existing(scope, names, lambda name: client.get_role(RoleName=name)["Role"])

    @classmethod
    def identify(cls, item: Any) -> tuple[str, ...]:
        return (item["RoleName"], item["Arn"])

    def read(self, client: Any, item: Any) -> dict[str, Any]:
        have = {
            "id": item["RoleName"],
            "arn": item["Arn"],
            # A deleted principal comes back as its unique id: unequal to the wish, so put again (trap 24).
            "trust": Policy.parse(item["AssumeRolePolicyDocument"]),
            "permissions_boundary": (item.get("PermissionsBoundary") or {}).get("PermissionsBoundaryArn", ""),
            "description": item.get("Description", ""),
            "max_session_duration": item.get("MaxSessionDuration"),
            "created_at": item["CreateDate"],
            "tags": as_dict(item.get("Tags")),
        }
        wanted: list[Callable[[], None]] = []
        if self.owned and self.managed_policy_arns is not None:
            wanted.append(lambda: have.update(managed_policy_arns=attached(client, item["RoleName"])))
        if self.owned and self.inline_policies is not None:
            wanted.append(lambda: have.update(inline_policies=self._inline(client, item["RoleName"])))
        self.scope.gather(*wanted)
        return have

    def _inline(self, client: Any, role: str) -> dict[str, Policy]:
        pages = client.get_paginator("list_role_policies").paginate(RoleName=role)
        names = [name for page in pages for name in page["PolicyNames"]]
        answers = self.scope.gather(
            *(partial(client.get_role_policy, RoleName=role, PolicyName=name) for name in names)
        )
        return {answer["PolicyName"]: Policy.parse(answer["PolicyDocument"]) or Policy() for answer in answers}

    def want(self) -> dict[str, Any]:
        return {
            "trust": self.trust,
            "managed_policy_arns": self.managed_policy_arns,
            "inline_policies": self.inline_policies,
            "permissions_boundary": self.permissions_boundary,
            "description": self.description,
        }

    def create(self, client: Any, want: dict[str, Any]) -> None:
        if self.trust is None:
            raise TypeError("an owned role is built with its trust policy")
        client.create_role(
            RoleName=self.name,
            Path=path_of(want["tags"][OWNER_TAG], self.region),
            AssumeRolePolicyDocument=self.trust.text,
            Tags=as_list(want["tags"]),
            **({"Description": self.description} if self.description else {}),
            **({"PermissionsBoundary": self.permissions_boundary} if self.permissions_boundary else {}),
        )

    def update(self, client: Any, change: dict[str, Any]) -> None:
        if "trust" in change:
            client.update_assume_role_policy(RoleName=self.id, PolicyDocument=change["trust"].text)
        if "description" in change:
            # What UpdateRole is not given falls back to its default, so the session duration goes along.
            duration = self.get("max_session_duration")
            client.update_role(RoleName=self.id, Description=change["description"], MaxSessionDuration=duration)
        if change.get("permissions_boundary"):
            client.put_role_permissions_boundary(RoleName=self.id, PermissionsBoundary=change["permissions_boundary"])
        elif "permissions_boundary" in change:
            client.delete_role_permissions_boundary(RoleName=self.id)
        if "inline_policies" in change:
            self._set_inline(client, change["inline_policies"])
        if "managed_policy_arns" in change:
            have = (self.have or {}).get("managed_policy_arns") or set()
            for arn in sorted(change["managed_policy_arns"] - have):
                client.attach_role_policy(RoleName=self.id, PolicyArn=arn)
            for arn in sorted(have - change["managed_policy_arns"]):
                client.detach_role_policy(RoleName=self.id, PolicyArn=arn)
        if "tags" in change:
            to_set, to_remove = changed_tags((self.have or {}).get("tags") or {}, change["tags"])
            if to_set:
                client.tag_role(RoleName=self.id, Tags=as_list(to_set))
            if to_remove:
                client.untag_role(RoleName=self.id, TagKeys=to_remove)

    def _set_inline(self, client: Any, wanted: dict[str, Policy]) -> None:
        have = (self.have or {}).get("inline_policies") or {}
        for name, policy in sorted(wanted.items()):
            if have.get(name) != policy:
                client.put_role_policy(RoleName=self.id, PolicyName=name, PolicyDocument=policy.text)
        for name in sorted(have.keys() - wanted.keys()):
            client.delete_role_policy(RoleName=self.id, PolicyName=name)

    def delete(self, client: Any) -> None:
        """Everything that holds a role goes first, or AWS answers DeleteConflict (trap 26)."""
        pages = client.get_paginator("list_instance_profiles_for_role").paginate(RoleName=self.id)
        for profile in [profile["InstanceProfileName"] for page in pages for profile in page["InstanceProfiles"]]:
            client.remove_role_from_instance_profile(InstanceProfileName=profile, RoleName=self.id)
        for arn in sorted(attached(client, self.id)):
            client.detach_role_policy(RoleName=self.id, PolicyArn=arn)
        for name in sorted(self._inline(client, self.id)):
            client.delete_role_policy(RoleName=self.id, PolicyName=name)
        if (self.have or {}).get("permissions_boundary"):
            client.delete_role_permissions_boundary(RoleName=self.id)
        client.delete_role(RoleName=self.id)


def attached(client: Any, role: str) -> set[str]:
    """The ARNs of the managed policies of a role."""
    pages = client.get_paginator("list_attached_role_policies").paginate(RoleName=role)
    return {policy["PolicyArn"] for page in pages for policy in page["AttachedPolicies"]}
