"""Roles and instance profiles: found by name, kept as wished, deleted whole."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.webstack.aws.plugins.module_utils.engine.converger import Converger, Settings
from ansible_collections.webstack.aws.plugins.module_utils.engine.resource import Resource
from ansible_collections.webstack.aws.plugins.module_utils.engine.sdk import Clients
from ansible_collections.webstack.aws.plugins.module_utils.resources.iam import InstanceProfile, Role
from ansible_collections.webstack.aws.plugins.module_utils.resources.policies import document, trust

NAME = "demo-us-east-1-web"
SSM_CORE = "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"
AGENT = "arn:aws:iam::aws:policy/CloudWatchAgentServerPolicy"
READ = document({"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::demo/*"})


class Account:
    """Runs of the engine over a list of resources, against the lab."""

    def __init__(self, lab: Any) -> None:
        self.lab = lab
        self.iam = lab.client("iam")

    def run(
        self, *resources: Resource, remove: bool = False
    ) -> tuple[set[tuple[str, str]], dict[str, set[str]], list[dict[str, Any]]]:
        for resource in resources:
            resource.tier = "compute_asg"
        clients = Clients({"endpoint_url": self.lab.url, "aws_access_key_id": "lab", "aws_secret_access_key": "lab"})
        before = len(self.lab.calls())
        converger = Converger(
            resources, (Role, InstanceProfile), {"compute_asg"}, clients, Settings("demo", "us-east-1")
        )
        steps = converger.plan_removal() if remove else converger.plan(preview=False)
        plan = {(step.verb, step.resource.address) for step in steps}
        changes = {step.resource.address: set(step.change) for step in steps if step.verb == "update"}
        report = converger.remove() if remove else converger.apply()
        for error in report.failed:
            raise error
        return plan, changes, self.lab.calls()[before:]


@pytest.fixture
def account(lab: Any) -> Account:
    return Account(lab)


def role(**wishes: Any) -> Role:
    defaults: dict[str, Any] = {
        "trust": trust("ec2.amazonaws.com"),
        "managed_policy_arns": {SSM_CORE},
        "inline_policies": {"read": READ},
        "description": "Instances of demo",
    }
    return Role(NAME, **{**defaults, **wishes})


def pair(**wishes: Any) -> list[Resource]:
    one = role(**wishes)
    return [one, InstanceProfile(NAME, role=one)]


def quiet(account: Account, **wishes: Any) -> list[dict[str, Any]]:
    plan, _changes, calls = account.run(*pair(**wishes))
    assert plan == set()
    return calls


def test_a_role_and_its_profile_are_made_once(account: Account) -> None:
    plan, _changes, calls = account.run(*pair())
    assert plan == {("create", f"Role[{NAME}]"), ("create", f"InstanceProfile[{NAME}]")}
    made = next(call["params"] for call in calls if call["operation"] == "CreateRole")
    assert made["Path"] == "/webstack/demo/us-east-1/"
    assert {"Key": "webstack:stack", "Value": "demo"} in made["Tags"]
    assert json.loads(made["AssumeRolePolicyDocument"])["Statement"][0]["Principal"] == {"Service": "ec2.amazonaws.com"}
    reads = quiet(account)
    assert sorted(call["operation"] for call in reads) == [
        "GetInstanceProfile", "GetRole", "GetRolePolicy", "ListAttachedRolePolicies", "ListRolePolicies",
    ]  # fmt: skip


def test_every_drift_of_a_role_is_repaired(account: Account) -> None:
    account.run(*pair(permissions_boundary=AGENT))
    iam = account.iam
    drifts = {
        "trust": lambda: iam.update_assume_role_policy(RoleName=NAME, PolicyDocument=trust("ecs.amazonaws.com").text),
        "description": lambda: iam.update_role(RoleName=NAME, Description="other", MaxSessionDuration=7200),
        "permissions_boundary": lambda: iam.delete_role_permissions_boundary(RoleName=NAME),
        "managed_policy_arns": lambda: (
            iam.attach_role_policy(RoleName=NAME, PolicyArn=AGENT),
            iam.detach_role_policy(RoleName=NAME, PolicyArn=SSM_CORE),
        ),
        "inline_policies": lambda: (
            iam.put_role_policy(RoleName=NAME, PolicyName="stray", PolicyDocument=READ.text),
            iam.delete_role_policy(RoleName=NAME, PolicyName="read"),
        ),
        "tags": lambda: (
            iam.tag_role(RoleName=NAME, Tags=[{"Key": "stray", "Value": "x"}]),
            iam.untag_role(RoleName=NAME, TagKeys=["Name"]),
        ),
    }
    for attribute, drift in drifts.items():
        drift()
        _plan, changes, _calls = account.run(*pair(permissions_boundary=AGENT))
        assert changes == {f"Role[{NAME}]": {attribute}}
        quiet(account, permissions_boundary=AGENT)
    assert iam.get_role(RoleName=NAME)["Role"]["MaxSessionDuration"] == 7200, "UpdateRole resets what it is not given"


def test_every_drift_of_a_profile_is_repaired(account: Account) -> None:
    account.run(*pair())
    iam = account.iam
    iam.create_role(RoleName="other", AssumeRolePolicyDocument=trust("ec2.amazonaws.com").text)
    drifts = {
        "role_name": lambda: (
            iam.remove_role_from_instance_profile(InstanceProfileName=NAME, RoleName=NAME),
            iam.add_role_to_instance_profile(InstanceProfileName=NAME, RoleName="other"),
        ),
        "tags": lambda: (
            iam.untag_instance_profile(InstanceProfileName=NAME, TagKeys=["Name"]),
            iam.tag_instance_profile(InstanceProfileName=NAME, Tags=[{"Key": "stray", "Value": "x"}]),
        ),
    }
    for attribute, drift in drifts.items():
        drift()
        _plan, changes, _calls = account.run(*pair())
        assert changes == {f"InstanceProfile[{NAME}]": {attribute}}
        quiet(account)


def test_policies_written_differently_are_the_same(account: Account) -> None:
    """AWS quotes documents, and lists and single values mean the same (trap 25)."""
    account.run(*pair())
    other = document({"Action": ["s3:GetObject"], "Effect": "Allow", "Resource": ["arn:aws:s3:::demo/*"]})
    account.iam.put_role_policy(RoleName=NAME, PolicyName="read", PolicyDocument=json.dumps(other, indent=4))
    quiet(account)


def test_a_boundary_is_removed_by_an_empty_one(account: Account) -> None:
    account.run(*pair(permissions_boundary=AGENT))
    _plan, changes, _calls = account.run(*pair(permissions_boundary=""))
    assert changes == {f"Role[{NAME}]": {"permissions_boundary"}}
    assert "PermissionsBoundary" not in account.iam.get_role(RoleName=NAME)["Role"]
    quiet(account, permissions_boundary="")


def test_removal_clears_whatever_holds_the_role(account: Account) -> None:
    """A role with policies, boundary or profiles cannot be deleted (trap 26)."""
    account.run(*pair(permissions_boundary=AGENT))
    account.iam.create_instance_profile(InstanceProfileName="somebodys")
    account.iam.add_role_to_instance_profile(InstanceProfileName="somebodys", RoleName=NAME)
    account.iam.attach_role_policy(RoleName=NAME, PolicyArn=AGENT)
    account.run(*pair(), remove=True)
    assert [one["RoleName"] for one in account.iam.list_roles()["Roles"]] == []
    assert [one["InstanceProfileName"] for one in account.iam.list_instance_profiles()["InstanceProfiles"]] == [
        "somebodys"
    ]
    plan, _changes, calls = account.run(*pair(), remove=True)
    assert plan == set() and not [call for call in calls if call["kind"] == "write"]


def test_what_nobody_wishes_for_any_more_is_found_by_its_path(account: Account) -> None:
    account.run(
        *pair(), Role("demo-us-east-1-flow-logs", trust("vpc-flow-logs.amazonaws.com"), description="Flow logs")
    )
    plan, _changes, _calls = account.run(Role("demo-us-east-1-flow-logs", trust("vpc-flow-logs.amazonaws.com")))
    assert plan == {("delete", f"Role[{NAME}]"), ("delete", f"InstanceProfile[{NAME}]")}
    plan, _changes, _calls = account.run()
    assert plan == {("delete", "Role[demo-us-east-1-flow-logs]")}
    assert account.iam.list_roles()["Roles"] == []


def test_a_role_of_somebody_else_is_left_alone(account: Account) -> None:
    account.iam.create_role(RoleName=NAME, AssumeRolePolicyDocument=trust("ec2.amazonaws.com").text)
    with pytest.raises(Exception, match=r"it exists, but without the tag webstack:stack=demo"):
        account.run(*pair())


def test_the_users_own_role_is_named_by_its_arn(account: Account) -> None:
    arn = account.iam.create_role(
        RoleName="own", Path="/team/", AssumeRolePolicyDocument=trust("ec2.amazonaws.com").text
    )["Role"]["Arn"]
    own = Role(arn, owned=False)
    profile = InstanceProfile(NAME, role=own)
    account.run(own, profile)
    assert own.arn == arn
    assert (
        account.iam.get_instance_profile(InstanceProfileName=NAME)["InstanceProfile"]["Roles"][0]["RoleName"] == "own"
    )
