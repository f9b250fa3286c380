"""What every tier test needs: a tier run against the lab as its module runs it, without a playbook around it.

The requests that were sent are read from the lab's call log, because an emulator forgives what AWS refuses.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from typing import Any

from ansible_collections.webstack.aws.plugins.module_utils.engine.converger import Converger, Settings
from ansible_collections.webstack.aws.plugins.module_utils.engine.errors import ResourceError
from ansible_collections.webstack.aws.plugins.module_utils.engine.report import Report, Step
from ansible_collections.webstack.aws.plugins.module_utils.engine.sdk import Clients
from ansible_collections.webstack.aws.plugins.module_utils.engine.tier import Tier
from ansible_collections.webstack.aws.plugins.module_utils.module import describe, validate

ACCOUNT = "123456789012"


@dataclass
class Result:
    """What one run planned, did and asked for."""

    steps: list[Step]
    diff: list[dict[str, Any]]
    report: Report
    calls: list[dict[str, Any]]
    assumed: list[str] = field(default_factory=list)
    resources: list[dict[str, Any]] = field(default_factory=list)

    @property
    def plan(self) -> set[tuple[str, str]]:
        """Every planned (verb, address)."""
        return {(step.verb, step.resource.address) for step in self.steps}

    @property
    def changes(self) -> dict[str, set[str]]:
        """Address → the attributes that an update is about to change."""
        return {step.resource.address: set(step.change) for step in self.steps if step.verb == "update"}

    @property
    def writes(self) -> list[dict[str, Any]]:
        return [call for call in self.calls if call["kind"] == "write"]

    @property
    def reads(self) -> list[dict[str, Any]]:
        return [call for call in self.calls if call["kind"] == "read"]

    def sent(self, operation: str) -> list[dict[str, Any]]:
        """The parameters of every call of one operation."""
        return [call["params"] for call in self.calls if call["operation"] == operation]


class Stack:
    """A stack on the lab, driven tier by tier."""

    def __init__(self, lab: Any, name: str = "demo", region: str = "us-east-1") -> None:
        self.lab = lab
        self.name = name
        self.region = region

    def converge(
        self,
        *tiers: str,
        check: bool = False,
        region: str | None = None,
        wait: bool = True,
        tags: dict[str, str] | None = None,
        **options: Any,
    ) -> Result:
        """Run one tier (options as its module takes them), or several (one dictionary a tier, keyed by tier name)."""
        settings = Settings(self.name, region or self.region, tags=tags or {}, wait=wait)
        return self._run(tiers, "present", check, region, options, settings)

    def remove(
        self, *tiers: str, check: bool = False, region: str | None = None, lift: bool = True, **options: Any
    ) -> Result:
        settings = Settings(self.name, region or self.region, lift_deletion_protection=lift)
        return self._run(tiers, "absent", check, region, options, settings)

    def _run(
        self,
        tiers: Sequence[str],
        state: str,
        check: bool,
        region: str | None,
        options: dict[str, Any],
        settings: Settings,
    ) -> Result:
        where = region or self.region
        values = options if len(tiers) > 1 else {tiers[0]: options}
        chosen = [tier_named(name) for name in tiers]
        base = {"stack": self.name, "region": where, "account_id": ACCOUNT, "partition": "aws"}
        checked = {tier.name: validate(tier, values.get(tier.name, {})) for tier in chosen}
        resources = [resource for tier in chosen for resource in tier.resources({**checked[tier.name], **base})]
        before = len(self.lab.calls())
        clients = clients_of(self.lab.url)
        kinds = [kind for tier in chosen for kind in tier.purged(checked[tier.name])]
        converger = Converger(resources, kinds, {tier.label(checked[tier.name]) for tier in chosen}, clients, settings)
        steps = list(converger.plan(preview=check) if state == "present" else converger.plan_removal())
        diff = converger.diff()
        report = Report() if check else converger.apply() if state == "present" else converger.remove()
        for error in report.failed:
            raise error
        return Result(
            steps, diff, report, self.lab.calls()[before:], converger.assumed, describe(converger.graph.resources)
        )


@cache
def clients_of(url: str) -> Clients:
    """One set of clients a lab: loading the service models is most of what a run would cost."""
    return Clients({"endpoint_url": url, "aws_access_key_id": "lab", "aws_secret_access_key": "lab"})


def tier_named(name: str) -> Tier:
    tier: Tier = import_module(f"ansible_collections.webstack.aws.plugins.module_utils.tiers.{name}").TIER
    return tier


Mutation = tuple[str, Callable[[], Any], set[str]]
Vanishing = tuple[Callable[[], Any], set[str]]


def cycle(
    stack: Stack,
    tier: str,
    options: dict[str, Any],
    *,
    drifts: Sequence[Mutation] = (),
    vanishings: Sequence[Vanishing] = (),
) -> None:
    """The life of every type of a tier; each promise of the engine, once.

    ``drifts``: address, what somebody does behind our back, the attributes that the next run must show and repair.
    ``vanishings``: what somebody deletes behind our back, the addresses that the next run must make again (exactly those).
    """
    preview = stack.converge(tier, check=True, **options)
    assert preview.writes == [], "check mode wrote"
    made = stack.converge(tier, **options)
    assert {address for verb, address in made.plan if verb == "create"} == {address for _verb, address in preview.plan}
    quiet(stack, tier, options)
    for address, mutate, attributes in drifts:
        mutate()
        shown = stack.converge(tier, check=True, **options)
        assert shown.changes == {address: attributes}, f"{address}: {shown.plan} {shown.changes}"
        assert shown.writes == []
        repaired = stack.converge(tier, **options)
        assert repaired.changes == {address: attributes}
        quiet(stack, tier, options)
    for vanish, addresses in vanishings:
        vanish()
        again = stack.converge(tier, **options)
        assert {address for verb, address in again.plan if verb == "create"} == addresses, again.plan
        quiet(stack, tier, options)
    preview = stack.remove(tier, check=True, **options)
    assert preview.writes == []
    gone = stack.remove(tier, **options)
    assert gone.plan == preview.plan and gone.plan
    again = stack.remove(tier, **options)
    assert again.plan == set() and again.writes == []


def quiet(stack: Stack, tier: str, options: dict[str, Any]) -> Result:
    """A run that has nothing to do: no step, no write call."""
    result = stack.converge(tier, **options)
    assert result.plan == set(), [
        (step.resource.address, step.verb, step.change, step.resource.have) for step in result.steps
    ]
    assert result.writes == []
    return result


def refusal(call: Callable[[], Any]) -> str:
    """The text with which a run is refused."""
    try:
        call()
    except (ResourceError, Exception) as error:
        return str(error)
    raise AssertionError("it was not refused")
