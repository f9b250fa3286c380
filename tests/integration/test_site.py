"""The whole stack, built, changed and removed with the playbooks as printed in README.md. The tests are steps of one story."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from playbooks import Playbooks, extra
from webstack_lab.testing import Lab

READS_A_REGION, READS_GLOBAL = 80, 60
PLAN = "Plan every tier"
TIERS = (
    "assets",
    "network",
    "storage_cache",
    "database",
    "lb",
    "compute_asg",
    "monitoring",
    "edge_security",
    "cdn",
    "dns",
)


@pytest.fixture(scope="module")
def site(running_lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Playbooks]:
    running_lab.reset()
    yield Playbooks(running_lab.url, tmp_path_factory.mktemp("home"))
    running_lab.reset()


@pytest.fixture(scope="module")
def story(site: Playbooks, running_lab: Lab) -> dict[str, Any]:
    """The empty account, the preview on it, the first run."""
    before = running_lab.snapshot()
    running_lab.clear_calls()
    preview = site.play("site.yml", "--check", "--diff")
    preview_writes = running_lab.calls("write")
    first = site.play("site.yml")
    return {"before": before, "preview": preview, "preview writes": preview_writes, "first": first}


def created(answers: list[dict[str, Any]]) -> set[tuple[str, str, str]]:
    """(tier, address, region) of everything that was, or would be, created."""
    return {
        (action["tier"], action["address"], action["region"])
        for answer in answers
        for action in answer.get("actions", [])
        if action["verb"] == "create"
    }


def test_a_preview_on_an_empty_account_fails_nowhere_and_writes_nothing(story: dict[str, Any]) -> None:
    assert story["preview"].code == 0, story["preview"].failures or story["preview"].output[-3000:]
    assert story["preview writes"] == []


def test_a_preview_shows_a_difference_for_every_resource(story: dict[str, Any]) -> None:
    for answer in story["preview"].results(PLAN).values():
        headers = " ".join(entry["before_header"] for entry in answer["diff"])
        assert all(f"{action['address']} ({action['region']})" in headers for action in answer["actions"])


def test_the_first_run_makes_exactly_what_was_previewed(story: dict[str, Any]) -> None:
    assert story["first"].code == 0, story["first"].failures or story["first"].output[-3000:]
    planned = created(list(story["preview"].results(PLAN).values()))
    answers = [
        result
        for play in story["first"].answer["plays"]
        for task in play["tasks"]
        if task["task"]["name"] != PLAN
        for result in task["hosts"].values()
    ]
    assert created(answers) == planned
    assert {tier.removesuffix("-global") for tier, _address, _region in planned} == set(TIERS)
    assert {region for _tier, _address, region in planned} == {"us-east-1", "eu-west-1"}


def test_a_second_run_changes_nothing_and_stays_within_the_budget_of_calls(
    story: dict[str, Any], site: Playbooks, running_lab: Lab
) -> None:
    running_lab.clear_calls()
    second = site.play("site.yml")
    assert second.code == 0, second.failures
    assert second.changed == 0, {host: answer["actions"] for host, answer in second.results(PLAN).items()}
    assert running_lab.calls("write") == []
    reads = {host: answer["calls"]["read"] for host, answer in second.results(PLAN).items()}
    assert reads.pop("global") <= READS_GLOBAL
    assert all(count <= READS_A_REGION for count in reads.values()), reads
    assert len(running_lab.calls("read")) <= 2 * READS_A_REGION + READS_GLOBAL


def test_a_preview_afterwards_has_nothing_to_do(story: dict[str, Any], site: Playbooks) -> None:
    played = site.play("site.yml", "--check", "--diff")
    assert played.code == 0 and played.changed == 0
    assert all(answer["diff"] == [] for answer in played.results(PLAN).values())


@pytest.mark.parametrize("tier", TIERS)
def test_a_tier_runs_alone(story: dict[str, Any], site: Playbooks, running_lab: Lab, tier: str) -> None:
    running_lab.clear_calls()
    played = site.play("site.yml", "--tags", tier)
    assert played.code == 0, played.failures
    assert played.changed == 0 and running_lab.calls("write") == []


def test_status_lists_every_resource_of_every_tier(story: dict[str, Any], site: Playbooks) -> None:
    played = site.play("playbooks/status.yml")
    assert played.code == 0, played.failures
    rows = [row for answer in played.results("List what the stack has").values() for row in answer["resources"]]
    assert {row["tier"].removesuffix("-global") for row in rows} >= set(TIERS)
    planned = {address for _tier, address, _region in created(list(story["preview"].results(PLAN).values()))}
    shown = {row["address"] for row in rows}
    assert shown <= planned
    contents = ("Objects[", "RecordSets[", "LogDelivery[")  # what is in a bucket, a zone, a log policy carries no tags
    assert {address for address in planned - shown if not address.startswith(contents)} == set()


def test_what_is_deleted_behind_our_back_is_previewed_and_made_again(
    story: dict[str, Any], site: Playbooks, running_lab: Lab
) -> None:
    running_lab.client("sns", "eu-west-1").delete_topic(TopicArn="arn:aws:sns:eu-west-1:123456789012:demo-alarms")
    preview = site.play("site.yml", "--check", "--diff")
    assert ("monitoring", "Topic[demo-alarms]", "eu-west-1") in created(list(preview.results(PLAN).values()))
    repaired = site.play("site.yml")
    assert repaired.code == 0, repaired.failures
    assert site.play("site.yml").changed == 0


def test_removal_wants_the_name_typed(story: dict[str, Any], site: Playbooks, running_lab: Lab) -> None:
    running_lab.clear_calls()
    played = site.play("playbooks/destroy.yml")
    assert played.code != 0 and "-e confirm=demo" in " ".join(played.failures.values())
    assert running_lab.calls() == []


def test_removal_respects_protection(story: dict[str, Any], site: Playbooks, running_lab: Lab) -> None:
    running_lab.clear_calls()
    played = site.play("playbooks/destroy.yml", *extra(confirm="demo"), "--limit", "regions")
    assert played.code != 0
    assert "lift_deletion_protection" in " ".join(played.failures.values())
    assert running_lab.calls("write") == []


def test_removal_brings_the_account_back_to_what_it_was(
    story: dict[str, Any], site: Playbooks, running_lab: Lab
) -> None:
    played = site.play("playbooks/destroy.yml", *extra(confirm="demo", webstack_lift_deletion_protection=True))
    assert played.code == 0, played.failures or played.output[-3000:]
    assert running_lab.snapshot() == story["before"]
    running_lab.clear_calls()
    again = site.play("playbooks/destroy.yml", *extra(confirm="demo", webstack_lift_deletion_protection=True))
    assert again.code == 0 and again.changed == 0 and running_lab.calls("write") == []


def one_clear_error(played: Any, *words: str) -> None:
    text = " ".join(played.failures.values())
    assert played.code != 0
    assert "Traceback" not in played.output
    for word in words:
        assert re.search(word, text), text


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"webstack_expected_account_id": "999999999999"}, ["expected_account_id", "123456789012"]),
        ({"webstack_endpoint_url": "http://127.0.0.1:9"}, ["Could not connect", "endpoint_url"]),
        ({"webstack_access_key": "", "webstack_secret_key": ""}, ["credentials", "AWS_PROFILE"]),
        ({"webstack_stack": "Not A Name"}, ["stack: 'Not A Name'"]),
        ({"network_cidr_block": "10.20.0.0/33"}, [r"network\.cidr_block"]),
        ({"database_instance_class": "db.t9.mega"}, ["offers no such class"]),
        ({"compute_asg_instance_type": "t9.mega"}, ["no instance type"]),
        ({"database_engine": "oracle"}, [r"database\.engine: 'oracle'", "postgres or mysql"]),
        ({"webstack_availability_zones": ["us-east-1a"]}, ["zone"]),
    ],
)
def test_bad_input_is_one_clear_error_and_nothing_is_written(
    site: Playbooks, running_lab: Lab, variables: dict[str, Any], words: list[str], tmp_path: Path
) -> None:
    running_lab.clear_calls()
    played = site.play("site.yml", "--limit", "us-east-1", *extra(**variables), HOME=str(tmp_path))
    one_clear_error(played, *words)
    assert running_lab.calls("write") == []


def test_a_tier_alone_says_what_is_missing(site: Playbooks, running_lab: Lab) -> None:
    running_lab.reset()
    running_lab.clear_calls()
    played = site.play("site.yml", "--tags", "database", "--limit", "us-east-1")
    one_clear_error(played, "does not exist", "network tier")
    assert running_lab.calls("write") == []


@pytest.mark.parametrize("inventory", ["staging", "production"])
def test_the_example_inventories_are_complete(site: Playbooks, running_lab: Lab, inventory: str) -> None:
    running_lab.reset()
    running_lab.clear_calls()
    lab = extra(
        webstack_endpoint_url=running_lab.url,
        webstack_access_key="AKIALABLABLABLABLAB0",
        webstack_secret_key="no-secret-the-lab-takes-any",
        webstack_expected_account_id="123456789012",
    )
    played = site.play("site.yml", "--check", "--diff", *lab, inventory=inventory)
    assert played.code == 0, played.failures or played.output[-3000:]
    planned = created(list(played.results(PLAN).values()))
    assert {tier.removesuffix("-global") for tier, _address, _region in planned} == set(TIERS)
    assert running_lab.calls("write") == []
