"""What a run is about to do and what it did, in the shape that people and Ansible read."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from .errors import ResourceError
from .resource import Resource, Unknown
from .schedule import Finish

HIDDEN = "(hidden)"
Node = tuple[str, Resource]  # apply, ready or delete, and what


@dataclass(eq=False)
class Step:
    """One planned change of one resource."""

    verb: str  # create, update, delete
    resource: Resource
    change: dict[str, Any] = field(default_factory=dict)


@dataclass
class Report:
    """What happened, in the shape that a module returns."""

    actions: list[dict[str, Any]] = field(default_factory=list)
    pending: list[str] = field(default_factory=list)
    failed: list[ResourceError] = field(default_factory=list)
    not_started: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    stopped: str | None = None  # why nothing new was started from some moment on
    changed: bool = False  # whether anything was written


class Done(Protocol):
    """What the work on the resources notes down; see work.py."""

    written: set[Resource]
    continued: set[Resource]
    left: list[str]


def label(node: Node) -> str:
    """Under which the requests of a node are counted."""
    verb, resource = node
    return f"{verb} {resource.address} {resource.region} {id(resource)}"


def report_of(
    finish: Finish[Node],
    verbs: Mapping[Resource, str],
    done: Done,
    requests: Mapping[str, int],
    needs: Callable[[Resource], dict[str, str]],
) -> Report:
    """What happened, out of how the walk ended and what the work noted down. A defect of ours is raised, not reported."""
    report = Report(stopped=finish.stopped, changed=bool(done.written))
    half_done = [node for node in finish.deferred if node[0] != "ready" and node[1] in done.written]
    for node in [*finish.done, *finish.failed, *half_done]:
        verb, resource = node
        number = requests.get(label(node), 0)
        if verb == "ready" and not number:
            continue
        report.actions.append(
            {
                "address": resource.address,
                "tier": resource.tier,
                "region": resource.region,
                "verb": verbs[resource] if verb != "ready" else "update" if resource in done.continued else "wait",
                "ok": node not in finish.failed,
                "seconds": round(finish.done.get(node, 0.0), 3),
                "requests": number,
                "started": round(finish.begun[node], 3),
                "last_pause": round(finish.last_pause.get(node, 0.0), 3),
                "needs": needs(resource),
            }
        )
    for error in finish.failed.values():
        if not isinstance(error, ResourceError):
            raise error
        report.failed.append(error)
    late = {resource for _verb, resource in finish.not_started}
    begun = {resource for _verb, resource in [*finish.done, *finish.failed]}
    under_way = {resource for _verb, resource in finish.done if resource in late and resource.ready}
    pending = {resource for _verb, resource in finish.deferred} | under_way
    report.pending = sorted({resource.address for resource in pending})
    report.not_started = sorted({resource.address for resource in late - begun - pending})
    report.left = sorted(done.left)
    return report


def difference(step: Step) -> dict[str, Any]:
    """One planned step as Ansible's ``--diff`` takes it: only what differs, secrets hidden."""
    resource, have = step.resource, step.resource.have or {}
    header = f"{resource.tier}: {resource.address} ({resource.region})"
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    if step.verb == "create":
        after = {key: _shown(resource, key, value) for key, value in step.change.items()}
    elif step.verb == "delete":
        before = {key: _shown(resource, key, value) for key, value in have.items() if key in ("id", "arn", "state")}
    for key, value in step.change.items() if step.verb == "update" else ():
        before[key], after[key] = _narrowed(_shown(resource, key, have.get(key)), _shown(resource, key, value))
        if before[key] == after[key] == HIDDEN:
            after[key] = f"{HIDDEN}, differs"
    return {
        "before_header": header if step.verb != "create" else f"{header} does not exist",
        "after_header": header if step.verb != "delete" else f"{header} is deleted",
        "before": before,
        "after": after,
    }


def _narrowed(before: Any, after: Any) -> tuple[Any, Any]:
    """Two dictionaries without what is equal in both; anything else as it is."""
    if not (isinstance(before, dict) and isinstance(after, dict)):
        return before, after
    keys = [key for key in {**before, **after} if (key in before) != (key in after) or before[key] != after[key]]
    return {key: before[key] for key in keys if key in before}, {key: after[key] for key in keys if key in after}


def _shown(resource: Resource, key: str, value: Any) -> Any:
    return HIDDEN if key in resource.secret and value is not None else plain(value)


def plain(value: Any) -> Any:
    """A value as JSON can carry it: sets sorted, keys as text, unknown values as their text, times in ISO form."""
    if isinstance(value, dict):
        return {(key if isinstance(key, str) else one_line(plain(key))): plain(part) for key, part in value.items()}
    if isinstance(value, (set, frozenset)):
        return sorted((plain(part) for part in value), key=one_line)
    if isinstance(value, (list, tuple)):
        return [plain(part) for part in value]
    if isinstance(value, Unknown):
        return str.__str__(value)
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return value


def one_line(value: Any) -> str:
    """A value as part of a sentence."""
    if isinstance(value, (list, tuple)):
        return " ".join(one_line(part) for part in value)
    return re.sub(r"\s+", " ", str(value))
