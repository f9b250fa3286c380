"""Every load balancer is a set of addresses, one a subnet, on which one HAProxy serves its listeners.

What DescribeTargetHealth answers comes from HAProxy's own checks. A deregistered target gets no new request; the requests under
way have the deregistration delay in real seconds, then they are cut. It counts as draining for the delay on the lab's shortened clock, and
while a request is under way. Targets are spoken to in HTTP, also where the target group says HTTPS. Not carried: UDP, Lambda targets,
stickiness, authentication, slow start.
"""

from __future__ import annotations

import re
import shutil
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from webstack_lab.dataplane.haproxy import Haproxy, Refused
from webstack_lab.dataplane.network import real_port
from webstack_lab.dataplane.proxy_config import OPEN, Listener, Server, both, configuration
from webstack_lab.dataplane.proxy_model import Desired, Target, desired
from webstack_lab.services import reality
from webstack_lab.services.passing import Pace

if TYPE_CHECKING:
    from webstack_lab.app import LabApp

CLOSED = "closed.lst"
PAUSE = 2.0  # seconds before a configuration that was refused is tried again
INITIAL = ("initial", "Elb.InitialHealthChecking", "Initial health checks in progress")
REGISTERING = ("initial", "Elb.RegistrationInProgress", "Target registration is in progress")
HEALTHY = ("healthy", "", "")
TIMEOUTS = ("L4TOUT", "L6TOUT", "L7TOUT")
PASSED = ("L4OK", "L6OK", "L7OK", "L7OKC")


@dataclass
class Tracked:
    """A target that HAProxy knows as a server: `new` until its first check, `live`, or `draining`."""

    server: Server
    phase: str = "new"
    since: float = 0.0
    delay: float = 0.0
    present: bool = True
    cut: bool = False
    told: tuple[str, str, str] = INITIAL
    under_way: int = 0


