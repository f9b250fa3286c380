"""Policies as JSON: statements from reaches, in parts that AWS takes as managed policies."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import yaml

from least_privilege import code
from least_privilege.actions import actions, reads
from least_privilege.scopes import CONDITIONS, reaches

HERE = Path(__file__).parent
LIMIT = 6144  # characters of a managed policy, white space not counted
KINDS = ("plan", "converge", "destroy", "drill", "deploy", "sync")
# The files whose operations a kind of run may call, and whether it has plan.json beside it.
LOCK = ("operations/lock.py", "operations/aborting.py")
SHARED = (*LOCK, "operations/stack_checks.py", "operations/undo.py", "operations/web_*.py", "operations/probe_*.py")
FILES: dict[str, tuple[str, ...]] = {
    "plan": ("resources/*.py", "tiers/*.py", "module.py", *LOCK),
    "converge": ("resources/*.py", "tiers/*.py", *LOCK),
    "destroy": LOCK,
    "drill": (*SHARED, "module.py", "operations/drill*.py", "operations/rds_*.py", "operations/az_*.py"),
    "deploy": (
        *SHARED, "module.py", "operations/deploy_*.py", "operations/instance_refresh.py", "operations/refresh*.py", "operations/in_place*.py",
        "operations/launch_versions.py", "operations/rotation.py", "operations/release*.py", "operations/undo_deployment.py",
    ),
    "sync": ("operations/sync*.py",),
}  # fmt: skip
BESIDE_PLAN = ("converge", "destroy")  # these are attached together with plan.json
ENDS = (
    "Abort",
    "Delete",
    "Deregister",
    "Detach",
    "Disable",
    "Disassociate",
    "Release",
    "Remove",
    "Revoke",
    "Unsubscribe",
    "Untag",
)
TAKERS = ("PutMetricAlarm", "PutCompositeAlarm")  # these take tags, though they are not called so
BARE = ("CreateInvalidation",)  # and this takes none
LOCKING = {"ssm:PutParameter", "ssm:DeleteParameters", "ssm:AddTagsToResource"}

Statement = dict[str, Any]


def recorded() -> dict[str, list[str]]:
    """Kind of run → the calls that one was seen to make, as ``service Operation`` (``+`` behind it: with tags)."""
    found: dict[str, list[str]] = yaml.safe_load((HERE / "recorded.yml").read_text(encoding="utf-8"))
    return found


def needed(kind: str) -> set[str]:
    """The actions that a kind of run needs: those it was seen to need, and those of the operations that its code names."""
    found: set[str] = set()
    for line in recorded()[kind]:
        service, operation = line.rstrip("+").split()
        found.update(actions(service, operation, line.endswith("+")))
    for service, operation in code.operations(*FILES[kind]):
        found.update(
            actions(service, operation, ("Create" in operation and operation not in BARE) or operation in TAKERS)
        )
    if kind == "plan":
        return {action for action in found if reads(action)}
    if kind == "destroy":
        named = {name for one in code.operations("resources/*.py") for name in actions(*one)}
        found |= {action for action in named if action.partition(":")[2].startswith(ENDS)}
    if kind in BESIDE_PLAN:
        return {action for action in found if not reads(action)}
    return found


def statements(kind: str) -> list[Statement]:
    """The statements of a kind of run; actions with the same reach stand together."""
    grouped: dict[tuple[str, tuple[str, ...]], set[str]] = defaultdict(set)
    owned: dict[str, tuple[set[str], set[str]]] = defaultdict(lambda: (set(), set()))
    for action in sorted(needed(kind)):
        joined: dict[str, set[str]] = defaultdict(set)
        for reach in reaches(action):
            joined[reach.condition].update(reach.resources)
        for condition, resources in joined.items():
            if (
                condition == "owned"
            ):  # on what carries the tag a service's actions may share their resources: nothing is won by it
                owned[action.partition(":")[0]][0].add(action)
                owned[action.partition(":")[0]][1].update(resources)
            else:
                grouped[condition, _short(resources)].add(action)
    for names, resources in owned.values():
        grouped["owned", _short(resources)].update(names)
    found = [_statement(sorted(names), *key) for key, names in sorted(grouped.items())]
    return found + [_plain(one) for one in extra() if kind in one["in"]]


def extra() -> list[dict[str, Any]]:
    loaded: list[dict[str, Any]] = yaml.safe_load((HERE / "extra.yml").read_text(encoding="utf-8"))
    return loaded


def _plain(one: dict[str, Any]) -> Statement:
    return {"Effect": "Allow", **{key: value for key, value in one.items() if key not in ("why", "in")}}


def _statement(names: list[str], condition: str, resources: tuple[str, ...]) -> Statement:
    block = {"Condition": CONDITIONS[condition]} if condition else {}
    return {"Effect": "Allow", "Action": names, "Resource": list(resources), **block}


def _short(resources: set[str]) -> tuple[str, ...]:
    """Resources without those that another pattern holds already."""
    return tuple(sorted(one for one in resources if not any(fnmatchcase(one, other) for other in resources - {one})))


def parts(kind: str) -> list[dict[str, Any]]:
    """A kind's policies, each within the limit of a managed policy."""
    documents: list[list[Statement]] = [[]]
    for statement in statements(kind):
        for piece in _pieces(statement):
            if size([*documents[-1], piece]) > LIMIT:
                documents.append([])
            documents[-1].append(piece)
    return [document(one) for one in documents]


def _pieces(statement: Statement) -> Iterable[Statement]:
    """A statement that is too long for half a policy, cut by its actions."""
    names = statement["Action"]
    if size([statement]) <= LIMIT // 2:
        return [statement]
    half = len(names) // 2
    return [piece for part in (names[:half], names[half:]) for piece in _pieces({**statement, "Action": part})]


def document(found: list[Statement]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": found}


def size(found: list[Statement]) -> int:
    """The characters that AWS counts, with the longest name a stack may have and a real account filled in."""
    return len(
        fill(
            json.dumps(document(found), separators=(",", ":")), stack="s" * 20, account="1" * 12, partition="aws-us-gov"
        )
    )


def fill(text: str, stack: str, account: str, region: str = "*", partition: str = "aws") -> str:
    """A policy's text with its placeholders filled in."""
    for name, value in {"STACK": stack, "ACCOUNT": account, "REGION": region, "PARTITION": partition}.items():
        text = text.replace(name, value)
    return text


def files() -> dict[str, str]:
    """File name → text of every policy that ships."""
    found: dict[str, str] = {}
    for kind in KINDS:
        documents = parts(kind)
        for number, one in enumerate(documents, 1):
            name = f"{kind}.json" if len(documents) == 1 else f"{kind}-{number}.json"
            found[name] = json.dumps(one, indent=2) + "\n"
    return found
