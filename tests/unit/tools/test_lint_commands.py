"""The commands and files that documents and hooks name exist."""

from __future__ import annotations

from pathlib import Path

import pytest
from lint_commands import check_files, check_hooks, check_text, commands, targets

MAKEFILE = "A := b\nsetup: $(READY)  ## Make it\n\t@true\nlint-all: setup  ## Check\nclean:\n"


def test_knows_the_targets_and_what_help_says() -> None:
    assert targets(MAKEFILE) == {"setup": "Make it", "lint-all": "Check", "clean": ""}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Run `make check test` first.", ["check", "test"]),
        ("```sh\nmake setup PYTHON=python3.12   # makes\n```", ["setup"]),
        ('`make sanity SANITY_ARGS="--test import plugins/x.py"`', ["sanity"]),
        ("```\n$ make demo\n```", ["demo"]),
        ("calls that\nmake no sense", []),
        ("They make sense, `make` does.", []),
    ],
)
def test_finds_commands_in_text_and_in_blocks(text: str, found: list[str]) -> None:
    assert [target for _line, target in commands(text)] == found


def test_in_a_script_every_line_may_be_a_command() -> None:
    assert [target for _line, target in commands("make --keep-going check || failed=1", script=True)] == ["check"]


def test_a_command_that_does_not_exist_is_found_where_it_stands() -> None:
    problems = list(check_text("README.md", "# A\n\nRun `make molecules`.\n", {"molecule"}))
    assert problems == ["README.md:3: make molecules: the Makefile has no such target"]


def test_files_and_links_that_do_not_exist_are_found(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/map.md").touch()
    text = "`docs/map.md`, [map](docs/map.md#part), [web](https://example.com), [top](#top)\n`docs/no.md` [no](no.md)\n"
    assert list(check_files(tmp_path, "README.md", text)) == [
        "README.md:2: docs/no.md does not exist",
        "README.md:2: no.md does not exist",
    ]


@pytest.mark.parametrize(
    ("repository", "problem"),
    [
        ("{repo: local, hooks: [{id: a, entry: make --silent lint}]}", None),
        ("{repo: local, hooks: [{id: a, entry: make lints}]}", "make lints is no target"),
        ("{repo: local, hooks: [{id: a, entry: ruff check}]}", "ruff check is no target"),
        ("{repo: https://example.com/x, hooks: [{id: a}]}", "a hook of others"),
    ],
)
def test_hooks_call_the_makefile_alone(repository: str, problem: str | None) -> None:
    problems = list(check_hooks("hooks", f"repos:\n  - {repository}\n", {"lint"}))
    assert (not problems) if problem is None else (problem in problems[0])
