"""Reads everything that a run is about: one listing a kind and region, all that do not need each other at the same time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields
from functools import partial
from typing import Any

from .errors import Refused, ResourceError
from .resource import NAME_TAG, OWNER_TAG, TIER_TAG, Resource, Scope
from .schedule import Clock, Steps, walk
from .sdk import SDK_ERRORS, Clients, error_code, failure

Group = tuple[type[Resource], str]


class Reader:
    """Fills ``have`` of every resource, and finds what the stack owns but nobody wishes for any more (``orphans``)."""

    def __init__(self, clients: Clients, stack: str, region: str, clock: Clock) -> None:
        self.clients = clients
        self.stack = stack
        self.region = region
        self.clock = clock
        self.orphans: list[Resource] = []
        self._groups: dict[Group, list[Resource]] = {}
        self._found: dict[Group, list[Resource]] = {}
        self._memory: dict[Any, Any] = {}
        self._purged: set[type[Resource]] = set()
        self._tiers: set[str] | None = None

    def read(self, resources: Iterable[Resource], kinds: Sequence[type[Resource]], tiers: set[str] | None) -> None:
        """Read the resources, and every kind in ``kinds`` also where no resource of it is wished for.

        What is found and not wished for is an orphan if its tier is one of ``tiers``; None stands for every tier.
        """
        groups = self._groups
        self._purged = set(kinds)
        self._tiers = tiers
        for resource in resources:
            groups.setdefault((type(resource), resource.region), []).append(resource)
        for kind in kinds:
            groups.setdefault((kind, kind.fixed_region or self.region), [])
        needs: dict[Group, set[Group]] = {
            group: {other for other in groups if other != group and other[0] in group[0].within} for group in groups
        }
        finish = walk(needs, lambda group: self._read_group(group, tiers), self.clock)
        if finish.failed:
            errors = [_as_error(group, error) for group, error in finish.failed.items()]
            # One reason a cause: what is wrong with the credentials is so for every kind, a permission lacks for one operation.
            raise Refused(list({str(one.statement or one.code or one.cause): one for one in reversed(errors)}.values()))

    def _read_group(self, group: Group, tiers: set[str] | None) -> Steps:
        kind, region = group
        members = self._groups[group]
        scope = self._scope(kind, region, members)
        client = self.clients(kind.service, region)
        wished = {member.name: member for member in members}
        found: dict[Resource, Any] = {}
        strangers: dict[Resource, Any] = {}
        for item in kind_list(kind, client, scope):
            names = kind.identify(item)
            member = next((wished[name] for name in names if name in wished), None)
            if member is None:
                if kind in self._purged and (kind.tagged or kind.purge):
                    strangers[self._stranger(kind, region, names[0])] = item
            elif member in found:
                raise ResourceError(
                    "reading",
                    member.address,
                    f"two of them exist in {region} with the same name and owner. Remove one by hand",
                )
            else:
                found[member] = item
        for stranger, item in strangers.items():
            found[stranger] = item
        for resource in [*members, *found]:  # refuse() may ask about what does not exist yet
            resource.scope = scope
        details = scope.gather(*(partial(read_item, resource, client, item) for resource, item in found.items()))
        for resource, have in zip(found, details, strict=True):
            resource.have = have
        orphans = [stranger for stranger in strangers if stranger.exists and self._is_ours(stranger, tiers)]
        self.orphans += orphans
        self._found[group] = [
            resource for resource in found if resource.exists and (resource in orphans or resource not in strangers)
        ]
        yield from ()

    def _scope(self, kind: type[Resource], region: str, members: list[Resource], fresh: bool = False) -> Scope:
        return Scope(
            stack=self.stack,
            region=region,
            kind=kind,
            members=members,
            client=self.clients,
            found=lambda other, where: [
                one for one in self._found.get((other, other.fixed_region or where), []) if one.exists
            ],
            memory={} if fresh else self._memory,
            fresh=fresh,
            tiers=self._tiers,
        )

    def _stranger(self, kind: type[Resource], region: str, name: str) -> Resource:
        """A resource that exists but that nobody wishes for: a name and what AWS has, no wishes."""
        stranger = object.__new__(kind)
        for wish in fields(kind):
            setattr(stranger, wish.name, None)
        stranger.name, stranger.region, stranger.owned, stranger.hint, stranger.tier = name, region, True, "", ""
        return stranger

    def _is_ours(self, stranger: Resource, tiers: set[str] | None) -> bool:
        if not stranger.tagged:
            return stranger.purge
        tags = (stranger.have or {}).get("tags") or {}
        stranger.tier = tags.get(TIER_TAG, "")
        return tags.get(OWNER_TAG) == self.stack and (tiers is None or stranger.tier in tiers) and NAME_TAG in tags

    def reload(self, resource: Resource) -> bool:
        """Read one resource again. Whether it exists."""
        members = [resource]
        client = self.clients(resource.service, resource.region)
        scope = self._scope(type(resource), resource.region, members, fresh=True)
        have = None
        for item in kind_list(type(resource), client, scope):
            if resource.name in type(resource).identify(item):
                resource.scope = scope
                have = read_item(resource, client, item)
                break
        resource.have = have
        found = self._found.setdefault((type(resource), resource.region), [])
        if resource not in found:
            found.append(resource)
        return resource.exists


def kind_list(kind: type[Resource], client: Any, scope: Scope) -> list[Any]:
    """All items of a kind; none where AWS answers with one of the kind's ``missing`` codes."""
    return guarded(kind, lambda: list(kind.list_all(client, scope))) or []


def read_item(resource: Resource, client: Any, item: Any) -> dict[str, Any] | None:
    """The resource as AWS has it; None where it vanished between listing and reading."""
    have: dict[str, Any] | None = guarded(type(resource), lambda: resource.read(client, item))
    return have


def guarded(kind: type[Resource], call: Callable[[], Any]) -> Any:
    """The answer of a reading call; None where AWS answers with one of the kind's ``missing`` codes."""
    try:
        return call()
    except SDK_ERRORS as error:
        if error_code(error) in kind.missing:
            return None
        raise


def _as_error(group: Group, error: Exception) -> ResourceError:
    if isinstance(error, ResourceError):
        return error
    if not isinstance(error, SDK_ERRORS):
        raise error
    kind, region = group
    return failure("reading", f"{kind.__name__} in {region}", error)
