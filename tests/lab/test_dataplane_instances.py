"""A running lab instance is a process that serves the release in its folder; none outlives the lab."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from dataplane_world import World, wait_for

from webstack_lab.state import State, ask, birth_of
from webstack_lab.testing import Lab


@pytest.fixture(scope="module")
def running() -> Iterator[Lab]:
    with Lab(data_plane=True) as lab:
        yield lab


@pytest.fixture
def world(running: Lab) -> World:
    running.reset()
    return World(running, size=1)


def only(world: World) -> str:
    return str(world.instances()[0]["InstanceId"])


def release(world: World, name: str, health: str = "ok") -> None:
    """An in-place deploy: copy the release, switch the link in one move, reload."""
    folder = world.folder(only(world))
    place = folder / "srv" / "app" / "releases" / name
    place.mkdir()
    (place / "RELEASE").write_text(name + "\n")
    (place / "health").write_text(health + "\n")
    fresh = folder / "srv" / "app" / "current.new"
    fresh.symlink_to(Path("releases") / name)
    fresh.replace(folder / "srv" / "app" / "current")
    subprocess.run([folder / "bin" / "reload"], check=True, timeout=10)


def test_an_instance_starts_with_the_release_of_its_user_data(world: World) -> None:
    row = world.row(only(world))
    assert row["release"] == "A" and row["state"] == "serving" and row["address"].startswith("127.")
    assert os.readlink(Path(row["folder"]) / "srv" / "app" / "current") == "releases/A"
    assert row["memory"] < 25_000_000


def test_an_in_place_deploy_is_seen_by_users_after_the_reload_and_loses_no_request(world: World) -> None:
    with world.load(clients=2, kept=True) as seen:
        wait_for(lambda: seen.releases["A"], "release A is served")
        release(world, "B")
        wait_for(lambda: seen.releases["B"] > 5, "release B is served")
    assert seen.failures == [] and set(seen.releases) == {"A", "B"}


def test_a_link_that_moved_is_not_served_before_the_reload(world: World) -> None:
    current = world.folder(only(world)) / "srv" / "app" / "current"
    (current.parent / "releases" / "B").mkdir()
    current.unlink()
    current.symlink_to(Path("releases") / "B")
    assert world.get("/")[1]["x-release"] == "A"


def test_a_release_that_is_broken_fails_the_health_check_and_nothing_else(world: World) -> None:
    world.asg.suspend_processes(AutoScalingGroupName="web", ScalingProcesses=["ReplaceUnhealthy"])
    release(world, "C", health="fail")
    assert world.get("/health")[0] == 503
    assert world.get("/")[0] == 200
    wait_for(lambda: not world.healthy(), "unhealthy")
    health = world.states()[only(world)]
    assert health["Reason"] == "Target.ResponseCodeMismatch"
    assert health["Description"] == "Health checks failed with these codes: [503]"


def test_a_restart_finishes_the_requests_under_way_and_keeps_address_and_release(world: World) -> None:
    world.asg.suspend_processes(AutoScalingGroupName="web", ScalingProcesses=["ReplaceUnhealthy"])
    row = world.row(only(world))
    connection = http.client.HTTPConnection(row["address"], 8080, timeout=10)
    answers = []

    def ask_slowly() -> None:
        connection.request("GET", "/slow?ms=600")
        answers.append(connection.getresponse().status)

    thread = threading.Thread(target=ask_slowly)
    thread.start()
    time.sleep(0.2)
    subprocess.run([Path(row["folder"]) / "bin" / "restart"], check=True, timeout=20)
    thread.join()
    assert answers == [200]
    wait_for(lambda: answering(row["address"]), "the program serves again")
    assert world.row(only(world))["release"] == "A"
    assert world.row(only(world))["pid"] == row["pid"]


def answering(address: str, port: int = 8080) -> bool:
    try:
        socket.create_connection((address, port), timeout=0.5).close()
    except OSError:
        return False
    return True


def test_bodies_are_read_and_connections_kept(world: World) -> None:
    connection = http.client.HTTPConnection(world.row(only(world))["address"], 8080, timeout=5)
    for body in (b"x" * 200_000, iter([b"one", b"two"])):
        connection.request("POST", "/form", body=body)
        answer = connection.getresponse()
        assert answer.status == 200 and answer.headers["X-Instance-Id"] == only(world)
        answer.read()
    connection.request("HEAD", "/")
    assert connection.getresponse().read() == b""
    raw = socket.create_connection((world.row(only(world))["address"], 8080), timeout=5)
    raw.sendall(b"nonsense\r\n\r\n")
    assert raw.recv(100).startswith(b"HTTP/1.1 400")


def test_stopping_starting_and_rebooting_an_instance_are_real(world: World) -> None:
    instance = world.ec2.run_instances(
        ImageId=world.image, MinCount=1, MaxCount=1, SubnetId=world.subnets["us-east-1a"], UserData="WEBSTACK_RELEASE=Z"
    )["Instances"][0]["InstanceId"]
    row = wait_for(lambda: next((one for one in rows(world) if one["id"] == instance), None), "a process")
    wait_for(lambda: answering(row["address"]), "an answer")
    assert world.row(instance)["release"] == "Z"
    world.ec2.stop_instances(InstanceIds=[instance])
    wait_for(lambda: not answering(row["address"]), "silence")
    world.ec2.start_instances(InstanceIds=[instance])
    wait_for(lambda: answering(row["address"]), "the same address answers again")
    os.kill(world.row(instance)["pid"], signal.SIGKILL)
    wait_for(lambda: world.row(instance)["state"] == "crashed", "a crash is seen")
    world.ec2.reboot_instances(InstanceIds=[instance])
    wait_for(lambda: answering(row["address"]), "an answer after the reboot")
    world.ec2.terminate_instances(InstanceIds=[instance])
    wait_for(lambda: not Path(row["folder"]).exists(), "nothing is left")


def rows(world: World) -> list[dict[str, Any]]:
    assert world.lab.app.plane is not None
    return list(world.lab.app.plane.status()["instances"])


def test_a_reset_leaves_no_process(world: World) -> None:
    pid, address = world.row(only(world))["pid"], world.address
    world.lab.reset()
    assert birth_of(pid) is None
    assert not answering(address, 8000)


@pytest.fixture
def background(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "state"
    command(folder, "start", "--port", "0", "--data-plane")
    yield folder
    command(folder, "stop")


def command(folder: Path, *arguments: str) -> str:
    line = [sys.executable, "-m", "webstack_lab.cli", *arguments, "--state-dir", str(folder)]
    return subprocess.run(line, capture_output=True, text=True, timeout=90, check=False).stdout


class Remote:
    """As much of a lab as a world needs, in another process."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.app = self
        self.plane = self

    def client(self, service: str) -> Any:
        keys = {"aws_access_key_id": "a", "aws_secret_access_key": "b"}
        return boto3.client(service, endpoint_url=self.url, region_name="us-east-1", **keys)

    def status(self) -> Any:
        return ask(self.url, "plane")


def children_of(pid: int) -> list[int]:
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False)
    return [int(one) for one in found.stdout.split()]


@pytest.mark.parametrize("end", ["SIGKILL", "stop"])
def test_no_process_outlives_the_lab(background: Path, end: str) -> None:
    facts = State(background).read()
    assert facts is not None
    world = World(Remote(facts["url"]), size=2)  # type: ignore[arg-type]  # stands in for a lab
    children = [pid for pid in children_of(facts["pid"]) if birth_of(pid)]
    assert len(children) >= 3  # two instances, one proxy
    status = command(background, "status")
    for instance in world.instances():
        assert f"instance: id={instance['InstanceId']}" in status
    assert "balancer: balancer=web" in status and "listening=8000" in status
    if end == "stop":
        command(background, "stop")
    else:
        os.kill(facts["pid"], signal.SIGKILL)
    wait_for(lambda: not any(birth_of(pid) for pid in children), "all have ended", 5)
