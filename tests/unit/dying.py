"""Runs that die at every one of their write calls, or that lose every answer, and what becomes of the account.

The lab runs in this process, so a fork of the process is a fork of the account. At each write call of a run the process is forked, and in
the child only the forking thread goes on: the run that was under way is gone, as by SIGKILL, with its threads, its memory, and the answer
that it did not read. What it had asked of the account is done, what it had not asked never happens. The child runs the same thing again,
as the next run would, and reports; the parent goes on to the next call.
"""

from __future__ import annotations

import json
import os
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from threading import Lock, RLock, local
from typing import Any, NoReturn

from botocore.awsrequest import AWSResponse
from botocore.exceptions import ConnectionClosedError
from direct import Body, DirectClients, Send, Watch
from likeness import Likeness, difference, likeness
from reference import NEEDS
from stack import ACCOUNT, tier_named

from ansible_collections.webstack.aws.plugins.module_utils.engine.converger import Converger, Settings
from ansible_collections.webstack.aws.plugins.module_utils.engine.report import Report
from ansible_collections.webstack.aws.plugins.module_utils.engine.schedule import Clock
from ansible_collections.webstack.aws.plugins.module_utils.module import validate
from webstack_lab.app import LabApp
from webstack_lab.snapshot import snapshot

REGION = "us-east-1"
ALL = bool(os.environ.get("WEBSTACK_ALL_KILLS"))  # `make crash`; otherwise at every fifth call
STEP = 1 if ALL else 5


class Hurried(Clock):
    """A clock on which waits pass quickly, and on which no time passes while a child is under way."""

    def __init__(self, speed: float = 20) -> None:
        self.speed = speed  # waits are this much shorter than their word
        self.lost = 0.0

    def now(self) -> float:
        return (time.monotonic() - self.lost) * self.speed

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds / self.speed)


@dataclass
class Death:
    """One place at which the run died, and what was wrong with the runs after it ("": nothing)."""

    number: int
    operation: str
    moment: str  # before or after
    wrong: str = ""
    account: Likeness = field(default_factory=Likeness)


