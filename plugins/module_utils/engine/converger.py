"""Compares, orders, previews, applies, waits and reports. Knows no AWS service.

A run has two halves. ``plan`` reads everything and collects every refusal; it never writes. ``apply`` carries the plan out:
what is missing is made, what differs is changed, what nobody wishes for any more is deleted last. Check mode is a plan alone.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from .errors import Refused, ResourceError, TooEarly
from .graph import Graph
from .reading import Reader
from .report import Report, Step, difference, one_line
from .resource import NAME_TAG, OWNER_TAG, TIER_TAG, Resource, resources_in
from .schedule import Clock, Deferred, Finish, Steps, walk
from .sdk import SDK_ERRORS, Clients, error_code, explain, matches, request_id

PROPAGATION = 120.0  # seconds that a listed error may last while a new dependency propagates (traps 21, 23)
APPEARANCE = 60.0  # seconds until something just made must be readable (trap 1)
YOUNG = 300.0  # seconds during which a dependency made by an interrupted run still counts as new


Node = tuple[str, Resource]  # apply, ready or delete, and what


@dataclass
class Settings:
    """What the user says about the run as a whole."""

    stack: str
    region: str
    tags: dict[str, str] = field(default_factory=dict)
    purge_tags: bool = True
    wait: bool = True
    wait_timeout: float | None = None
    lift_deletion_protection: bool = False


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
        self._made: set[Resource] = set()
        self._left: list[str] = []

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
        doomed = [*self._backwards(self.reader.orphans), *(one for one in doomed if self._claimed(one))]
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

    def _claimed(self, resource: Resource) -> bool:
        """Whether a resource carries our tag, or needs none. What somebody else made under our name is left alone."""
        return not resource.tagged or ((resource.have or {}).get("tags") or {}).get(OWNER_TAG) == self.settings.stack

    def _plan_one(self, resource: Resource) -> None:
        if resource.exists and not self._claimed(resource):
            raise ResourceError(
                "updating",
                resource.address,
                f"it exists, but without the tag {OWNER_TAG}={self.settings.stack}, so it is not ours to change. "
                "Choose another name, or set that tag on it to hand it over",
            )
        change = self._difference(resource)
        if change or not resource.exists:
            reason = resource.refuse(change)
            if reason:
                raise ResourceError("updating" if resource.exists else "creating", resource.address, reason)
            self._refuse_immutable(resource, change)
            self.steps.append(Step("update" if resource.exists else "create", resource, change))

    def _refuse_immutable(self, resource: Resource, change: dict[str, Any]) -> None:
        for attribute in resource.immutable if resource.exists else ():
            if attribute in change:
                have = (resource.have or {}).get(attribute)
                raise ResourceError(
                    "updating",
                    resource.address,
                    f"AWS cannot change {attribute} in place (it is {one_line(have)}, wanted {one_line(change[attribute])}). "
                    f"{resource.immutable[attribute]}",
                )

    def _difference(self, resource: Resource) -> dict[str, Any]:
        have = resource.have or {}
        want = {key: value for key, value in resource.want().items() if value is not None}
        if resource.tagged:
            want["tags"] = dict(resource.wanted_tags or {})
        have_tags = {key: value for key, value in (have.get("tags") or {}).items() if not key.startswith("aws:")}
        if not self.settings.purge_tags and "tags" in want:
            want["tags"] = {**have_tags, **want["tags"]}
        have = {**have, "tags": have_tags}
        if resource.have is None:
            return want
        return {key: value for key, value in want.items() if key not in have or have[key] != value}

    def _tags(self, resource: Resource) -> dict[str, str]:
        tags = {**self.settings.tags, **(resource.tags or {})}
        owner = {OWNER_TAG: self.settings.stack, TIER_TAG: resource.tier, NAME_TAG: resource.name}
        return {"Name": resource.name, **{str(key): str(value) for key, value in tags.items()}, **owner}

    def _backwards(self, orphans: Iterable[Resource]) -> list[Resource]:
        order = {kind: number for number, kind in enumerate(self.kinds)}
        return sorted(orphans, key=lambda one: (-order.get(type(one), 0), one.name))

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
            elif resource.exists and self._on_its_way(resource) and (resource.owned or resource in waited_for):
                needs[("ready", resource)] = set()
        everything = set(needs)
        late = [step.resource for step in self.steps if step.verb == "delete"]
        self._add_deletions(needs, late, after={node for node in everything if node[0] == "apply"})
        return self._carry_out(needs)

    def _before(self, resource: Resource, by_resource: dict[Resource, Step]) -> set[Node]:
        """The nodes that must be done before a resource is made or changed, through dependencies that need no work too."""
        must_be_ready = self._must_be_ready(resource)
        before: set[Node] = set()
        for need in self.graph.needs[resource]:
            if need in must_be_ready and (need in by_resource or self._on_its_way(need)):
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
        needs: dict[Node, set[Node]] = {}
        self._add_deletions(needs, [step.resource for step in self.steps], after=set())
        return self._carry_out(needs)

    def _add_deletions(self, needs: dict[Node, set[Node]], doomed: list[Resource], after: set[Node]) -> None:
        order = {kind: number for number, kind in enumerate(self.kinds)}
        users: dict[Resource, set[Resource]] = {}
        for resource, its_needs in self.graph.needs.items():
            for need in its_needs:
                users.setdefault(need, set()).add(resource)
        strays = {one for one in doomed if one not in self.graph.needs}

        def dependents(resource: Resource, seen: set[Resource]) -> set[Resource]:
            found: set[Resource] = set()
            for user in users.get(resource, set()) - seen:
                seen.add(user)
                found |= {user} | dependents(user, seen)
            return found

        for resource in doomed:
            before = dependents(resource, set())
            rank = order.get(type(resource), 0)
            before |= {one for one in strays if one is not resource and order.get(type(one), 0) > rank}
            if resource in strays:
                before |= {one for one in doomed if order.get(type(one), 0) > rank}
            needs[("delete", resource)] = after | {("delete", one) for one in doomed if one in before}

    def _carry_out(self, needs: dict[Node, set[Node]]) -> Report:
        work: dict[str, Callable[[Resource], Steps]] = {
            "apply": self._apply_one,
            "ready": self._await_ready,
            "delete": self._delete_one,
        }

        def start(node: Node) -> Steps:
            verb, resource = node
            return self._counted(node, work[verb](resource))

        return self._report(walk(needs, start, self.clock))

    def _counted(self, node: Node, steps: Steps) -> Steps:
        """The same steps, with their requests counted under the node's label and SDK errors turned into ours."""
        verb, resource = node
        while True:
            with self.clients.counter.label(_label(node)):
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
                        "apply": "updating" if resource not in self._made else "creating",
                        "ready": "waiting for",
                        "delete": "deleting",
                    }
                    raise ResourceError(
                        doing[verb],
                        resource.address,
                        explain(error),
                        code=error_code(error),
                        request_id=request_id(error),
                    ) from error
            yield pause

    def _apply_one(self, resource: Resource) -> Steps:
        client = self.clients(resource.service, resource.region)
        for need in self.graph.needs[resource] if resource.after else ():
            self.reader.reload(need)  # what came first may have changed what it sees of them
        if not resource.exists:
            change = self._difference(resource)
            self._made.add(resource)
            yield from self._attempt(resource, lambda: resource.create(client, change))
            deadline = self.clock.now() + APPEARANCE
            for pause in _pauses(0.2, 5):
                if self.reader.reload(resource):
                    break
                if self.clock.now() > deadline:
                    raise ResourceError(
                        "creating",
                        resource.address,
                        f"AWS made it, but does not show it after {APPEARANCE:.0f} seconds. Run again",
                    )
                yield pause
            if not self._difference(resource) or (self._must_settle(resource) and not self.settings.wait):
                return
        while True:
            if self._must_settle(resource):
                yield from self._await_ready(resource)
            change = self._difference(resource)
            if not change:
                return
            yield from self._attempt(resource, partial(resource.update, client, change))
            self.reader.reload(resource)
            if not resource.stepwise or self._difference(resource) == change:
                return
            if self._must_settle(resource) and not self.settings.wait:
                return

    def _attempt(self, resource: Resource, call: Callable[[], None]) -> Steps:
        """Make a call; repeat it only for the kind's listed codes and only while something that it needs is new (traps 1, 2).

        A stepwise kind is also patient with what AWS answers while an earlier change is under way (trap 99).
        """
        deadline = self.clock.now() + (resource.timeout if resource.stepwise else PROPAGATION)
        for pause in _pauses(1, 8):
            try:
                call()
                return
            except SDK_ERRORS as error:
                again = matches(error, resource.retry) and self._needs_something_new(resource)
                at_work = resource.stepwise and matches(error, resource.busy)
                if at_work and not self.settings.wait:
                    raise Deferred("AWS is still at work on an earlier change") from error
                if not (again or at_work) or self.clock.now() > deadline:
                    raise
            yield pause

    def _needs_something_new(self, resource: Resource, seen: set[Resource] | None = None) -> bool:
        seen = set() if seen is None else seen
        for need in self.graph.needs.get(resource, []):
            if need in seen:
                continue
            seen.add(need)
            made_at = (need.have or {}).get("created_at")
            young = made_at is not None and self.clock.wall() - made_at.timestamp() < YOUNG
            if need in self._made or young or self._needs_something_new(need, seen):
                return True
        return False

    def _on_its_way(self, resource: Resource) -> bool:
        return bool(resource.ready) and resource.get("state") not in resource.ready

    def _must_settle(self, resource: Resource) -> bool:
        return self._on_its_way(resource) and resource.get("state") not in resource.changeable

    def _await_ready(self, resource: Resource) -> Steps:
        if not resource.ready:
            return
        deadline = self.clock.now() + (self.settings.wait_timeout or resource.timeout)
        for pause in _pauses(0.5, 15):
            have = resource.have or {}
            state = have.get("state")
            if state in resource.ready:
                return
            reason = f": {have['state_reason']}" if have.get("state_reason") else ""
            if state not in resource.pending:
                raise ResourceError("waiting for", resource.address, f"it ended in state {state}{reason}")
            if not self.settings.wait:
                raise Deferred(f"it is {state}")
            if self.clock.now() > deadline:
                raise ResourceError(
                    "waiting for",
                    resource.address,
                    f"it is still {state}{reason}. Raise wait_timeout, or run again: a run continues where this one stopped",
                )
            yield pause
            if not self.reader.reload(resource):
                raise ResourceError("waiting for", resource.address, "it vanished while it was waited for. Run again")

    def _delete_one(self, resource: Resource) -> Steps:
        client = self.clients(resource.service, resource.region)
        deadline = self.clock.now() + (self.settings.wait_timeout or resource.timeout)
        if resource.protection():
            resource.unprotect(client)
            self.reader.reload(resource)
        for pause in _pauses(0.5, 15):
            try:
                resource.delete(client)
                if leftover := resource.leftover():
                    self._left.append(leftover)
                break
            except SDK_ERRORS as error:
                if error_code(error) in resource.missing:
                    return
                if not matches(error, resource.busy) or self.clock.now() > deadline:
                    raise
            yield pause
            if not self.reader.reload(resource):
                return
        yield from self._await_gone(resource, deadline)

    def _await_gone(self, resource: Resource, deadline: float) -> Generator[float, None, None]:
        for pause in _pauses(0.2, 15):
            if not self.reader.reload(resource):
                return
            if self.clock.now() > deadline:
                raise ResourceError(
                    "deleting",
                    resource.address,
                    f"it is still there, in state {resource.get('state')}. Run again later",
                )
            yield pause

    # Reporting.

    def _report(self, finish: Finish[Node]) -> Report:
        report = Report()
        verbs = {step.resource: step.verb for step in self.steps}
        for node in [*finish.done, *finish.failed]:
            verb, resource = node
            requests = self.clients.counter.by_label.get(_label(node), 0)
            if verb == "ready" and not requests:
                continue
            report.actions.append(
                {
                    "address": resource.address,
                    "tier": resource.tier,
                    "region": resource.region,
                    "verb": "wait" if verb == "ready" else verbs[resource],
                    "ok": node in finish.done,
                    "seconds": round(finish.done.get(node, 0.0), 3),
                    "requests": requests,
                }
            )
        for error in finish.failed.values():
            if not isinstance(error, ResourceError):
                raise error
            report.failed.append(error)
        report.pending = sorted({resource.address for _verb, resource in finish.deferred})
        report.not_started = sorted({resource.address for _verb, resource in finish.not_started} - set(report.pending))
        report.left = sorted(self._left)
        return report

    def diff(self) -> list[dict[str, Any]]:
        """The planned steps as Ansible shows them: one entry a resource, only what differs, secrets hidden."""
        return [difference(step) for step in self.steps]


def _label(node: Node) -> str:
    verb, resource = node
    return f"{verb} {resource.address} {resource.region} {id(resource)}"


def _pauses(first: float, most: float) -> Generator[float, None, None]:
    """Growing pauses without end: first, half as long again each time, never more than ``most``."""
    pause = first
    while True:
        yield pause
        pause = min(pause * 1.5, most)
