"""Copies the collection's own files to ``build/``, to a path and a git checkout as Ansible's tools want them."""

from __future__ import annotations

import os
import subprocess
import sysconfig
from collections.abc import Iterator
from filecmp import cmp
from pathlib import Path
from shutil import copy2

CHECKOUT = Path(__file__).resolve().parents[2]
BUILD = CHECKOUT / "build" / "sanity"
COLLECTION = BUILD / "ansible_collections" / "webstack" / "aws"

PARTS = (
    "CHANGELOG.md",
    "README.md",
    "changelogs",
    "docs",
    "extensions",
    "galaxy.yml",
    "inventories",
    "meta",
    "playbooks",
    "plugins",
    "roles",
    "site.yml",
    "tests/config.yml",
    "tests/integration",
    "tests/sanity",
)
PASSED_OVER = {
    "__pycache__",
    ".mypy_cache",
    ".pytest_cache",
    ".ruff_cache",
    "build",
    "node_modules",
    "output",
    ".plugin-cache.yaml",
}


def files(root: Path) -> Iterator[Path]:
    """Every file of the collection that sanity tests look at, relative to its root."""
    for part in PARTS:
        start = root / part
        if start.is_file():
            yield Path(part)
            continue
        for folder, subfolders, names in os.walk(start):
            subfolders[:] = sorted(set(subfolders) - PASSED_OVER)
            here = Path(folder).relative_to(root)
            yield from (here / name for name in sorted(names) if name not in PASSED_OVER)


def mirror(source: Path, target: Path) -> None:
    """Make the target hold the source's files and nothing else of ours, writing only what differs."""
    wanted = set(files(source))
    for path in wanted:
        new, old = source / path, target / path
        if not old.exists() or not cmp(new, old):
            old.parent.mkdir(parents=True, exist_ok=True)
            copy2(new, old)
    if not (target / ".git").exists():
        subprocess.run(["git", "init", "--quiet", "--initial-branch=main", str(target)], check=True)
        (target / ".git" / "info" / "exclude").write_text("/tests/output/\n", encoding="utf-8")
    for path in set(files(target)) - wanted:
        (target / path).unlink()
    for folder in sorted((path for path in target.rglob("*") if path.is_dir()), reverse=True):
        if ".git" not in folder.parts and not any(folder.iterdir()):
            folder.rmdir()


def link_dependencies(target: Path, packages: Path) -> None:
    """Make the collections that ours needs visible beside it."""
    for name in ("amazon/aws",):
        place, installed = target / name, packages / "ansible_collections" / name
        if place.is_symlink():
            place.unlink()
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(installed)


def fresh_copy() -> Path:
    """The up-to-date copy of the checkout."""
    mirror(CHECKOUT, COLLECTION)
    link_dependencies(COLLECTION.parents[1], Path(sysconfig.get_path("purelib")))
    return COLLECTION
