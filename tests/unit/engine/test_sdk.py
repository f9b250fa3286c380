"""Clients, call counts, and errors in words that say what to do."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from botocore.exceptions import (
    DataNotFoundError,
    EndpointConnectionError,
    NoCredentialsError,
    ParamValidationError,
    UnknownServiceError,
)
from botocore.loaders import Loader
from toys import Cloud, Thing, aws_error, converger

from ansible_collections.webstack.aws.plugins.module_utils.engine import sdk
from ansible_collections.webstack.aws.plugins.module_utils.engine.resource import Resource, as_dict, as_list
from ansible_collections.webstack.aws.plugins.module_utils.engine.sdk import (
    Clients,
    error_code,
    explain,
    matches,
    request_id,
    warm,
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


def test_what_is_loaded_once_serves_every_later_client(monkeypatch: pytest.MonkeyPatch) -> None:
    warm(["efs", "sts"])
    monkeypatch.setattr("json.loads", lambda *_: pytest.fail("a model was read again"))
    for region in ("eu-west-1", "us-east-1"):
        clients = Clients({"endpoint_url": "http://127.0.0.1:9", **KEYS})
        assert clients("efs", region).meta.service_model.service_id.hyphenize() == "efs"
        assert clients.partition(region) == "aws"


@pytest.mark.parametrize("service", ["ec2", "s3", "route53", "iam"])
def test_reads_models_as_the_sdk_does(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sdk, "_LOADERS", {})  # the SDK shortens the paths of S3's operations in what it has loaded
    ours, theirs = sdk._session(None)._session.get_component("data_loader"), Loader()
    for kind in ("service-2", "endpoint-rule-set-1", "paginators-1"):
        read = ours.load_service_model(service, kind)
        assert type(read) is dict and read == theirs.load_service_model(service, kind)
        assert list(read) == list(theirs.load_service_model(service, kind))
    assert ours.list_available_services("service-2") == theirs.list_available_services("service-2")
    assert ours.search_paths.count(ours.search_paths[-1]) == 1
    with pytest.raises(DataNotFoundError):
        ours.load_data("nothing-of-that-name")


def test_warms_up_for_no_unknown_service_and_without_the_sdk(monkeypatch: pytest.MonkeyPatch) -> None:
    warm(["no-such-service"])
    monkeypatch.setattr(sdk, "SDK_ERRORS", ())
    monkeypatch.setattr(sdk, "_session", lambda _profile: pytest.fail("there is no SDK"))
    warm(["sts"])


def test_heeds_the_folder_of_models_that_a_profile_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = tmp_path / "models" / "toyshop" / "2020-01-01"
    model.mkdir(parents=True)
    facts = {"apiVersion": "2020-01-01", "endpointPrefix": "toyshop", "protocol": "json", "serviceId": "Toyshop"}
    (model / "service-2.json").write_text(
        json.dumps({"metadata": {**facts, "jsonVersion": "1.1"}, "operations": {}, "shapes": {}})
    )
    (tmp_path / "config").write_text(f"[profile shop]\ndata_path = {tmp_path / 'models'}\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    connection = {"endpoint_url": "http://127.0.0.1:9", **KEYS}
    clients = Clients({"profile_name": "shop", **connection})
    assert clients("toyshop", "eu-west-1").meta.service_model.api_version == "2020-01-01"
    with pytest.raises(UnknownServiceError):
        Clients(connection)("toyshop", "eu-west-1")


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
