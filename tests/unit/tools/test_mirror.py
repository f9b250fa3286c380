"""The copy that Ansible's tools look at, and the stand-ins they get."""

from __future__ import annotations

from pathlib import Path

import pytest
from link_collection import link
from mirror import mirror
from sanity import pip_settings, pip_versions


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    for path in ("galaxy.yml", "plugins/modules/cdn.py", "plugins/__pycache__/x.pyc", "tests/output/x", "secret"):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(path, encoding="utf-8")
    return folder


def copied(target: Path) -> set[str]:
    found = (path.relative_to(target) for path in target.rglob("*") if path.is_file())
    return {path.as_posix() for path in found if path.parts[0] != ".git"}


def test_copies_the_collection_and_nothing_else(source: Path, tmp_path: Path) -> None:
    mirror(source, tmp_path / "copy")
    assert copied(tmp_path / "copy") == {"galaxy.yml", "plugins/modules/cdn.py"}


def test_follows_changes_and_removals(source: Path, tmp_path: Path) -> None:
    mirror(source, tmp_path / "copy")
    (source / "plugins/modules/cdn.py").unlink()
    (source / "galaxy.yml").write_text("changed", encoding="utf-8")
    mirror(source, tmp_path / "copy")
    assert copied(tmp_path / "copy") == {"galaxy.yml"}
    assert (tmp_path / "copy/galaxy.yml").read_text(encoding="utf-8") == "changed"
    assert not (tmp_path / "copy/plugins").exists()


def test_hands_on_every_pip_setting() -> None:
    listed = (
        ":env:.cert='/etc/ca.crt'\nglobal.extra-index-url='https://a\\nhttps://b'\nglobal.timeout='9'\nfreeze.all='1'\n"
    )
    wanted = "[global]\ncert = /etc/ca.crt\nextra-index-url = https://a https://b\ntimeout = 9\n"
    assert pip_settings(listed) == wanted


def test_knows_the_pip_that_is_asked_for() -> None:
    assert pip_versions("pip='24.2', other=\"21.3.1\", python='3.11'") == {"24.2", "21.3.1"}


def test_links_the_checkout_again_but_never_replaces_an_installed_copy(source: Path, tmp_path: Path) -> None:
    link(tmp_path, tmp_path / "packages")
    assert link(source, tmp_path / "packages").resolve() == source
    installed = tmp_path / "other" / "ansible_collections" / "webstack" / "aws"
    installed.mkdir(parents=True)
    with pytest.raises(FileExistsError, match="installed copy"):
        link(source, tmp_path / "other")
