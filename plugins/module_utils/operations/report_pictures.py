"""The parts of a report that are pictures, each with its words for those who cannot see it and its figures in a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from . import figures_bars as bars
from . import figures_samples as drawn
from .figures import Axis, Panel
from .history import JUDGED, Run
from .markup import Child, Markup, shorten, tag
from .report_scene import Scene, figure
from .report_sections import Report, data, records, section, table
from .report_words import (
    NOTHING,
    clock,
    day,
    mapping,
    measure,
    name_of,
    natural,
    number,
    rows,
    seconds,
    since,
    words,
)

MARKERS = ("acknowledged", "surviving", "lost", "unknown", "unknown_found", "failed", "failed_found")


def users(scene: Scene) -> Markup | None:
    """The ribbon of the first screen."""
    if scene.whole is None or scene.primary is None:
        return None
    mine = scene.shots.by_probe[scene.primary]
    caption = f"What users got, by the probe {scene.primary}; hatched: no answer; heavy line: {zero_name(scene)}."
    return tag("figure", drawn.users_view(scene.whole, mine, scene.marks), tag("figcaption", caption))


def zero_name(scene: Scene) -> str:
    """What the clock counts from, in words."""
    return next((label for name, _at, label in scene.marks if name == "inject"), "the start")


def timeline(scene: Scene) -> Markup:
    """The lanes; then the samples and who answered, over the same time."""
    axis = scene.close or scene.whole
    title = "What happened, on one clock"
    if axis is None:
        return section("timeline", title, "Nothing is on record.")
    why = f"Seconds count from {zero_name(scene)}."
    if scene.close:
        why += " The outage from near; the whole run is below."
    return section(
        "timeline",
        title,
        why,
        _lanes(scene, axis),
        _strips(scene, axis),
        _identity(scene, axis),
        _lane_table(scene),
        probes(scene),
    )


def whole_run(scene: Scene) -> Markup | None:
    """The whole run, where the timeline showed a part of it."""
    if scene.close is None or scene.whole is None:
        return None
    return section("whole", "The whole run", None, _lanes(scene, scene.whole), _strips(scene, scene.whole))


def _lanes(scene: Scene, axis: Axis) -> Markup:
    panel = Panel(axis, scene.marks)
    events = rows(scene.report.get("events"))
    by_probe = scene.shots.by_probe
    unnamed = bars.lanes(panel, events, {name: by_probe[name] for name in _order(scene)})
    caption = "Events at their source's time; the line under one leads to when the run saw it."
    outside = sum(not axis.holds(number(event.get("time")) or 0.0) for event in events)
    if outside:
        caption += f" {outside} more {'is' if outside == 1 else 'are'} outside this time and in the table."
    if unnamed:
        caption += f" {unnamed} had no room for their words, which are in the table."
    named = "; ".join(f"{label} at {since(at, axis.zero)}" for _name, at, label in scene.marks) or "no marks"
    return figure(panel.finish(f"Timeline: {named}."), caption)


def _lane_table(scene: Scene) -> Markup:
    zero = scene.zero
    lines: list[tuple[Child, ...]] = [
        ("mark", label, clock(at), since(at, zero), NOTHING) for _name, at, label in scene.marks
    ]
    for event in rows(scene.report.get("events")):
        at, seen = number(event.get("time")), number(event.get("seen"))
        late = seconds(seen - at) if seen is not None and at is not None else NOTHING
        text = f"{event.get('id') or ''} {event.get('text') or ''}".strip()
        lines.append(
            (
                bars.LANES.get(bars.lane_name(event.get("lane")), str(event.get("lane"))),
                text,
                clock(at),
                since(at, zero),
                late,
            )
        )
    lines.sort(key=lambda line: str(line[2]))
    return data("Timeline", ("Lane", "What", "UTC", "On the clock", "Seen after"), lines)


def _strips(scene: Scene, axis: Axis) -> Markup | None:
    by_probe = scene.shots.by_probe
    if not by_probe:
        return tag("p", "No sample is on record: what users got is not known.", class_="unsure")
    names = _order(scene)
    thinned = scene.thinned.by_probe
    panel = Panel(axis, scene.marks)
    for name in names[: drawn.STRIPS]:
        drawn.strip(panel, name, thinned.get(name, []), by_probe[name], scene.shapes)
    panel.y += 4
    classes = scene.shots.classes
    failed = sum(classes.values())
    alt = f"Each request by when it was due: {failed:,} of {len(scene.shots.all) - scene.shots.blind:,} failed."
    key = drawn.shape_key(scene.shapes, classes) if classes else None
    return figure(panel.finish(alt), _strips_caption(scene, names), key)


def _order(scene: Scene) -> list[str]:
    """The users' probe first, then those that failed most; the control probe last."""
    probes = scene.shots.by_probe
    failed = {name: sum(shot.failed for shot in mine) for name, mine in probes.items()}
    return sorted(probes, key=lambda name: (name != scene.primary, name == "control", -failed[name]))


