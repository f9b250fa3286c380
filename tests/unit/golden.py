"""Answers of the lab, rewritten into the form in which AWS gives them, between the SDK's parser and the code under test.

A rewriting is a list of steps of YAML. ``at`` is a path: names and numbers, ``*`` for each item of a list or value of a mapping,
``[Name=value]`` for the items that say so. Each step does one thing there:

``set``      puts members into a mapping               ``remove``   takes members out of a mapping
``replace``  puts another value in the value's place   ``append``   puts items at the end of a list
``reverse``  turns a list, or the members of mappings  ``case``     writes a text in ``upper`` or ``lower`` case
``suffix``, ``prefix``  lengthen a text                ``singles``  turns lists of one into values and values into lists
``sub``      replaces a pattern in a text: [pattern, text]
``json``     steps for the document that a text holds, which is then written with other spaces
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

Step = dict[str, Any]
Holder = Any
LISTS = ("Action", "NotAction", "Resource", "NotResource", "AWS", "Service")


def parts_of(path: str) -> list[str]:
    return re.findall(r"\[[^\]]*\]|[^.\[\]]+", path)


def places(value: Any, path: list[str]) -> Iterator[tuple[Holder, Any]]:
    """Every (mapping or list, key) that a path leads to."""
    if not path:
        return
    head, *rest = path
    if head.startswith("["):
        name, _equals, wanted = head[1:-1].partition("=")
        keys: list[Any] = [number for number, item in enumerate(value) if str(item.get(name)) == wanted]
    elif head == "*":
        keys = list(range(len(value))) if isinstance(value, list) else list(value)
    elif isinstance(value, list):
        keys = [int(head)]
    else:
        keys = [head] if not rest or head in value else []
    for key in keys:
        if rest:
            yield from places(value[key], rest)
        else:
            yield value, key


def turned(value: Any) -> Any:
    if isinstance(value, list):
        return value[::-1]
    return dict(reversed(value.items()))


def respelled(value: Any, name: str = "") -> Any:
    """A policy with the other of the two ways to write one value."""
    if name in LISTS:
        if isinstance(value, list):
            return value[0] if len(value) == 1 else value[::-1]
        return [value] if isinstance(value, str) else value
    if isinstance(value, dict):
        return {key: respelled(part, key) for key, part in value.items()}
    return [respelled(part) for part in value] if isinstance(value, list) else value


def rewritten(text: str, steps: list[Step]) -> str:
    holder = json.loads(text)
    rewrite(holder, steps)
    return json.dumps(holder, indent=3)


DOES: dict[str, Callable[[Any, Any], Any]] = {
    "set": lambda value, more: {**(value or {}), **more},
    "remove": lambda value, names: {key: part for key, part in value.items() if key not in names},
    "replace": lambda _value, other: other,
    "append": lambda value, items: [*(value or []), *items],
    "reverse": lambda value, _yes: turned(value),
    "case": lambda value, case: getattr(value, case)(),
    "suffix": lambda value, text: value + text,
    "prefix": lambda value, text: text + value,
    "sub": lambda value, pair: re.sub(pair[0], pair[1], value),
    "singles": lambda value, _yes: respelled(value),
    "json": rewritten,
}


def rewrite(answer: Any, steps: list[Step]) -> None:
    """Carry the steps out, in place."""
    for step in steps:
        ((verb, argument),) = ((key, part) for key, part in step.items() if key != "at")
        if not step.get("at"):  # the document as a whole
            changed = DOES[verb](answer, argument)
            answer.clear()
            answer.update(changed)
            continue
        for holder, key in list(places(answer, parts_of(step["at"]))):
            before = holder.get(key) if isinstance(holder, dict) else holder[key]
            holder[key] = DOES[verb](before, argument)


class Golden:
    """Rewrites answers for the time of a ``with`` block and keeps what it made of them."""

    def __init__(self, clients: Any, region: str = "us-east-1") -> None:
        self.clients = clients
        self.region = region
        self.answers: list[tuple[str, Any, dict[str, Any], dict[str, Any]]] = []  # operation, shape, before, after

    @contextmanager
    def answering(self, rewritings: dict[str, list[Step]]) -> Iterator[None]:
        """``service.Operation`` → steps. Comes after everything that the SDK itself does to an answer."""
        hooks = []
        for operation, steps in rewritings.items():
            service, name = operation.split(".")
            events = self.clients(service, self.region).meta.events
            hook = self._hook(operation, name, steps)
            events.register_last("after-call", hook)
            hooks.append((events, hook))
        try:
            yield
        finally:
            for events, hook in hooks:
                events.unregister("after-call", hook)

    def _hook(self, operation: str, name: str, steps: list[Step]) -> Callable[..., None]:
        def hook(parsed: dict[str, Any], model: Any, http_response: Any, **_unused: Any) -> None:
            if model.name != name or http_response.status_code >= 300:
                return
            before = deepcopy({key: value for key, value in parsed.items() if key != "ResponseMetadata"})
            rewrite(parsed, steps)
            after = {key: value for key, value in parsed.items() if key != "ResponseMetadata"}
            self.answers.append((operation, model.output_shape, before, after))

        return hook
