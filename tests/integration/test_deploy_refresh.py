"""Deployments with users: real instances behind a real load balancer, 200 requests a second over HTTPS."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lb_world import certificate
from stack import Stack, quiet

from playbooks import Playbooks, Played, extra
from webstack_lab.dataplane.network import real_port
from webstack_lab.services.passing import Pace
from webstack_lab.testing import Lab

pytestmark = pytest.mark.measured  # it counts seconds and requests, so nothing else may run beside it

REGION = "us-east-1"
ZONES = [f"{REGION}{letter}" for letter in "abc"]
PACE = 0.02  # seconds here for one of AWS
REQUESTS = 10_000
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
    },
    "compute_asg": {
        "availability_zones": ZONES,
        "instance_type": "t3.micro",
        "min_size": 6,
        "desired_capacity": 6,
        "max_size": 9,
        "release": "A",
        "user_data": "#!/bin/sh\nWEBSTACK_BROKEN_RELEASES=C\n",
    },
}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Six instances with release A behind a load balancer."""
    before = Pace.scale
    Pace.scale = 0.0
    with Lab(data_plane=True, folder=tmp_path_factory.mktemp("lab")) as lab:
        stack = Stack(lab)
        certificate(stack, "www.demo.example")
        stack.converge(*TIERS, **TIERS)
        Pace.scale = PACE
        yield stack
    Pace.scale = before


@pytest.fixture
def playbooks(shop: Stack, tmp_path_factory: pytest.TempPathFactory) -> Playbooks:
    found = Playbooks(shop.lab.url, tmp_path_factory.getbasetemp())
    found.environment["WEBSTACK_LAB_DIR"] = str(shop.lab.folder)
    return found


def probes(lab: Lab) -> list[dict[str, Any]]:
    """200 requests a second; as in a browser, most connections are kept."""
    [balancer] = lab.client("elbv2").describe_load_balancers()["LoadBalancers"]
    asked = {
        "kind": "http",
        "url": "https://www.demo.example/",
        "connect_to": f"{balancer['DNSName']}:{real_port(443)}",
        "waf_exempt": True,
    }
    return [
        {"name": "kept", "flavour": "kept", "rate": 170.0, **asked},
        {"name": "new", "rate": 30.0, **asked},
    ]


def deploy(shop: Stack, playbooks: Playbooks, playbook: str = "deploy", **variables: Any) -> Played:
    given = {"deployment_probes": probes(shop.lab), "deployment_baseline": 3, "deployment_stable": 1, **variables}
    return playbooks.play(f"playbooks/{playbook}.yml", "--limit", REGION, *extra(**given))


def report_of(played: Played) -> dict[str, Any]:
    answer = played.results("Replace the instances, and measure")[REGION]
    return dict(json.loads(Path(answer["report_json"]).read_text()))


def check_passed(played: Played, report: dict[str, Any]) -> None:
    """It passed; or it would have, had this machine not been too busy to measure to a tenth of a second, which the run then says."""
    assert all(row["ok"] for row in report["expectations"]), report["expectations"]
    if report["verdict"] == "inconclusive":
        assert any("this machine was too busy" in finding for finding in report["findings"]), report["findings"]
    else:
        assert report["verdict"] == "pass" and played.code == 0, played.failures


def test_release_b_replaces_a_and_no_user_is_failed(shop: Stack, playbooks: Playbooks) -> None:
    # One instance after the other, and each warm before the next: users ask for nearly a minute.
    played = deploy(shop, playbooks, release="B", deployment_stable=15)
    report = report_of(played)
    check_passed(played, report)
    assert report["requests"] >= REQUESTS, report["requests"]
    assert sum(probe["failed"] for probe in report["probes"]) == 0
    assert {row["name"] for row in report["releases"]} == {"A", "B"}
    assert len({row["host"] for row in report["waves"]}) == 12, "six old instances and six new ones"
    quiet(shop, "compute_asg", TIERS["compute_asg"])


def test_release_c_fails_its_health_check_and_is_rolled_back_unseen(shop: Stack, playbooks: Playbooks) -> None:
    played = deploy(shop, playbooks, release="C", deployment_timeout=5)
    assert played.code != 0
    report = report_of(played)
    assert report["verdict"] == "fail" and "runs on all instances again" in report["sentence"], report["sentence"]
    assert "unhealthy" in report["sentence"] or "initial" in report["sentence"], "it says what it waited for"
    assert sum(probe["failed"] for probe in report["probes"]) == 0
    assert [row["name"] for row in report["releases"]] == ["B"]
    quiet(shop, "compute_asg", TIERS["compute_asg"])


def test_a_rollback_goes_to_the_release_that_ran_before_not_to_the_one_that_failed(
    shop: Stack, playbooks: Playbooks
) -> None:
    quickly = {"deployment_instance_warmup": 10, "deployment_max_healthy_percentage": 150}
    played = deploy(shop, playbooks, "rollback", **quickly)
    assert played.results("Choose it")[REGION]["ansible_facts"] == {"release": "A"}
    report = report_of(played)
    check_passed(played, report)
    assert report["release"] == "A" and report["release_before"] == "B"
    assert sum(probe["failed"] for probe in report["probes"]) == 0
    quiet(shop, "compute_asg", TIERS["compute_asg"])
