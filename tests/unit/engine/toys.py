"""A toy cloud for the engine's tests: things in a dictionary, no AWS, no network, a clock that only moves when told to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from ansible_collections.webstack.aws.plugins.module_utils.engine.converger import Converger, Settings
from ansible_collections.webstack.aws.plugins.module_utils.engine.resource import OWNER_TAG, Resource, Scope
from ansible_collections.webstack.aws.plugins.module_utils.engine.schedule import Clock
from ansible_collections.webstack.aws.plugins.module_utils.engine.sdk import Counter


class FakeClock(Clock):
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.time = 0.0

    def now(self) -> float:
        return self.time

    def wall(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds


def aws_error(code: str, operation: str = "MakeThing", message: str = "no") -> ClientError:
    answer: Any = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"RequestId": "r-1"}}
    return ClientError(answer, operation)


@dataclass
class Cloud:
    """What exists, what was called, and what shall go wrong; at the same time the factory of its clients."""

    things: dict[str, dict[str, Any]] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)
    errors: dict[str, list[Exception]] = field(default_factory=dict)
    invisible: dict[str, int] = field(default_factory=dict)  # how many listings leave a thing out
    lifecycle: dict[str, list[str]] = field(default_factory=dict)  # the states that the next readings show
    counter: Counter = field(default_factory=Counter)
    renewed: int = 0  # how often the credentials were looked for again
    once: list[tuple[str, ...]] = field(
        default_factory=list
    )  # which operations were not to be sent twice, call by call

    def renew(self) -> None:
        self.renewed += 1

    @contextmanager
    def sent_once(self, operations: tuple[str, ...]) -> Iterator[None]:
        self.once.append(operations)
        yield

    def __call__(self, service: str, region: str) -> Cloud:
        return self

    def call(self, verb: str, name: str) -> None:
        self.counter.count(verb == "list")
        self.log.append(f"{verb} {name}")
        if self.errors.get(f"{verb} {name}"):
            raise self.errors[f"{verb} {name}"].pop(0)

    @property
    def writes(self) -> list[str]:
        return [entry for entry in self.log if not entry.startswith("list")]


@dataclass(eq=False)
class Thing(Resource):
    """A thing with a colour that can be changed, a size that cannot, and other things that it needs."""

    service = "toy"
    missing = ("NoSuchThing",)
    retry = ("NotYet", "Vague:not visible")
    busy = ("InUse",)
    immutable = {"size": "Make another one."}
    secret = ("password",)

    needs: list[Resource] = field(default_factory=list)
    colour: str | None = None
    size: int | None = None
    password: str | None = None
    wanted_id_of: Resource | None = None

    @classmethod
    def list_all(cls, client: Cloud, scope: Scope) -> Iterable[Any]:
        client.call("list", cls.__name__)
        for name, item in list(client.things.items()):
            if client.invisible.get(name, 0) > 0:
                client.invisible[name] -= 1
            elif item["kind"] == cls.__name__:
                yield item

    @classmethod
    def identify(cls, item: Any) -> tuple[str, ...]:
        return (item["name"], f"id-{item['name']}")

    def read(self, client: Cloud, item: Any) -> dict[str, Any]:
        states = client.lifecycle.get(item["name"], [])
        if states:
            item["state"] = states.pop(0)
        return {**item, "id": f"id-{item['name']}"}

    def want(self) -> dict[str, Any]:
        other = self.wanted_id_of.id if self.wanted_id_of is not None else None
        return {"colour": self.colour, "size": self.size, "password": self.password, "other": other}

    def create(self, client: Cloud, want: dict[str, Any]) -> None:
        client.call("create", self.name)
        client.things[self.name] = {"kind": type(self).__name__, "name": self.name, **want}

    def update(self, client: Cloud, change: dict[str, Any]) -> None:
        client.call("update", self.name)
        client.things[self.name].update(change)

    def delete(self, client: Cloud) -> None:
        client.call("delete", self.name)
        if self.name not in client.things:
            raise aws_error("NoSuchThing", "DeleteThing")
        if client.lifecycle.get(f"gone {self.name}"):
            client.things[self.name]["state"] = "deleting"
            return
        del client.things[self.name]

    def protection(self) -> str | None:
        return "deletion protection is on" if (self.have or {}).get("protected") else None

    def unprotect(self, client: Cloud) -> None:
        client.call("unprotect", self.name)
        client.things[self.name]["protected"] = False

    def leftover(self) -> str | None:
        return f"{self.address}: a snapshot, which costs money" if (self.have or {}).get("colour") == "gold" else None

    def refuse(self, change: dict[str, Any]) -> str | None:
        return "ultraviolet cannot be seen" if change.get("colour") == "ultraviolet" else None


@dataclass(eq=False)
class Slow(Thing):
    """A thing that takes its time."""

    pending = ("creating", "modifying", "deleting")
    ready = ("available",)
    timeout = 100


@dataclass(eq=False)
class Reader(Thing):
    """A thing that cannot be made before what it needs is ready."""

    needs_ready = ("needs",)


@dataclass(eq=False)
class Part(Thing):
    """A thing without tags, which belongs to whoever owns its parent."""

    tagged = False
    purge = True


def ours(kind: str, name: str, tier: str = "toys", **values: Any) -> dict[str, Any]:
    """A thing as a former run of the stack left it."""
    tags = {"Name": name, OWNER_TAG: "demo", "webstack:tier": tier, "webstack:name": name}
    return {"kind": kind, "name": name, "tags": tags, **values}


def converger(
    cloud: Cloud,
    *things: Resource,
    kinds: Iterable[type[Resource]] = (Thing, Slow, Reader),
    clock: Clock | None = None,
    **settings: Any,
) -> Converger:
    for thing in things:
        if thing.owned:
            thing.tier = "toys"
    chosen = Settings("demo", "eu-west-1", **settings)
    return Converger(things, list(kinds), {"toys"}, cloud, chosen, clock or FakeClock())  # type: ignore[arg-type]  # a toy factory
