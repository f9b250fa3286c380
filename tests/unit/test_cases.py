"""Tiers from YAML cases: options → the plan, and the requests that it leads to, or the refusal.

Cases lie in ``cases/<tier>/<name>.yml``, and adding one needs no Python. Cases of one name are one stack, each tier built on those that it
needs; a tier without a case of that name is built with the options of the reference stack. A case holds ``options`` and either

- ``plan``: kind → the names of all that is made, and ``calls``: operation → how many of all writes there are,
  ``requests``: operation → parameters that some request of it must hold (lists hold at least what is said), or
- ``refused``: options → part of the one error, before the first write.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from reference import NEEDS, OPTIONS
from stack import Result, Stack, refusal

from webstack_lab.testing import Lab

CASES = Path(__file__).with_name("cases")
ORDER = list(NEEDS)
FILES = sorted(CASES.glob("*/*.yml"), key=lambda path: (path.stem, ORDER.index(path.parent.name)))
BUILT = [path for path in FILES if "refused" not in path.stem]


def load(path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return loaded


def options_of(tier: str, name: str) -> dict[str, Any]:
    path = CASES / tier / f"{name}.yml"
    found: dict[str, Any] = load(path)["options"] if path.exists() else OPTIONS[tier]
    return found


class World:
    """The stack of one name, built tier by tier when somebody needs it."""

    def __init__(self, lab: Lab, name: str) -> None:
        lab.reset()
        lab.clear_calls()
        self.stack, self.name = Stack(lab), name
        self.built: dict[str, Result] = {}

    def build(self, tier: str) -> Result:
        for one in (*NEEDS[tier], tier):
            if one not in self.built:
                self.built[one] = self.stack.converge(one, **options_of(one, self.name))
        return self.built[tier]


@pytest.fixture(scope="module")
def worlds(running_lab: Lab) -> Iterator[dict[str, World]]:
    yield {}
    running_lab.reset()


@pytest.fixture
def world(request: pytest.FixtureRequest, worlds: dict[str, World], running_lab: Lab) -> World:
    name = request.param
    if name not in worlds:
        worlds.clear()  # one account: a new stack replaces the last one
        worlds[name] = World(running_lab, name)
    return worlds[name]


def holds(sent: Any, expected: Any) -> bool:
    """Whether a request says what is expected; mappings and lists may say more."""
    if isinstance(expected, dict):
        return isinstance(sent, dict) and all(key in sent and holds(sent[key], part) for key, part in expected.items())
    if isinstance(expected, list):
        return isinstance(sent, list) and all(any(holds(one, part) for one in sent) for part in expected)
    return bool(sent == expected)


def planned(result: Result) -> dict[str, list[str]]:
    plan: dict[str, list[str]] = {}
    for verb, address in result.plan:
        assert verb == "create", address
        kind, _bracket, name = address.partition("[")
        plan.setdefault(kind, []).append(name.removesuffix("]"))
    return {kind: sorted(names) for kind, names in plan.items()}


@pytest.mark.parametrize(
    ("world", "path"),
    [pytest.param(path.stem, path, id=f"{path.parent.name}-{path.stem}") for path in BUILT],
    indirect=["world"],
)
def test_a_case_leads_to_its_plan_and_requests(world: World, path: Path) -> None:
    case, tier = load(path), path.parent.name
    result = world.build(tier)
    assert planned(result) == {kind: sorted(names) for kind, names in case["plan"].items()}
    assert Counter(call["operation"] for call in result.writes) == case["calls"]
    for operation, wishes in case.get("requests", {}).items():
        for wish in wishes:
            assert any(holds(sent, wish) for sent in result.sent(operation)), (operation, wish, result.sent(operation))
    again = world.stack.converge(tier, **case["options"])
    assert (again.plan, again.writes) == (set(), [])


@pytest.mark.parametrize(
    ("tier", "refused"),
    [
        pytest.param(path.parent.name, refused, id=f"{path.parent.name}-{refused['error'][:40]}")
        for path in FILES
        if path not in BUILT
        for refused in load(path)["refused"]
    ],
)
def test_a_case_is_refused_before_the_first_call(lab: Lab, tier: str, refused: dict[str, Any]) -> None:
    stack = Stack(lab)
    text = refusal(lambda: stack.converge(tier, **{**OPTIONS[tier], **refused["options"]}))
    assert refused["error"] in text
    assert not [call for call in lab.calls() if call["kind"] == "write"]


def test_every_tier_has_a_reference_an_alternative_and_refusals() -> None:
    for tier in OPTIONS:
        assert {path.stem for path in (CASES / tier).glob("*.yml")} >= {"reference", "alternative", "refused"}, tier
