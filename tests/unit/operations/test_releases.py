"""Releases on a host: what is unpacked, switched, pruned and gone back to, whatever became of an earlier run."""

from __future__ import annotations

import io
import os
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ansible_collections.webstack.aws.plugins.module_utils.operations.release_health import HealthCheck, await_health
from ansible_collections.webstack.aws.plugins.module_utils.operations.releases import (
    ReleaseError,
    Releases,
    digest_of,
    extract,
)


@pytest.fixture
def releases(tmp_path: Path) -> Releases:
    """A host that was made with release A."""
    root = tmp_path / "app"
    (root / "releases" / "A").mkdir(parents=True)
    (root / "current").symlink_to(Path("releases") / "A")
    return Releases(root)


def archive(folder: Path, *members: tarfile.TarInfo, name: str = "app.tar.gz", text: str = "hello") -> Path:
    path = folder / name
    with tarfile.open(path, "w:gz") as file:
        for member in members or (tarfile.TarInfo("index.html"),):
            data = text.encode() if member.isfile() else b""
            member.size = len(data)
            file.addfile(member, io.BytesIO(data))
    return path


def unpack(releases: Releases, name: str, text: str = "hello") -> bool:
    path = archive(releases.root.parent, text=text)
    return releases.unpack(name, path, digest_of(path))


def serve(releases: Releases, *names: str) -> None:
    for name in names:
        unpack(releases, name)
        releases.switch(name)
        releases.activated(name)


def test_a_release_is_unpacked_beside_the_one_that_serves(releases: Releases) -> None:
    assert unpack(releases, "B")
    assert releases.current() == "A" and (releases.folder / "B" / "index.html").read_text() == "hello"
    assert releases.manifest("B")["state"] == "ready"
    assert not unpack(releases, "B")


def test_what_a_killed_run_left_half_unpacked_is_made_again(releases: Releases) -> None:
    unpack(releases, "B")
    releases.note("B", state="preparing")
    (releases.folder / "B" / "index.html").unlink()
    (releases.folder / "B" / "half").touch()
    assert not releases.whole("B")
    assert unpack(releases, "B")
    assert os.listdir(releases.folder / "B") == ["index.html"]


def test_a_folder_without_a_manifest_is_not_taken_for_a_release_unless_it_serves(releases: Releases) -> None:
    (releases.folder / "B").mkdir()
    assert releases.whole("A") and not releases.whole("B")
    with pytest.raises(ReleaseError, match="not whole"):
        releases.switch("B")


def test_an_artifact_with_other_content_is_not_unpacked(releases: Releases) -> None:
    path = archive(releases.root.parent)
    with pytest.raises(ReleaseError, match="not the artifact that was meant"):
        releases.unpack("B", path, "0" * 64)
    assert releases.names() == ["A"]


def test_a_name_keeps_its_content(releases: Releases) -> None:
    unpack(releases, "B")
    with pytest.raises(ReleaseError, match="other content"):
        unpack(releases, "B", text="other")


def test_the_release_to_go_back_to_is_the_one_that_served_not_the_newest(releases: Releases) -> None:
    unpack(releases, "B")
    unpack(releases, "newer")
    assert releases.switch("B") == "A"
    assert releases.previous("B") == "A"
    releases.switch("B")  # again, by the next run
    assert releases.previous("B") == "A"


def test_switching_is_one_rename(releases: Releases) -> None:
    unpack(releases, "B")
    (releases.root / ".current.new").symlink_to("releases/half")  # of a run that was killed
    releases.switch("B")
    assert os.readlink(releases.link) == "releases/B" and not (releases.root / ".current.new").is_symlink()


def test_pruning_spares_what_serves_what_served_before_and_what_is_ready(releases: Releases) -> None:
    serve(releases, "B", "C", "D", "E")
    unpack(releases, "next")
    assert releases.prune(1) == ["A", "B", "C"]
    assert releases.names() == ["D", "E", "next"]
    assert not (releases.manifests / "B.json").exists()


def test_failed_releases_do_not_push_out_good_ones(releases: Releases) -> None:
    serve(releases, "B", "C")
    for name in ("X", "Y"):
        unpack(releases, name)
        releases.note(name, state="failed")
    serve(releases, "D")
    assert releases.prune(4) == ["X", "Y"]
    assert releases.names() == ["A", "B", "C", "D"]


def entry(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


@pytest.mark.parametrize(
    "member",
    [
        entry("../out"),
        entry("/etc/out"),
        entry("link", tarfile.SYMTYPE, "/etc/passwd"),
        entry("in/link", tarfile.SYMTYPE, "../../out"),
        entry("link", tarfile.LNKTYPE, "../out"),
        entry("device", tarfile.CHRTYPE),
    ],
    ids=lambda member: f"{member.name}-{member.linkname or member.type.decode()}",
)
def test_nothing_of_an_archive_lies_or_leads_outside(tmp_path: Path, member: tarfile.TarInfo) -> None:
    place = tmp_path / "place"
    place.mkdir()
    with pytest.raises(ReleaseError):
        extract(archive(tmp_path, member), place)
    assert not (tmp_path / "out").exists() and list(place.iterdir()) == []


def test_zip_files_are_taken_too_and_keep_what_can_be_run(tmp_path: Path) -> None:
    path = tmp_path / "app.zip"
    with zipfile.ZipFile(path, "w") as file:
        info = zipfile.ZipInfo("bin/run")
        info.external_attr = 0o100755 << 16
        file.writestr(info, "#!/bin/sh\n")
    (tmp_path / "place").mkdir()
    extract(path, tmp_path / "place")
    assert os.access(tmp_path / "place" / "bin" / "run", os.X_OK)


def test_a_file_that_is_no_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / "app.tar.gz").write_text("hello")
    with pytest.raises(ReleaseError, match="neither a tar nor a zip"):
        extract(tmp_path / "app.tar.gz", tmp_path)


class Answers(BaseHTTPRequestHandler):
    """Answers with the releases of a list, one after the other; the last one for ever."""

    def do_GET(self) -> None:
        said = self.server.said  # type: ignore[attr-defined]  # the test puts it there
        self.send_response(503 if said[0] == "sick" else 200)
        self.send_header("X-Release", said[0])
        self.end_headers()
        if len(said) > 1:
            said.pop(0)

    def log_message(self, *_: object) -> None:
        """Silence."""


@pytest.fixture
def url() -> Iterator[tuple[str, list[str]]]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    server.said = said = ["A"]  # type: ignore[attr-defined]  # see Answers
    threading.Thread(target=server.serve_forever, daemon=True, kwargs={"poll_interval": 0.01}).start()
    yield f"http://127.0.0.1:{server.server_port}/health", said
    server.shutdown()
    server.server_close()


def test_health_is_so_many_good_answers_in_a_row(url: tuple[str, list[str]]) -> None:
    address, said = url
    said[:] = ["B", "sick", "B", "B", "sick"]
    check = HealthCheck(url=address, header="X-Release", passes=2, interval=0.01, timeout=5)
    assert await_health(check, "B") is None
    assert said == ["sick"], "one good answer before a bad one does not count"


def test_an_answer_of_another_release_is_no_good_answer(url: tuple[str, list[str]]) -> None:
    found = await_health(HealthCheck(url=url[0], header="X-Release", passes=1, interval=0.01, timeout=0.1), "B")
    assert found is not None and "'A', not 'B'" in found


def test_a_host_that_does_not_answer_is_not_well() -> None:
    found = await_health(HealthCheck(url="http://127.0.0.1:9/", passes=1, interval=0.01, timeout=0.05), "B")
    assert found is not None and "refused" in found
