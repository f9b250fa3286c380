"""Proves that the commands we name exist: every ``make x`` of the documentation, of the hooks and of CI is a target of the Makefile,
every target is explained in ``make help``, and every hook calls one.

A file that documentation names, ``tests/tools/…`` or a link to a file of this checkout, has to exist, too.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import yaml

CHECKOUT = Path(__file__).resolve().parents[2]
DOCUMENTS = ("README.md", "CONTRIBUTING.md", "docs/**/*.md", "lab/*.md", "extensions/**/*.md", ".ci/run")
HOOKS = ".pre-commit-config.yaml"

TARGET = re.compile(r"^([a-z][a-z-]*):(?!=)(.*)$", re.MULTILINE)
WORDS = r"make((?: (?:[-\w=./]|\"[^\"\n]*\")+)+)"
# In running text a command stands in backquotes, in blocks and scripts it starts a line.
INLINE, COMMAND = re.compile(f"`{WORDS}"), re.compile(rf"^\s*(?:\$ )?{WORDS}")
SETTING = re.compile(r"[A-Z_]+=|-|\d")
FILE = re.compile(
    r"`((?:tests|lab|plugins|playbooks|inventories|docs|roles|changelogs|extensions)/[\w./-]+\.(?:py|yml|md|toml))`"
)
LINK = re.compile(r"\]\((?!https?://|#)([^)#]+)(?:#[^)]*)?\)")


def targets(makefile: str) -> dict[str, str]:
    """Target → what ``make help`` says of it."""
    return {name: rest.partition("## ")[2] for name, rest in TARGET.findall(makefile)}


def commands(text: str, script: bool = False) -> Iterator[tuple[int, str]]:
    """Every (line, target) of the make commands in a document, or in a script."""
    block = script
    for number, line in enumerate(text.splitlines(), start=1):
        if line.lstrip().startswith("```"):
            block = not block
        for found in [*INLINE.finditer(line), *(COMMAND.finditer(line) if block else ())]:
            words = re.sub(r'"[^"]*"', "", found[1]).split()
            yield from ((number, word) for word in words if not SETTING.match(word))


def check_text(path: str, text: str, known: set[str]) -> Iterator[str]:
    for line, target in commands(text, script=not path.endswith(".md")):
        if target not in known:
            yield f"{path}:{line}: make {target}: the Makefile has no such target"


def check_files(root: Path, path: str, text: str) -> Iterator[str]:
    """Files that a text names and that do not exist."""
    here = (root / path).parent
    for pattern, start in ((FILE, root), (LINK, here)):
        for found in pattern.finditer(text):
            if not (start / found[1]).exists():
                yield f"{path}:{text.count(chr(10), 0, found.start()) + 1}: {found[1]} does not exist"


def check_hooks(path: str, text: str, known: set[str]) -> Iterator[str]:
    """Hooks that are not the Makefile's."""
    for repository in yaml.safe_load(text)["repos"]:
        if repository["repo"] != "local":
            yield f"{path}: {repository['repo']}: a hook of others would check what make check does not"
            continue
        for hook in repository["hooks"]:
            words = hook["entry"].split()
            if words[0] != "make" or not set(words[1:]) - {"--silent"} <= known:
                yield f"{path}: {hook['id']}: {hook['entry']} is no target of the Makefile"


def main(root: Path = CHECKOUT) -> int:
    listed = targets((root / "Makefile").read_text(encoding="utf-8"))
    problems = [f"Makefile: {name}: make help does not explain it" for name, help in listed.items() if not help]
    for pattern in DOCUMENTS:
        for file in sorted(root.glob(pattern)):
            path, text = file.relative_to(root).as_posix(), file.read_text(encoding="utf-8")
            if path.startswith("docs/build/"):
                continue
            problems += check_text(path, text, set(listed))
            if file.suffix == ".md":
                problems += check_files(root, path, text)
    problems += check_hooks(HOOKS, (root / HOOKS).read_text(encoding="utf-8"), set(listed))
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
