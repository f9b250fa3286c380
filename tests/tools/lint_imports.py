"""Proves that plugins/module_utils imports one way only, and that the collection does not know what it is rehearsed on.

modules → tiers, operations → resources → engine; module.py sits between the modules and the engine. boto3 is met in
engine/sdk.py alone. Nothing that users run names the lab.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
UTILS = "plugins/module_utils"

# Layer → the layers that it may import. "module" is module_utils/module.py.
ALLOWED = {
    "modules": {"modules", "module", "tiers", "operations", "resources", "engine"},
    "module": {"module", "tiers", "operations", "engine"},
    "operations": {"operations", "tiers", "resources", "engine"},
    "tiers": {"tiers", "resources", "engine"},
    "resources": {"resources", "engine"},
    "engine": {"engine"},
}
SDK = f"{UTILS}/engine/sdk.py"
SDK_PACKAGES = {"boto3", "botocore", "s3transfer"}

SHIPPED = ("plugins", "roles", "playbooks")
FORBIDDEN = re.compile(r"\bmoto\b|\blocalhost\b|127\.0\.0\.1", re.IGNORECASE)

OURS = "ansible_collections.webstack.aws.plugins."


def layer_of(path: Path) -> str | None:
    """The layer that a file or a dotted name, both as parts below plugins/, belongs to."""
    match path.parts:
        case ("modules", *_):
            return "modules"
        case ("module_utils", first, *_):
            return first.removesuffix(".py")
    return None


def imports(source: str, path: Path) -> Iterator[tuple[int, str]]:
    """Every (line, dotted name) that a file imports; relative names are made absolute, below plugins/ for our own."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = list(path.parent.parts[: len(path.parent.parts) - node.level + 1]) if node.level else []
            base = [*start, *(node.module.split(".") if node.module else [])]
            prefix = OURS if node.level else ""
            yield from ((node.lineno, f"{prefix}{'.'.join([*base, alias.name])}") for alias in node.names)


def check_imports(root: Path) -> Iterator[str]:
    """One message for each import that points the wrong way."""
    plugins = root / "plugins"
    for file in sorted(plugins.rglob("*.py")):
        path = file.relative_to(plugins)
        layer = layer_of(path)
        shown = file.relative_to(root).as_posix()
        for line, name in imports(file.read_text(encoding="utf-8"), path):
            if name.split(".")[0] in SDK_PACKAGES and shown != SDK:
                yield f"{shown}:{line}: imports {name}; only {SDK} meets the SDK"
            if layer is None or not name.startswith(OURS):
                continue
            target = layer_of(Path(*name.removeprefix(OURS).split(".")))
            if layer not in ALLOWED:
                yield f"{shown}:{line}: {layer} is no layer of {UTILS}: {', '.join(ALLOWED)}"
            elif target is not None and target not in ALLOWED[layer]:
                yield f"{shown}:{line}: {layer} imports {target}; it may import {', '.join(sorted(ALLOWED[layer]))}"


def check_words(root: Path) -> Iterator[str]:
    """One message for each mention of the lab's machinery in what users run."""
    for part in SHIPPED:
        for file in sorted((root / part).rglob("*")):
            if not file.is_file() or "__pycache__" in file.parts:
                continue
            text = file.read_text(encoding="utf-8", errors="replace")
            for number, line in enumerate(text.splitlines(), start=1):
                if found := FORBIDDEN.search(line):
                    yield f"{file.relative_to(root).as_posix()}:{number}: mentions {found.group()}"


def main(root: Path = CHECKOUT) -> int:
    problems = [*check_imports(root), *check_words(root)]
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
