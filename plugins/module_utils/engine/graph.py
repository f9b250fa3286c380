"""Which resources a run is about, and which needs which. Found by walking the fields of the resources."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .errors import ResourceError
from .resource import Resource


class Graph:
    """All resources reachable from the given ones, in an order in which each comes after all that it needs.

    A reference (``owned=False``) to something that the same graph owns becomes that very resource, so that a graph of several
    tiers knows the true order.
    """

    def __init__(self, resources: Iterable[Resource], region: str) -> None:
        self.resources: list[Resource] = []
        self.needs: dict[Resource, list[Resource]] = {}
        everything = reachable(resources)
        for resource in everything:
            resource.region = resource.fixed_region or resource.region or region
        owners: dict[tuple[type[Resource], str, str], Resource] = {}
        for resource in everything:
            key = (type(resource), resource.region, resource.name)
            if resource.owned and owners.setdefault(key, resource) is not resource:
                raise ResourceError(
                    "planning", resource.address, "two resources of one kind have the same name. Rename one"
                )
        firsts = dict(owners)  # several references to one thing are one, too
        for resource in everything:
            first = firsts.setdefault((type(resource), resource.region, resource.name), resource)
            if first is not resource:
                resource.twin = first
        for resource in everything:
            if resource.twin is None:
                needs = [need.twin or need for need in resource.dependencies()]
                self.needs[resource] = list(dict.fromkeys(needs))
        self.resources = self._ordered()

    def _ordered(self) -> list[Resource]:
        order: dict[Resource, None] = {}
        path: list[Resource] = []

        def visit(resource: Resource) -> None:
            if resource in order:
                return
            if resource in path:
                circle = " → ".join(one.address for one in [*path[path.index(resource) :], resource])
                raise ResourceError("planning", resource.address, f"needs itself: {circle}")
            path.append(resource)
            for need in self.needs[resource]:
                visit(need)
            path.pop()
            order[resource] = None

        for resource in self.needs:
            visit(resource)
        return list(order)

    def deletions(self, doomed: Sequence[Resource], kinds: Sequence[type[Resource]]) -> dict[Resource, set[Resource]]:
        """For each of what is to be deleted, what of the others must be gone before.

        That is what needs it, at however many removes. Of a stray, which nobody wishes for any more, only the kind is known, so kinds that
        come later in ``kinds`` go first.
        """
        rank = {kind: number for number, kind in enumerate(kinds)}
        users: dict[Resource, set[Resource]] = {}
        for resource, its_needs in self.needs.items():
            for need in its_needs:
                users.setdefault(need, set()).add(resource)
        strays = {one for one in doomed if one not in self.needs}

        def dependents(resource: Resource, seen: set[Resource]) -> set[Resource]:
            found: set[Resource] = set()
            for user in users.get(resource, set()) - seen:
                seen.add(user)
                found |= {user} | dependents(user, seen)
            return found

        befores: dict[Resource, set[Resource]] = {}
        for resource in doomed:
            own = rank.get(type(resource), 0)
            later = {one for one in doomed if one is not resource and rank.get(type(one), 0) > own}
            before = dependents(resource, set()) | (later if resource in strays else later & strays)
            befores[resource] = before & set(doomed)
        return befores


def reachable(resources: Iterable[Resource]) -> list[Resource]:
    """The resources and everything that their fields hold, each once."""
    seen: dict[Resource, None] = {}
    queue = list(resources)
    while queue:
        resource = queue.pop(0)
        if resource not in seen:
            seen[resource] = None
            queue.extend(resource.dependencies())
    return list(seen)
