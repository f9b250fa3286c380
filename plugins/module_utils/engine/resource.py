"""What a resource is: one AWS thing that can be read, wished for, made, changed and deleted.

A subclass states two kinds of things. Unannotated class attributes are facts about the AWS type. Annotated fields are what
this caller wants; ``None`` means "leave alone". Fields that hold other resources are its dependencies.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, ClassVar, TypeVar

OWNER_TAG = "webstack:stack"
TIER_TAG = "webstack:tier"
NAME_TAG = "webstack:name"

Kind = TypeVar("Kind", bound="Resource")
Value = TypeVar("Value")


class Unknown(str):
    """A value that AWS will only give when the resource exists. Equal to nothing but the same unknown."""

    address: str

    def __new__(cls, address: str) -> Unknown:
        self = super().__new__(cls, "(known after apply)")
        self.address = address
        return self

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Unknown) and other.address == self.address

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(self.address)


class Scope:
    """What the reading of one kind in one region may use: clients, its members, what was found of other kinds."""

    def __init__(
        self,
        *,
        stack: str,
        region: str,
        kind: type[Resource],
        members: list[Resource],
        client: Callable[[str, str], Any],
        found: Callable[[type[Resource], str], list[Resource]],
        memory: dict[Any, Any],
        fresh: bool = False,
        tiers: set[str] | None = None,
    ) -> None:
        self.stack = stack
        self.region = region
        self.kind = kind
        self.members = members
        self.fresh = fresh
        self.tiers = tiers  # the tiers that this run is about; None: every one
        self._client = client
        self._found = found
        self._memory = memory
        self._lock = memory.setdefault("lock", threading.RLock())

    def client(self, service: str, region: str | None = None) -> Any:
        """A client of another service, or for another region than the resource's own."""
        return self._client(service, region or self.region)

    def of(self, kind: type[Kind]) -> list[Kind]:
        """Every existing resource of another kind in this region that this run knows. List that kind in ``within``."""
        return self._found(kind, self.region)  # type: ignore[return-value]  # the converger keys them by kind

    def once(self, key: Any, compute: Callable[[], Value]) -> Value:
        """The answer of ``compute``, asked for once in a run and region, however many resources need it."""
        with self._lock:
            place = (self.region, key)
            if place not in self._memory:
                self._memory[place] = compute()
            value: Value = self._memory[place]
            return value

    def gather(self, *calls: Callable[[], Any]) -> list[Any]:
        """The answers of independent calls, made at the same time."""
        if len(calls) < 2:
            return [call() for call in calls]
        with ThreadPoolExecutor(max_workers=8) as pool:
            return list(pool.map(lambda call: call(), calls))

    @property
    def lists_everything(self) -> bool:
        """Whether the stack is looked at as a whole, so that also what belongs to no tier of this run is to be found."""
        return self.tiers is None

    def covers(self, tier: str | None) -> bool:
        """Whether this run is about a tier, given as the value of the tag ``webstack:tier``."""
        return self.tiers is None or tier in self.tiers

    @property
    def names(self) -> set[str]:
        """The names that this run wants of the kind."""
        return {member.name for member in self.members}


