"""The whole stack on a bad day: throttling, failures, lost answers, stale reads, expired credentials, a permission that lacks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from dying import ALL, World
from likeness import Likeness, difference
from reference import GLOBAL, NEEDS, OPTIONS, REGIONAL

from webstack_lab.services.passing import Pace, set_pace
from webstack_lab.unreliable import Unreliable

PROFILES = Path(__file__).resolve().parents[3] / "lab" / "profiles"
STATEMENT = {
    "Effect": "Allow",
    "Action": "elasticache:CreateCacheSubnetGroup",
    "Resource": "*",
}


@pytest.fixture(scope="module")
def world() -> World:
    """An empty account, and clients that have been used before."""
    world = World(OPTIONS)
    world.clock.speed = 4  # reading takes its time when everything is read at once
    for tiers in (REGIONAL, GLOBAL):
        world.converger(list(tiers)).plan(preview=True)
    return world


@pytest.fixture(scope="module")
def undisturbed(world: World) -> Likeness:
    return Likeness(elsewhere(world, None)["account"])


def elsewhere(world: World, profile: Any) -> dict[str, Any]:
    """The regional and the global tiers built in a copy of the empty account, under a profile of faults; then a quiet look."""

    def build() -> dict[str, Any]:
        world.app.unreliable = Unreliable(clock=world.clock.now)  # its seconds pass as quickly as the run's
        world.app.unreliable.load(profile)
        for tiers in (REGIONAL, GLOBAL):
            world.run(*tiers)
        struck = world.app.unreliable.counts()
        world.app.unreliable.load(None)
        world.app.calls.clear()
        again = [action for tiers in (REGIONAL, GLOBAL) for action in world.run(*tiers).actions]
        return {"account": world.picture(placement=False), "again": again, "writes": world.writes(), "struck": struck}

    answer = world.elsewhere(build)
    assert "account" in answer, answer["wrong"]
    return answer


def profile(name: str, **changes: Any) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((PROFILES / f"{name}.yml").read_text())
    return {**loaded, **changes}


@pytest.mark.parametrize("seed", range(5 if ALL else 2))
def test_a_bad_day_ends_green_and_nothing_is_made_twice(world: World, undisturbed: Likeness, seed: int) -> None:
    """10 % throttling, 2 % server errors, 1 % resets, half of the latter two after AWS did the work (trap 6)."""
    answer = elsewhere(world, profile("bad-day", seed=seed))
    assert difference(Likeness(answer["account"]), undisturbed) == ""
    assert answer["again"] == [] and answer["writes"] == []
    assert answer["struck"]["throttle"] > 30 and answer["struck"]["server_error"] and answer["struck"]["reset"]


def test_reads_that_lag_five_behind_end_green(world: World, undisturbed: Likeness) -> None:
    """Trap 1. IAM lags too, but here it has caught up when somebody asks it."""
    answer = elsewhere(world, profile("laggard"))
    assert difference(Likeness(answer["account"]), undisturbed) == ""
    assert answer["again"] == [] and answer["writes"] == []
    assert answer["struck"]["stale"] > 100


def test_an_iam_that_takes_ten_seconds_to_tell_auto_scaling_ends_green(world: World) -> None:
    """Traps 21, 23."""

    def build() -> dict[str, Any]:
        for need in NEEDS["compute_asg"]:
            world.run(need)
        world.app.unreliable = Unreliable(clock=world.clock.now)
        world.app.unreliable.load({"rules": [{"fault": "iam_delay", "seconds": 10}]})
        world.app.calls.clear()
        world.run("compute_asg")
        calls = world.app.calls.select(operation="CreateAutoScalingGroup")
        return {"errors": [call["error"] for call in calls], "groups": len(world.run("compute_asg").actions)}

    answer = world.elsewhere(build)
    assert answer["errors"][0] == "ValidationError" and answer["errors"][-1] is None, answer
    assert answer["errors"].count(None) == 1 and answer["groups"] == 0


def test_a_denied_operation_names_what_would_allow_it_and_the_rest_is_finished(world: World) -> None:
    """Traps 20, 30; https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html"""
    rule = {"fault": "access_denied", "service": "elasticache", "operation": "CreateCacheSubnetGroup"}

    def build() -> dict[str, Any]:
        world.app.unreliable.load({"rules": [rule]})
        report = world.carry_out(*REGIONAL)
        calls = world.app.calls.select("write", operation="CreateCacheSubnetGroup")
        done = [action["address"] for action in report.actions if action["ok"]]
        failed = [error.as_result() for error in report.failed]
        return {
            "failed": failed,
            "done": done,
            "rest": report.not_started,
            "pending": report.pending,
            "calls": len(calls),
        }

    answer = world.elsewhere(build)
    (error,) = answer["failed"]
    assert answer["calls"] == 1, "it was tried again"
    assert (error["address"], error["verb"]) == ("CacheSubnetGroup[demo-cache]", "creating")
    assert error["statement"] == STATEMENT and json.dumps(STATEMENT) in error["cause"]
    assert "CreateCacheSubnetGroup answered AccessDenied" in error["cause"]
    rest = set(answer["rest"])
    assert "ReplicationGroup[demo-cache]" in rest and "CacheSubnetGroup[demo-cache]" not in rest
    planned = {step.resource.address for step in world.converger(list(REGIONAL)).plan(preview=True)}
    assert planned == set(answer["done"]) | rest | {error["address"]} and not set(answer["done"]) & rest
    assert {"DBInstance[demo-db]", "AutoScalingGroup[demo-web]", "ElasticIp[demo-nat-us-east-1a]"} <= set(
        answer["done"]
    )


def test_a_wait_outlives_credentials_that_expire_and_connections_that_drop(world: World) -> None:
    """Trap 9."""
    rules = [
        {"fault": fault, "service": "rds", "operation": "DescribeDBInstances", "skip": 4 + 3 * number, "times": 3}
        for number, fault in enumerate(("expired", "reset"))
    ]

    def build() -> dict[str, Any]:
        before = Pace.scale
        set_pace(0.002)
        world.app.unreliable.load({"rules": rules})
        world.run("assets", "network", "storage_cache", "database")
        set_pace(before)
        return {
            "struck": world.app.unreliable.counts(),
            "errors": [c["error"] for c in world.app.calls.select(service="rds")],
        }

    answer = world.elsewhere(build)
    assert answer.get("struck") == {"expired": 3, "reset": 3}, answer
    assert "ExpiredToken" in answer["errors"]


def test_credentials_that_stay_expired_end_the_run_with_what_to_do(world: World) -> None:
    def build() -> dict[str, Any]:
        world.app.unreliable.load({"rules": [{"fault": "expired", "service": "ec2", "operation": "CreateVpc"}]})
        report = world.carry_out("assets", "network")
        return {"failed": [str(error) for error in report.failed], "rest": report.not_started}

    answer = world.elsewhere(build)
    (text,) = answer["failed"]
    assert "creating Vpc[demo]" in text and "get new ones and run again" in text
    assert "Subnet[demo-public-us-east-1a]" in answer["rest"]
