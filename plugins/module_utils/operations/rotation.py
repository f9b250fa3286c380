"""Taking one instance out of the rotation of its load balancers, and putting it back, as a load balancer's own answers tell."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ..engine.errors import OptionError
from ..engine.sdk import Clients
from .errors import OperationError
from .launch_versions import described_group
from .run import Operation
from .undo import Intent, pending
from .undo_deployment import OUT, target_of

MARGIN = 30.0  # seconds above what AWS says that it takes
LOOK, SELDOM = 0.25, 3.0  # seconds between looks: at first, and later
DELAY = "deregistration_delay.timeout_seconds"


@dataclass(frozen=True)
class Pool:
    """A target group, as far as waiting for one of its targets depends on it. Times are in seconds."""

    arn: str
    name: str
    delay: float  # for the requests under way
    check_time: float  # from registration to healthy, at the soonest


def pools_of(clients: Clients, region: str, group: str, names: list[str]) -> list[Pool]:
    """The target groups of those names, or else all that an Auto Scaling group registers with. Raises OptionError where there are none."""
    client = clients("elbv2", region)
    if names:
        found = client.describe_target_groups(Names=names)["TargetGroups"]
    else:
        arns = described_group(clients, region, group).get("TargetGroupARNs") or []
        found = client.describe_target_groups(TargetGroupArns=arns)["TargetGroups"] if arns else []
    if not found:
        raise OptionError(
            "target_group_names",
            names,
            f"{group} registers with no target group. Name the groups that send to its instances",
        )
    return [_pool(client, item) for item in found]


def _pool(client: Any, item: Mapping[str, Any]) -> Pool:
    arn = item["TargetGroupArn"]
    rows = client.describe_target_group_attributes(TargetGroupArn=arn)["Attributes"]
    attributes = {row["Key"]: row["Value"] for row in rows}
    checks = item.get("HealthCheckIntervalSeconds", 30) * item.get("HealthyThresholdCount", 5)
    return Pool(
        arn=arn,
        name=item["TargetGroupName"],
        delay=float(attributes.get(DELAY, 300)),
        check_time=checks
        + item.get("HealthCheckTimeoutSeconds", 10)
        + float(attributes.get("slow_start.duration_seconds", 0)),
    )


@dataclass
class Rotation:
    """One instance and the target groups that it belongs to. ``operation`` is the run that it happens for, if any."""

    clients: Clients
    region: str
    pools: list[Pool]
    target_id: str
    operation: Operation | None = None
    batch: int | None = None
    timeout: float | None = None  # instead of what the target groups say
    stop: Callable[[], str | None] = lambda: None

    @property
    def client(self) -> Any:
        return self.clients("elbv2", self.region)

    def rows(self, pool: Pool) -> list[dict[str, Any]]:
        """Every target of a pool, with its health, now."""
        return list(self.client.describe_target_health(TargetGroupArn=pool.arn)["TargetHealthDescriptions"])

    def mine(self, pool: Pool) -> list[dict[str, Any]]:
        """The entries of this instance; it may be registered on several ports."""
        return [row for row in self.rows(pool) if row["Target"]["Id"] == self.target_id]

    def states(self) -> dict[str, str]:
        """Name of the pool → state of this instance; ``unused`` where it is not registered."""
        return {pool.name: worst(self.mine(pool)) for pool in self.pools}

    def healthy_others(self, pool: Pool) -> int:
        """How many other instances the pool sends to now."""
        rows = self.rows(pool)
        sick = {row["Target"]["Id"] for row in rows if row["TargetHealth"]["State"] != "healthy"}
        return len({row["Target"]["Id"] for row in rows} - sick - {self.target_id})

    def take_out(self, min_healthy: int) -> bool:
        """Deregister and wait until nothing is under way any more. Whether anything was to be done.

        Refuses while fewer than ``min_healthy`` others would be left in any pool. Its undo is armed before. Raises OperationError.
        """
        begun = time.time()
        with self._alone():
            present = [pool for pool in self.pools if any(_in(row) for row in self.mine(pool))]
            for pool in present:
                if (others := self.healthy_others(pool)) < min_healthy:
                    raise OperationError(
                        f"{self.target_id} is not taken out: {pool.name} would have {others} healthy targets left, and needs "
                        f"{min_healthy}. Wait until others are healthy, or mend them"
                    )
            for pool in present:
                self._deregister(pool)
        for pool in self.pools:
            limit = pool.delay + MARGIN if self.timeout is None else self.timeout
            self._await(pool, limit, lambda rows: not rows or worst(rows) == "unused", "is not drained")
        self._note("drain", begun, time.time())
        return bool(present)

    def put_in(self) -> bool:
        """Register and wait until the load balancer finds the instance healthy. Whether anything was to be done. Raises OperationError."""
        begun = time.time()
        changed = self._keep_promises()
        for pool in self.pools:
            if not any(_in(row) for row in self.mine(pool)):
                self.client.register_targets(TargetGroupArn=pool.arn, Targets=[{"Id": self.target_id}])
                changed = True
        for pool in self.pools:
            limit = 2 * pool.check_time + MARGIN if self.timeout is None else self.timeout
            self._await(pool, limit, lambda rows: worst(rows) == "healthy", "is not healthy")
        self._note("health", begun, time.time())
        return changed

    def _deregister(self, pool: Pool) -> None:
        for row in self.mine(pool):
            if _in(row):
                data = {
                    "region": self.region,
                    "target_group_arn": pool.arn,
                    "target_id": self.target_id,
                    "port": row["Target"].get("Port"),
                }
                if self.operation:
                    self.operation.arm("register_target", self.target_id, data)
                self.client.deregister_targets(TargetGroupArn=pool.arn, Targets=[target_of(data)])
                if self.operation:
                    self.operation.record("acknowledged", self.target_id)

    def _keep_promises(self) -> bool:
        """Carry out what was promised when this instance was taken out: the same registrations, ports and all."""
        if self.operation is None:
            return False
        changed = False
        for intent in promised(self.operation, self.target_id):
            changed |= self.operation.undo(intent)
        return changed

    def _await(self, pool: Pool, limit: float, done: Callable[[list[dict[str, Any]]], bool], not_done: str) -> None:
        deadline, pause = time.monotonic() + limit, LOOK
        while not done(rows := self.mine(pool)):
            if reason := self.stop():
                raise OperationError(reason)
            if time.monotonic() > deadline:
                raise OperationError(f"{self.target_id} {not_done} in {pool.name} after {limit:g} s: {reason_of(rows)}")
            time.sleep(pause)
            pause = min(pause * 1.2, SELDOM)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Instances of one batch are counted and taken out one after the other, or each would count on the others."""
        if self.operation is None:
            yield
            return
        with (self.operation.folder / "rotation.lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _note(self, phase: str, start: float, end: float) -> None:
        if self.operation:
            data = {"host": self.target_id, "batch": self.batch, "phase": phase, "start": start, "end": end}
            self.operation.record("event", "wave", data)


def promised(operation: Operation, target_id: str) -> list[Intent]:
    """The registrations that the run still owes to an instance."""
    intents = pending(operation.journal.read().records)
    return [one for one in intents if one.action == "register_target" and one.data["target_id"] == target_id]


def _in(row: Mapping[str, Any]) -> bool:
    health = row["TargetHealth"]
    return health["State"] not in OUT or (
        health["State"] == "unused" and health.get("Reason") != "Target.NotRegistered"
    )


def worst(rows: list[dict[str, Any]]) -> str:
    """The state of an instance that may be registered on several ports; ``unused`` for one that is not."""
    states = [str(row["TargetHealth"]["State"]) for row in rows]
    return next((state for state in states if state != "healthy"), states[0] if states else "unused")


def reason_of(rows: list[dict[str, Any]]) -> str:
    """What AWS says of an instance that is not healthy."""
    for row in rows:
        health = row["TargetHealth"]
        if health["State"] != "healthy":
            said = ", ".join(text for text in (health.get("Reason"), health.get("Description")) if text)
            return f"{health['State']} ({said})" if said else str(health["State"])
    return "healthy" if rows else "not registered"