@dataclass(eq=False)
class Resource:
    """One AWS thing, found by its name and by the ownership tags.

    ``owned=False``: must exist, is never changed and never deleted. ``hint`` says what to do where it is missing.
    ``region``: only where it differs from the region of the run.
    """

    service: ClassVar[str] = ""
    fixed_region: ClassVar[str | None] = None  # global services answer in one region only
    missing: ClassVar[tuple[str, ...]] = ()  # error codes of read and delete that mean "is not there"
    retry: ClassVar[tuple[str, ...]] = ()  # "Code" or "Code:part of the message" while a new dependency propagates
    busy: ClassVar[tuple[str, ...]] = ()  # the same form: what delete answers while something still holds the resource
    # Operations without name or token by which AWS would know a repetition: sent again, they would make a second thing.
    sent_once: ClassVar[tuple[str, ...]] = ()
    api: ClassVar[Mapping[str, str]] = {}  # our name of an attribute: the SDK parameter
    immutable: ClassVar[Mapping[str, str]] = {}  # attribute: what to do instead of changing it
    secret: ClassVar[tuple[str, ...]] = ()  # attributes that no output may show
    shown: ClassVar[tuple[str, ...]] = ()  # attributes that answers list besides id, arn, state and endpoint
    within: ClassVar[tuple[type[Resource], ...]] = ()  # kinds whose reading must be finished before this kind is listed
    after: ClassVar[
        tuple[type[Resource], ...]
    ] = ()  # kinds whose changes in the same run come first, though no field holds them
    needs_ready: ClassVar[tuple[str, ...]] = ()  # fields whose resource must be ready, not just exist
    stepwise: ClassVar[bool] = (
        False  # AWS takes one change after another: update until nothing differs, patient with busy
    )
    pending: ClassVar[tuple[str, ...]] = ()  # values of "state" that pass by themselves
    ready: ClassVar[tuple[str, ...]] = ()  # values of "state" that are the aim; any other is an error
    changeable: ClassVar[
        tuple[str, ...]
    ] = ()  # other values of "state" in which AWS takes changes, so none has to wait
    timeout: ClassVar[int] = 600  # seconds to wait for a ready state or for deletion
    usual: ClassVar[int] = 0  # seconds until a ready state, as a rule; people are told. 0: nothing to tell
    usual_deletion: ClassVar[int] = 0  # likewise, until it is gone
    tagged: ClassVar[bool] = True  # carries our ownership tags, so read() returns "tags"
    purge: ClassVar[bool] = False  # untagged kinds: everything that list_all() yields belongs to us

    name: str
    owned: bool = field(default=True, kw_only=True)
    region: str = field(default="", kw_only=True)
    hint: str = field(default="", kw_only=True)
    tags: dict[str, str] | None = field(default=None, kw_only=True)
    tier: str = field(default="", kw_only=True)

    # What the converger fills in: the owner of the same thing in this graph, and all tags wanted, ownership included.
    twin: Resource | None = field(default=None, init=False, repr=False)
    wanted_tags: dict[str, str] | None = field(default=None, init=False, repr=False)
    _have: dict[str, Any] | None = field(default=None, init=False, repr=False)
    _scope: Scope | None = field(default=None, init=False, repr=False)

    # What a subclass writes.

    @classmethod
    def list_all(cls, client: Any, scope: Scope) -> Iterable[Any]:
        """Every item of this kind in the stack's reach, in one paginated call or a few. Never one call per item."""
        raise NotImplementedError(cls.__name__)

    @classmethod
    def identify(cls, item: Any) -> tuple[str, ...]:
        """The names by which an item of ``list_all`` may be wished for; the first one is its own."""
        raise NotImplementedError(cls.__name__)

    def read(self, client: Any, item: Any) -> dict[str, Any] | None:
        """An item as we see it, in the shape of ``want`` plus ``id``, and where it has them ``arn``, ``state``, ``tags``."""
        raise NotImplementedError(type(self).__name__)

    def want(self) -> dict[str, Any]:
        """What the resource should look like, tags apart. ``None`` means "leave alone"."""
        return {}

    def create(self, client: Any, want: dict[str, Any]) -> None:
        """Make it, tags included (``want["tags"]``), in one call where AWS has one."""
        raise NotImplementedError(type(self).__name__)

    def update(self, client: Any, change: dict[str, Any]) -> None:
        """Change what differs, and nothing else."""
        raise NotImplementedError(type(self).__name__)

    def delete(self, client: Any) -> None:
        """Delete it. Uses ``self.have`` only: a resource that is no longer wished for has no other fields."""
        raise NotImplementedError(type(self).__name__)

    def refuse(self, change: dict[str, Any]) -> str | None:
        """Why this change (all attributes, if it does not exist yet) can never be made, or None. Called before any write."""
        return None

    def protection(self) -> str | None:
        """What protects it from deletion right now, or None."""
        return None

    def unprotect(self, client: Any) -> None:
        """Lift what ``protection`` names."""

    def leftover(self) -> str | None:
        """What stays in the account after deletion, and whether it costs money, or None."""
        return None

    # What a subclass uses.

    @property
    def have(self) -> dict[str, Any] | None:
        """What AWS has, as last read; None where it does not exist."""
        return self.twin.have if self.twin is not None else self._have

    @have.setter
    def have(self, value: dict[str, Any] | None) -> None:
        self._have = value

    @property
    def scope(self) -> Scope:
        """What reading may use besides the client."""
        if self._scope is None:
            raise TypeError("the converger sets the scope before it reads")
        return self._scope

    @scope.setter
    def scope(self, value: Scope) -> None:
        self._scope = value

    def get(self, attribute: str) -> Any:
        """An attribute of the real thing, or an Unknown while it does not exist."""
        have = self.have
        if have is None or have.get(attribute) is None:
            return Unknown(f"{self.address}.{attribute}")
        return have[attribute]

    @property
    def id(self) -> Any:
        return self.get("id")

    @property
    def arn(self) -> Any:
        return self.get("arn")

    @property
    def address(self) -> str:
        return f"{type(self).__name__}[{self.name}]"

    @property
    def exists(self) -> bool:
        return self.have is not None

    def arguments(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Those of the values that ``api`` names, as SDK parameters; sets become sorted lists."""
        return {
            self.api[key]: sorted(value) if isinstance(value, (set, frozenset)) else value
            for key, value in values.items()
            if key in self.api and value is not None
        }

    def dependencies(self) -> Iterator[Resource]:
        """Every resource that a field holds."""
        for item in fields(self):
            if item.init:
                yield from resources_in(getattr(self, item.name))


def resources_in(value: Any) -> Iterator[Resource]:
    """The resources that a field holds, alone or in lists, sets, dictionaries and plain data classes."""
    if isinstance(value, Resource):
        yield value
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from resources_in(part)
    elif isinstance(value, (list, tuple, set, frozenset)):
        for part in value:
            yield from resources_in(part)
    elif is_dataclass(value):
        for item in fields(value):
            yield from resources_in(getattr(value, item.name))


def as_list(tags: Mapping[str, str] | None) -> list[dict[str, str]]:
    """Tags in the form that most AWS APIs take."""
    return [{"Key": key, "Value": value} for key, value in sorted((tags or {}).items())]


def as_dict(tags: Iterable[Mapping[str, str]] | None) -> dict[str, str]:
    """Tags in the form that we compare."""
    return {tag["Key"]: tag.get("Value", "") for tag in tags or ()}


def changed_tags(have: Mapping[str, str], want: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """Tags to set and keys to remove, so that ``have`` becomes ``want``; AWS's own keys are never touched (trap 4)."""
    to_set = {key: value for key, value in want.items() if have.get(key) != value}
    to_remove = sorted(key for key in have if key not in want and not key.startswith("aws:"))
    return to_set, to_remove