def _strips_caption(scene: Scene, names: Sequence[str]) -> str:
    text = "Each request at the time it was due: an answer as a dot by its latency from then (line: p50, dashed: p95), a failure in the row of its class."
    total, shown = len(scene.shots.all), len(scene.thinned.all)
    if shown < total:
        text += f" Of {total:,} requests {shown:,} are drawn: every failure, and of the successes the slowest and an even choice."
    if scene.shots.blind:
        text += f" Grey: {scene.shots.blind:,} that the prober could not send, which say nothing about the service."
    if scene.shots.unreadable:
        text += f" {scene.shots.unreadable:,} lines of the samples could not be read."
    if len(names) > drawn.STRIPS:
        text += f" {len(names) - drawn.STRIPS} more probes are in the table."
    return text


def _identity(scene: Scene, axis: Axis) -> Markup | None:
    answered = [shot for shot in scene.shots.all if shot.ok and shot.server]
    if not answered:
        return None
    panel = Panel(axis, scene.marks)
    drawn.identity(panel, answered, scene.releases)
    servers = sorted({shot.server for shot in answered}, key=natural)
    lines = []
    for server in servers:
        mine = [shot for shot in answered if shot.server == server]
        zones, releases = (
            sorted({word for word in found if word}) for found in ([s.zone for s in mine], [s.release for s in mine])
        )
        lines.append(
            (
                server,
                ", ".join(zones) or NOTHING,
                ", ".join(releases) or NOTHING,
                f"{len(mine):,}",
                clock(mine[0].at),
                clock(mine[-1].at),
            )
        )
    heads = ("Server", "Zone", "Release", "Answers", "First (UTC)", "Last (UTC)")
    caption = "Who answered when" + ("; colour and name: the release." if scene.releases else ", by server and zone.")
    if len(servers) > drawn.SERVERS:
        caption += f" {len(servers) - drawn.SERVERS} more are in the table."
    picture = panel.finish(f"{len(servers)} servers answered: {', '.join(servers[:8])}.")
    return figure(picture, caption, data("Servers", heads, lines, numbers=(3,)))


def probes(scene: Scene) -> Markup | None:
    lines = [
        (str(probe.get("name")), str(probe.get("kind") or NOTHING), str(probe.get("flavour") or NOTHING), measure(probe.get("rate"), "Hz"),
         measure(probe.get("requests")), measure(probe.get("failed")), measure(probe.get("longest_outage"), "s"),
         *(measure(_milliseconds(probe.get(share)), "ms") for share in ("p50", "p95", "p99")))
        for probe in rows(scene.report.get("probes"))
    ]  # fmt: skip
    heads = ("Probe", "Kind", "Connection", "Rate", "Requests", "Failed", "Longest outage", "p50", "p95", "p99")
    return data("Probes", heads, lines, numbers=range(3, 10)) if lines else None


def _milliseconds(value: Any) -> float | None:
    figure_ = number(value)
    return None if figure_ is None else figure_ * 1000


def recovery(scene: Scene) -> Markup | None:
    phases = [
        row
        for row in rows(scene.report.get("phases"))
        if number(row.get("start")) is not None and number(row.get("end")) is not None
    ]
    if not phases or scene.whole is None:
        return None
    lines = [
        (str(row.get("name")), clock(row["start"]), since(row["start"], scene.zero), seconds(row["end"] - row["start"]))
        for row in phases
    ]
    picture = bars.waterfall(scene.whole, phases, [])
    return section(
        "recovery", "Where the seconds went", None,
        figure(picture, "Each phase of the recovery, one below the other.", data("Phases", ("Phase", "From (UTC)", "On the clock", "Lasted"), lines)),
    )  # fmt: skip


def markers(scene: Scene) -> Markup | None:
    counts = scene.report.get("markers")
    if not isinstance(counts, Mapping):
        return None
    found = {str(name): number(value) for name, value in counts.items()}
    lines = [(name_of(name), measure(found[name])) for name in MARKERS if found.get(name) is not None]
    surviving, lost = found.get("surviving"), found.get("lost")
    body: list[Child] = [table(("Writes", "Count"), lines)]
    if surviving is not None and lost is not None and surviving + lost > 0:
        body.insert(0, tag("figure", bars.marker_bar(surviving, lost)))
    if numbers := words(counts.get("lost_markers")):
        body.append(tag("p", f"Lost: {shorten(', '.join(numbers), 400)}", class_="bad"))
    why = "Each write carried a number; afterwards the store was asked for all of them."
    return section("markers", "Acknowledged writes", why, body)


def redundancy(scene: Scene) -> Markup | None:
    copies = rows(scene.report.get("redundancy"))
    if not copies or scene.whole is None:
        return None
    panel = Panel(scene.whole, [mark for mark in scene.marks if mark[0] in ("inject", "first_ok", "redundant")])
    bars.copies(panel, copies)
    lines = [(str(row.get("copy")), clock(row.get("start")), clock(row.get("end"))) for row in copies]
    names = ", ".join(dict.fromkeys(str(row.get("copy")) for row in copies))
    picture = figure(
        panel.finish(f"When each copy existed: {names}."),
        "A gap is a time without that copy.",
        data("Copies", ("Copy", "From", "Until"), lines),
    )
    return section("redundancy", "Redundancy", "The service can be back long before the spare copy is.", picture)


