"""What is done to one resource: make it, change it, wait for it, delete it. Knows neither the order nor any AWS service.

Each piece of work is a generator that yields the seconds after which it wants to go on, so that waiting holds no thread.

An answer that is lost after AWS has done the work is the hard case: the SDK, or the next run, sends the call again. So a call that fails
after it was sent more than once, or of which nobody knows whether it was carried out, is judged by reading again: what now looks as
wished for, with our tags, is our own work.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from typing import Any

from .errors import ResourceError
from .graph import Graph
from .progress import Tell, Waits
from .reading import Reader
from .report import one_line
from .resource import OWNER_TAG, Resource
from .schedule import Clock, Deferred, Steps
from .sdk import SDK_ERRORS, THROTTLED, Clients, error_code, expired, matches, sent_again, unanswered

PROPAGATION = 120.0  # seconds that a listed error may last while a new dependency propagates (traps 21, 23)
APPEARANCE = 60.0  # seconds until something just made must be readable (trap 1)
YOUNG = 300.0  # seconds during which a dependency made by an interrupted run still counts as new
TROUBLE = 300.0  # seconds that a wait goes on without one good answer, or for credentials newer than the expired ones (trap 9)
DOUBT = 10.0  # seconds in which something may still appear whose create call had no answer, before it is made again


@dataclass
class Settings:
    """What the user says about the run as a whole.

    ``stop`` gives the reason, from some moment on, why nothing new may be started; what runs is finished. ``tell`` gets a line now and then
    about what is waited for.
    """

    stack: str
    region: str
    tags: dict[str, str] = field(default_factory=dict)
    purge_tags: bool = True
    wait: bool = True
    wait_timeout: float | None = None
    lift_deletion_protection: bool = False
    stop: Callable[[], str | None] | None = None
    tell: Tell | None = None


class Work:
    """The steps for each resource of one run."""

    def __init__(self, graph: Graph, reader: Reader, clients: Clients, settings: Settings, clock: Clock) -> None:
        self.graph = graph
        self.reader = reader
        self.clients = clients
        self.settings = settings
        self.clock = clock
        self.waits = Waits(settings.tell, clock)
        self.made: set[Resource] = set()  # whose creation was attempted
        self.updated: set[Resource] = set()  # whose change was attempted
        self.written: set[Resource] = set()  # of which at least one call was carried out
        self.continued: set[Resource] = set()  # changed after a wait, where no change was planned
        self.left: list[str] = []

    # What a run asks for.

    def apply(self, resource: Resource) -> Steps:
        """Make what is missing, then change what differs."""
        for need in self.graph.needs[resource] if resource.after else ():
            self.reader.reload(need)  # what came first may have changed what it sees of them
        if not resource.exists:
            yield from self._create(resource)
            if not self.difference(resource) or (self.must_settle(resource) and not self.settings.wait):
                return
        yield from self._change(resource)

    def ready(self, resource: Resource) -> Steps:
        """Wait until it is ready. What an interrupted run left undone, and what shows only now, is done then.

        Not where this run has changed it already: what was read right after may be older than the change (trap 1).
        """
        if not resource.ready:
            return
        yield from self._await_ready(resource)
        if resource in self.updated or not resource.owned or not self.claimed(resource):
            return
        if self.difference(resource):
            if reason := resource.refuse(self.difference(resource)):
                raise ResourceError("updating", resource.address, reason)
            self.refuse_immutable(resource, self.difference(resource))
            self.continued.add(resource)
            yield from self._change(resource)

    def delete(self, resource: Resource) -> Steps:
        """Delete it, after what AWS still holds it with, and wait until it is gone."""
        try:
            yield from self._delete(resource)
        finally:
            self.waits.over(resource)

    def _delete(self, resource: Resource) -> Steps:
        deadline = self.clock.now() + (self.settings.wait_timeout or resource.timeout)
        for pause in pauses(0.5, 15):
            try:
                if resource.protection():
                    resource.unprotect(self._client(resource))
                    self.reader.reload(resource)
                resource.delete(self._client(resource))
                self.written.add(resource)
                if leftover := resource.leftover():
                    self.left.append(leftover)
                break
            except SDK_ERRORS as error:
                again = sent_again(error)  # then a part of it may be missing because the first attempt has deleted it
                if error_code(error) in resource.missing and not again:
                    return
                passing = again or matches(error, resource.busy) or self._passes(error)
                if not passing or self.clock.now() > deadline:
                    raise
            self.waits.note(resource, "not yet to be deleted", resource.usual_deletion)
            yield pause
            if not (yield from self._look(resource)):
                self.written.add(resource)
                return
        yield from self._await_gone(resource, deadline)

    # What differs.

    def difference(self, resource: Resource) -> dict[str, Any]:
        """The attributes that are not as wished for; all of them where it does not exist."""
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

    def claimed(self, resource: Resource) -> bool:
        """Whether a resource carries our tag, or needs none. What somebody else made under our name is left alone."""
        return not resource.tagged or ((resource.have or {}).get("tags") or {}).get(OWNER_TAG) == self.settings.stack

    def refuse_immutable(self, resource: Resource, change: dict[str, Any]) -> None:
        """Raise where the change is one that AWS cannot make in place."""
        for attribute in resource.immutable if resource.exists else ():
            if attribute in change:
                have = (resource.have or {}).get(attribute)
                raise ResourceError(
                    "updating",
                    resource.address,
                    f"AWS cannot change {attribute} in place (it is {one_line(have)}, wanted {one_line(change[attribute])}). "
                    f"{resource.immutable[attribute]}",
                )

    # Making and changing.

    def _client(self, resource: Resource) -> Any:
        return self.clients(resource.service, resource.region)

    def _create(self, resource: Resource) -> Steps:
        change = self.difference(resource)
        self.made.add(resource)
        yield from self._attempt(resource, lambda client: resource.create(client, change), creating=True)
        deadline = self.clock.now() + APPEARANCE
        for pause in pauses(0.2, 5):
            if (yield from self._look(resource)):
                return
            if self.clock.now() > deadline:
                raise ResourceError(
                    "creating",
                    resource.address,
                    f"AWS made it, but does not show it after {APPEARANCE:.0f} seconds. Run again",
                )
            yield pause

    def _change(self, resource: Resource) -> Steps:
        while True:
            if self.must_settle(resource):
                yield from self._await_ready(resource)
            change = self.difference(resource)
            if not change:
                return
            self.updated.add(resource)
            yield from self._attempt(resource, lambda client: resource.update(client, self.difference(resource)))
            yield from self._look(resource)
            if not resource.stepwise or self.difference(resource) == change:
                return
            if self.must_settle(resource) and not self.settings.wait:
                return

    def _attempt(self, resource: Resource, call: Callable[[Any], None], *, creating: bool = False) -> Steps:
        """Make a call; repeat it only where an error is known to pass (traps 1, 2).

        These are the kind's listed codes while something that it needs is new; where the kind is stepwise, what AWS answers while an
        earlier change is under way (trap 99); expired credentials; and a lost answer, after a look at what AWS has done.
        """
        deadline = self.clock.now() + (resource.timeout if resource.stepwise else PROPAGATION)
        for pause in pauses(1, 8):
            try:
                with self.clients.sent_once(resource.sent_once):
                    call(self._client(resource))
                self.written.add(resource)
                return
            except SDK_ERRORS as error:
                again = matches(error, resource.retry) and self._needs_something_new(resource)
                at_work = resource.stepwise and matches(error, resource.busy)
                if at_work and not self.settings.wait:
                    raise Deferred("AWS is still at work on an earlier change") from error
                lost = unanswered(error) or sent_again(error)
                if not (again or at_work or lost or self._passes(error)) or self.clock.now() > deadline:
                    raise
            if lost and (yield from self._was_carried_out(resource, creating)):
                self.written.add(resource)
                return
            yield pause

    def _was_carried_out(self, resource: Resource, creating: bool) -> Generator[float, None, bool]:
        """Whether AWS did what was asked although its answer was lost: what is there now is as wished for, and ours."""
        deadline = self.clock.now() + (DOUBT if creating else 0)
        for pause in pauses(0.5, 3):
            exists = yield from self._look(resource)
            if exists and self.claimed(resource) and (creating or not self.difference(resource)):
                return True
            if self.clock.now() >= deadline:
                break
            yield pause
        return False

    def _needs_something_new(self, resource: Resource, seen: set[Resource] | None = None) -> bool:
        seen = set() if seen is None else seen
        for need in self.graph.needs.get(resource, []):
            if need in seen:
                continue
            seen.add(need)
            made_at = (need.have or {}).get("created_at")
            young = made_at is not None and self.clock.wall() - made_at.timestamp() < YOUNG
            if need in self.made or young or self._needs_something_new(need, seen):
                return True
        return False

    # Waiting.

    def on_its_way(self, resource: Resource) -> bool:
        return bool(resource.ready) and resource.get("state") not in resource.ready

    def must_settle(self, resource: Resource) -> bool:
        return self.on_its_way(resource) and resource.get("state") not in resource.changeable

    def _passes(self, error: Exception) -> bool:
        """Whether another attempt may do: AWS or the way to it is troubled, or there may be newer credentials by now (trap 9)."""
        if expired(error):
            self.clients.renew()
            return True
        return unanswered(error) or error_code(error) in THROTTLED

    def _look(self, resource: Resource) -> Generator[float, None, bool]:
        """Read it again, through passing trouble. Whether it exists."""
        deadline = self.clock.now() + TROUBLE
        for pause in pauses(1, 15):
            try:
                return self.reader.reload(resource)
            except SDK_ERRORS as error:
                if not self._passes(error) or self.clock.now() > deadline:
                    raise
            yield pause
        raise AssertionError("pauses never end")

    def _await_ready(self, resource: Resource) -> Steps:
        try:
            yield from self._until_ready(resource)
        finally:
            self.waits.over(resource)

    def _until_ready(self, resource: Resource) -> Steps:
        deadline = self.clock.now() + (self.settings.wait_timeout or resource.timeout)
        # So it is seen 5 % too late at most, whether it takes seconds or minutes.
        for pause in pauses(0.5, 15, growth=1.05):
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
            self.waits.note(resource, str(state), resource.usual)
            yield pause
            if not (yield from self._look(resource)):
                raise ResourceError("waiting for", resource.address, "it vanished while it was waited for. Run again")

    def _await_gone(self, resource: Resource, deadline: float) -> Steps:
        for pause in pauses(0.2, 15):
            if not (yield from self._look(resource)):
                return
            if self.clock.now() > deadline:
                raise ResourceError(
                    "deleting",
                    resource.address,
                    f"it is still there, in state {resource.get('state')}. Run again later",
                )
            self.waits.note(resource, "being deleted", resource.usual_deletion)
            yield pause


def pauses(first: float, most: float, growth: float = 1.5) -> Iterator[float]:
    """Growing pauses without end: first, ``growth`` times as long each time, never more than ``most``."""
    pause = first
    while True:
        yield pause
        pause = min(pause * growth, most)