@dataclass
class Balancers:
    """The one HAProxy and what is known of its servers."""

    app: LabApp
    folder: Path
    tracked: dict[tuple[str, str], Tracked] = field(default_factory=dict)
    nodes: dict[tuple[str, str], str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.state = self.folder
        self.folder = self.folder / "haproxy"
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self.haproxy = Haproxy(self.folder)
        self.loaded = ""
        self.refused = ("", 0.0, "")  # a configuration, when to try it again, and why not before
        self.closed: set[str] = set()
        self.wanted = Desired()

    def tick(self) -> None:
        """Make HAProxy what the API says, and tell the API what HAProxy sees."""
        with self.app.lock:
            self.wanted = desired(self.app, self.state, self.nodes)
        try:
            if self.wanted.listeners or self.tracked:
                self.close_nodes()
                self.carry()
                self.compare()
                self.look()
        finally:
            with self.app.lock:
                self.publish()

    def carry(self) -> None:
        """Load the configuration when anything but the targets has changed, or when the process has died."""
        text = configuration(self.wanted.listeners, self.wanted.pools, [], CLOSED)
        if text == self.loaded and self.haproxy.alive:
            return
        if text == self.refused[0] and time.monotonic() < self.refused[1]:
            raise Refused(self.refused[2])
        pools = {pool.arn: pool for pool in self.wanted.pools}
        sure = {
            key: replace(one.server, pool=pools[key[0]])
            for key, one in self.tracked.items()
            if one.phase == "live" and one.told == HEALTHY and key[0] in pools
        }
        try:
            self.haproxy.load(configuration(self.wanted.listeners, self.wanted.pools, list(sure.values()), CLOSED))
        except Refused as error:
            self.refused = text, time.monotonic() + PAUSE, str(error)
            raise
        self.loaded = text
        for key, one in list(self.tracked.items()):
            one.present = key in sure
            one.server = sure.get(key, one.server)
            if not one.present and one.phase != "draining":
                del self.tracked[key]  # comes anew, and is not sent to before it has passed a check

    def compare(self) -> None:
        """Add, drain and remove servers."""
        pools = {pool.arn: pool for pool in self.wanted.pools}
        for target in self.wanted.targets:
            key, known = (target.arn, target.id), self.tracked.get((target.arn, target.id))
            moved = known is not None and (known.server.address, known.server.port) != (target.address, target.port)
            if known is not None and moved and known.present:
                self.remove(known)
            if target.leaving:
                if known is not None and known.phase != "draining":
                    self.drain(known, target.since, target.delay)
            elif target.address and target.arn in pools and (known is None or moved or known.phase == "draining"):
                self.add(key, Server(pools[target.arn], server_name(target), target.address, target.port), known)
        present = {(target.arn, target.id) for target in self.wanted.targets}
        for key, one in list(self.tracked.items()):
            if key not in present and one.phase != "draining":  # its instance was terminated
                self.drain(one, time.monotonic(), self.wanted.delays.get(key[0], 0.0))

    def add(self, key: tuple[str, str], server: Server, known: Tracked | None) -> None:
        """A new server: checked at once, sent to when it has passed. One that drains is taken back."""
        if known is not None and known.present:
            self.remove(known)
            if known.present:
                return  # its last requests are not over: the next round tries again
        pool, name = server.pool.name, server.name
        line, twin = both(server)
        self.haproxy.tell(f"add server {pool}/{line}", f"add server {pool}/{twin}")
        self.haproxy.tell(
            f"set server {pool}/{name} state drain",
            f"enable health {pool}/{name}",
            f"enable server {pool}/{name}{OPEN}",
        )
        self.tracked[key] = Tracked(server)

    def drain(self, one: Tracked, since: float, delay: float) -> None:
        """No new requests from now on."""
        one.phase, one.since, one.delay = "draining", since, delay
        if one.present:
            for name in (one.server.name, one.server.name + OPEN):
                self.haproxy.tell(f"set server {one.server.pool.name}/{name} state drain")

    def remove(self, one: Tracked) -> None:
        """Take a server out, if its connections are over; else the next round tries again."""
        for name in (one.server.name, one.server.name + OPEN):
            place = f"{one.server.pool.name}/{name}"
            self.haproxy.ask(f"disable health {place}; set server {place} state maint")
        answers = [
            self.haproxy.ask(f"del server {one.server.pool.name}/{name}")
            for name in (one.server.name, one.server.name + OPEN)
        ]
        one.present = not all(answer.startswith("Server deleted") or "No such" in answer for answer in answers)

    def look(self) -> None:
        """Read what the checks say, let new targets in that have passed, and end what has drained."""
        rows = self.haproxy.servers()
        self.haproxy.leaving = [old for old in self.haproxy.leaving if old.poll() is None]
        for key, one in list(self.tracked.items()):
            row = rows.get((one.server.pool.name, one.server.name), {})
            twin = rows.get((one.server.pool.name, one.server.name + OPEN), {})
            one.under_way = int(row.get("scur") or 0) + int(twin.get("scur") or 0)
            if one.phase == "draining":
                self.finish(key, one)
                continue
            one.told = seen(one, row)
            if one.phase == "new" and one.told != INITIAL:
                self.haproxy.tell(f"set server {one.server.pool.name}/{one.server.name} state ready")
                one.phase = "live"

    def finish(self, key: tuple[str, str], one: Tracked) -> None:
        """The end of a drain."""
        age = time.monotonic() - one.since
        unknown = not one.present and bool(self.haproxy.leaving)  # an earlier process has its last requests
        if age < one.delay and (one.under_way or unknown or age < one.delay * Pace.scale):
            return
        if one.present and not one.cut:
            for name in (one.server.name, one.server.name + OPEN):
                self.haproxy.ask(f"shutdown sessions server {one.server.pool.name}/{name}")
            one.cut = True
        if one.present:
            self.remove(one)
        if not one.present:
            del self.tracked[key]

    def close_nodes(self) -> None:
        """Cut off the nodes that no client gets to."""
        fresh = set(self.wanted.closed)
        path = self.folder / CLOSED
        if fresh == self.closed and path.exists():
            return
        path.write_text("".join(f"{one}\n" for one in sorted(fresh)))
        if self.haproxy.alive:
            for one in self.closed - fresh:
                self.haproxy.ask(f"del acl {CLOSED} {one}")
            for one in fresh - self.closed:
                self.haproxy.ask(f"add acl {CLOSED} {one}")
        self.closed = fresh

    def publish(self) -> None:
        """Tell the services; under the app's lock."""
        told = {key: one.told for key, one in self.tracked.items() if one.phase != "draining"}
        for target in self.wanted.targets:
            if not target.leaving:
                told.setdefault((target.arn, target.id), REGISTERING)
        reality.now.targets = told
        reality.now.drained = {
            (target.arn, target.id)
            for target in self.wanted.targets
            if target.leaving and (target.arn, target.id) not in self.tracked
        }

    def clear(self) -> None:
        """End HAProxy and forget everything."""
        self.haproxy.close()
        self.tracked.clear()
        self.nodes.clear()
        self.loaded, self.closed, self.wanted = "", set(), Desired()

    def close(self) -> None:
        """End HAProxy."""
        self.clear()

    def addresses(self) -> dict[str, list[str]]:
        """The DNS name of each load balancer with the addresses of its nodes."""
        return {name: list(nodes) for name, nodes in self.wanted.names.items()}

    def status(self) -> list[dict[str, Any]]:
        """One row a listener."""
        return [row(listener, self.wanted) for listener in self.wanted.listeners]


def server_name(target: Target) -> str:
    """A name of a server that HAProxy takes."""
    return re.sub(r"[^\w.-]", "-", f"{target.id.rpartition('/')[2]}_{target.port}")


def row(listener: Listener, wanted: Desired) -> dict[str, Any]:
    """A listener for human eyes."""
    name, dns_name = wanted.owners[listener.name]
    return {
        "balancer": name,
        "addresses": listener.addresses,
        "protocol": listener.protocol,
        "port": listener.port,
        "listening": real_port(listener.port),
        "dns_name": dns_name,
    }


def seen(one: Tracked, row: dict[str, str]) -> tuple[str, str, str]:
    """What a server's checks say, in the words of Elastic Load Balancing."""
    result = row.get("check_status", "").removeprefix("* ")
    status = row.get("status", "")
    if one.phase == "new" and result in PASSED:
        return HEALTHY
    if not status.startswith("DOWN"):
        return INITIAL if one.phase == "new" else HEALTHY
    if result in TIMEOUTS:
        return "unhealthy", "Target.Timeout", "Request timed out"
    if result == "L7STS":
        code = row.get("check_code", "")
        return "unhealthy", "Target.ResponseCodeMismatch", f"Health checks failed with these codes: [{code}]"
    return "unhealthy", "Target.FailedHealthChecks", "Health checks failed"
