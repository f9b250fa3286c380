"""A synchronisation dies at every write, loses answers, and meets another one: what is served is whole, and the next run finishes it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ConnectionClosedError
from direct import URL, Send
from sync_world import BUCKET, DAY, MANIFEST, NEXT, SITE, World, clients_of

from ansible_collections.webstack.aws.plugins.module_utils.operations.errors import OperationError
from ansible_collections.webstack.aws.plugins.module_utils.operations.sync_manifest import LEASE, Manifest, encoded
from webstack_lab.testing import Lab

WRITES = 7  # of the run below: claim, two files in front of pages, page, removal, invalidation, manifest


class Died(BaseException):
    """The process is gone: no ``except Exception`` sees it."""


class Dying:
    """Lets a run die before or after its n-th write; from then on nothing is sent any more."""

    def __init__(self, at: int, after: bool) -> None:
        self.at, self.after = at, after
        self.writes = 0
        self.dead = False

    def __call__(self, _operation: str, kind: str, send: Send) -> AWSResponse:
        if self.dead:
            raise Died
        if kind == "read":
            return send()
        self.writes += 1
        if self.writes == self.at:
            self.dead = True
            if self.after:
                send()
            raise Died
        return send()


@pytest.fixture
def world(lab: Lab, tmp_path: Path) -> Iterator[World]:
    """A site of which a run has to replace, add and remove something."""
    world = World(lab, tmp_path / "site")
    world.distribution()
    world.fill({**SITE, "old.svg": "<svg/>"})
    world.good()
    world.fill({**SITE, "site.css": "body {v2}"})
    world.good()
    world.clock.ahead += 2 * DAY
    world.fill({**NEXT, "site.css": "body {v3}"})
    lab.clear_calls()
    return world


def test_a_run_without_trouble_writes_so_often(world: World) -> None:
    watch = Dying(0, False)
    _run, outcome = world.sync(watch)
    assert outcome is not None and outcome.complete
    assert watch.writes == WRITES
    assert world.objects() == {**NEXT, "site.css": "body {v3}", "app.3f2a9c1b.js": "run()"}


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", range(1, WRITES + 1))
def test_the_run_after_a_crash_finishes_what_it_began(world: World, at: int, after: bool) -> None:
    with pytest.raises(Died):
        world.sync(Dying(at, after), concurrency=1)
    assert world.broken() == [], "what is served is whole"
    world.clock.ahead += LEASE + 10
    run, outcome = world.sync()
    assert outcome is None or outcome.complete
    assert world.objects() == {**NEXT, "site.css": "body {v3}", "app.3f2a9c1b.js": "run()"}
    forgotten = {path for paths in world.invalidated() for path in paths}
    assert {"/static/site.css", "/static/index.html", "/static/", "/static/old.svg"} <= forgotten
    assert run.manifest.owner is None and run.manifest.due == set()
    assert not world.good(verify_after=0).changed


def test_a_crash_and_a_step_back_leave_what_the_folder_holds(world: World) -> None:
    with pytest.raises(Died):
        world.sync(Dying(4, True), concurrency=1)
    world.clock.ahead += LEASE + 10
    world.fill({**SITE, "site.css": "body {v2}"})
    world.good()
    assert world.objects() == {**SITE, "site.css": "body {v2}"} | {
        name: text for name, text in world.objects().items() if name == "app.77d0b1e4.js"
    }
    assert "/static/site.css" in world.invalidated()[-1]


def test_a_claim_that_is_left_makes_the_next_run_look(world: World) -> None:
    world.good()
    (world.folder / "site.css").write_text("body {v4}")
    with pytest.raises(Died):
        world.sync(Dying(2, True))
    assert world.objects()["site.css"] == "body {v4}"
    (world.folder / "site.css").write_text("body {v3}")
    world.clock.ahead += LEASE + 10
    world.good()
    assert world.objects()["site.css"] == "body {v3}"


@pytest.mark.parametrize("at", range(1, WRITES + 1))
def test_a_lost_answer_changes_nothing(world: World, at: int) -> None:
    seen = 0

    def watch(_operation: str, kind: str, send: Send) -> AWSResponse:
        nonlocal seen
        answer = send()
        if kind == "write":
            seen += 1
            if seen == at:
                raise ConnectionClosedError(endpoint_url=URL)
        return answer

    run, outcome = world.sync(watch)
    assert outcome is not None and outcome.complete, "the SDK asks again"
    assert run.manifest.owner is None
    paths = world.invalidated()
    assert all(one == paths[0] for one in paths)
    invalidations = world.lab.client("cloudfront").list_invalidations(
        DistributionId=run.invalidation["distribution_id"]
    )
    assert invalidations["InvalidationList"]["Quantity"] == 2, "one of the run before, one of this"
    assert not world.good(verify_after=0).changed


def test_a_failed_upload_leaves_pages_as_they_were(world: World) -> None:
    def watch(operation: str, kind: str, send: Send) -> AWSResponse:
        answer = send()
        if operation == "PutObject" and b"77d0b1e4" in answer.url.encode():
            return AWSResponse(
                answer.url, 403, {}, _Body(b"<Error><Code>AccessDenied</Code><Message>no</Message></Error>")
            )
        return answer

    _run, outcome = world.sync(watch)
    assert outcome is not None and "AccessDenied" in str(outcome.failed)
    assert world.objects()["index.html"] == SITE["index.html"]
    assert world.manifest().owner is None, "nobody has to wait for the claim"
    world.good()
    assert world.objects()["index.html"] == NEXT["index.html"]


def test_what_a_failed_run_may_have_put_is_looked_at(world: World) -> None:
    """S3 took the file, and nobody heard of it; then the folder goes back to what the manifest says."""

    def watch(operation: str, _kind: str, send: Send) -> AWSResponse:
        answer = send()
        if operation == "PutObject" and "site.css" in answer.url:
            return AWSResponse(
                answer.url, 403, {}, _Body(b"<Error><Code>AccessDenied</Code><Message>no</Message></Error>")
            )
        return answer

    world.good()
    (world.folder / "site.css").write_text("body {v4}")
    _run, outcome = world.sync(watch)
    assert outcome is not None and outcome.failed is not None
    assert world.objects()["site.css"] == "body {v4}"
    (world.folder / "site.css").write_text("body {v3}")
    world.good()
    assert world.objects()["site.css"] == "body {v3}"
    assert "/static/site.css" in world.invalidated()[-1]


class _Body:
    def __init__(self, text: bytes) -> None:
        self._text = text

    def read(self) -> bytes:
        return self._text

    def stream(self, **_unused: Any) -> Iterator[bytes]:
        yield self._text


def test_of_two_at_once_one_is_refused_before_its_first_upload(world: World) -> None:
    first, second = world.prepared(), world.prepared()
    first.look()
    second.look()
    seen: list[str] = []

    def meanwhile() -> None:
        """Called while the first one uploads."""
        if not seen:
            seen.append("asked")
            before = len(world.lab.calls("write"))
            with pytest.raises(OperationError, match="is claimed by another"):
                world.prepared().look()
            with pytest.raises(OperationError, match="was changed by"):
                second.carry_out()
            refused = world.lab.calls("write")[before:]
            assert [(call["operation"], call["status"]) for call in refused] == [("PutObject", 412)]
            assert refused[0]["params"]["Key"] == MANIFEST and "IfMatch" in refused[0]["params"]

    assert first.carry_out(meanwhile).complete
    assert seen
    assert world.objects()["site.css"] == "body {v3}"


def test_two_first_runs_do_not_both_begin(lab: Lab, tmp_path: Path) -> None:
    world = World(lab, tmp_path / "site")
    world.fill(SITE)
    first, second = world.prepared(), world.prepared()
    first.look()
    second.look()
    first.carry_out()
    with pytest.raises(OperationError, match="Run again when no other run is at it"):
        second.carry_out()
    claims = [call["params"] for call in lab.calls(operation="PutObject") if call["params"]["Key"] == MANIFEST]
    assert [claim.get("IfNoneMatch") for claim in claims] == ["*", None, "*"]


def claimed(world: World, pid: int, **changes: Any) -> None:
    """Leave a claim in the bucket, as a run of that process would."""
    us = world.prepared()._store.us
    now = world.clock.wall()
    owner = replace(us, pid=pid, since=now, heartbeat=now, expires=now + LEASE, **changes)
    manifest: Manifest = replace(world.manifest(), owner=owner)
    world.client.put_object(Bucket=BUCKET, Key=MANIFEST, Body=encoded(manifest))


def test_the_claim_of_a_dead_process_of_this_machine_counts_for_nothing(world: World) -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    claimed(world, process.pid)
    world.good()
    assert world.objects()["site.css"] == "body {v3}"


def test_the_claim_of_another_machine_counts_until_it_expires(world: World) -> None:
    claimed(world, os.getpid(), machine="another", owner="ann@far")
    with pytest.raises(OperationError, match="ann@far"):
        world.sync()
    world.clock.ahead += LEASE + 10
    world.good()
    assert world.objects()["site.css"] == "body {v3}"


def test_a_long_run_notes_how_far_it_has_come(world: World) -> None:
    """Each look puts the clock forward, so that the claim is renewed several times; then the run dies."""
    looked = 0

    def stop() -> str | None:
        nonlocal looked
        looked += 1
        world.clock.ahead += 40
        if looked > 3:
            raise Died
        return None

    world.fill({f"{number}.txt": str(number) for number in range(30)})
    run = world.prepared(concurrency=1)
    run.look()
    watch = Dying(10**6, False)
    clients_of(world.lab.app).watch = watch
    with pytest.raises(Died):
        try:
            run.carry_out(stop)
        finally:
            watch.dead = True
    noted = world.manifest()
    assert noted.owner is None or noted.owner.expires > world.clock.wall()
    assert any(name.endswith(".txt") for name in noted.entries)


def test_stops_when_it_is_told_and_says_so(world: World) -> None:
    run = world.prepared(concurrency=1)
    run.look()
    outcome = run.carry_out(lambda: "Interrupted by SIGINT")
    assert outcome.stopped == "Interrupted by SIGINT"
    assert world.manifest().owner is None
    assert world.broken() == []
    world.good()
    assert world.objects()["site.css"] == "body {v3}"
