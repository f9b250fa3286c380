"""What silences a check names it, and says why."""

from __future__ import annotations

import pytest
from lint_reasons import check_list, check_markers

MARK = "# no" + "qa"


@pytest.mark.parametrize(
    "line",
    [
        f"import x  {MARK}: F401 - it registers itself",
        f"import x  {MARK}: F401, E402 - it registers itself",
        "x = y  # type: ignore[arg-type]  # a stand-in client",
        "x = y  # pragma: no cover - needs a terminal",
        f'text = "{MARK}"',
    ],
)
def test_accepts_a_marker_with_rule_and_reason(line: str) -> None:
    assert list(check_markers("a.py", line + "\n")) == []


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (f"import x  {MARK}", "name the rule"),
        (f"import x  {MARK}: F401", "without its reason"),
        (f"import x  {MARK}: F401, E402", "without its reason"),
        (f"import x  {MARK}: F401 - moto", "without its reason"),
        ("x = y  # type: ignore", "name the rule"),
        ("x = y  # type: ignore[arg-type,misc]", "without its reason"),
        ("x = y  # pragma: no cover", "without its reason"),
        ("x = y  # nosec", "name the rule"),
    ],
)
def test_refuses_a_marker_without_rule_or_reason(line: str, message: str) -> None:
    [problem] = check_markers("a.py", line + "\n")
    assert message in problem
    assert problem.startswith("a.py:1:")


@pytest.mark.parametrize(
    ("path", "good", "bad"),
    [
        ("tests/sanity/ignore-2.19.txt", "a.py pylint:x # the SDK wants it", "a.py pylint:x"),
        ("pyproject.toml", '    "PLR0913", # AWS calls have many', '    "PLR0913",'),
        ("pyproject.toml", "ignore_missing_imports = true # it has none", "ignore_missing_imports = true"),
        (".ansible-lint", "  - name[casing] # AWS's own case", "  - name[casing]"),
        (".yamllint", "  indentation: disable # written by tools", "  indentation: disable"),
    ],
)
def test_every_entry_of_a_list_of_exceptions_has_its_reason(path: str, good: str, bad: str) -> None:
    assert list(check_list(path, good)) == []
    assert list(check_list(path, f"\n{bad}")) == [f"{path}:2: an exception without its reason on the line"]


def test_other_files_have_no_entries() -> None:
    assert list(check_list("plugins/x.py", "anything")) == []
