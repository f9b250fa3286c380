"""The report says what happened first, keeps every failure, escapes what it was given, and survives a run that was cut off."""

from __future__ import annotations

import json
import os
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from sample_runs import START, UP, Sample, rds_failover, rolling_deploy, sample, write_samples

from ansible_collections.webstack.aws.plugins.module_utils.operations import report as reports
from ansible_collections.webstack.aws.plugins.module_utils.operations.report import write_report
from ansible_collections.webstack.aws.plugins.module_utils.operations.report_samples import Shots

VOID = {"meta", "link", "br", "hr", "col"}
HOSTILE = "i-0\"'><script>alert(1)</script><img src=x onerror=alert(2)>&amp;\u202e\x00"


class Page(HTMLParser):
    """A page taken apart: its elements, its text by section, and what is not closed as it was opened."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: dict[str, str] = {}
        self.broken: list[str] = []
        self._open: list[tuple[str, str]] = []
        self.feed(text)
        self.broken += [name for name, _id in self._open]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.elements.append((tag, found))
        if tag not in VOID:
            above = self._open[-1][1] if self._open else ""
            self._open.append((tag, found.get("id") or above if tag in ("section", "header", "style") else above))

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open.pop()[0] != tag:
            self.broken.append(tag)

    def handle_data(self, data: str) -> None:
        section = self._open[-1][1] if self._open else ""
        self.text[section] = self.text.get(section, "") + data + " "

    def count(self, tag: str, class_: str = "") -> int:
        return sum(name == tag and class_ in ["", *(found.get("class") or "").split()] for name, found in self.elements)

    def attributes(self, tag: str, name: str) -> list[str]:
        return [found[name] or "" for element, found in self.elements if element == tag and name in found]


def written(folder: Path, report: dict[str, Any], samples: list[Sample], **more: Any) -> tuple[Page, dict[str, Any]]:
    folder.mkdir(parents=True, exist_ok=True)
    paths = write_report(report, write_samples(folder / "samples.jsonl", samples), folder, **more)
    page = Page(Path(paths["html"]).read_text(encoding="utf-8"))
    assert not page.broken
    return page, json.loads(Path(paths["json"]).read_text())


@pytest.fixture(scope="module")
def failover(tmp_path_factory: pytest.TempPathFactory) -> tuple[Page, dict[str, Any]]:
    return written(tmp_path_factory.mktemp("runs") / "one", *rds_failover())


@pytest.fixture(scope="module")
def deploy(tmp_path_factory: pytest.TempPathFactory) -> tuple[Page, dict[str, Any]]:
    return written(tmp_path_factory.mktemp("runs") / "one", *rolling_deploy(rate=50, failures=9))


def test_the_verdict_comes_first_in_words_and_in_figures(failover: tuple[Page, Any]) -> None:
    page, _figures = failover
    assert next(found["id"] for name, found in page.elements if name == "section") == "verdict"
    text = page.text["verdict"]
    assert "✓ PASS" in text
    assert "Customers could not place orders for 34 seconds; nothing that was confirmed to them was lost." in text
    for part in (
        "Service back (RTO)",
        "≤ 60.0 s",
        "34.3 s",
        "60–120 s",
        "✓ yes",
        "15.3 %",
        "21 ms",
        "no answer for 34.3 s",
    ):
        assert part in text, part
    assert "6 of 6 preconditions" in text
    assert "all undone at 14:03:46 UTC" in text


def test_the_timeline_holds_marks_events_of_every_lane_and_when_they_were_seen(failover: tuple[Page, Any]) -> None:
    text = failover[0].text["timeline"]
    for part in ("reboot with failover", "first failure", "DNS changed", "first good write", "standby back"):
        assert part in text, part
    for lane in ("Operator", "API calls", "AWS events", "DNS", "Alarms", "Target health"):
        assert lane in text, lane
    for event in ("RDS-EVENT-0013", "RDS-EVENT-0015", "RDS-EVENT-0049", "10.1.11.9 → 10.1.12.40"):
        assert event in text, event
    assert "6.90 s" in text  # how late RDS-EVENT-0015 was seen


def test_close_up_and_whole_run_share_one_clock(failover: tuple[Page, Any]) -> None:
    page, _figures = failover
    assert "Seconds count from reboot with failover." in page.text["timeline"]
    assert "+2:30 min" in page.text["whole"]
    assert "+2:30 min" not in page.text["timeline"].split("Timeline: the figures")[0]


def test_failures_are_told_apart_by_shape_and_name_not_by_colour_alone(failover: tuple[Page, Any]) -> None:
    page, figures = failover
    classes = figures["samples"]["failures"]
    assert set(classes) == {"reset", "refused", "timeout", "read_only", "http_5xx"}
    shapes = {found["class"]: found["d"] for name, found in page.elements if "failure" in (found.get("class") or "")}
    assert len({re.sub(r"M[\d.]+ [\d.]+", "", d or "")[:12] for d in shapes.values()}) == len(classes)
    for name, count in classes.items():
        assert f"{name} ({count})" in page.text["timeline"]


def test_servers_zones_and_releases_are_named_with_when_they_answered(failover: tuple[Page, Any]) -> None:
    text = failover[0].text["timeline"]
    for part in ("db-7f3a", "eu-central-1a", "db-c910", "eu-central-1b", "v41"):
        assert part in text, part


def test_recovery_markers_redundancy_and_the_rest_have_their_parts(failover: tuple[Page, Any]) -> None:
    page, _figures = failover
    assert "promotion" in page.text["recovery"] and "16.6 s, 47%" in page.text["recovery"]
    assert "found again" in page.text["markers"] and "No answer, yet stored" in page.text["markers"]
    assert "eu-central-1a" in page.text["redundancy"]
    assert "shop-db-cpu" in page.text["undone"] and "✓ undone" in page.text["undone"]
    assert "restorable up to 3 min 10 s ago" in page.text["preconditions"]
    assert "A reboot with failover is orderly." in page.text["realism"]
    assert "RebootDBInstance × 1" in page.text["calls"] and "500 reading" in page.text["calls"]
    assert "Kept connections came back 3.1 s" in page.text["findings"]
    assert "first run of its kind" in page.text["history"]


def test_every_picture_has_words_for_those_who_cannot_see_it_and_figures_below(
    failover: tuple[Page, Any], deploy: Any
) -> None:
    for page in (failover[0], deploy[0]):
        pictures = [found for name, found in page.elements if name == "svg" and found.get("aria-hidden") != "true"]
        assert len(pictures) > 5
        assert all(found.get("role") == "img" and len(found.get("aria-label") or "") > 8 for found in pictures)
        assert page.count("details") >= 4


def test_a_deploy_shows_its_waves_the_share_of_releases_and_each_failed_request(deploy: tuple[Page, Any]) -> None:
    page, figures = deploy
    text = page.text["deploy"]
    for part in (
        "i-0d0",
        "i-0d5",
        "batch 1",
        "batch 3",
        "drain",
        "register",
        "release v41",
        "release v42",
        "Answers by release",
    ):
        assert part in text, part
    assert "✗ FAIL" in page.text["verdict"] and "9 of" in page.text["verdict"]
    rows = page.text["failed"]
    assert rows.count("reset") + rows.count("http_5xx") == 9 == figures["samples"]["failed"]
    assert "≥ 10,000" in page.text["verdict"]


def test_figures_for_machines_hold_everything_but_the_samples(failover: tuple[Page, dict[str, Any]]) -> None:
    given, samples = rds_failover()
    figures = failover[1]
    for key in (
        "kind",
        "stack",
        "run_id",
        "verdict",
        "sentence",
        "marks",
        "events",
        "phases",
        "markers",
        "redundancy",
        "calls",
    ):
        assert figures[key] == given[key], key
    assert figures["measures"]["rto_service"] == pytest.approx(UP - 61.4)
    assert figures["samples"]["total"] == len(samples)
    assert "scheduled" not in json.dumps(figures)


def test_nothing_in_the_page_asks_anybody_for_anything(failover: tuple[Page, Any], deploy: tuple[Page, Any]) -> None:
    for page in (failover[0], deploy[0]):
        assert not {name for name, _found in page.elements} & {
            "script",
            "img",
            "iframe",
            "object",
            "embed",
            "image",
            "use",
        }
        assert page.attributes("link", "href") == ["data:,"]
        assert any("default-src 'none'" in policy for policy in page.attributes("meta", "content"))
        style = page.text[""]
        assert "url(" not in style and "@import" not in style


def _poisoned(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _poisoned(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_poisoned(part) for part in value]
    return HOSTILE + value if isinstance(value, str) else value


@pytest.mark.parametrize("make", [rds_failover, rolling_deploy])
def test_no_text_can_become_an_element_or_an_attribute(tmp_path: Path, make: Any) -> None:
    report, samples = make() if make is rds_failover else make(rate=20, failures=5)
    keep = {"kind": report["kind"], "verdict": "fail"}
    bad = {
        **_poisoned(report),
        **keep,
        "calls": {"read": {HOSTILE: 3}, "write": [HOSTILE]},
        "servers": [{HOSTILE: HOSTILE}],
    }
    bad |= {
        "findings": [HOSTILE],
        "cost": {HOSTILE: HOSTILE},
        "history": [{"run_id": HOSTILE, "started": START - 1, "measures": {HOSTILE: 1.0}}],
    }
    bad_samples = [
        {**one, "probe": HOSTILE + one["probe"], "server": HOSTILE, "release": HOSTILE, "zone": HOSTILE}
        for one in samples
    ]
    for one in bad_samples[::50]:
        one |= {"ok": False, "error": HOSTILE, "status": HOSTILE}
    page, _figures = written(tmp_path / "run", bad, bad_samples)
    clean, _same = written(tmp_path / "other", report, samples)
    assert {name for name, _found in page.elements} <= {name for name, _found in clean.elements} | {
        "p",
        "b",
        "details",
        "summary",
    }
    assert not any(attribute.startswith("on") for _name, found in page.elements for attribute in found)
    assert "<script>alert(1)</script>" in page.text["findings"]  # shown as the text that it is
    text = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert "\u202e" not in text and "\x00" not in text
    ElementTree.parse(tmp_path / "run" / "junit.xml")


def test_a_run_that_was_cut_off_is_inconclusive_with_what_is_known(tmp_path: Path) -> None:
    report, samples = rds_failover()
    cut = {key: report[key] for key in ("kind", "title", "stack", "region", "run_id", "started", "preconditions")}
    cut |= {"marks": report["marks"][:3], "undone": [{"action": "close_ports", "target": "sg-0a1", "time": None}]}
    path = write_samples(tmp_path / "samples.jsonl", [one for one in samples if one["scheduled"] < START + 84])
    path.write_bytes(path.read_bytes()[:-30])  # killed within a line
    paths = write_report(cut, path, tmp_path)
    page, figures = Page(Path(paths["html"]).read_text(encoding="utf-8")), json.loads(Path(paths["json"]).read_text())
    text = page.text["verdict"]
    assert "? INCONCLUSIVE" in text and "the fault was injected at 14:01:00 UTC" in text
    assert "1 of 1 changes NOT undone" in text
    assert f"playbooks/undo.yml -e run={report['run_id']}" in text
    assert "no answer for 22.5 s, and not back since" in text
    assert "the run did not end by itself" in text
    assert "Not on record: first good answer, stable, undone." in page.text["findings"]
    assert figures["verdict"] == "inconclusive"
    assert figures["samples"]["unreadable_lines"] == 1
    assert "1 lines of the samples could not be read" in page.text["timeline"]
    assert next(probe for probe in figures["probes"] if probe["name"] == "db-write-new")["failed"] == 226


def test_what_was_not_measured_is_not_called_unmet_unless_that_is_why_the_run_failed(tmp_path: Path) -> None:
    expectation = {"name": "rto_service", "unit": "s", "expected": 30, "measured": None, "ok": False}
    report = {"kind": "rds_failover", "started": START, "ended": START + 60, "expectations": [expectation]}
    page, _figures = written(tmp_path / "blind", report | {"verdict": "inconclusive", "reason": "Too late."}, [])
    assert "Why inconclusive:  Too late." in page.text["verdict"]
    assert "? not measured" in page.text["verdict"] and "✗" not in page.text["verdict"]
    page, _figures = written(tmp_path / "hung", report | {"verdict": "fail"}, [])
    assert "✗ never" in page.text["verdict"]


@pytest.mark.parametrize(
    "report",
    [
        {},
        {"run_id": "x", "started": START},
        {"started": START, "ended": START - 5, "verdict": "maybe"},
        {"marks": [{"name": "inject", "time": START}], "verdict": "fail"},
        {"waves": [{"host": "a", "phase": "drain", "start": START, "end": None}]},
        {"phases": [{"name": "a", "start": START, "end": START}], "marks": [{"name": "t_inject", "time": START}]},
        {"redundancy": [{"copy": "a", "start": None, "end": None}], "started": START, "ended": START},
        {
            "started": float("nan"),
            "ended": float("inf"),
            "expectations": [{"name": "rto", "unit": "s", "measured": float("nan")}],
        },
    ],
)
def test_hardly_anything_known_is_still_a_report(tmp_path: Path, report: dict[str, Any]) -> None:
    paths = write_report(report, None, tmp_path)
    page = Page(Path(paths["html"]).read_text(encoding="utf-8"))
    assert not page.broken
    assert any(word in page.text["verdict"] for word in ("INCONCLUSIVE", "FAIL"))
    assert json.loads(Path(paths["json"]).read_text())["verdict"] in ("inconclusive", "fail")


@pytest.mark.parametrize(
    "junk", [None, 7, -1e300, "text", [], [3, None, "x"], {"a": 1}, [{"name": 3, "time": "x", "start": [], "end": {}}]]
)
def test_junk_in_any_part_leaves_the_others_whole(tmp_path: Path, junk: Any) -> None:
    report, _samples = rds_failover()
    for key in report:
        full = reports.complete(report | {key: junk}, Shots(), tmp_path)
        page = Page(reports.as_html(full, Shots()))
        assert not page.broken, key
        assert {"verdict", "timeline", "undone", "preconditions", "history"} <= set(page.text), key
        json.loads(reports.as_json(full))
        ElementTree.fromstring(reports.as_junit(full))


def test_samples_that_the_prober_could_not_send_are_no_failures(tmp_path: Path) -> None:
    samples = [sample("page", START + number / 10, 0.01, "not_sent" if number % 3 else None) for number in range(300)]
    page, figures = written(
        tmp_path, {"kind": "deploy", "started": START, "ended": START + 30, "verdict": "pass"}, samples
    )
    assert figures["samples"] | {"failures": {}} == figures["samples"]
    assert (figures["samples"]["failed"], figures["samples"]["not_sent"]) == (0, 200)
    assert "0 of 100 requests failed" in page.text["verdict"]
    assert "Grey: 200 that the prober could not send" in page.text["timeline"]


def test_build_servers_get_each_expectation_as_a_test_case(tmp_path: Path) -> None:
    report, _samples = rds_failover()
    report["expectations"][0] |= {"ok": False, "measured": 81.0}
    report["expectations"][1] |= {"ok": None, "measured": None}
    report["verdict"] = "fail"
    suite = ElementTree.parse(write_report(report, None, tmp_path)["junit"]).getroot()
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("13", "2", "1")
    failures = {case.get("name"): case.find("failure") for case in suite if case.find("failure") is not None}
    assert set(failures) == {"rto_service", "rds_failover"}
    found = failures["rto_service"]
    assert found is not None and found.get("message") == "expected 60.0 s, measured 81.0 s"


def test_a_file_is_whole_or_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A report that cannot be finished leaves the one before it, and no half file beside it."""
    target = tmp_path / "report.html"
    reports.write_atomic(target, "before")
    order: list[str] = []

    def full(_descriptor: int) -> None:
        order.append(target.read_text())
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        reports.write_atomic(target, "after")
    assert order == ["before"]  # flushed before it took the place of the old one
    assert target.read_text() == "before"
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_writing_again_replaces_all_three_files_and_leaves_nothing_else(tmp_path: Path) -> None:
    report, _samples = rds_failover()
    write_report(report, None, tmp_path)
    paths = write_report(report | {"sentence": "Another sentence."}, None, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"report.html", "report.json", "junit.xml"}
    assert all("Another sentence." in Path(path).read_text(encoding="utf-8") for path in paths.values())
