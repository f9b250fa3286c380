"""Clients, call counts, and errors in words that say what to do."""

from __future__ import annotations

import time

import pytest
from botocore.exceptions import EndpointConnectionError, NoCredentialsError, ParamValidationError
from toys import Cloud, Thing, aws_error, converger

from ansible_collections.webstack.aws.plugins.module_utils.engine.resource import Resource, as_dict, as_list
from ansible_collections.webstack.aws.plugins.module_utils.engine.sdk import (
    Clients,
    error_code,
    explain,
    matches,
    request_id,
)
from ansible_collections.webstack.aws.plugins.module_utils.engine.tier import Tier
from webstack_lab.testing import Lab

KEYS = {"aws_access_key_id": "lab", "aws_secret_access_key": "lab"}


def test_counts_reads_and_writes_by_the_work_that_made_them(lab: Lab) -> None:
    clients = Clients({"endpoint_url": lab.url, **KEYS})
    with clients.counter.label("outer"):
        with clients.counter.label("inner"):
            clients("sns", "eu-west-1").create_topic(Name="x")
        clients("sns", "eu-west-1").list_topics()
    assert clients.counter.by_label == {"inner": 1, "outer": 1}
    assert (clients.counter.reads, clients.counter.writes) == (1, 1)


def test_makes_one_client_a_service_and_region() -> None:
    clients = Clients({"endpoint_url": "http://127.0.0.1:9", **KEYS})
    assert clients("sts", "eu-west-1") is clients("sts", "eu-west-1")
    assert clients("sts", "eu-west-1") is not clients("sts", "us-east-1")
    assert clients("sts", "eu-west-1").meta.config.retries["mode"] == "standard"


def test_knows_the_partition_of_a_region() -> None:
    clients = Clients(KEYS)
    assert clients.partition("cn-north-1") == "aws-cn" and clients.partition("eu-west-1") == "aws"


def test_an_endpoint_that_never_answered_fails_at_once() -> None:
    started = time.monotonic()
    with pytest.raises(EndpointConnectionError) as caught:
        Clients({"endpoint_url": "http://127.0.0.1:9", **KEYS})("sts", "eu-west-1").get_caller_identity()
    assert time.monotonic() - started < 5
    assert "Check endpoint_url" in explain(caught.value)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("UnauthorizedOperation", "Allow the action of MakeThing"),
        ("ExpiredToken", "get new ones and run again"),
        ("InvalidClientTokenId", "does not know these credentials"),
        ("Other", "MakeThing answered Other: no"),
    ],
)
def test_explains_what_aws_answers(code: str, words: str) -> None:
    assert words in explain(aws_error(code))


def test_explains_what_the_sdk_raises() -> None:
    assert "AWS_PROFILE" in explain(NoCredentialsError())
    wrong = ParamValidationError(report="Unknown parameter")
    assert explain(wrong).startswith("ParamValidationError") and error_code(wrong) == "ParamValidationError"
    assert request_id(wrong) is None and not matches(wrong, ("ParamValidationError",))


def test_a_tier_marks_what_it_owns_with_its_label() -> None:
    theirs = Thing("theirs", owned=False)

    def build(options: dict[str, object]) -> list[Resource]:
        return [Thing("mine", [theirs])]

    tier = Tier("toys", {}, build, (Thing,), part=lambda options: str(options.get("part", "")))
    (mine,) = tier.resources({"part": "global"})
    assert (mine.tier, theirs.tier, tier.label({})) == ("toys-global", "", "toys")


def test_kinds_that_come_after_others_see_what_those_have_changed() -> None:
    class Late(Thing):
        after = (Thing,)

    cloud = Cloud()
    base = Thing("base")
    run = converger(cloud, Late("late", [base]), base, Thing("other"), kinds=[Thing, Late])
    run.plan(preview=False)
    assert run.apply().failed == []
    assert cloud.writes[-1] == "create late" and len(cloud.writes) == 3


def test_tags_change_their_form_and_back() -> None:
    assert as_dict(as_list({"b": "2", "a": ""})) == {"a": "", "b": "2"}
    assert as_dict(None) == {} and as_list(None) == []
