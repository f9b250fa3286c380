"""Compares, orders, previews, applies, waits and reports. Knows no AWS service.

A run has two halves. ``plan`` reads everything and collects every refusal; it never writes. ``apply`` carries the plan out:
what is missing is made, what differs is changed, what nobody wishes for any more is deleted last. Check mode is a plan alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from .errors import Refused, ResourceError, TooEarly
from .graph import Graph
from .reading import Reader
from .report import Node, Report, Step, difference, label, report_of
from .resource import NAME_TAG, OWNER_TAG, TIER_TAG, Resource, resources_in
from .schedule import Clock, Deferred, Steps, walk
from .sdk import SDK_ERRORS, Clients, failure
from .work import Settings, Work

__all__ = ["Converger", "Settings"]


class Converger:
    """One run over the resources of one or more tiers in one region."""

    def __init__(
        self,
        resources: Iterable[Resource],
        kinds: Sequence[type[Resource]],
        tiers: set[str],
        clients: Clients,
        settings: Settings,
        clock: Clock | None = None,
    ) -> None:
        self.settings = settings
        self.clients = clients
        self.clock = clock or Clock()
        self.graph = Graph(resources, settings.region)
        self.kinds = list(dict.fromkeys(kinds))
        self.tiers = tiers
        for resource in self.graph.resources:
            if resource.owned and resource.tagged:
                resource.wanted_tags = self._tags(resource)
        self.reader = Reader(clients, settings.stack, settings.region, self.clock)
        self.steps: list[Step] = []
        self.assumed: list[str] = []
        self.work = Work(self.graph, self.reader, clients, settings, self.clock)

    # Planning.

    def plan(self, *, preview: bool) -> list[Step]:
        """Every change that is needed, in order. Raises Refused if one of them can never be made.

        In a preview, a missing resource of another tier is taken for granted and listed in ``assumed``; otherwise it is refused.
        """
        self.reader.read(self.graph.resources, self.kinds, self.tiers)
        refused: list[ResourceError] = []
        for resource in self.graph.resources:
            try:
                if resource.owned:
                    self._plan_one(resource)
                elif not resource.exists:
                    if not preview:
                        raise ResourceError(
                            "finding",
                            resource.address,
                            f"it does not exist in {resource.region}. {resource.hint}".strip(),
                        )
                    self.assumed.append(resource.address)
            except ResourceError as error:
                refused.append(error)
        orphans = self._backwards(self.reader.orphans)
        refused += self._protected(orphans)
        if refused:
            raise Refused(refused)
        self.steps += [Step("delete", orphan) for orphan in orphans]
        return self.steps

    def plan_removal(self) -> list[Step]:
        """Every deletion that is needed, in order. Raises Refused for what is protected."""
        self.reader.read(self.graph.resources, self.kinds, self.tiers)
        doomed = [one for one in reversed(self.graph.resources) if one.owned and one.exists]
        doomed = [*self._backwards(self.reader.orphans), *(one for one in doomed if self.work.claimed(one))]
        if refused := self._protected(doomed):
            raise Refused(refused)
        self.steps = [Step("delete", resource) for resource in doomed]
        return self.steps

    def _protected(self, doomed: Iterable[Resource]) -> list[ResourceError]:
        """Why some of what is about to be deleted may not be, unless the user lifts the protection."""
        if self.settings.lift_deletion_protection:
            return []
        return [
            ResourceError("deleting", one.address, f"{reason}. Set lift_deletion_protection=true to delete it")
            for one in doomed
            if (reason := one.protection())
        ]

    def _plan_one(self, resource: Resource) -> None:
        if resource.exists and not self.work.claimed(resource):
            raise ResourceError(
                "updating",
                resource.address,
                f"it exists, but without the tag {OWNER_TAG}={self.settings.stack}, so it is not ours to change. "
                "Choose another name, or set that tag on it to hand it over",
            )
        change = self.work.difference(resource)
        if change or not resource.exists:
            reason = resource.refuse(change)
            if reason:
                raise ResourceError("updating" if resource.exists else "creating", resource.address, reason)
            self.work.refuse_immutable(resource, change)
            self.steps.append(Step("update" if resource.exists else "create", resource, change))

    def _tags(self, resource: Resource) -> dict[str, str]:
        tags = {**self.settings.tags, **(resource.tags or {})}
        owner = {OWNER_TAG: self.settings.stack, TIER_TAG: resource.tier, NAME_TAG: resource.name}
        return {"Name": resource.name, **{str(key): str(value) for key, value in tags.items()}, **owner}

    def _backwards(self, orphans: Iterable[Resource]) -> list[Resource]:
        order = {kind: number for number, kind in enumerate(self.kinds)}
        return sorted(orphans, key=lambda one: (-order.get(type(one), 0), one.name))

    @property
    def unfinished(self) -> list[Resource]:
        """What a former run has begun, and this one waits for and may have to finish, though no step is planned."""
        mine = (one for one in self.graph.resources if one.owned and one.exists)
        return [one for one in mine if self.work.on_its_way(one)]

    # Carrying out.

    def apply(self) -> Report:
        """Carry the planned steps out, then wait for what is still on its way (or report it as pending)."""
        by_resource = {step.resource: step for step in self.steps if step.verb != "delete"}
        needs: dict[Node, set[Node]] = {}
        waited_for = {need for resource in by_resource for need in self._must_be_ready(resource)}
        for resource in self.graph.resources:
            if resource in by_resource:
                before = self._before(resource, by_resource)
                before |= {("apply", other) for other in by_resource if type(other) in resource.after}
                needs[("apply", resource)] = before
                needs[("ready", resource)] = {("apply", resource)}
            elif resource.exists and self.work.on_its_way(resource) and (resource.owned or resource in waited_for):
                needs[("ready", resource)] = set()
        everything = set(needs)
        late = [step.resource for step in self.steps if step.verb == "delete"]
        made = {node for node in everything if node[0] == "apply"}
        needs |= {("delete", one): made | before for one, before in self._deletions(late).items()}
        return self._carry_out(needs)

    def _before(self, resource: Resource, by_resource: dict[Resource, Step]) -> set[Node]:
        """The nodes that must be done before a resource is made or changed, through dependencies that need no work too."""
        must_be_ready = self._must_be_ready(resource)
        before: set[Node] = set()
        for need in self.graph.needs[resource]:
            if need in must_be_ready and (need in by_resource or self.work.on_its_way(need)):
                before.add(("ready", need))
            if need in by_resource:
                before.add(("apply", need))
            else:
                before |= self._before(need, by_resource)
        return before

    def _must_be_ready(self, resource: Resource) -> set[Resource]:
        return {one.twin or one for name in resource.needs_ready for one in resources_in(getattr(resource, name))}

    def remove(self) -> Report:
        """Delete everything that was planned, dependents first, each only when AWS says that it is gone."""
        doomed = [step.resource for step in self.steps]
        return self._carry_out({("delete", one): before for one, before in self._deletions(doomed).items()})

    def _deletions(self, doomed: list[Resource]) -> dict[Resource, set[Node]]:
        befores = self.graph.deletions(doomed, self.kinds)
        return {one: {("delete", other) for other in before} for one, before in befores.items()}

    def _carry_out(self, needs: dict[Node, set[Node]]) -> Report:
        work: dict[str, Callable[[Resource], Steps]] = {
            "apply": self.work.apply,
            "ready": self.work.ready,
            "delete": self.work.delete,
        }

        def start(node: Node) -> Steps:
            verb, resource = node
            return self._counted(node, work[verb](resource))

        finish = walk(needs, start, self.clock, stop=self.settings.stop, lasts=lasts)
        verbs = {step.resource: step.verb for step in self.steps}
        return report_of(finish, verbs, self.work, self.clients.counter.by_label, self._needs)

    def _needs(self, resource: Resource) -> dict[str, str]:
        """What a resource needs, and whether that has to be there only or to be ready, too: for whoever looks for the longest chain."""
        must_be_ready = self._must_be_ready(resource)
        needs = self.graph.needs.get(resource, [])  # of what nobody wishes for any more, nothing is known
        return {f"{need.address} ({need.region})": "ready" if need in must_be_ready else "made" for need in needs}

    def _counted(self, node: Node, steps: Steps) -> Steps:
        """The same steps, with their requests counted under the node's label and SDK errors turned into ours."""
        verb, resource = node
        while True:
            with self.clients.counter.label(label(node)):
                try:
                    pause = next(steps)
                except StopIteration:
                    return
                except TooEarly as error:
                    if self.settings.wait:
                        raise
                    raise Deferred(error.cause) from error
                except SDK_ERRORS as error:
                    doing = {
                        "apply": "creating" if resource in self.work.made else "updating",
                        "ready": "waiting for",
                        "delete": "deleting",
                    }
                    arn = (resource.have or {}).get("arn")
                    raise failure(doing[verb], resource.address, error, arn) from error
            yield pause

    def diff(self) -> list[dict[str, Any]]:
        """The planned steps as Ansible shows them: one entry a resource, only what differs, secrets hidden."""
        return [difference(step) for step in self.steps]


def lasts(node: Node) -> float:
    """The seconds that a node takes, as a rule: a call or two, and what people are told of the waiting."""
    verb, resource = node
    waiting = {"apply": 0, "ready": resource.usual, "delete": resource.usual_deletion}
    return 1.0 + waiting[verb]
