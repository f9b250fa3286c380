"""Pictures made of bars: the lanes of the timeline, where the seconds went, copies, hosts of a deploy, earlier runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .figures import (
    EDGE,
    GUTTER,
    LABEL,
    WIDTH,
    Axis,
    Mark,
    Panel,
    Rows,
    box,
    colour,
    legend,
    plate,
    say,
    stretch,
    svg,
    swatch,
)
from .figures_samples import health
from .markup import Child, Markup, shorten, tag, text_width
from .report_samples import Shot
from .report_words import clock, day, number, seconds

ROW = 17.0
LONG_ID = 16  # an RDS event's number says something; the id of a scaling activity only takes room

LANES = {
    "operator": "Operator",
    "api": "API calls",
    "aws": "AWS events",
    "dns": "DNS",
    "alarm": "Alarms",
    "health": "Target health",
    "probe": "Probes",
}
_SAME = {
    "calls": "api",
    "call": "api",
    "event": "aws",
    "events": "aws",
    "rds": "aws",
    "alarms": "alarm",
    "targets": "health",
    "target_health": "health",
    "target": "health",
    "probes": "probe",
}


def lane_name(lane: Any) -> str:
    text = str(lane or "aws").lower()
    return _SAME.get(text, text)


def lanes(panel: Panel, events: Sequence[Mapping[str, Any]], probes: Mapping[str, Sequence[Shot]]) -> int:
    """A lane for each source of events, at its own time with a line to when it was seen; returns how many have no label."""
    mine: dict[str, list[Mapping[str, Any]]] = {lane: [] for lane in LANES}
    for event in events:
        at = number(event.get("time"))
        if at is not None and panel.axis.holds(at):
            mine.setdefault(lane_name(event.get("lane")), []).append(event)
    unnamed = 0
    for lane, its in mine.items():
        if its:
            unnamed += _lane(panel, LANES.get(lane, lane.capitalize()), its)
    for name, shots in probes.items():
        panel.name(name, 18)
        panel.add(health(panel.axis, shots, panel.y + 3, 12))
        panel.y += 18
    panel.y += 4
    return unnamed


def _lane(panel: Panel, name: str, events: Sequence[Mapping[str, Any]]) -> int:
    panel.line()
    panel.y += 2
    panel.name(name, ROW + 4)
    places = Rows(panel.axis.left, panel.axis.right, most=9)
    unnamed = 0
    for event in sorted(events, key=lambda event: number(event.get("time")) or 0.0):
        unnamed += _event(panel, event, places)
    panel.y += max(places.used, 1) * ROW + 5
    return unnamed


def _event(panel: Panel, event: Mapping[str, Any], places: Rows) -> bool:
    """One event; True where there was no room for its words."""
    at, seen = number(event.get("time")) or 0.0, number(event.get("seen"))
    text = _event_text(event)
    words = shorten(text, 46)
    x = panel.axis.x(at)
    place = places.place(x, text_width(words, LABEL), 7)
    row, anchor = place or (0, "start")
    y = panel.y + 9 + row * ROW
    if seen is not None and seen > at:
        panel.add(tag("line", x1=x, x2=panel.axis.x(seen), y1=y + 8, y2=y + 8, class_="lag"))
        panel.add(tag("circle", cx=panel.axis.x(seen), cy=y + 8, r=1.8, class_="lag-end"))
    panel.add(tag("circle", tag("title", f"{clock(at)} {text}"), cx=x, cy=y, r=3.4, class_="event"))
    if place:
        panel.add(say(words, x + (7 if anchor == "start" else -7), y + 4, anchor=anchor, class_="label halo"))
    return place is None


def _event_text(event: Mapping[str, Any]) -> str:
    text, id_ = str(event.get("text") or ""), str(event.get("id") or "")
    return text if text and (id_ in text or len(id_) > LONG_ID) else f"{id_} {text}".strip()


def waterfall(axis: Axis, phases: Sequence[Mapping[str, Any]], marks: Sequence[Mark]) -> Markup:
    """Where the seconds of the recovery went: each phase from its start to its end, with its share."""
    timed = [(str(phase.get("name")), number(phase.get("start")), number(phase.get("end"))) for phase in phases]
    known = [(name, start, end) for name, start, end in timed if start is not None and end is not None]
    start, end = min(row[1] for row in known), max(row[2] for row in known)
    pad = max((end - start) * 0.02, 0.05)
    panel = Panel(axis.focus(start - pad, end + pad * 10), marks)
    for place, (name, begin, finish) in enumerate(known):
        panel.name(name, 22)
        x, x2 = panel.axis.x(begin), panel.axis.x(finish)
        panel.add(box(x, panel.y + 3, x2 - x, 16, colour(place)[0], texture=colour(place)[1], radius=2))
        text = f"{seconds(finish - begin)}, {(finish - begin) / max(end - start, 1e-9):.0%}"
        inside = x2 + text_width(text) + 10 > WIDTH - EDGE
        if inside:
            panel.add(
                plate(
                    text, x - 6 - text_width(text) / 2 if x - text_width(text) > GUTTER else (x + x2) / 2, panel.y + 11
                )
            )
        else:
            panel.add(say(text, x2 + 6, panel.y + 15, class_="label strong halo"))
        panel.y += 23
    slowest = max(known, key=lambda row: row[2] - row[1])
    return panel.finish(
        f"{seconds(end - start)} in all; the longest phase was {slowest[0]}, {seconds(slowest[2] - slowest[1])}."
    )


def marker_bar(surviving: float, lost: float) -> Markup:
    """The acknowledged writes, as those that survived and those that were lost."""
    total = max(surviving + lost, 1)
    width = WIDTH - 2 * EDGE
    cut = width * surviving / total
    if lost:
        cut = min(cut, width - 6.0)  # one lost write of a million must be seen
    parts: list[Child] = box(EDGE, 4, cut, 26, "up", radius=3) if surviving else []
    if lost:
        parts += box(EDGE + cut, 4, width - cut, 26, "down", texture=1, radius=3)
        parts.append(plate(f"{lost:,.0f} lost", WIDTH - EDGE - text_width(f"{lost:,.0f} lost") / 2 - 4, 17))
    if surviving:
        parts.append(plate(f"{surviving:,.0f} found again", EDGE + 80, 17))
    return svg(WIDTH, 36, f"{surviving:,.0f} acknowledged writes found again, {lost:,.0f} lost.", parts)


def copies(panel: Panel, redundancy: Sequence[Mapping[str, Any]]) -> None:
    """A row for each copy, filled while it existed; one without an end lasts to the end of the picture."""
    names = list(dict.fromkeys(str(row.get("copy")) for row in redundancy))
    for place, name in enumerate(names):
        panel.name(name, 22)
        for row in redundancy:
            if str(row.get("copy")) != name:
                continue
            start, end = number(row.get("start")), number(row.get("end"))
            start = panel.axis.start if start is None else start
            panel.add(stretch(panel.axis, start, panel.axis.end if end is None else end, panel.y + 3, 16, place, name))
        panel.y += 23


def waves(panel: Panel, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Hosts × time: a bar for each phase of each host, batches apart; returns the phases in the order of their colours."""
    phases = list(dict.fromkeys(str(row.get("phase")) for row in rows))
    hosts = list(dict.fromkeys((str(row.get("batch", "")), str(row.get("host"))) for row in rows))
    last = None
    for batch, host in hosts:
        if batch != last:
            panel.line()
            panel.y += 3
        panel.name(host, 22, f"batch {batch}" if batch != last and batch else "")
        last = batch
        for row in rows:
            if (str(row.get("batch", "")), str(row.get("host"))) == (batch, host):
                _phase(panel, row, phases)
        panel.y += 24
    return phases


