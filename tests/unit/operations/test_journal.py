"""The journal: on the disk before the deed, readable whatever became of its writer, and honest about what was done to it."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ansible_collections.webstack.aws.plugins.module_utils.operations.journal import Journal, read
from ansible_collections.webstack.aws.plugins.module_utils.operations.undo import pending


def written(path: Path) -> bytes:
    journal = Journal(path)
    journal.append("plan", "drill", {"targets": ["subnet-1", "subnet-ä"]})
    first = journal.append("undo", "subnet-1", {"action": "restore", "data": {"n": 1}})
    journal.append("undo", "subnet-2", {"action": "restore", "data": {"n": 2}})
    journal.append("inject", "subnet-1")
    journal.append("undone", "subnet-1", {"intent": first.seq, "changed": True})
    return path.read_bytes()


def test_a_journal_tells_what_was_written_in_its_order(tmp_path: Path) -> None:
    written(tmp_path / "journal")
    story = read(tmp_path / "journal")
    assert [record.seq for record in story.records] == [1, 2, 3, 4, 5]
    assert [record.kind for record in story.records] == ["plan", "undo", "undo", "inject", "undone"]
    assert story.records[0].data == {"targets": ["subnet-1", "subnet-ä"]}
    assert not story.truncated and story.edited == []
    assert [intent.target for intent in pending(story.records)] == ["subnet-2"]


def test_a_journal_that_was_cut_off_at_any_byte_is_readable_and_can_be_continued(tmp_path: Path) -> None:
    content = b"".join(written(tmp_path / "journal").splitlines(keepends=True)[:2])
    path = tmp_path / "cut"
    for length in range(len(content) + 1):
        path.write_bytes(content[:length])
        whole = content[:length].count(b"\n")
        story = read(path)
        complete = length < len(content) and content[length : length + 1] == b"\n"  # only the line break is missing
        assert len(story.records) == whole + complete and story.edited == []
        assert story.truncated == (not complete and not content[:length].endswith(b"\n") and length > 0)
        Journal(path).append("note", "after")
        again = read(path)
        assert not again.truncated and again.edited == []
        assert [record.seq for record in again.records] == list(range(1, whole + complete + 2))


def test_an_edited_a_removed_and_an_added_line_are_noticed(tmp_path: Path) -> None:
    lines = written(tmp_path / "journal").splitlines(keepends=True)
    path = tmp_path / "other"
    path.write_bytes(b"".join([lines[0], lines[1].replace(b"subnet-1", b"subnet-9"), *lines[2:]]))
    assert read(path).edited == [3]
    path.write_bytes(b"".join([lines[0], *lines[2:]]))
    assert read(path).edited == [2]
    path.write_bytes(b"".join([*lines[:2], lines[1], *lines[2:]]))
    assert read(path).edited == [3]
    path.write_bytes(b"".join([lines[0], b"nonsense\n", *lines[2:]]))
    assert read(path).edited == [2, 3]
    assert len(read(path).records) == 4


def test_several_writers_make_one_chain(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: Journal(path).append("note", str(number)), range(100)))
    story = read(path)
    assert [record.seq for record in story.records] == list(range(1, 101)) and story.edited == []
    assert {record.step for record in story.records} == {str(number) for number in range(100)}


def test_only_its_owner_can_read_a_journal(tmp_path: Path) -> None:
    written(tmp_path / "journal")
    assert (tmp_path / "journal").stat().st_mode & 0o077 == 0


def test_a_journal_that_is_not_there_is_empty_and_an_unknown_kind_is_refused(tmp_path: Path) -> None:
    assert read(tmp_path / "none").records == []
    with pytest.raises(ValueError, match="acknowledged"):
        Journal(tmp_path / "none").append("injected")
    assert not (tmp_path / "none").exists()


def test_a_line_is_json_with_the_agreed_fields(tmp_path: Path) -> None:
    [first, *_rest] = written(tmp_path / "journal").splitlines()
    assert set(json.loads(first)) == {"seq", "time", "kind", "step", "data", "prev"}
