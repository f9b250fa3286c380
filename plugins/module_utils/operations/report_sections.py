"""The parts of a report in words and tables: the verdict first, then what it rests on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .figures import box, svg
from .history import JUDGED, Run, values
from .markup import Child, Markup, clean, shorten, tag
from .report_samples import Shots
from .report_words import NOTHING, clock, day, mapping, measure, name_of, number, rows, seconds, since, words

Report = Mapping[str, Any]

VERDICTS = {"pass": "✓ PASS", "fail": "✗ FAIL", "inconclusive": "? INCONCLUSIVE"}
TABLE_ROWS = 200
OPEN_ROWS = 40

UNDO = "changes of this run are still in place. Undo them: playbooks/undo.yml"


def table(heads: Sequence[str], lines: Sequence[Sequence[Child]], *, numbers: Sequence[int] = ()) -> Markup:
    """A table; ``numbers`` are the columns that are set to the right. What is beyond 200 rows is counted, not shown."""
    style = ["n" if place in numbers else None for place in range(len(heads))]
    head = tag("tr", [tag("th", text, class_=style[place], scope="col") for place, text in enumerate(heads)])
    body = [
        tag("tr", [tag("td", cell, class_=style[place]) for place, cell in enumerate(line)])
        for line in lines[:TABLE_ROWS]
    ]
    more = len(lines) - TABLE_ROWS
    rest = tag("p", f"{more:,} more rows are in report.json and samples.jsonl.", class_="why") if more > 0 else None
    return tag("div", tag("table", tag("thead", head), tag("tbody", body)), rest, class_="scroll")


def data(
    title: str,
    heads: Sequence[str],
    lines: Sequence[Sequence[Child]],
    *,
    numbers: Sequence[int] = (),
    unfolded: bool = False,
) -> Markup:
    """The table under a picture, folded unless it is short and the point of its section."""
    summary = tag("summary", f"{title}: the figures ({len(lines):,})")
    return tag("details", summary, table(heads, lines, numbers=numbers), open=unfolded)


def section(id_: str, title: str, why: str | None, *body: Child) -> Markup:
    return tag("section", tag("h2", title), tag("p", why, class_="why") if why else None, *body, id=id_)


def state(ok: Any, good: str = "✓ yes", bad: str = "✗ no", unknown: str = "? not known") -> Markup:
    """A judgement as a sign, a word and a colour."""
    if ok is None:
        return tag("span", unknown, class_="unsure")
    return tag("span", good if ok else bad, class_="good" if ok else "bad")


def heading(report: Report) -> Markup:
    start, end = number(report.get("started")), number(report.get("ended"))
    lasted = f", {seconds(end - start)} long" if start is not None and end is not None and end >= start else ""
    facts = (
        f"Stack {report.get('stack') or NOTHING} · {report.get('region') or NOTHING}",
        f"{day(start)}{lasted}",
        f"Run {report.get('run_id') or NOTHING}",
        f"by {report['operator']}" if report.get("operator") else None,
    )
    title = report.get("title") or name_of(report.get("kind"))
    return tag("header", tag("h1", title), [tag("span", fact) for fact in facts if fact])


def verdict(report: Report, history: Sequence[Run], shots: Shots, view: Child) -> Markup:
    """The box on the first screen: what happened, whether it is over, expected against measured."""
    name = str(report["verdict"])
    head = tag(
        "div",
        tag("span", VERDICTS[name], class_="word"),
        tag("p", report["sentence"], class_="sentence"),
        class_="head",
    )
    chips = tag("ul", [tag("li", text, class_=class_) for class_, text in _chips(report, shots)], class_="chips")
    left = [step for step in rows(report.get("undone")) if not is_undone(step)]
    todo = tag("p", tag("b", "Now: "), _undo_advice(report), class_="todo") if left else None
    why = tag("p", tag("b", f"Why {name}: "), _plain(report["reason"])) if report.get("reason") else None
    body = (head, todo, why, chips, view, _expectations(report, history))
    return tag("section", *body, class_=f"verdict {name}", id="verdict")


def _chips(report: Report, shots: Shots) -> list[tuple[str, str]]:
    chips = [_undo_chip(report)]
    checks = rows(report.get("preconditions"))
    if checks:
        good = sum(check.get("ok") is True for check in checks)
        sign, class_ = ("✓", "good") if good == len(checks) else ("✗", "bad")
        chips.append((class_, f"{sign} {good} of {len(checks)} preconditions"))
    lost = number(mapping(report.get("markers")).get("lost"))
    if lost is not None:
        chips.append(
            ("bad", f"✗ {lost:,.0f} acknowledged writes lost") if lost else ("good", "✓ no acknowledged write lost")
        )
    if shots.all:
        failed, asked = len(shots.failed), len(shots.all) - shots.blind
        chips.append(
            ("unsure" if failed else "good", f"{'•' if failed else '✓'} {failed:,} of {asked:,} requests failed")
        )
    if number(report.get("ended")) is None:
        chips.append(("unsure", "? the run did not end by itself"))
    if report.get("abortable") is False:
        chips.append(("", "cannot be called back once begun"))
    return [chip for chip in chips if chip]


def _undo_chip(report: Report) -> tuple[str, str]:
    undone = rows(report.get("undone"))
    left = [step for step in undone if not is_undone(step)]
    if left:
        return "bad", f"✗ {len(left)} of {len(undone)} changes NOT undone"
    if undone:
        last = max(number(step.get("time")) or 0.0 for step in undone)
        return "good", f"✓ all undone at {clock(last, fraction=False)} UTC"
    return "", "nothing had to be undone" if number(report.get("ended")) is not None else "no undo is on record"


def _undo_advice(report: Report) -> str:
    return f"{UNDO} -e run={report.get('run_id') or 'latest'}"


def is_undone(step: Mapping[str, Any]) -> bool:
    """Whether a step was undone: it has a time, and nobody found it undone in vain."""
    return number(step.get("time")) is not None and step.get("ok") is not False


def _expectations(report: Report, history: Sequence[Run]) -> Markup | None:
    lines = rows(report.get("expectations"))
    if not lines:
        return tag("p", "No expectation was judged.", class_="why")
    heads = ("Measure", "Expected", "Measured", "", "Published", "Last runs", "As expected")
    head = tag("tr", [tag("th", text, scope="col", class_=None if text else "gauge") for text in heads])
    body = [tag("tr", _expectation(line, history, report)) for line in lines]
    return tag("div", tag("table", tag("thead", head), tag("tbody", body), class_="expectations"), class_="scroll")


def _expectation(line: Mapping[str, Any], history: Sequence[Run], report: Report) -> list[Markup]:
    unit, expected = line.get("unit"), line.get("expected")
    sign = {"<=": "≤ ", ">=": "≥ ", "==": ""}.get(str(line.get("compare") or "<="), "") if number(expected) else ""
    return [
        tag("td", name_of(line.get("name")), class_="free"),
        tag("td", sign + measure(expected, unit)),
        tag("td", measure(line.get("measured"), unit), class_="value"),
        tag("td", _gauge(number(line.get("measured")), number(expected), line.get("ok")), class_="gauge"),
        tag("td", measure(line.get("published"), unit), class_="free"),
        tag("td", _last(line, history), class_="free"),
        tag("td", _kept(line, report)),
    ]


def _kept(line: Mapping[str, Any], report: Report) -> Markup:
    """Whether an expectation was met. What was not measured says nothing, unless the run failed for want of it."""
    if line.get("measured") is not None:
        return state(line.get("ok"))
    return (
        state(False, bad="✗ never")
        if line.get("ok") is False and report["verdict"] == "fail"
        else state(None, unknown="? not measured")
    )


def _last(line: Mapping[str, Any], history: Sequence[Run]) -> str:
    last = values(history, str(line.get("name")))[-JUDGED:]
    if last:
        return ", ".join(measure(value, line.get("unit")) for value in last[-3:])
    given = line.get("last")
    many = given if isinstance(given, (list, tuple)) else [given]
    return ", ".join(measure(value, line.get("unit")) for value in many[-3:]) or NOTHING


def _gauge(measured: float | None, expected: float | None, ok: Any) -> Markup | None:
    """A bar as long as what was measured, with a notch at what was expected."""
    if measured is None or not expected or expected < 0 or measured < 0:
        return None
    most = max(measured, expected) * 1.1
    parts: list[Child] = [box(0, 3, 100, 8, "empty", radius=2)]
    parts.append(
        box(0, 3, 100 * measured / most, 8, "down" if ok is False else "up", texture=int(ok is False), radius=2)
    )
    notch = 100 * expected / most
    parts.append(tag("line", x1=notch, x2=notch, y1=0, y2=14, stroke="var(--ink)", stroke_width=2))
    return svg(100, 14, f"{measured / expected:.0%} of what was expected", parts)


def findings(report: Report) -> Markup | None:
    texts = words(report.get("findings"))
    return (
        section("findings", "Findings", None, tag("ul", [tag("li", text) for text in texts], class_="plain"))
        if texts
        else None
    )


def preconditions(report: Report) -> Markup:
    checks = rows(report.get("preconditions"))
    if not checks:
        return section("preconditions", "Preconditions", "None is on record.")
    lines = [
        (state(check.get("ok"), "✓ holds", "✗ fails"), name_of(check.get("name")), check.get("text") or "")
        for check in checks
    ]
    return section(
        "preconditions",
        "Preconditions",
        "Checked afresh before anything was changed.",
        table(("", "What", "Found"), lines),
    )


def undone(report: Report, zero: float | None) -> Markup:
    steps = rows(report.get("undone"))
    if not steps:
        return section("undone", "What was undone", "Nothing is on record that had to be undone.")
    lines = [
        (
            state(is_undone(step), "✓ undone", "✗ NOT undone"),
            _plain(step.get("action")),
            _plain(step.get("target")),
            clock(step.get("time")),
            since(step.get("time"), zero),
        )
        for step in steps
    ]
    why = "Written down before the fault, carried out in reverse order."
    if not all(is_undone(step) for step in steps):
        why += f" Now: {_undo_advice(report)}"
    return section("undone", "What was undone", why, table(("", "Action", "On", "UTC", "On the clock"), lines))


def failed_requests(shots: Shots, zero: float | None) -> Markup | None:
    """The failed requests one by one."""
    if not shots.failed:
        return None
    lines = [
        (
            clock(shot.at),
            since(shot.at, zero),
            shot.probe,
            shot.error,
            shot.status or NOTHING,
            shot.server or NOTHING,
            shot.release or NOTHING,
        )
        for shot in shots.failed
    ]
    heads = ("Due (UTC)", "On the clock", "Probe", "Failure", "Status", "Server", "Release")
    return data("Failed requests, one by one", heads, lines, unfolded=len(lines) <= OPEN_ROWS)


def calls(report: Report) -> Markup | None:
    """How many calls were made to AWS; by operation where the run counted so."""
    made = report.get("calls")
    if not isinstance(made, Mapping):
        return None
    heads = {"read": "reading", "write": "writing"}
    parts: list[Child] = []
    for kind, value in made.items():
        total, by_name = _count(value)
        parts.append(tag("li", f"{total:,} {heads.get(str(kind), clean(kind))}", f": {by_name}" if by_name else None))
    return section("calls", "Calls to AWS", None, tag("ul", parts, class_="plain"))


def _count(value: Any) -> tuple[int, str]:
    if isinstance(value, Mapping):
        counts = {str(name): int(number(count) or 0) for name, count in value.items()}
        return sum(counts.values()), ", ".join(f"{name} × {count:,}" for name, count in sorted(counts.items()))
    if isinstance(value, (list, tuple)):
        return len(value), ", ".join(sorted({shorten(str(name), 80) for name in value}))
    return int(number(value) or 0), ""


def realism(report: Report) -> Markup | None:
    """What this run cannot tell about a real outage, and what it cost."""
    differs, cost = _plain(report.get("differs_from_real")), _plain(report.get("cost"))
    if not differs and not cost:
        return None
    lines = [tag("p", differs) if differs else None, tag("p", tag("b", "Cost: "), cost) if cost else None]
    return section("realism", "How this differs from the real thing", None, lines)


def _plain(value: Any) -> str:
    """A value that may be a text, a list or a dictionary, as text."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {_plain(part)}" for name, part in value.items())
    if isinstance(value, (list, tuple)):
        return "; ".join(_plain(part) for part in value)
    return "" if value is None else str(value)


def records(values_: Sequence[Mapping[str, Any]]) -> Markup | None:
    """Dictionaries of any shape as a table, a column for each key."""
    if not values_:
        return None
    heads = list(dict.fromkeys(str(key) for row in values_ for key in row))
    lines = [[_cell(head, row.get(head)) for head in heads] for row in values_]
    return table([name_of(head) for head in heads], lines)


def _cell(name: str, value: Any) -> str:
    if name in ("first", "last", "start", "end", "time"):
        return clock(value)
    return (
        measure(value, "ratio" if name == "share" else None) if number(value) is not None else _plain(value) or NOTHING
    )
