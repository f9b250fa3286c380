"""Deployments to the instances that run, with users: what they see, what is undone, and what becomes of a run that is killed."""

from __future__ import annotations

import io
import json
import os
import signal
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from lb_world import certificate
from stack import Stack, clients_of, quiet

from ansible_collections.webstack.aws.plugins.module_utils.operations.launch_versions import pointer_of
from ansible_collections.webstack.aws.plugins.module_utils.operations.lock import StackLock, claim
from playbooks import ROOT, Playbooks, Played, extra
from webstack_lab.dataplane.network import real_port
from webstack_lab.services.passing import Pace
from webstack_lab.testing import Lab

pytestmark = pytest.mark.measured  # it counts seconds and requests, so nothing else may run beside it

REGION, GROUP = "us-east-1", "demo-web"
ZONES = [f"{REGION}{letter}" for letter in "abc"]
PACE = 0.02  # seconds here for one of AWS
RATE, REQUESTS = 250.0, 10_000
TIERS: dict[str, dict[str, Any]] = {
    "network": {
        "cidr_block": "10.20.0.0/16",
        "availability_zones": ZONES,
        "nat_gateways": "none",
        "flow_log_destination": "none",
    },
    "lb": {
        "availability_zones": ZONES,
        "certificate_domain": "www.demo.example",
        "access_logs": False,
        "nlb": False,
        "deletion_protection": False,
        "deregistration_delay": 30,
        "health_check": {"path": "/health", "healthy_threshold": 2, "interval": 5, "timeout": 2},
    },
    "compute_asg": {
        "availability_zones": ZONES,
        "instance_type": "t3.micro",
        "min_size": 6,
        "desired_capacity": 6,
        "max_size": 9,
        "release": "A",
    },
}
PUT_BACK = 3.0  # seconds after a kill in which the keeper has registered the host again


class Shop:
    """Six instances behind a load balancer, and users."""

    def __init__(self, lab: Lab, home: Path) -> None:
        self.lab = lab
        self.stack = Stack(lab)
        self.home = home
        self.playbooks = Playbooks(lab.url, home)
        self.playbooks.environment["WEBSTACK_LAB_DIR"] = str(lab.folder)

    def probes(self, path: str = "/", rate: float = RATE, **more: Any) -> list[dict[str, Any]]:
        assert self.lab.app.plane is not None
        [balancer] = self.lab.client("elbv2").describe_load_balancers(Names=["demo-alb"])["LoadBalancers"]
        address = self.lab.app.plane.addresses()[balancer["DNSName"]][0]
        port = real_port(443)
        shared = {
            "kind": "http",
            "url": f"https://www.demo.example:{port}{path}",
            "connect_to": f"{address}:{port}",
            "ca_path": str(self.lab.folder / "ca.pem") if self.lab.folder else None,
            "timeout": 10.0,
            **more,
        }
        return [{"name": "users", "flavour": "kept", "rate": rate, "kept": 8, **shared}]

    def command(self, release: str, **variables: Any) -> tuple[str, ...]:
        given = {
            "release": release,
            "deployment_artifact": str(self.artifact(release)),
            "deployment_expect": {"failed_requests": 0, "longest_outage": 0},
            "deployment_baseline": 1,
            "webstack_environment": "lab",
            **variables,
        }
        inventory = str(ROOT / "inventories" / "lab.aws_ec2.yml")
        return ("playbooks/deploy_in_place.yml", "-i", inventory, *extra(**given))

    def deploy(self, release: str, **variables: Any) -> Played:
        return self.playbooks.play(*self.command(release, **variables))

    def artifact(self, release: str, health: str = "ok") -> Path:
        path = self.home / f"{release}.tar.gz"
        if not path.exists():
            with tarfile.open(path, "w:gz") as file:
                for name, text in (("RELEASE", release), ("health", health)):
                    member = tarfile.TarInfo(name)
                    member.size = len(text) + 1
                    file.addfile(member, io.BytesIO(f"{text}\n".encode()))
        return path

    def report(self) -> dict[str, Any]:
        newest = max((self.home / "runs").glob("*/*/report.json"), key=lambda path: path.stat().st_mtime_ns)
        return dict(json.loads(newest.read_text()))

    def running(self) -> dict[str, str]:
        """Instance → release that it serves."""
        assert self.lab.app.plane is not None
        return {row["id"]: row["release"] for row in self.lab.app.plane.status()["instances"]}

    def healthy(self) -> set[str]:
        client = self.lab.client("elbv2")
        [group] = client.describe_target_groups(Names=[GROUP])["TargetGroups"]
        rows = client.describe_target_health(TargetGroupArn=group["TargetGroupArn"])["TargetHealthDescriptions"]
        return {row["Target"]["Id"] for row in rows if row["TargetHealth"]["State"] == "healthy"}

    def suspended(self) -> list[Any]:
        [group] = self.lab.client("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=[GROUP])[
            "AutoScalingGroups"
        ]
        return list(group["SuspendedProcesses"])

    def pointer(self) -> str | None:
        return pointer_of(clients_of(self.lab.url), REGION, GROUP).release

    def owner(self) -> Any:
        lock = StackLock(clients_of(self.lab.url), "demo", REGION, claim("somebody-20250101T000000-0000", "a test"))
        return lock.current()

    def set_delay(self, seconds: int) -> None:
        client = self.lab.client("elbv2")
        [group] = client.describe_target_groups(Names=[GROUP])["TargetGroups"]
        attribute = {"Key": "deregistration_delay.timeout_seconds", "Value": str(seconds)}
        client.modify_target_group_attributes(TargetGroupArn=group["TargetGroupArn"], Attributes=[attribute])


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    before = Pace.scale
    Pace.scale = 0.0
    with Lab(data_plane=True, folder=tmp_path_factory.mktemp("lab")) as lab:
        found = Shop(lab, tmp_path_factory.mktemp("home"))
        certificate(found.stack, "www.demo.example")
        found.stack.converge(*TIERS, **TIERS)
        Pace.scale = PACE
        until(lambda: len(found.healthy()) == 6, 30)
        yield found
    Pace.scale = before


