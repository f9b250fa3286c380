"""IAM: a trust policy must be one, listings are short, and UpdateRole forgets what it is not given.

https://docs.aws.amazon.com/IAM/latest/APIReference/
"""

from __future__ import annotations

import json

from webstack_lab.extend import Answer, AwsError, Context, Params, operation

UNLISTED = ("Tags", "PermissionsBoundary", "RoleLastUsed")


def check_trust(text: str) -> None:
    """A trust policy says who may assume the role."""
    try:
        document = json.loads(text)
        statements = document["Statement"]
    except (ValueError, KeyError, TypeError):
        raise AwsError("MalformedPolicyDocument", "This policy contains invalid Json") from None
    for statement in statements if isinstance(statements, list) else [statements]:
        if "Principal" not in statement and "NotPrincipal" not in statement:
            raise AwsError("MalformedPolicyDocument", "AssumeRole policy must contain principals")
        if "Resource" in statement:
            raise AwsError("MalformedPolicyDocument", "Has prohibited field Resource")


@operation("iam", "CreateRole")
def create_role(context: Context, params: Params) -> Answer:
    """A role that somebody may assume."""
    check_trust(params["AssumeRolePolicyDocument"])
    return context.moto()


@operation("iam", "UpdateAssumeRolePolicy")
def update_assume_role_policy(context: Context, params: Params) -> Answer:
    """Another trust policy."""
    check_trust(params["PolicyDocument"])
    return context.moto()


@operation("iam", "UpdateRole")
def update_role(context: Context, params: Params) -> Answer:
    """What is not given gets its default: an hour for a session."""
    return context.moto({"MaxSessionDuration": 3600, **params})


@operation("iam", "RemoveRoleFromInstanceProfile")
def remove_role_from_instance_profile(context: Context, params: Params) -> Answer:
    """ "NoSuchEntity: … it referenced a resource entity that does not exist": the profile does not have the role (moto stumbles)."""
    name = params["InstanceProfileName"]
    profile = context.call("iam", "GetInstanceProfile", InstanceProfileName=name)["InstanceProfile"]
    if params["RoleName"] not in [role["RoleName"] for role in profile["Roles"]]:
        raise AwsError("NoSuchEntity", f"Role {params['RoleName']} in instance profile {name} cannot be found.", 404)
    return context.moto()


@operation("iam", "AttachRolePolicy")
def attach_role_policy(context: Context, params: Params) -> Answer:
    """Attaching what is attached changes nothing (moto counts it twice)."""
    attached = context.backend().get_role(params["RoleName"]).managed_policies
    return {} if params["PolicyArn"] in attached else context.moto()


@operation("iam", "ListRoles")
def list_roles(context: Context, params: Params) -> Answer:
    """A listing leaves tags and boundary to GetRole."""
    answer = context.moto()
    for role in answer["Roles"]:
        for key in UNLISTED:
            role.pop(key, None)
    return answer


@operation("iam", "ListInstanceProfiles")
def list_instance_profiles(context: Context, params: Params) -> Answer:
    """A listing leaves tags to GetInstanceProfile."""
    answer = context.moto()
    for profile in answer["InstanceProfiles"]:
        profile.pop("Tags", None)
    return answer
