"""Proves that whatever silences a check says why, on its own line, and silences no more than it names.

``# noqa: F401 - reason``, ``# type: ignore[arg-type]  # reason``, ``# pragma: no cover - reason``; in files that list what tools
pass over (tests/sanity/ignore-*.txt, pyproject.toml, .ansible-lint, .yamllint), each entry with ``# reason`` behind it.
"""

from __future__ import annotations

import io
import re
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]

# Name of a marker → the marker with the codes that it has to name, if it can name any. What follows is the reason.
MARKERS = {
    "noqa": re.compile(r"#\s*(?:ruff:\s*)?noqa(?P<codes>:\s*[\w\[\]-]+(?:\s*,\s*[\w\[\]-]+)*)?(?P<reason>.*)"),
    "type: ignore": re.compile(r"#\s*type:\s*ignore(?P<codes>\[[\w, -]+\])?(?P<reason>.*)"),
    "nosec": re.compile(r"#\s*nosec\b(?P<codes>\s+B\d+)?(?P<reason>.*)"),
    "pragma": re.compile(r"#\s*pragma:\s*(?P<codes>no (?:cover|branch))(?P<reason>.*)"),
    "pylint": re.compile(r"#\s*pylint:\s*disable(?P<codes>=[\w-]+(?:,[\w-]+)*)?(?P<reason>.*)"),
    "shellcheck": re.compile(r"#\s*shellcheck\s+disable(?P<codes>=\w+(?:,\w+)*)?(?P<reason>.*)"),
    "yamllint": re.compile(r"#\s*yamllint\s+disable(?:-line)?(?P<codes>(?:\s+rule:[\w-]+)+)?(?P<reason>.*)"),
}
WORDS = re.compile(r"\w+\W+\w+")  # one word is no reason

# Files that list exceptions → the lines that are one.
LISTS = {
    "pyproject.toml": re.compile(
        r'^\s+"[A-Z]+\d*",|^"[^"]+" = \[|^(?:ignore_missing_imports|follow_imports|ignore_errors)\b'
    ),
    ".ansible-lint": re.compile(
        r"^(?!.*exclude).*\b(?:skip|warn)_list\b.*\S|^ {2}- [a-z][\w-]*(?:\[[\w-]+\])?(?:\s|$)"
    ),
    ".ansible-lint-ignore": re.compile(r"^\s*[^#\s]"),
    ".yamllint": re.compile(r":\s*disable\b"),
}
ENDINGS = (".py", ".yml", ".yaml", ".toml", ".txt", ".sh", ".cfg")
SANITY = re.compile(r"^\s*[^#\s]")


def comments(path: str, text: str) -> Iterator[tuple[int, str]]:
    """The lines that may hold a marker; of Python files the comments alone, because their texts may talk about markers."""
    if not path.endswith(".py"):
        yield from enumerate(text.splitlines(), start=1)
        return
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def check_markers(path: str, text: str) -> Iterator[str]:
    for number, line in comments(path, text):
        for name, marker in MARKERS.items():
            if not (found := marker.search(line)):
                continue
            if not found["codes"]:
                yield f"{path}:{number}: {name} silences everything; name the rule"
            elif not WORDS.search(found["reason"]):
                yield f"{path}:{number}: {name} without its reason on the line"


def check_list(path: str, text: str) -> Iterator[str]:
    """Entries of a file of exceptions without ``# reason``."""
    sanity = re.fullmatch(r"tests/sanity/ignore-[\d.]+\.txt", path)
    entry = SANITY if sanity else LISTS.get(path)
    if entry is None:
        return
    for number, line in enumerate(text.splitlines(), start=1):
        if entry.search(line) and not WORDS.search(line.partition("#")[2]):
            yield f"{path}:{number}: an exception without its reason on the line"


def sources(root: Path) -> Iterator[str]:
    """Every file that belongs to the project, committed or about to be."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=root, stdout=subprocess.PIPE, text=True, check=True).stdout
    for path in sorted(filter(None, listed.split("\0"))):
        named = Path(path).name in {*LISTS, "Makefile", "run"}
        if (root / path).is_file() and (named or path.endswith(ENDINGS)):
            yield path


def main(root: Path = CHECKOUT) -> int:
    problems = []
    for path in sources(root):
        text = (root / path).read_text(encoding="utf-8")
        problems += [*check_list(path, text), *check_markers(path, text)]
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
