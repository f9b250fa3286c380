"""What Galaxy's importer may not complain about, and what the archive may not hold."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

from galaxy_import import findings, fingerprint, strays


def archive(path: Path, **files: bytes) -> Path:
    with tarfile.open(path, "w:gz") as target:
        for name, content in files.items():
            entry = tarfile.TarInfo(f"{name}.json")
            entry.size = len(content)
            target.addfile(entry, io.BytesIO(content))
    return path


def seen(path: Path) -> str:
    with tarfile.open(path) as content:
        return fingerprint(content)


def test_what_slipped_into_the_archive_is_named() -> None:
    assert strays(["plugins/modules/cdn.py", "README.md", "tests/config.yml"]) == []
    assert strays(["runs/demo/journal.jsonl", ".coverage", "plugins/x"]) == [".coverage", "runs"]


def test_only_other_contents_are_imported_again(tmp_path: Path) -> None:
    first = seen(archive(tmp_path / "a", FILES=b"1", MANIFEST=b"2"))
    assert first == seen(archive(tmp_path / "b", FILES=b"1", MANIFEST=b"2"))
    assert first != seen(archive(tmp_path / "c", FILES=b"1", MANIFEST=b"3"))
    assert first != seen(archive(tmp_path / "d", FILES=b"0", MANIFEST=b"2"))


def test_errors_and_warnings_of_the_importer_count_and_its_progress_does_not() -> None:
    output = "Importing\nERROR: no documentation\nLoading module_utils engine.errors\nWARNING: no changelog\n"
    assert findings(output) == ["ERROR: no documentation", "WARNING: no changelog"]
