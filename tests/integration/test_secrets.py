"""No secret is to be read anywhere: planted ones are looked for in all that runs print, write and show of themselves, at -vvv."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread

import pytest

from playbooks import BIN, Playbooks
from webstack_lab.state import State

CANARIES = {
    "AWS secret key": "CanaryOfTheSecretKey0000000000000000001",
    "database password": "CanaryOfTheDatabase-Passw0rd",
    "AUTH token of the cache": "CanaryOfTheCacheAuthToken01",
}
SITE = ("site.yml", "--limit", "us-east-1", "--tags", "assets,network,storage_cache,database")
LOUD = ("-vvv", "--diff")


class Watcher:
    """Looks at the command line of every process, over and over, until it is stopped."""

    def __init__(self, words: list[str]) -> None:
        self.words, self.found, self.looked = words, set[str](), 0
        self._done = Event()
        self._thread = Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Watcher:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._done.wait(0.02):
            self.looked += 1
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    text = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
                except OSError:
                    continue  # it has ended
                self.found.update(f"{word}: {text[:200]}" for word in self.words if word in text)


class Stage:
    """A lab with a folder, a home for the runs, and the options that hold the canaries, in a file."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.lab, self.home = folder, folder / "lab", folder / "home"
        self.home.mkdir()
        self._lab("start", "--port", "0")
        self.playbooks = Playbooks(str((State(self.lab).read() or {})["url"]), self.home)
        self.playbooks.environment |= {"WEBSTACK_LAB_DIR": str(self.lab), "ANSIBLE_LOG_PATH": str(self.home / "log")}
        self.secret = folder / "secret.json"
        self.secret.write_text(json.dumps({
            "webstack_secret_key": CANARIES["AWS secret key"],
            "database_master_user_password": CANARIES["database password"],
            "storage_cache_cache_auth_token": CANARIES["AUTH token of the cache"],
        }))  # fmt: skip
        self.printed: dict[str, str] = {}
        self.shown: set[str] = set()
        self.looked = 0

    def _lab(self, *arguments: str) -> None:
        subprocess.run(
            [str(BIN / "lab"), *arguments, "--state-dir", str(self.lab)], check=True, capture_output=True, timeout=120
        )

    def play(self, name: str, *arguments: str, **environment: str) -> int:
        """Run a playbook loudly with the canaries, and keep what it printed."""
        with Watcher(list(CANARIES.values())) as watcher:
            process = self.playbooks.start(*arguments, *LOUD, "-e", f"@{self.secret}", **environment)
            output, errors = process.communicate(timeout=600)
        self.printed[name] = output + errors
        self.shown |= watcher.found
        self.looked += watcher.looked
        return process.returncode

    def texts(self) -> Iterator[tuple[str, str]]:
        """Everything that was printed or written: name and content."""
        yield from self.printed.items()
        for folder in (self.lab, self.home):
            for path in folder.rglob("*"):
                if path.is_file():
                    yield str(path.relative_to(self.folder)), path.read_bytes().decode(errors="replace")

    def stop(self) -> None:
        self._lab("stop")


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    stage = Stage(tmp_path_factory.mktemp("stage"))
    try:
        drill = ("playbooks/drill_rds_failover.yml", "--limit", "us-east-1", "--check")
        codes = [
            stage.play("plan", *SITE, "--check", ANSIBLE_STDOUT_CALLBACK="ansible.builtin.default"),
            stage.play("first run", *SITE),
        ]
        stage.play("plan of a drill", *drill)  # refused or not, it has read the master user's secret
        assert codes == [0, 0], [text[-3000:] for text in stage.printed.values()]
        yield stage
    finally:
        stage.stop()


def test_no_planted_secret_is_in_anything_printed_or_written(stage: Stage) -> None:
    leaks = [
        f"{what} in {where}: …{text[max(0, place - 120) : place]}…"
        for where, text in stage.texts()
        for what, canary in CANARIES.items()
        if (place := text.find(canary)) >= 0
    ]
    assert leaks == []


def test_no_planted_secret_is_in_a_command_line(stage: Stage) -> None:
    assert stage.looked > 20 and stage.shown == set()


def test_what_was_looked_at_is_all_there_is(stage: Stage) -> None:
    """The test would find nothing in nothing: results, logs and records of the runs are among what was searched."""
    texts = dict(stage.texts())
    calls = texts["lab/calls.jsonl"]
    assert all(
        word in calls for word in ("CreateDBInstance", "CreateReplicationGroup", "AuthToken", "MasterUserPassword")
    )
    assert "invocation" in texts["first run"] and "master_user_password" in texts["first run"]
    assert len(texts["home/log"]) > 1000


def test_secrets_among_the_options_of_several_tiers_are_hidden(tmp_path: Path) -> None:
    """Ansible hides secrets by a module's argument spec, which does not know what is inside ``tiers``. The call fails, and shows itself."""
    tiers = {
        "database": {"availability_zones": ["us-east-1a"], "master_user_password": CANARIES["database password"]},
        "storage_cache": {
            "availability_zones": ["us-east-1a"],
            "cache_auth_token": CANARIES["AUTH token of the cache"],
        },
    }
    options = {"stack": "demo", "region": "us-east-1", "endpoint_url": "http://127.0.0.1:9", "tiers": tiers,
               "access_key": "AKIALABLABLABLABLAB0", "secret_key": CANARIES["AWS secret key"]}  # fmt: skip
    play = [
        {"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": [{"webstack.aws.stack": options}]}
    ]
    (tmp_path / "play.yml").write_text(json.dumps(play))
    playbooks = Playbooks("http://127.0.0.1:9", tmp_path)
    process = playbooks.start(str(tmp_path / "play.yml"), *LOUD, ANSIBLE_STDOUT_CALLBACK="ansible.builtin.default")
    output, errors = process.communicate(timeout=120)
    assert process.returncode != 0 and "master_user_password" in output
    assert [what for what, canary in CANARIES.items() if canary in output + errors] == []


def test_a_secret_on_a_command_line_would_have_been_found() -> None:
    word = CANARIES["database password"]
    with Watcher([word]) as watcher:
        process = subprocess.Popen(["sh", "-c", f"read answer # {word}"], stdin=subprocess.PIPE)
        deadline = time.monotonic() + 20
        while not watcher.found and time.monotonic() < deadline:
            time.sleep(0.05)
        process.communicate(b"\n")
    assert watcher.found