def _phase(panel: Panel, row: Mapping[str, Any], phases: Sequence[str]) -> None:
    start, end, name = number(row.get("start")), number(row.get("end")), str(row.get("phase"))
    if start is None:
        return
    finish = panel.axis.end if end is None else end
    title = f"{row.get('host')}: {name}, {seconds(finish - start)}" + ("" if end is not None else ", never ended")
    panel.add(stretch(panel.axis, start, finish, panel.y + 3, 16, phases.index(name), name, title))


def phase_key(phases: Sequence[str]) -> Markup:
    return legend((swatch(place), name) for place, name in enumerate(phases))


def trend(runs: Sequence[tuple[str, Any, str, float]], limit: float | None, expected: float | None) -> Markup:
    """A measure of the earlier runs and of this one, the last: (run id, started, verdict, seconds), with its limits."""
    left, right, top, bottom = 60.0, WIDTH - 150.0, 14.0, 130.0
    values = [row[3] for row in runs] + [value for value in (limit, expected) if value is not None]
    most = max([*values, 0.001]) * 1.12

    def y(value: float) -> float:
        return bottom - (bottom - top) * value / most

    step = (right - left - 40) / max(len(runs) - 1, 1)
    places = [(left + 20 + step * place, y(row[3])) for place, row in enumerate(runs)]
    parts: list[Child] = [tag("line", x1=left, x2=right, y1=bottom, y2=bottom, class_="axis")]
    parts += [
        say("0 s", left - 8, bottom + 4, anchor="end", class_="tick"),
        say(seconds(most / 1.12), left - 8, y(most / 1.12) + 4, anchor="end", class_="tick"),
    ]
    parts += _limits(y, left, right, limit, expected)
    parts.append(tag("polyline", points=" ".join(f"{x:.1f},{at:.1f}" for x, at in places), class_="trend"))
    for place, ((run_id, started, verdict, value), (x, at)) in enumerate(zip(runs, places, strict=True)):
        title = f"{run_id}, {day(started)}: {seconds(value)}, {verdict}"
        now = place == len(runs) - 1
        parts.append(_run_mark(x, at, verdict, title, now))
        if now:
            parts.append(say(f"this run {seconds(value)}", x + 10, at + 4, class_="label strong halo"))
    alt = f"{len(runs) - 1} earlier runs and this one, which took {seconds(runs[-1][3])}."
    return svg(WIDTH, 148, alt, parts)


def _limits(y: Any, left: float, right: float, limit: float | None, expected: float | None) -> list[Child]:
    parts: list[Child] = []
    pairs = [(limit, "limit", "slower than usual above"), (expected, "expected", "expected")]
    known = sorted((pair for pair in pairs if pair[0] is not None), key=lambda pair: -(pair[0] or 0))
    last = 0.0
    for value, class_, text in known:
        at = y(value)
        parts.append(tag("line", x1=left, x2=right, y1=at, y2=at, class_=class_))
        last = max(at - 5, last + 13)
        parts.append(say(f"{text} {seconds(value or 0.0)}", left + 4, last, class_="tick"))
    return parts


def _run_mark(x: float, y: float, verdict: str, title: str, now: bool) -> Markup:
    """Pass a disc, fail a cross, inconclusive a ring; this run larger."""
    size = 1.6 if now else 1.0
    name = tag("title", title)
    if verdict == "fail":
        arm = 4 * size
        path = f"M{x - arm:.1f} {y - arm:.1f}l{2 * arm:.1f} {2 * arm:.1f}m0 {-2 * arm:.1f}l{-2 * arm:.1f} {2 * arm:.1f}"
        return tag("path", name, d=path, class_="run fail")
    return tag("circle", name, cx=x, cy=y, r=4 * size, class_=f"run {'pass' if verdict == 'pass' else 'unknown'}")
