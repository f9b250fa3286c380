"""The benchmark's own arithmetic: the longest chain of an action log, medians and ratios, the table, and that it measures what it runs."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from chain import longest_chain
from results import BEGIN, END, Part, as_markdown, written_into
from stacks import REGIONS, many_regions, one_region
from world import Played, measured


def action(
    address: str, started: float, seconds: float, verb: str = "create", slept: float = 0.0, **needs: str
) -> dict[str, Any]:
    named = {f"{name}[demo] (us-east-1)": kind for name, kind in needs.items()}
    facts = {"address": f"{address}[demo]", "region": "us-east-1", "verb": verb, "needs": named}
    return {**facts, "started": started, "seconds": seconds, "last_pause": slept}


LOG = [
    action("Vpc", 0, 2),
    action("Database", 5, 1, Vpc="made"),
    action("Cache", 5, 3, Vpc="made"),
    action("Database", 20, 40, "wait", slept=4),
    action("Cache", 20, 10, "wait", slept=1),
    action("Replica", 60, 2, Database="ready"),
    action("Alarm", 6, 1, Database="made"),
]


def test_the_longest_chain_is_made_of_work_and_of_waits_since_the_thing_was_made_without_the_gaps_between() -> None:
    chain = longest_chain(LOG)
    assert chain.parts == [
        ("make Vpc[demo] (us-east-1)", 2),
        ("make Database[demo] (us-east-1)", 1),
        ("wait for Database[demo] (us-east-1)", 50),  # made at 6, still not ready at 56
        ("make Replica[demo] (us-east-1)", 2),
    ]
    assert chain.seconds == 55


def test_what_does_not_wait_for_readiness_does_not_lengthen_the_chain() -> None:
    log = [action("Vpc", 0, 2), action("Vpc", 2, 30, "wait"), action("Alarm", 2, 5, Vpc="made")]
    assert longest_chain(log).parts == [("make Vpc[demo] (us-east-1)", 2), ("wait for Vpc[demo] (us-east-1)", 30)]


def test_a_wait_that_nobody_saw_is_as_long_as_it_is_known_to_last() -> None:
    log = [one for one in LOG if one["verb"] != "wait"]
    assert longest_chain(log).seconds == 5
    assert longest_chain(log, {"Database": 100}).seconds == 105


def test_an_empty_log_is_an_error() -> None:
    with pytest.raises(ValueError, match="everything there already"):
        longest_chain([])


def played(seconds: float, reads: int) -> Played:
    return Played(seconds, 50.0 + seconds, [{"kind": "read", "service": "ec2"}] * reads, "", 0.0)


def found() -> dict[str, Any]:
    part = Part("A quiet run")
    row = part.row("site.yml", "one region")
    for seconds in (3.0, 1.0, 2.0):
        row.add(played(seconds, 70))
    part.ratio("ours / theirs", row.median, 40.0, 0.06)
    part.at_most("peak memory", row.peak_mb, 10, "MB")
    part.notes.append("A note.")
    machine = {"cores": 2, "cpu": "some", "python": "3.11", "ansible": "2.19"}
    return {"machine": machine, "date": "2026-01-01", "scenarios": {"quiet": part.as_json()}}


def test_rows_have_medians_and_ratios_say_whether_they_hold() -> None:
    part = json.loads(json.dumps(found()))["scenarios"]["quiet"]
    assert [(row["median"], row["reads"], row["peak_mb"], row["by_service"]) for row in part["rows"]] == [
        (2.0, 70, 53.0, {"ec2": 70})
    ]
    assert [(one["value"], one["holds"]) for one in part["ratios"]] == [(0.05, True), (53.0, False)]


def test_the_table_is_written_between_its_marks_and_nowhere_else() -> None:
    text = as_markdown(found())
    assert "| ours / theirs | 0.05 | 0.06 | yes |" in text
    assert "| peak memory | 53 MB | 10 MB | **no** |" in text
    assert "| site.yml (one region) | 2.0 | 1.0 – 3.0 | 3 | 70 / 0 | 53 |" in text
    page = f"before\n{BEGIN}\nold\n{END}\nafter\n"
    assert written_into(page, text) == f"before\n{BEGIN}\n\n{text}\n{END}\nafter\n"
    with pytest.raises(ValueError, match="needs the lines"):
        written_into("no marks", text)


def test_the_memory_is_that_of_the_biggest_process_of_a_run(tmp_path: Path) -> None:
    big = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'x = bytearray(300_000_000)'])"
    done = measured([sys.executable, "-c", big], {}, tmp_path / "log")
    assert (done.code, 290 < done.peak_mb < 400) == (0, True)
    small = measured([sys.executable, "-c", "raise SystemExit(3)"], {}, tmp_path / "log")
    assert (small.code, small.peak_mb < done.peak_mb) == (3, True)


def test_one_region_leaves_out_what_belongs_to_the_other() -> None:
    _limit, hosts, _extra, variables = one_region()
    assert hosts == "us-east-1,global" and "eu-west-1" not in variables
    assert {"dns_certificates", "dns_health_checks", "dns_records"} == set(json.loads(variables))


def test_many_regions_are_different_ones_with_three_zones_each(tmp_path: Path) -> None:
    _inventory, path, *_variables = many_regions(tmp_path, 20)
    assert len(set(REGIONS)) == 20
    assert Path(path).read_text().count("webstack_region:") == 20