class World:
    """An account in this process, and runs of tiers over it."""

    def __init__(self, options: dict[str, dict[str, Any]]) -> None:
        self.app = LabApp()
        self.app.reset()
        self.options = options
        self.clock = Hurried()
        self.clients = DirectClients(self.app)

    def converger(self, tiers: Sequence[str], clients: DirectClients | None = None, **more: Any) -> Converger:
        """Several tiers as one graph, as the module ``stack`` makes it."""
        chosen = [tier_named(name) for name in tiers]
        checked = {tier.name: validate(tier, self.options[tier.name]) for tier in chosen}
        base = {"stack": "demo", "region": REGION, "account_id": ACCOUNT, "partition": "aws"}
        resources = [resource for tier in chosen for resource in tier.resources({**checked[tier.name], **base})]
        kinds = [kind for tier in chosen for kind in tier.purged(checked[tier.name])]
        labels = {tier.label(checked[tier.name]) for tier in chosen}
        settings = Settings("demo", REGION, lift_deletion_protection=True, **more)
        return Converger(resources, kinds, labels, clients or self.clients, settings, self.clock)

    def carry_out(
        self, *tiers: str, removal: bool = False, clients: DirectClients | None = None, **more: Any
    ) -> Report:
        """One run to the end, whatever the end is."""
        converger = self.converger(tiers, clients, **more)
        if removal:
            converger.plan_removal()
            return converger.remove()
        converger.plan(preview=False)
        return converger.apply()

    def run(self, *tiers: str, removal: bool = False, clients: DirectClients | None = None) -> Report:
        """One run to the end; a step that fails is an error."""
        report = self.carry_out(*tiers, removal=removal, clients=clients)
        for error in report.failed:
            raise error
        return report

    def prepare(self, tier: str) -> None:
        """What must stand before a tier can be built, and the code and clients that its runs need."""
        for need in NEEDS[tier]:
            self.run(need)
        self.converger([tier]).plan(preview=True)

    def picture(self, placement: bool = True) -> Likeness:
        with self.app.lock:
            return likeness(snapshot(detail=True), placement)

    def writes(self) -> list[str]:
        return [call["operation"] for call in self.app.calls.select("write")]

    # Dying.

    def die_everywhere(self, tier: str, *, removal: bool) -> list[Death]:
        """Run once, dying on the side before and after every write call (or the first and each ``STEP``-th after it). All deaths, judged by how this run ends.

        Dying before a call is left out where the account is still the one of the last death: it would be the same death.
        """
        self.deaths: list[Death] = []
        self._last: Any = None
        self.number = 0
        watch: Watch = lambda operation, kind, send: self._pass(tier, removal, operation, kind, send)  # noqa: E731 - it needs its annotation
        self.run(tier, removal=removal, clients=DirectClients(self.app, watch))
        end = self.picture()
        for death in self.deaths:
            death.wrong = death.wrong or difference(death.account, end)
        return self.deaths

    def _pass(self, tier: str, removal: bool, operation: str, kind: str, send: Send) -> AWSResponse:
        if kind == "read":
            return send()
        with self.app.lock:
            self.number += 1
            if (self.number - 1) % STEP:
                return send()
            if snapshot() != self._last:
                self._die(tier, removal, operation, "before")
            answer = send()
            self._die(tier, removal, operation, "after")
            self._last = snapshot()
            return answer

    def _die(self, tier: str, removal: bool, operation: str, moment: str) -> None:
        answer = self.elsewhere(lambda: self._next_runs(tier, removal))
        account = Likeness(answer.get("account"))
        self.deaths.append(Death(self.number, operation, moment, answer["wrong"], account))

    def _next_runs(self, tier: str, removal: bool) -> dict[str, Any]:
        """The next run ends, says truthfully whether it changed anything, and leaves nothing to do for the one after it."""
        self.app.calls.entries = []
        report = self.run(tier, removal=removal)
        changed, written = report.changed, self.writes()
        wrong = "" if changed == bool(written) else f"changed is {changed}, but it wrote {written}. "
        if changed != any(action["ok"] and action["verb"] != "wait" for action in report.actions):
            wrong += f"changed is {changed}, but the actions are {report.actions}. "
        account = self.picture()
        self.app.calls.clear()
        third = self.run(tier, removal=removal)
        if third.changed or self.writes():
            wrong += f"The third run was not quiet: {third.actions} {self.writes()}"
        return {"wrong": wrong, "account": account}

    def elsewhere(self, call: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """The answer of ``call``, made in a copy of this process and of the account; here, no time passes meanwhile."""
        started = time.monotonic()
        reading, writing = os.pipe()
        with self.app.lock, self.app.calls._lock:
            child = os.fork()
            if child == 0:
                os.close(reading)
                self._live_on(writing, call)
        os.close(writing)
        with os.fdopen(reading) as pipe:
            text = pipe.read()
        os.waitpid(child, 0)
        self.clock.lost += time.monotonic() - started
        answer: dict[str, Any] = json.loads(text) if text else {"wrong": "the copy died without a word"}
        return answer

    def _live_on(self, pipe: int, call: Callable[[], dict[str, Any]]) -> NoReturn:
        """In the copy: locks that threads of the dead run held are free again, then the call; the process ends here."""
        try:
            self.app.lock = RLock()
            self.app.calls._lock = Lock()
            try:
                answer = call()
            except BaseException:
                answer = {"wrong": traceback.format_exc()[-3000:]}
            with os.fdopen(pipe, "w") as stream:
                stream.write(json.dumps(answer))
        finally:
            os._exit(0)

    # Losing answers.

    def lossy_run(self, tier: str, *, removal: bool, how: str) -> dict[str, Any]:
        """A run of which every write call is carried out, and no first answer to one arrives; and the run after it."""
        self.app.calls.clear()
        report = self.run(tier, removal=removal, clients=DirectClients(self.app, Losing(how)))
        account = self.picture()
        self.app.calls.clear()
        again = self.run(tier, removal=removal)
        return {"changed": report.changed, "account": account, "again": again.actions, "writes": self.writes()}


class Losing:
    """Between the clients and AWS: the first answer to each write call is lost after AWS has done the work."""

    def __init__(self, how: str) -> None:
        self.how = how
        self._thread = local()

    def __call__(self, operation: str, kind: str, send: Send) -> AWSResponse:
        answer = send()
        repeated = getattr(self._thread, "lost", None) == operation
        self._thread.lost = None
        if kind == "read" or repeated or answer.status_code >= 400:
            return answer
        self._thread.lost = operation
        if self.how == "reset":
            raise ConnectionClosedError(endpoint_url=answer.url)
        return AWSResponse(answer.url, int(self.how), {}, Body(b""))


def told(deaths: Sequence[Death]) -> str:
    """Those deaths after which something was wrong."""
    bad = [death for death in deaths if death.wrong]
    return "\n".join(
        f"{len(bad)} of {len(deaths)}: call {one.number} {one.moment} {one.operation}: {one.wrong[:2000]}"
        for one in bad[:5]
    )
