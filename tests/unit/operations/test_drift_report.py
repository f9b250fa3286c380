"""The plans of all hosts as one report of what differs."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.webstack.aws.plugins.module_utils.engine.errors import OptionError
from ansible_collections.webstack.aws.plugins.module_utils.operations.drift import drift_report, summary, write_report

QUIET = {"actions": [], "diff": [], "calls": {"read": 69, "write": 0}, "seconds": 0.8}


def action(address: str, verb: str) -> dict[str, str]:
    return {"address": address, "verb": verb, "tier": "compute_asg", "region": "eu-west-1"}


DRIFTED = {
    **QUIET,
    "actions": [action("LaunchTemplate[shop-web]", "update"), action("Role[shop]", "create"), action("Role[old]", "delete")],
    "diff": [
        {"before": {"instance_type": "t3.small"}, "after": {"instance_type": "t3.medium"}},
        {"before": {}, "after": {"path": "/"}},
        {"before": {"id": "old"}, "after": {}},
    ],
}  # fmt: skip


def test_says_of_each_host_what_is_missing_what_differs_and_what_nobody_wants() -> None:
    report = drift_report("shop", {"eu-west-1": DRIFTED, "us-east-1": QUIET}, 1735787045.0)
    assert (report["time"], report["drifted"], report["complete"]) == ("2025-01-02T03:04:05Z", True, True)
    assert report["hosts"]["us-east-1"] == {"differences": [], "calls": 69, "seconds": 0.8}
    assert [one["kind"] for one in report["hosts"]["eu-west-1"]["differences"]] == ["differs", "missing", "not wanted"]
    assert summary(report) == [
        "Stack shop has drifted: 3 differences",
        "  eu-west-1      compute_asg    differs     LaunchTemplate[shop-web] (instance_type)",
        "  eu-west-1      compute_asg    missing     Role[shop]",
        "  eu-west-1      compute_asg    not wanted  Role[old]",
    ]


def test_a_host_that_failed_or_never_answered_is_not_called_free_of_drift() -> None:
    report = drift_report("shop", {"a": {"failed": True, "msg": "No credentials", "actions": []}, "b": {}}, 0)
    assert (report["drifted"], report["complete"]) == (False, False)
    assert summary(report) == [
        "Stack shop has not drifted, as far as is known",
        "  a              not compared: No credentials",
        "  b              not compared: There is no plan",
    ]
    assert summary(drift_report("shop", {"a": QUIET}, 0)) == ["Stack shop has not drifted"]


def test_replaces_an_older_report_whole_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "drift.json"
    path.write_text("old")
    write_report({"stack": "shop"}, path)
    assert path.read_text() == '{\n "stack": "shop"\n}\n' and list(tmp_path.iterdir()) == [path]
    with pytest.raises(OptionError, match="Give a file in a folder that exists"):
        write_report({}, tmp_path / "nowhere" / "drift.json")
    (tmp_path / "folder").mkdir()
    with pytest.raises(OptionError):
        write_report({}, tmp_path / "folder")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["drift.json", "folder"]
