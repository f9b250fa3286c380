"""The file of samples: written at once, followed line by line, readable after any kill."""

from __future__ import annotations

import errno
import json
import threading
import time
from pathlib import Path

import pytest

from ansible_collections.webstack.aws.plugins.module_utils.operations.samples import (
    Sample,
    SampleWriter,
    error_class,
    follow,
    new_sample,
    read_samples,
)


@pytest.mark.parametrize("name", ["EMFILE", "ENFILE", "EADDRNOTAVAIL", "ENOMEM"])
def test_a_machine_out_of_files_or_ports_is_not_a_failing_service(name: str) -> None:
    assert error_class(OSError(getattr(errno, name), "")) == "not_sent"


def test_samples_are_in_the_file_within_50_ms_and_followed_line_by_line(tmp_path: Path) -> None:
    path = tmp_path / "s"
    done = threading.Event()
    seen: list[tuple[float, Sample]] = []

    def watch() -> None:
        seen.extend((time.monotonic(), sample) for sample in follow(path, done.is_set, poll=0.005))

    watcher = threading.Thread(target=watch)
    watcher.start()
    path.write_text(json.dumps(new_sample("a", 0, 1.0)) + "\n" + '{"probe": "a", "sched')  # killed within a line
    writer = SampleWriter(path)
    writer.start()
    put = {}
    for number in range(1, 40):
        writer.put(new_sample("a", number, float(number)))
        put[number] = time.monotonic()
        time.sleep(0.01)
    writer.stop()
    done.set()
    watcher.join()
    assert [sample["number"] for _at, sample in seen] == list(range(40))
    delays = sorted(at - put[sample["number"]] for at, sample in seen if sample["number"])
    assert delays[len(delays) // 2] < 0.05
    assert [sample["number"] for sample in read_samples(path)] == list(range(40))


def test_a_disk_that_takes_no_more_samples_ends_the_prober(tmp_path: Path) -> None:
    """A full disk must not look like a quiet run."""
    writer = SampleWriter(Path("/dev/full"))
    writer.start()
    writer.put(new_sample("a", 0, 1.0))
    deadline = time.monotonic() + 5
    while writer.alive and time.monotonic() < deadline:
        time.sleep(0.01)
    assert writer.error is not None and "No space left" in writer.error
    writer.stop()
