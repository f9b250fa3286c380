"""The policies that ship: every call that runs were seen to make is allowed by them, and no statement of theirs is there for nothing."""

from __future__ import annotations

import json
from typing import Any

import policies
import pytest
from dying import World
from least_privilege import code, document, recording
from least_privilege.actions import actions, details, reads, tags_of
from least_privilege.evaluate import outside
from reference import GLOBAL, OPTIONS, REGIONAL
from stack import ACCOUNT

Call = dict[str, Any]
WITH = {
    "plan": ("plan",),
    "converge": ("plan", "converge"),
    "destroy": ("plan", "destroy"),
    "drill": ("drill",),
    "deploy": ("deploy",),
    "sync": ("sync",),
}


def shipped(kind: str) -> list[dict[str, Any]]:
    """The policies to attach for a kind of run, filled in for the stack of the tests."""
    paths = [path for name in WITH[kind] for path in sorted(policies.SHIPPED.glob(f"{name}*.json"))]
    assert paths
    return [json.loads(document.fill(path.read_text(encoding="utf-8"), "demo", ACCOUNT)) for path in paths]


@pytest.fixture(scope="module")
def runs() -> dict[str, Any]:
    """The calls of the reference stack's life, kind by kind, and the tags of what stood."""
    world = World(OPTIONS)
    world.clock.speed = 4
    found: dict[str, Any] = {}

    def take(kind: str, removal: bool = False, preview: bool = False) -> None:
        world.app.calls.clear()
        for tiers in (GLOBAL, REGIONAL) if removal else (REGIONAL, GLOBAL):
            if preview:
                world.converger(list(tiers)).plan(preview=True)
            else:
                world.run(*tiers, removal=removal)
        found.setdefault(kind, []).extend(world.app.calls.select())

    take("plan", preview=True)
    take("converge")
    take("converge")
    found["tags"] = ec2_tags(world)
    take("destroy", removal=True)
    return found


def ec2_tags(world: World) -> dict[str, dict[str, str]]:
    """The tags of everything that EC2 has, by ARN."""
    tags: dict[str, dict[str, str]] = {}
    for page in world.clients("ec2", "us-east-1").get_paginator("describe_tags").paginate():
        for tag in page["Tags"]:
            arn = f"arn:aws:ec2:us-east-1:{ACCOUNT}:{tag['ResourceType']}/{tag['ResourceId']}"
            tags.setdefault(arn, {})[tag["Key"]] = tag["Value"]
    return tags


@pytest.mark.parametrize("kind", ["plan", "converge", "destroy"])
def test_no_call_of_a_run_is_outside_the_policies_that_ship(runs: dict[str, Any], kind: str) -> None:
    calls = runs[kind]
    assert len(calls) > 40
    # A run tags on its way, so what a tag says at the end is no proof of what it said before; at the removal it is.
    tags = runs["tags"] if kind == "destroy" else {}
    assert outside(calls, shipped(kind), tags, account=ACCOUNT) == []


def test_a_removal_touches_nothing_that_another_stack_owns(runs: dict[str, Any]) -> None:
    foreign = {arn: {**tags, "webstack:stack": "other"} for arn, tags in runs["tags"].items()}
    denied = outside(runs["destroy"], shipped("destroy"), foreign, account=ACCOUNT)
    assert any(line.startswith("ec2 DeleteVpc: ec2:DeleteVpc on arn:aws:ec2:") for line in denied), denied


def test_a_plan_needs_no_permission_to_write(runs: dict[str, Any]) -> None:
    assert outside(runs["converge"], shipped("plan"), {}, account=ACCOUNT) != []
    names = {name for policy in shipped("plan") for one in policy["Statement"] for name in one["Action"]}
    assert [name for name in sorted(names) if not reads(name)] == []


