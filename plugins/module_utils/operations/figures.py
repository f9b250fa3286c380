"""The ground of all pictures: one time axis, marks, labels that do not run into each other, panels that grow downwards."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from .markup import Child, Markup, shorten, tag, text_width
from .report_words import clock

WIDTH = 960
GUTTER = 156  # room for the names of rows at the left
EDGE = 12  # and at the right
LABEL = 11.0

_STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400)

BROKEN = ("first_failure", "detected", "launch_failure", "abort", "rollback")

Mark = tuple[str, float, str]  # name, time, label


@dataclass(frozen=True)
class Axis:
    """Time from left to right. ``zero`` is what the ticks count from. All in seconds since the epoch."""

    start: float
    end: float
    zero: float
    left: float = GUTTER
    right: float = WIDTH - EDGE

    @property
    def span(self) -> float:
        return max(self.end - self.start, 1e-3)

    def x(self, at: float) -> float:
        """The place of a time, held within the picture."""
        share = (at - self.start) / self.span
        return self.left + min(max(share, 0.0), 1.0) * (self.right - self.left)

    def holds(self, at: float) -> bool:
        return self.start <= at <= self.end

    def meets(self, start: float, end: float) -> bool:
        return end >= self.start and start <= self.end

    def bucket(self, cells: int = 160) -> float:
        """A round width in seconds that gives at most ``cells`` stretches."""
        return next((step for step in _STEPS if self.span / step <= cells), self.span / cells)

    def ticks(self) -> list[float]:
        """Round distances from zero, as times; about one for each 80 units of the picture."""
        most = max((self.right - self.left) / 80, 2)
        step = next((step for step in _STEPS if self.span / step <= most), self.span / most)
        first = math.ceil((self.start - self.zero) / step - 1e-9)
        last = math.floor((self.end - self.zero) / step + 1e-9)
        return [self.zero + step * count for count in range(first, last + 1)]

    def tick(self, at: float, y: float) -> Markup:
        """The words of a tick, within the picture also at its edges."""
        x = self.x(at)
        anchor = "start" if x < self.left + 8 else "end" if x > self.right - 16 else "middle"
        return say(tick_text(at - self.zero), x, y, anchor=anchor, class_="tick")

    def focus(self, start: float, end: float) -> Axis:
        return replace(self, start=start, end=end)


def tick_text(distance: float) -> str:
    """A distance from zero on the axis: 0, +5 s, +2 min, −1 min 30 s."""
    sign, size = ("−" if distance < -1e-6 else "+"), abs(distance)
    if size < 1e-6:
        return "0"
    if size < 60 or (size < 120 and size % 60):
        return f"{sign}{size:.3g} s"
    minutes, rest = divmod(round(size), 60)
    if minutes >= 60:
        hours, minutes = divmod(minutes, 60)
        return f"{sign}{hours} h {minutes:02d}" if minutes else f"{sign}{hours} h"
    return f"{sign}{minutes}:{rest:02d} min" if rest else f"{sign}{minutes} min"


@dataclass
class Rows:
    """Places labels beside points in as few rows as it takes, so that none covers another."""

    left: float
    right: float
    most: int
    gap: float = 8.0
    taken: list[list[tuple[float, float]]] = field(default_factory=list)

    def place(self, x: float, width: float, offset: float = 6.0) -> tuple[int, str] | None:
        """(row, anchor start or end) for a label at ``x``, or None where no row has room."""
        right = (x - offset, x + offset + width, "start")
        left = (x - offset - width, x + offset, "end")
        for row in range(self.most):
            if row == len(self.taken):
                self.taken.append([])
            for start, end, anchor in (right, left):
                inside = start >= self.left - offset and end <= self.right + offset
                if inside and all(end + self.gap < low or start - self.gap > high for low, high in self.taken[row]):
                    self.taken[row].append((start, end))
                    return row, anchor
        return None

    @property
    def used(self) -> int:
        return sum(bool(row) for row in self.taken)


@dataclass
class Panel:
    """A picture under construction: rows below each other over one axis, marks through all of them."""

    axis: Axis
    marks: Sequence[Mark] = ()
    parts: list[Child] = field(default_factory=list)
    y: float = 0.0
    top: float = 0.0

    def __post_init__(self) -> None:
        self.marks = [mark for mark in self.marks if self.axis.holds(mark[1])]
        self._head()

    def _head(self) -> None:
        """The marks' labels; the panel's rows begin below them."""
        rows = Rows(self.axis.left, self.axis.right, most=5, gap=4)
        for name, at, label in self.marks:
            x, text = self.axis.x(at), shorten(label, 36)
            place = rows.place(x, text_width(text), 4)
            if place:
                row, anchor = place
                shift = 4 if anchor == "start" else -4
                self.add(
                    say(text, x + shift, 10 + row * 13, anchor=anchor, class_=f"mark-name halo {mark_class(name)}")
                )
        self.top = self.y = rows.used * 13 + 4

    def add(self, *parts: Child) -> None:
        self.parts.extend(parts)

    def name(self, text: str, height: float, note: str = "") -> None:
        """The name of the row that begins here."""
        y = self.y + height / 2 + 4 - (6 if note else 0)
        self.add(say(shorten(text, 19), GUTTER - 10, y, anchor="end", class_="row-name", title=text))
        if note:
            self.add(say(shorten(note, 21), GUTTER - 10, y + 12, anchor="end", class_="row-note", title=note))

    def line(self) -> None:
        """A thin line across, between rows."""
        self.add(tag("line", x1=0, x2=WIDTH, y1=self.y, y2=self.y, class_="rule"))

    def finish(self, alt: str) -> Markup:
        """The picture with its axis and marks."""
        bottom = self.y + 2
        grid = [tag("line", x1=x, x2=x, y1=self.top, y2=bottom, class_="grid") for x in self._tick_places()]
        lines = [
            tag("line", x1=self.axis.x(at), x2=self.axis.x(at), y1=2, y2=bottom, class_=f"mark {mark_class(name)}")
            for name, at, _label in self.marks
        ]
        self._axis(bottom)
        return svg(WIDTH, bottom + 34, alt, grid, lines, self.parts)

    def _tick_places(self) -> list[float]:
        return [self.axis.x(at) for at in self.axis.ticks()]

    def _axis(self, y: float) -> None:
        axis = self.axis
        self.add(tag("line", x1=axis.left, x2=axis.right, y1=y, y2=y, class_="axis"))
        for at in axis.ticks():
            self.add(axis.tick(at, y + 15))
        self.add(
            say(f"{clock(axis.start)} UTC", axis.left, y + 29, class_="tick faint"),
            say(f"{clock(axis.end)} UTC", axis.right, y + 29, anchor="end", class_="tick faint"),
        )


def mark_class(name: str) -> str:
    """The style of a mark: the fault, a failure, or the way back."""
    if name in ("inject", "arm"):
        return "fault"
    return "broken" if name in BROKEN else "mended"


def svg(width: float, height: float, alt: str, *children: Child) -> Markup:
    """A picture for eyes and screen readers, as wide as the page allows."""
    view = f"0 0 {width:g} {math.ceil(height)}"
    return tag("svg", *children, viewBox=view, role="img", aria_label=alt, width=width, height=math.ceil(height))


def say(
    text: str, x: float, y: float, *, anchor: str | None = None, class_: str | None = None, title: str = ""
) -> Markup:
    """Text in a picture; ``title`` is what it says in full, where it was shortened."""
    more = tag("title", title) if title and title != text else None
    return tag("text", more, text, x=float(x), y=float(y), text_anchor=anchor, class_=class_)


def box(
    x: float,
    y: float,
    width: float,
    height: float,
    class_: str,
    title: str = "",
    *,
    texture: int = 0,
    radius: float = 0,
) -> list[Child]:
    """A rectangle; ``texture`` 1 to 4 lays a pattern over its colour, for those who do not see colours apart."""
    place = {"x": float(x), "y": float(y), "width": float(max(width, 0.5)), "height": float(height)}
    round_ = radius or None
    parts: list[Child] = [tag("rect", tag("title", title) if title else None, class_=class_, rx=round_, **place)]
    if texture:
        parts.append(tag("rect", fill=f"url(#texture-{texture})", rx=round_, pointer_events="none", **place))
    return parts


def colour(place: int) -> tuple[str, int]:
    """The style and texture of the n-th thing of a kind; eight colours, and from the second on a texture too."""
    return f"c{place % 8}", place % 5


def stretch(
    axis: Axis, start: float, end: float, y: float, height: float, place: int, text: str, title: str = ""
) -> list[Child]:
    """A stretch of time in a row, with its name in it where there is room."""
    if not axis.meets(start, end):
        return []
    x, class_ = axis.x(start), colour(place)
    width = max(axis.x(end) - x, 1.5)
    parts: list[Child] = box(x, y, width, height, class_[0], title or text, texture=class_[1], radius=2)
    if text and text_width(text, 10.5) + 8 <= width:
        parts.append(plate(text, x + width / 2, y + height / 2))
    return parts


def plate(text: str, x: float, y: float) -> Markup:
    """A name that can be read on any colour and texture: on a plate of the page's own colour."""
    width = text_width(text, 10.5) + 4
    return tag(
        "g",
        tag("rect", x=x - width / 2, y=y - 7, width=width, height=14, rx=3, class_="plate"),
        say(text, x, y + 4, anchor="middle", class_="plate-text"),
    )


def legend(items: Iterable[tuple[Markup, str]]) -> Markup:
    """What shapes and colours mean, as text beside small pictures; it wraps where the page is narrow."""
    return tag("p", [tag("span", picture, text, class_="key") for picture, text in items], class_="legend")


def swatch(place: int) -> Markup:
    """A small piece of the n-th colour with its texture."""
    class_, texture = colour(place)
    parts = box(0, 0, 16, 12, class_, texture=texture, radius=2)
    return tag("svg", parts, viewBox="0 0 16 12", width=16, height=12, aria_hidden="true")
