"""HTML and SVG text in which whatever was not built here is escaped: an id or a message can never become an element."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterable
from typing import TypeAlias

# Controls that no HTML or XML may hold, and those that turn the direction of what follows.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")

_VOID = {"br", "col", "hr", "link", "meta"}


class Markup(str):
    """Text that is already HTML or SVG."""

    __slots__ = ()


Child: TypeAlias = str | int | float | Iterable["Child"] | None


def clean(text: object) -> str:
    """Any value as text without control and direction characters."""
    return _UNPRINTABLE.sub("", str(text))


def escape(child: Child) -> Markup:
    """A child as markup: text is escaped, Markup stays, lists are joined, None is nothing."""
    if isinstance(child, Markup):
        return child
    if child is None:
        return Markup()
    if isinstance(child, (str, int, float)):
        return Markup(html.escape(clean(child)))
    return Markup("".join(escape(part) for part in child))


def tag(element: str, *children: Child, **attributes: str | float | bool | None) -> Markup:
    """One element. ``class_`` is class, ``stroke_width`` is stroke-width; an attribute that is None or False is left out."""
    words = [element]
    for name, value in attributes.items():
        if value is None or value is False:
            continue
        name = name.rstrip("_").replace("_", "-")
        words.append(name if value is True else f'{name}="{html.escape(_attribute(value))}"')
    opening = f"<{' '.join(words)}>"
    if element in _VOID:
        return Markup(opening)
    return Markup(f"{opening}{escape(children)}</{element}>")


def _attribute(value: str | float) -> str:
    return short(value) if isinstance(value, float) else clean(value)


def short(value: float) -> str:
    """A coordinate with one decimal at most."""
    return f"{value:.1f}".removesuffix(".0")


def text_width(text: str, size: float = 11.0) -> float:
    """About how wide a text is, in the unit of ``size``; on the wide side, so that nothing is cut off."""
    return sum(1.0 if unicodedata.east_asian_width(letter) in "WF" else 0.61 for letter in text) * size


def shorten(text: str, letters: int) -> str:
    """The text, with an ellipsis where it is longer than ``letters``."""
    text = clean(text)
    return text if len(text) <= letters else text[: letters - 1].rstrip() + "…"
