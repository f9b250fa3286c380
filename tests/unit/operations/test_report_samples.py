"""Thinning draws less and loses no failure; lateness counts; labels do not run into each other."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest
from sample_runs import START, rolling_deploy, sample, write_samples

from ansible_collections.webstack.aws.plugins.module_utils.operations.figures import Axis, Rows, tick_text
from ansible_collections.webstack.aws.plugins.module_utils.operations.report import write_report
from ansible_collections.webstack.aws.plugins.module_utils.operations.report_samples import (
    Shots,
    outages,
    read_shots,
    summary,
    thin,
)
from ansible_collections.webstack.aws.plugins.module_utils.operations.report_words import measure, seconds


def shots(tmp_path: Path, count: int, failed: set[int], slow: int | None = None) -> Shots:
    samples = [
        sample(
            f"probe-{number % 3}",
            START + number / 100,
            9.0 if number == slow else 0.01,
            "refused" if number in failed else None,
        )
        for number in range(count)
    ]
    return read_shots(write_samples(tmp_path / "samples.jsonl", samples))


@pytest.mark.parametrize("share", [0.0, 0.0005, 0.3, 1.0])
def test_thinning_never_loses_a_failure(tmp_path: Path, share: float) -> None:
    dice = random.Random(3)
    failed = {number for number in range(9000) if dice.random() < share}
    found = shots(tmp_path, 9000, failed)
    kept = thin(found.all, 2000)
    assert [shot for shot in kept if shot.failed] == found.failed
    assert len(kept) - len(found.failed) <= 2010
    assert [shot.at for shot in kept] == sorted(shot.at for shot in kept)


def test_thinning_keeps_the_slowest_and_every_stretch_of_time(tmp_path: Path) -> None:
    found = shots(tmp_path, 9000, set(), slow=4321)
    kept = thin(found.all, 1500)
    assert any(shot.latency == pytest.approx(9.0) for shot in kept)
    assert {int(shot.at - START) for shot in kept} == set(range(90))
    assert {shot.probe for shot in kept} == {"probe-0", "probe-1", "probe-2"}


def test_few_samples_are_all_drawn(tmp_path: Path) -> None:
    found = shots(tmp_path, 500, {3})
    assert thin(found.all, 500) == found.all


def test_the_page_says_how_many_are_drawn_and_draws_every_failure(tmp_path: Path) -> None:
    report, samples = rolling_deploy(rate=80, failures=25)
    path = write_samples(tmp_path / "samples.jsonl", samples)
    text = Path(write_report(report, path, tmp_path, drawn=1000)["html"]).read_text(encoding="utf-8")
    said = re.search(r"Of ([\d,]+) requests ([\d,]+) are drawn: every failure", text)
    assert said and int(said[1].replace(",", "")) == len(samples)
    assert 25 < int(said[2].replace(",", "")) <= 1050
    failures = re.findall(r'<path d="([^"]+)" class="failure', text)
    in_strip = [path_ for path_ in failures if not path_.startswith("M8 6")]  # not those of the legend
    places = {round(sample_["scheduled"], 6) for sample_ in samples if not sample_["ok"]}
    assert len(places) == 25
    assert sum(path_.count("M") for path_ in in_strip) >= 20  # a few may lie on the very same spot
    assert len(text) < 400_000


def test_latency_counts_from_when_the_sample_was_due(tmp_path: Path) -> None:
    late = sample("page", START, 2.0) | {"started": START + 1.9}
    found = read_shots(write_samples(tmp_path / "samples.jsonl", [late]))
    assert found.all[0].latency == pytest.approx(2.0)


def test_broken_lines_are_counted_and_the_rest_is_read(tmp_path: Path) -> None:
    path = write_samples(tmp_path / "samples.jsonl", [sample("page", START, 0.1)])
    with path.open("ab") as file:
        file.write(
            b'{"probe": "page", "sched\n[1]\n\xff\xfe\n{"probe":"p","scheduled":"soon"}\n{"probe":"p","scheduled":1e400}\n\n'
        )
    found = read_shots(path)
    assert (len(found.all), found.unreadable) == (1, 5)
    assert read_shots(tmp_path / "nowhere").all == []


def test_a_probe_that_nobody_measured_gets_its_figures_from_its_samples(tmp_path: Path) -> None:
    samples = [
        sample("page", START + number / 10, 0.02, "timeout" if 50 <= number < 85 else None) for number in range(200)
    ]
    found = read_shots(write_samples(tmp_path / "samples.jsonl", samples))
    figures = summary("page", found.all)
    assert (figures["requests"], figures["failed"]) == (200, 35)
    assert figures["longest_outage"] == pytest.approx(3.5)
    assert figures["p95"] == pytest.approx(0.02)
    assert [(gap.start - START, gap.failed) for gap in outages(found.all)] == [(pytest.approx(5.0), 35)]


@pytest.mark.parametrize("span", [0.4, 5, 90, 3600, 90000])
def test_an_axis_has_few_round_ticks_within_it(span: float) -> None:
    axis = Axis(START - span / 3, START + span, START)
    ticks = axis.ticks()
    assert 2 <= len(ticks) <= 14
    assert all(axis.start - 1e-6 <= at <= axis.end + 1e-6 for at in ticks)
    assert START in [pytest.approx(at, abs=1e-6) for at in ticks]
    assert len({tick_text(at - START) for at in ticks}) == len(ticks)


def test_labels_in_a_row_never_overlap_and_stay_in_the_picture() -> None:
    dice = random.Random(5)
    rows = Rows(100, 900, most=4)
    placed: dict[int, list[tuple[float, float]]] = {}
    for x in sorted(dice.uniform(100, 900) for _ in range(60)):
        place = rows.place(x, 90)
        if place:
            row, anchor = place
            left = x + 6 if anchor == "start" else x - 96
            assert left >= 94 and left + 90 <= 906
            assert all(left + 90 <= low or left >= high for low, high in placed.setdefault(row, []))
            placed[row].append((left, left + 90))
    assert sum(map(len, placed.values())) >= 20


def test_durations_and_measures_are_written_for_people() -> None:
    assert [seconds(value) for value in (0, 0.312, 4.25, 34.3, 119.9, 125, 600, 3725)] == [
        "0 s", "0.31 s", "4.25 s", "34.3 s", "119.9 s", "2 min 05 s", "10 min", "1 h 02 min",
    ]  # fmt: skip
    assert measure(0.1531, "ratio") == "15.3 %"
    assert measure(15280, "") == "15,280"
    assert measure(True) == "yes" and measure(None, "s") == "–" and measure("60–120 s", "s") == "60–120 s"
