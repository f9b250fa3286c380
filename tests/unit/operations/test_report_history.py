"""Earlier runs are found beside the run, and "slower" is said only when it is true and there are enough of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from sample_runs import START, rds_failover

from ansible_collections.webstack.aws.plugins.module_utils.operations.history import compare, earlier_runs
from ansible_collections.webstack.aws.plugins.module_utils.operations.report import write_report


def run(name: str, days_ago: float, rto: float | None, **more: Any) -> dict[str, Any]:
    report, _samples = rds_failover()
    report |= {"run_id": name, "started": START - days_ago * 86400, "target": "shop-main"} | more
    report["expectations"][0]["measured"] = rto
    return report


def written(runs: Path, report: dict[str, Any]) -> dict[str, Any]:
    return dict(json.loads(Path(write_report(report, None, runs / report["run_id"])["json"]).read_text()))


def test_this_run_is_compared_with_the_runs_whose_reports_lie_beside_it(tmp_path: Path) -> None:
    for number, rto in enumerate((30.0, 31.0, 33.0, 29.0, 32.0)):
        written(tmp_path, run(f"run-{number}", 10 - number, rto))
    figures = written(tmp_path, run("now", 0, 40.1))
    assert [earlier["run_id"] for earlier in figures["history"]] == [f"run-{number}" for number in range(5)]
    found = next(one for one in figures["comparisons"] if one["name"] == "rto_service")
    assert (found["median"], found["limit"], found["slower"]) == (31.0, 38.75, True)
    assert any(text.startswith("Service back (RTO): slower than usual. 40.1 s now") for text in figures["findings"])
    page = (tmp_path / "now" / "report.html").read_text(encoding="utf-8")
    assert "slower than usual above 38.8 s" in page and "33.0 s, 29.0 s, 32.0 s" in page


def test_under_five_runs_nothing_is_judged_only_shown(tmp_path: Path) -> None:
    for number in range(4):
        written(tmp_path, run(f"run-{number}", 10 - number, 10.0))
    figures = written(tmp_path, run("now", 0, 300.0))
    found = next(one for one in figures["comparisons"] if one["name"] == "rto_service")
    assert found["slower"] is None and found["last"] == [10.0] * 4
    assert not any("slower" in text for text in figures["findings"])
    assert "not judged: fewer than 5" in (tmp_path / "now" / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("last", "measured", "slower"),
    [
        ([30.0] * 5, 37.4, False),
        ([30.0] * 5, 37.6, True),
        ([2.0] * 5, 4.9, False),  # 1.25 × would be 2.5 s, but short drills jitter
        ([2.0] * 5, 5.1, True),
        ([1000.0, *[20.0] * 5], 24.9, False),  # only the last five count
        ([20.0, 20.0, 20.0, 90.0, 90.0], 25.1, True),  # the median, not the mean
        ([20.0] * 4, 500.0, None),
        ([], 500.0, None),
    ],
)
def test_slower_is_a_quarter_and_three_seconds_above_the_median_of_five(
    last: list[float], measured: float, slower: bool | None
) -> None:
    history = [
        {"run_id": str(place), "verdict": "pass", "measures": {"rto": value}} for place, value in enumerate(last)
    ]
    assert compare(history, "rto", measured)["slower"] is slower


def test_runs_without_a_verdict_of_another_kind_stack_or_target_or_later_do_not_count(tmp_path: Path) -> None:
    written(tmp_path, run("good", 9, 30.0))
    written(tmp_path, run("cut-off", 8, 30.0, verdict="inconclusive"))
    written(tmp_path, run("deploy", 7, 30.0, kind="deploy"))
    written(tmp_path, run("other-stack", 6, 30.0, stack="blog"))
    written(tmp_path, run("other-database", 5, 30.0, target="shop-reports"))
    written(tmp_path, run("later", -1, 30.0))
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "report.json").write_text('{"kind": "rds_fai')
    (tmp_path / "list").mkdir()
    (tmp_path / "list" / "report.json").write_text("[1]")
    found = earlier_runs(tmp_path / "now", run("now", 0, 30.0))
    assert [one["run_id"] for one in found] == ["good", "cut-off"]
    assert compare(found, "rto_service", 1.0)["last"] == [30.0]


def test_a_run_written_twice_is_not_its_own_history(tmp_path: Path) -> None:
    written(tmp_path, run("now", 0, 30.0))
    assert written(tmp_path, run("now", 0, 30.0))["history"] == []