def until(holds: Callable[[], Any], seconds: float) -> float:
    """Wait; how long it took."""
    begun = time.monotonic()
    while not holds():
        assert time.monotonic() - begun < seconds, "it took too long"
        time.sleep(0.02)
    return time.monotonic() - begun


def passed(played: Played, report: dict[str, Any]) -> None:
    """Everything expected was measured. A machine that is too busy to measure exactly says so, and proves nothing against it."""
    assert [row for row in report["expectations"] if not row["ok"]] == [], report["sentence"]
    if report["verdict"] != "pass":
        assert report["verdict"] == "inconclusive" and report["findings"], report["sentence"]
        assert all("Probe " in finding for finding in report["findings"]), report["findings"]
    assert played.code == (0 if report["verdict"] == "pass" else 2), played.failures or played.output[-3000:]


@pytest.mark.skipif("WEBSTACK_ALL_KILLS" not in os.environ, reason="a part of make crash")
def test_a_deployment_killed_halfway_puts_its_host_back_and_is_finished_by_the_next_run(shop: Shop) -> None:
    first = shop.playbooks.start(*shop.command("B"))
    until(lambda: sum(name == "B" for name in shop.running().values()) == 2, 240)
    until(lambda: len(shop.healthy()) == 5, 60)
    os.killpg(first.pid, signal.SIGKILL)
    first.communicate()
    until(lambda: shop.owner() is None, PUT_BACK)
    until(lambda: len(shop.healthy()) == 6, 10)
    assert shop.suspended() == [] and shop.pointer() == "A"
    assert set(shop.running().values()) == {"A", "B"}
    again = shop.deploy("B")
    passed(again, shop.report())
    assert set(shop.running().values()) == {"B"} and shop.pointer() == "B"
    assert len(shop.report()["waves"]) // 3 < 6, "hosts that were done are not done again"


def test_release_b_over_a_fails_no_request(shop: Shop) -> None:
    [before] = set(shop.running().values())
    played = shop.deploy("B2", deployment_probes=shop.probes(), deployment_baseline=8, deployment_serial=[1, "25%"])
    report = shop.report()
    passed(played, report)
    [probe] = report["probes"]
    assert probe["failed"] == 0 and probe["requests"] >= REQUESTS, probe["requests"]
    assert {row["name"] for row in report["releases"]} == {before, "B2"}
    assert set(shop.running().values()) == {"B2"} and shop.pointer() == "B2"
    assert shop.suspended() == [] and shop.owner() is None
    quiet(shop.stack, "compute_asg", TIERS["compute_asg"])


def test_a_release_that_is_not_well_stops_after_the_first_batch_and_users_see_nothing(shop: Shop) -> None:
    before = shop.running()
    shop.artifact("C", health="fail")
    shop.lab.clear_calls()
    played = shop.deploy("C", release_health_timeout=1)
    assert played.code != 0
    report = shop.report()
    assert report["verdict"] == "fail" and "Release C is not well" in report["sentence"], report["sentence"]
    assert {probe["failed"] for probe in report["probes"]} == {0}
    assert shop.running() == before and len(shop.healthy()) == 6
    out = {call["params"]["Targets"][0]["Id"] for call in shop.lab.calls("write", operation="DeregisterTargets")}
    assert len(out) == 1, "later batches do nothing"
    assert shop.lab.calls("write", operation="CreateLaunchTemplateVersion") == [], "the pointer never moved"
    assert shop.suspended() == [] and shop.owner() is None


def test_without_draining_the_same_deployment_is_seen_to_fail_requests(shop: Shop) -> None:
    """The negative control: what counts no failures above would count them."""
    shop.set_delay(0)
    try:
        slow = shop.probes("/slow?ms=400", rate=40.0, kept=40)
        played = shop.deploy("D", deployment_probes=slow)
    finally:
        shop.set_delay(30)
    assert played.code != 0
    report = shop.report()
    assert report["verdict"] == "fail" and report["probes"][0]["failed"] > 0


def test_check_mode_shows_the_plan_and_writes_nothing(shop: Shop) -> None:
    shop.lab.clear_calls()
    played = shop.playbooks.play(*shop.command("E"), "--check")
    assert played.code == 0, played.failures
    assert shop.lab.calls("write") == []
    [plan] = played.results("Check, take the lock, and measure how all is before").values()
    assert all(row["ok"] for row in plan["preconditions"]) and any(
        "DeregisterTargets" in one for one in plan["requests"]
    )
