"""A tier: a name, the options it takes, and the pure function that turns options into resources."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .graph import reachable
from .resource import Resource


@dataclass(frozen=True)
class Tier:
    """One tier of the stack.

    ``arguments`` is an Ansible argument spec. ``build`` gets the validated options plus ``stack``, ``region``, ``account_id``
    and ``partition``, and returns resources; it may raise OptionError. ``kinds`` are the types that this tier may own, each
    after those it depends on: what the stack has of them and no option asks for any more is deleted.
    """

    name: str
    arguments: Mapping[str, Any]
    build: Callable[[dict[str, Any]], list[Resource]]
    kinds: tuple[type[Resource], ...]
    part: Callable[[Mapping[str, Any]], str] = lambda options: ""
    keeps: Callable[[Mapping[str, Any]], tuple[type[Resource], ...]] = lambda options: ()

    def purged(self, options: Mapping[str, Any]) -> tuple[type[Resource], ...]:
        """The kinds of which a run with these options deletes what nobody asks for: all but those in ``keeps``."""
        kept = self.keeps(options)
        return tuple(kind for kind in self.kinds if kind not in kept)

    def label(self, options: Mapping[str, Any]) -> str:
        """The value of the tag ``webstack:tier``: the name, and the part where one tier is run in parts that own different things."""
        part = self.part(options)
        return f"{self.name}-{part}" if part else self.name

    def resources(self, options: dict[str, Any]) -> list[Resource]:
        """The tier's resources, each knowing its tier."""
        resources = self.build(options)
        for resource in reachable(resources):
            if resource.owned:
                resource.tier = self.label(options)
        return resources