def deploy(scene: Scene) -> Markup | None:
    """A deploy: hosts by wave, and how the answers moved from release to release."""
    waves = rows(scene.report.get("waves"))
    if scene.whole is None or not (waves or len(scene.releases) > 1):
        return None
    body: list[Child] = []
    if waves:
        panel = Panel(scene.whole, scene.marks)
        phases = bars.waves(panel, waves)
        lines = [
            (
                str(row.get("batch", NOTHING)),
                str(row.get("host")),
                str(row.get("phase")),
                clock(row.get("start")),
                _lasted(row),
            )
            for row in waves
        ]
        hosts = len({str(row.get("host")) for row in waves})
        picture = panel.finish(f"{hosts} hosts, each through {', '.join(phases)}.")
        body.append(
            figure(
                picture,
                "Each host through its phases, batch by batch.",
                bars.phase_key(phases),
                data("Hosts", ("Batch", "Host", "Phase", "From", "Lasted"), lines),
            )
        )
    if scene.releases:
        body.append(_shares(scene, scene.whole))
    return section("deploy", "The deploy, host by host", None, body)


def _lasted(row: Mapping[str, Any]) -> str:
    start, end = number(row.get("start")), number(row.get("end"))
    return "never ended" if end is None else seconds(end - start) if start is not None else NOTHING


def _shares(scene: Scene, axis: Axis) -> Markup:
    panel = Panel(axis, scene.marks)
    drawn.shares(panel, scene.shots.all, scene.releases)
    lines = []
    for release in scene.releases:
        mine = [shot for shot in scene.shots.all if shot.ok and shot.release == release]
        lines.append((release, f"{len(mine):,}", clock(mine[0].at), clock(mine[-1].at)))
    alt = (
        "Share of the answers by release: "
        + ", ".join(f"{line[0]} from {line[2]} to {line[3]}" for line in lines)
        + "."
    )
    table_ = data("Releases", ("Release", "Answers", "First (UTC)", "Last (UTC)"), lines, numbers=(1,))
    return figure(panel.finish(alt), "Which release gave the answers.", drawn.release_key(scene.releases), table_)


def history(report: Report, runs: Sequence[Run], compared: Sequence[Mapping[str, Any]]) -> Markup:
    """The earlier runs, and for each recovery time whether this one was slower."""
    if not runs:
        return section(
            "history", "Earlier runs", "This is the first run of its kind here; there is nothing to compare with."
        )
    names = list(dict.fromkeys(name for run in runs for name in mapping(run.get("measures"))))
    units = {str(row.get("name")): row.get("unit") for row in rows(report.get("expectations"))}
    lines = [
        (str(run.get("run_id")), day(run.get("started")), str(run.get("verdict")),
         *(measure(mapping(run.get("measures")).get(name), units.get(name)) for name in names))
        for run in reversed(runs)
    ]  # fmt: skip
    pictures = [_trend(report, runs, found) for found in compared]
    why = (
        f"Slower than usual: more than 1.25 × the median of the last {JUDGED} judged runs, and more than 3 s above it."
    )
    heads = ("Run", "Started", "Verdict", *(name_of(name) for name in names))
    return section("history", "Earlier runs", why, pictures, data("Earlier runs", heads, lines))


def _trend(report: Report, runs: Sequence[Run], found: Mapping[str, Any]) -> Markup | None:
    name = found["name"]
    earlier = [
        (
            str(run.get("run_id")),
            run.get("started"),
            str(run.get("verdict")),
            number(mapping(run.get("measures")).get(name)),
        )
        for run in runs
    ]
    known = [(run_id, started, verdict, value) for run_id, started, verdict, value in earlier if value is not None][
        -20:
    ]
    if not known:
        return None
    now = (str(report.get("run_id")), report.get("started"), str(report.get("verdict")), float(found["measured"]))
    expected = next(
        (number(row.get("expected")) for row in rows(report.get("expectations")) if str(row.get("name")) == name), None
    )
    limit = found["limit"] if found["slower"] is not None else None
    words_ = {
        True: "slower than usual",
        False: "as usual",
        None: f"not judged: fewer than {JUDGED} judged runs before it",
    }
    caption = f"{name_of(name)}: {words_[found['slower']]}. Disc: passed, cross: failed, ring: inconclusive."
    return figure(bars.trend([*known, now], limit, expected), caption)


def servers(report: Report) -> Markup | None:
    """The run's own list of who answered, where it gave one."""
    given = rows(report.get("servers"))
    return (
        tag("details", tag("summary", f"Servers as the run listed them ({len(given)})"), records(given))
        if given
        else None
    )
