"""Pictures of the samples: what users got, each sample as a dot, who answered when, which release had how much."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise

from .figures import (
    EDGE,
    GUTTER,
    WIDTH,
    Axis,
    Mark,
    Panel,
    box,
    colour,
    legend,
    plate,
    say,
    stretch,
    svg,
    swatch,
)
from .markup import Child, Markup, short, shorten, tag, text_width
from .report_samples import Shot, buckets, outages, quantile
from .report_words import clock, measure, natural, seconds

STRIP = 84.0  # height of the latencies of one probe
BAND = 13.0  # height of the row of one class of failures
STRIPS = 8  # probes that get a strip of their own
SERVERS = 24

# Failures are told apart by shape; the path begins at the middle of the mark.
SHAPES = (
    "m-3-3l6 6m0-6l-6 6",  # cross
    "m-3-3h6v6h-6z",  # square
    "m0-3.6l3.6 6.4h-7.2z",  # triangle
    "m0-4l4 4l-4 4l-4-4z",  # diamond
    "m-3.6 0h7.2m-3.6-3.6v7.2",  # plus
    "m-3.6-2.8h7.2l-3.6 6.4z",  # triangle, on its tip
    "m-3.2 0a3.2 3.2 0 1 0 6.4 0a3.2 3.2 0 1 0-6.4 0z",  # ring
    "m0-3.8v7.6m-3.3-5.7l6.6 3.8m0-3.8l-6.6 3.8",  # star
)

Shapes = Mapping[str, int]  # class of failures → its shape


def shapes_of(classes: Counter[str]) -> dict[str, int]:
    """One shape for each class of failures, the same in all pictures; the most frequent come first."""
    order = sorted(classes, key=lambda name: (-classes[name], name))
    return {name: place % len(SHAPES) for place, name in enumerate(order)}


def dots(points: Sequence[tuple[float, float]], class_: str) -> Markup:
    """Many points as one path; those that would cover each other exactly are drawn once."""
    places = dict.fromkeys(f"M{short(x)} {short(y)}h0" for x, y in points)
    return tag("path", d="".join(places), class_=class_)


def crosses(points: Sequence[tuple[float, float]], shape: int, class_: str = "") -> Markup:
    """Failures as one path of their shape."""
    places = dict.fromkeys(f"M{short(x)} {short(y)}{SHAPES[shape]}" for x, y in points)
    return tag("path", d="".join(places), class_=f"failure f{shape} {class_}".strip())


def shape_key(shapes: Shapes, classes: Counter[str]) -> Markup:
    """Which shape is which failure, and how many there were."""
    items = []
    for name, shape in shapes.items():
        picture = tag("svg", crosses([(8, 6)], shape), viewBox="0 0 16 12", width=16, height=12, aria_hidden="true")
        items.append((picture, f"{shorten(name, 40)} ({classes[name]:,})"))
    return legend(items)


STATES = {"all": "all answered", "some": "some failed", "none": "no answer"}


def health(axis: Axis, shots: Sequence[Shot], y: float, height: float) -> list[Child]:
    """Availability as a ribbon: full where all was answered, hatched where nothing was, half where some was."""
    parts: list[Child] = []
    for start, end, state in _stretches(axis, shots):
        x, width = axis.x(start), axis.x(end) - axis.x(start)
        title = f"{STATES[state]}, {clock(start)} to {clock(end)}"
        if state == "some":
            parts += box(x, y, width, height, "up")
            parts += box(x, y, width, height / 2, "down", title, texture=1)
        else:
            parts += box(x, y, width, height, "up" if state == "all" else "down", title, texture=int(state == "none"))
    return parts


def _stretches(axis: Axis, shots: Sequence[Shot]) -> list[tuple[float, float, str]]:
    """Cells of the same state as one stretch; where nothing was asked, there is none."""
    seen = [shot for shot in shots if not shot.blind and axis.holds(shot.at)]
    width = max(axis.bucket(400), 1.5 * _interval(seen))
    found: list[tuple[float, float, str]] = []
    for start, part in buckets(seen, axis.start, width):
        failed = sum(shot.failed for shot in part)
        state = "all" if not failed else "none" if failed == len(part) else "some"
        end = min(start + width, axis.end)
        if found and found[-1][2] == state and start - found[-1][1] < width * 0.5:
            found[-1] = (found[-1][0], end, state)
        else:
            found.append((start, end, state))
    return found


def _interval(shots: Sequence[Shot]) -> float:
    """The usual time between two samples, in seconds."""
    return quantile([after.at - before.at for before, after in pairwise(shots)], 0.5) or 0.0


def users_view(axis: Axis, shots: Sequence[Shot], marks: Sequence[Mark]) -> Markup:
    """One ribbon for the first screen: when the service answered, with the longest gap written over it."""
    wide = Axis(axis.start, axis.end, axis.zero, left=EDGE, right=WIDTH - EDGE)
    parts: list[Child] = [box(wide.left, 18, wide.right - wide.left, 26, "empty"), health(wide, shots, 18, 26)]
    text, middle = _trouble(wide, shots)
    if text:
        half = text_width(text, 12.5) / 2
        x = min(max(wide.x(middle), half + EDGE), WIDTH - half - EDGE)
        parts.append(say(text, x, 12, anchor="middle", class_="gap"))
    for name, at, label in marks:
        if name == "inject" and wide.holds(at):
            parts.append(tag("line", x1=wide.x(at), x2=wide.x(at), y1=14, y2=48, class_="mark fault", aria_label=label))
    for at in wide.ticks():
        parts.append(wide.tick(at, 58))
    return svg(WIDTH, 62, f"{text or 'no request failed'}.", parts)


def _trouble(axis: Axis, shots: Sequence[Shot]) -> tuple[str, float]:
    """What went wrong, in a few words, and the time at which to write them: the longest gap, or how many failed in between."""
    failed = [shot for shot in shots if shot.failed]
    if not failed:
        return "", axis.start
    gap = max(outages(shots), key=lambda gap: gap.seconds())
    middle = gap.start + gap.seconds() / 2
    if gap.good or gap.failed == 1:
        asked = sum(not shot.blind for shot in shots)
        return f"{len(failed):,} of {asked:,} requests failed", (failed[0].at + failed[-1].at) / 2
    return f"no answer for {seconds(gap.seconds())}" + ("" if gap.end is not None else ", and not back since"), middle


class Scale:
    """Latency upwards on a logarithmic scale, in seconds."""

    def __init__(self, latencies: Sequence[float], top: float, height: float) -> None:
        good = [value for value in latencies if value > 0] or [0.001, 0.01]
        self.low = math.log10(max(min(good), 1e-4))
        self.high = max(math.log10(max(good)), self.low + 0.5)
        self.top, self.height = top, height

    def y(self, latency: float) -> float:
        share = (math.log10(max(latency, 1e-4)) - self.low) / (self.high - self.low)
        return self.top + self.height * (1 - min(max(share, 0.0), 1.0))

    def ticks(self) -> list[float]:
        """The powers of ten in sight."""
        return [10.0**power for power in range(math.ceil(self.low), math.floor(self.high) + 1)]


def strip(panel: Panel, name: str, drawn: Sequence[Shot], everything: Sequence[Shot], shapes: Shapes) -> None:
    """One probe: its failures in a row for each class, below them each success by latency with the p50 and p95 lines."""
    axis = panel.axis
    drawn = [shot for shot in drawn if axis.holds(shot.at)]
    everything = [shot for shot in everything if axis.holds(shot.at)]
    failed, total = sum(shot.failed for shot in everything), sum(not shot.blind for shot in everything)
    panel.line()
    panel.add(_title(name, f"{failed:,} of {total:,} failed", panel.y + 14))
    panel.y += 20
    _failures(panel, drawn, shapes)
    if any(shot.ok for shot in drawn):
        _latencies(panel, drawn, everything)
    blind = [(axis.x(shot.at), panel.y + 3) for shot in drawn if shot.blind]
    if blind:
        panel.add(dots(blind, "dots unseen"), say("not sent", GUTTER - 10, panel.y + 6, anchor="end", class_="tick"))
        panel.y += 9
    panel.y += 3


def _title(name: str, note: str, y: float) -> Markup:
    more = tag("tspan", f"  {note}", class_="row-note", dx=6)
    return tag("text", shorten(name, 60), more, x=4, y=y, class_="row-name halo")


def _failures(panel: Panel, drawn: Sequence[Shot], shapes: Shapes) -> None:
    """A row for each class of failures, named at its left."""
    for error, shape in shapes.items():
        points = [(panel.axis.x(shot.at), panel.y + BAND / 2) for shot in drawn if shot.failed and shot.error == error]
        if points:
            name = say(
                shorten(error, 19), GUTTER - 10, panel.y + BAND / 2 + 4, anchor="end", class_="bad-text", title=error
            )
            panel.add(crosses(points, shape), name)
            panel.y += BAND


def _latencies(panel: Panel, drawn: Sequence[Shot], everything: Sequence[Shot]) -> None:
    axis = panel.axis
    scale = Scale([shot.latency for shot in drawn if shot.ok and shot.latency is not None], panel.y + 6, STRIP - 14)
    for value in scale.ticks():
        y = scale.y(value)
        text = measure(value * 1000, "ms") if value < 1 else f"{value:g} s"
        panel.add(
            tag("line", x1=axis.left, x2=axis.right, y1=y, y2=y, class_="grid"),
            say(text, GUTTER - 10, y + 4, anchor="end", class_="tick"),
        )
    panel.add(dots([(axis.x(shot.at), scale.y(shot.latency or 0)) for shot in drawn if shot.ok], "dots"))
    for share, class_ in ((0.95, "p95"), (0.5, "p50")):
        panel.add(_quantile_line(axis, everything, share, scale, class_))
    panel.y += STRIP


def _quantile_line(axis: Axis, shots: Sequence[Shot], share: float, scale: Scale, class_: str) -> Markup:
    """A line through the quantile of each stretch; it breaks where nothing was answered."""
    good = [shot for shot in shots if shot.ok and shot.latency is not None]
    width = max(axis.bucket(120), 8 * _interval(good))
    path, last = "", None
    for start, part in buckets(good, axis.start, width):
        value = quantile([shot.latency or 0.0 for shot in part], share) or 0.0
        command = "L" if last is not None and start - last < width * 1.5 else "M"
        path += f"{command}{short(axis.x(start + width / 2))} {short(scale.y(value))}"
        last = start
    return tag("path", d=path, class_=class_)


def identity(panel: Panel, shots: Sequence[Shot], releases: Mapping[str, int]) -> None:
    """A row for each server: filled when it answered, in the colour of its release or, without releases, of its own."""
    axis = panel.axis
    seen: dict[str, list[Shot]] = {}
    for shot in shots:
        if shot.ok and shot.server and axis.holds(shot.at):
            seen.setdefault(shot.server, []).append(shot)

    def order(server: str) -> tuple[int, int, list[tuple[int, str]]]:
        """Those that left before those that came, as a staircase; by name where they came and went together."""
        first, last = seen[server][0].at, seen[server][-1].at
        steps = axis.span / 20
        return int((first - axis.start) / steps), int((last - axis.start) / steps), natural(server)

    for place, server in enumerate(sorted(seen, key=order)[:SERVERS]):
        mine = seen[server]
        zones = ", ".join(sorted({shot.zone for shot in mine if shot.zone}))
        panel.name(server, 24, zones)
        for start, end, release in _presence(axis, mine):
            number = releases[release] if release in releases else len(releases) + place
            title = f"{server} {release} answered from {clock(start)} to {clock(end)}"
            panel.add(stretch(axis, start, end, panel.y + 4, 16, number, release or zones, title))
        panel.y += 25


def _presence(axis: Axis, shots: Sequence[Shot]) -> list[tuple[float, float, str]]:
    """Stretches in which one release of a server answered, without pauses of a sixtieth of the picture; the short ones last,
    so that a straggler lies on top."""
    pause = max(axis.span / 60, 1.0)
    found: dict[str, list[tuple[float, float, str]]] = {}
    for shot in shots:
        mine = found.setdefault(shot.release, [])
        if mine and shot.at - mine[-1][1] <= pause:
            mine[-1] = (mine[-1][0], shot.at, shot.release)
        else:
            mine.append((shot.at, shot.at + axis.span / 400, shot.release))
    return sorted((stretch for mine in found.values() for stretch in mine), key=lambda stretch: stretch[0] - stretch[1])


def shares(panel: Panel, shots: Sequence[Shot], releases: Mapping[str, int]) -> None:
    """How the answers of each stretch were divided among the releases, from the first release at the bottom."""
    axis, height = panel.axis, 110.0
    width = axis.bucket(100)
    panel.name("Answers by release", 40)
    for share in (0, 50, 100):
        y = panel.y + 4 + height * (1 - share / 100)
        panel.add(say(f"{share} %", GUTTER - 10, y + 4, anchor="end", class_="tick")) if share < 100 else None
    for start, part in buckets([shot for shot in shots if shot.ok and shot.release], axis.start, width):
        counts = Counter(shot.release for shot in part)
        bottom = panel.y + 4 + height
        x = axis.x(start)
        for release, number in releases.items():
            size = height * counts[release] / len(part)
            if size:
                bottom -= size
                class_, texture = colour(number)
                title = f"{release}: {counts[release] / len(part):.0%} at {clock(start)}"
                cell = box(x, bottom, axis.x(start + width) - x + 0.3, size, class_, title, texture=texture)
                panel.add(tag("g", cell, shape_rendering="crispEdges"))
    for release, number in releases.items():
        _share_name(panel, shots, release, number, height)
    panel.y += height + 10


def _share_name(panel: Panel, shots: Sequence[Shot], release: str, place: int, height: float) -> None:
    """The release's name where most of its answers are."""
    times = [shot.at for shot in shots if shot.ok and shot.release == release]
    if times:
        x = min(max(panel.axis.x(quantile(times, 0.5) or 0), GUTTER + 40), WIDTH - 50)
        y = panel.y + height - 14 - 22 * (place % 4)
        panel.add(plate(shorten(release, 16), x, y))


def release_key(releases: Mapping[str, int]) -> Markup:
    return legend((swatch(place), f"release {name}") for name, place in releases.items())