@pytest.mark.parametrize(
    "lost", ["ec2:CreateVpc", "iam:PassRole", "kms:CreateKey", "s3:PutEncryptionConfiguration", "rds:CreateDBInstance"]
)
def test_a_statement_that_is_missing_is_missed_by_name(runs: dict[str, Any], lost: str) -> None:
    kept = [
        {"Statement": [one for one in policy["Statement"] if lost not in one["Action"]]}
        for policy in shipped("converge")
    ]
    denied = outside(runs["converge"], kept, {}, account=ACCOUNT)
    assert any(f": {lost} on " in line for line in denied), denied


def test_what_has_another_name_is_not_reached(runs: dict[str, Any]) -> None:
    other = [json.loads(json.dumps(policy).replace("demo-", "shop-")) for policy in shipped("converge")]
    denied = outside(runs["converge"], other, {}, account=ACCOUNT)
    for word in ("rds CreateDBInstance", "s3 CreateBucket", "elbv2 CreateTargetGroup", "secretsmanager CreateSecret"):
        assert any(line.startswith(word) for line in denied), word


@pytest.mark.parametrize("kind", document.KINDS)
def test_every_recorded_call_of_a_playbook_has_its_actions_in_the_policies(kind: str) -> None:
    names = {name for policy in shipped(kind) for one in policy["Statement"] for name in one["Action"]}
    lines = document.recorded()[kind]
    assert lines, f"{kind} was never recorded: make policies RECORD=yes"
    needed = {name for line in lines for name in actions(*line.rstrip("+").split(), line.endswith("+"))}
    assert needed - names == set()


def test_every_operation_that_the_code_names_is_allowed_to_somebody() -> None:
    names = {
        name
        for path in policies.SHIPPED.glob("*.json")
        for one in json.loads(path.read_text())["Statement"]
        for name in one["Action"]
    }
    named = {
        name for one in code.operations("resources/*.py", "tiers/*.py", "operations/*.py") for name in actions(*one)
    }
    assert named - names == set()


def test_every_policy_can_be_attached_as_a_managed_policy() -> None:
    for kind in document.KINDS:
        parts = sorted(policies.SHIPPED.glob(f"{kind}*.json"))
        assert all(document.size(json.loads(path.read_text())["Statement"]) <= document.LIMIT for path in parts)
    assert sum(len(list(policies.SHIPPED.glob(f"{kind}*.json"))) for kind in WITH["converge"]) <= 10, (
        "AWS attaches ten to a role"
    )


def test_nothing_may_be_done_to_everything(runs: dict[str, Any]) -> None:
    """A star stands only where AWS knows no resource, or under a condition."""
    wide = {
        name
        for kind in ("converge", "destroy", "drill", "deploy")
        for policy in shipped(kind)
        for one in policy["Statement"]
        if one["Resource"] == ["*"] and "Condition" not in one
        for name in one["Action"]
        if not reads(name)
    }
    known = {name for name in wide if details(name)["resourceTypes"]}
    assert known == set()


def test_a_call_is_written_down_with_whether_it_gives_tags() -> None:
    tagged = {
        "service": "ec2",
        "operation": "CreateVpc",
        "params": {"TagSpecifications": [{"Tags": [{"Key": "a", "Value": "b"}]}]},
    }
    assert recording.line(tagged) == "ec2 CreateVpc+" and tags_of(tagged["params"]) == {"a": "b"}
    assert recording.line({**tagged, "params": {}}) == "ec2 CreateVpc"


def test_parliament_still_finds_what_is_wrong() -> None:
    wrong = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": ["s3:GetBucketTypo"], "Resource": ["*"]}],
    }
    assert any("UNKNOWN_ACTION" in line for line in policies.findings("x.json", json.dumps(wrong)))


def test_placeholders_are_filled_in() -> None:
    text = document.fill("arn:PARTITION:rds:REGION:ACCOUNT:db:STACK-*", "shop", "111122223333", "eu-west-1", "aws-cn")
    assert text == "arn:aws-cn:rds:eu-west-1:111122223333:db:shop-*"
    for kind in document.KINDS:
        assert "STACK" not in json.dumps(shipped(kind)) and "ACCOUNT" not in json.dumps(shipped(kind))
