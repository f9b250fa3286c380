"""The small parts of the engine, each on its own: fields, scopes, tiers, permissions, the SDK's own attempts, the stop of a run."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError, CredentialRetrievalError, EndpointConnectionError, ReadTimeoutError
from toys import FakeClock, Slow, Thing, aws_error

from ansible_collections.webstack.aws.plugins.module_utils.engine import sdk
from ansible_collections.webstack.aws.plugins.module_utils.engine.permission import action_of, missing_permission
from ansible_collections.webstack.aws.plugins.module_utils.engine.reading import guarded
from ansible_collections.webstack.aws.plugins.module_utils.engine.report import Step, difference, plain
from ansible_collections.webstack.aws.plugins.module_utils.engine.resource import Resource, Scope, Unknown, resources_in
from ansible_collections.webstack.aws.plugins.module_utils.engine.schedule import Deferred, ahead, walk
from ansible_collections.webstack.aws.plugins.module_utils.engine.tier import Tier
from webstack_lab.testing import Lab

CONNECTION = {"aws_access_key_id": "lab", "aws_secret_access_key": "lab", "endpoint_url": "http://127.0.0.1:9"}


def scope(**more: Any) -> Scope:
    values: dict[str, Any] = {
        "stack": "demo",
        "region": "eu-west-1",
        "kind": Thing,
        "members": [Thing("a"), Thing("b")],
        "client": lambda service, region: (service, region),
        "found": lambda kind, region: [kind("x")] if region == "eu-west-1" else [],
        "memory": {},
        **more,
    }
    return Scope(**values)


def test_a_scope_has_clients_of_its_region_and_of_others() -> None:
    assert scope().client("ec2") == ("ec2", "eu-west-1")
    assert scope().client("ec2", "us-east-1") == ("ec2", "us-east-1")
    assert [one.name for one in scope().of(Slow)] == ["x"]
    assert scope().names == {"a", "b"}


def test_a_question_is_asked_once_for_all_who_need_the_answer() -> None:
    asked: list[int] = []
    memory: dict[Any, Any] = {}
    here = scope(memory=memory)
    for _time in range(2):
        assert here.once("key", lambda: asked.append(1) or "answer") == "answer"
    assert scope(memory=memory, region="us-east-1").once("key", lambda: "other") == "other"
    assert asked == [1]


def test_independent_questions_are_answered_in_their_order() -> None:
    assert scope().gather(lambda: 1) == [1]
    assert scope().gather(lambda: 1, lambda: 2, lambda: 3) == [1, 2, 3]


def test_a_run_over_no_tier_in_particular_is_about_every_one() -> None:
    assert scope().lists_everything and scope().covers("lb")
    narrow = scope(tiers={"lb"})
    assert not narrow.lists_everything and narrow.covers("lb") and not narrow.covers("dns")


def test_a_resource_without_a_scope_says_who_sets_it() -> None:
    with pytest.raises(TypeError, match="the converger sets the scope"):
        _ = Thing("a").scope
    one = Thing("a")
    one.scope = scope()
    assert one.scope.stack == "demo"


def test_a_plain_resource_wants_and_refuses_nothing() -> None:
    one = Resource("a")
    assert (one.want(), one.refuse({}), one.protection(), one.unprotect(None), one.leftover()) == (
        {},
        None,
        None,
        None,
        None,
    )


def test_an_attribute_is_unknown_until_it_is_there() -> None:
    one = Thing("a")
    assert isinstance(one.arn, Unknown) and not one.exists
    one.have = {"id": "id-a", "arn": None}
    assert one.id == "id-a" and isinstance(one.arn, Unknown) and one.exists


def test_arguments_name_only_what_is_wished_for_and_sort_what_has_no_order() -> None:
    one = Thing("a")
    one.api = {"colour": "Colour", "sizes": "Sizes", "none": "None"}  # type: ignore[misc]  # a fact of this one alone
    assert one.arguments({"colour": "red", "sizes": {3, 1}, "none": None, "more": 1}) == {
        "Colour": "red",
        "Sizes": [1, 3],
    }


def test_resources_are_found_in_whatever_holds_them() -> None:
    @dataclass
    class Holder:
        one: Resource
        many: dict[str, Any] = field(default_factory=dict)

    a, b, c = Thing("a"), Thing("b"), Thing("c")
    assert list(resources_in(Holder(a, {"x": [b], "y": {"z": (c, 1)}}))) == [a, b, c]
    assert list(resources_in("text")) == []


def test_a_tier_is_labelled_by_its_part_and_keeps_what_that_part_does_not_own() -> None:
    def build(options: dict[str, Any]) -> list[Resource]:
        return [Thing("mine", [Thing("theirs", owned=False)])]

    tier = Tier("toys", {}, build, (Thing, Slow), lambda options: options["part"], lambda options: (Slow,))
    assert tier.purged({}) == (Thing,)
    assert (tier.label({"part": "edge"}), tier.label({"part": ""})) == ("toys-edge", "toys")
    [mine] = tier.resources({"part": "edge"})
    assert (mine.tier, next(iter(mine.dependencies())).tier) == ("toys-edge", "")
    plainest = Tier("toys", {}, build, (Thing, Slow))
    assert plainest.purged({}) == (Thing, Slow) and plainest.label({}) == "toys"


def test_a_denied_call_names_the_statement_that_would_allow_it() -> None:
    said = "User: arn:aws:iam::1:user/x is not authorized to perform: iam:PassRole on resource: arn:aws:iam::1:role/web because"
    denied = {"Error": {"Code": "AccessDenied", "Message": said}, "ResponseMetadata": {"Action": "ec2:RunInstances"}}
    statement = {"Effect": "Allow", "Action": "iam:PassRole", "Resource": "arn:aws:iam::1:role/web"}
    assert missing_permission(denied, "arn:other") == statement
    head = {"Error": {"Code": "403", "Message": "Forbidden"}, "ResponseMetadata": {"Action": "s3:ListBucket"}}
    assert missing_permission(head, None) == {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "*"}
    assert missing_permission({"Error": {"Code": "AccessDenied", "Message": "no"}}, None) is None
    assert missing_permission({"Error": {"Code": "Throttling"}}, None) is None


@pytest.mark.parametrize(
    ("signed", "operation", "action"),
    [
        ("ec2", "CreateVpc", "ec2:CreateVpc"),
        ("monitoring", "PutMetricAlarm", "cloudwatch:PutMetricAlarm"),
        ("s3", "HeadBucket", "s3:ListBucket"),
    ],
)
def test_actions_are_named_as_policies_name_them(signed: str, operation: str, action: str) -> None:
    assert action_of(signed, operation) == action


def test_a_denial_without_an_action_still_says_what_to_do() -> None:
    assert "Allow the action of MakeThing" in sdk.explain(aws_error("AccessDenied"))
    said = "not authorized to perform: toy:MakeThing"
    assert '"Action": "toy:MakeThing"' in sdk.explain(aws_error("AccessDenied", message=said))


def test_an_answer_of_aws_is_told_with_the_action_of_its_operation(lab: Lab) -> None:
    clients = sdk.Clients({**CONNECTION, "endpoint_url": lab.url})
    with pytest.raises(ClientError) as caught:
        clients("cloudwatch", "eu-west-1").set_alarm_state(AlarmName="none", StateValue="OK", StateReason="x")
    assert caught.value.response["ResponseMetadata"]["Action"] == "cloudwatch:SetAlarmState"  # type: ignore[typeddict-item]  # our own member


def test_other_errors_say_their_name_and_advice() -> None:
    assert sdk.explain(ValueError("odd")) == "ValueError: odd"
    assert sdk.error_code(ValueError("odd")) == "ValueError" and sdk.request_id(ValueError("odd")) is None
    assert not sdk.matches(ValueError("odd"), ("ValueError",))
    failure = sdk.failure("creating", "Thing[a]", aws_error("Odd"))
    assert (failure.code, failure.request_id, failure.statement) == ("Odd", "r-1", None)
    assert sdk.failure("creating", "Thing[a]", EndpointConnectionError(endpoint_url="x")).statement is None


def answered(status: int, code: str = "", retries: int = 0) -> ClientError:
    about = {"HTTPStatusCode": status, "RetryAttempts": retries}
    return ClientError({"Error": {"Code": code}, "ResponseMetadata": about}, "MakeThing")  # type: ignore[arg-type]  # as AWS answers


def test_errors_after_which_nobody_knows_what_happened() -> None:
    assert sdk.unanswered(ReadTimeoutError(endpoint_url="x")) and sdk.unanswered(answered(503))
    assert (
        not sdk.unanswered(answered(503, "SlowDown"))
        and not sdk.unanswered(answered(400))
        and not sdk.unanswered(ValueError())
    )
    assert (
        sdk.sent_again(answered(400, retries=1))
        and not sdk.sent_again(answered(400))
        and not sdk.sent_again(ValueError())
    )
    stale = CredentialRetrievalError(provider="x", error_msg="y")
    assert sdk.expired(stale) and sdk.expired(answered(400, "ExpiredToken")) and not sdk.expired(answered(400, "Odd"))


def test_what_must_not_be_done_twice_is_not_sent_twice() -> None:
    clients = sdk.Clients(CONNECTION)
    operation = SimpleNamespace(name="MakeThing")
    lost = (SimpleNamespace(status_code=503), {"Error": {"Code": "InternalFailure"}})
    throttled = (SimpleNamespace(status_code=503), {"Error": {"Code": "SlowDown"}})
    clients._fail_fast(response=lost, operation=operation)  # the SDK may try again
    with clients.sent_once(("MakeThing",)):
        clients._fail_fast(response=throttled, operation=operation)
        clients._fail_fast(caught_exception=EndpointConnectionError(endpoint_url="x"), operation=operation)
        clients._fail_fast(caught_exception=ValueError("not lost"), operation=operation)
        with pytest.raises(ClientError):
            clients._fail_fast(response=lost, operation=operation)
        with pytest.raises(ReadTimeoutError):
            clients._fail_fast(caught_exception=ReadTimeoutError(endpoint_url="x"), operation=operation)
    clients._fail_fast(response=lost, operation=operation)


def test_newer_credentials_come_with_new_clients() -> None:
    clients = sdk.Clients(CONNECTION)
    old = clients("sts", "eu-west-1")
    clients.renew()
    assert clients("sts", "eu-west-1") is not old


def test_only_what_a_kind_calls_missing_counts_as_missing() -> None:
    def fail(code: str) -> Any:
        raise aws_error(code)

    assert guarded(Thing, lambda: fail("NoSuchThing")) is None
    assert guarded(Thing, lambda: 1) == 1
    with pytest.raises(ClientError, match="Odd"):
        guarded(Thing, lambda: fail("Odd"))


def test_a_deletion_shows_what_goes_and_an_update_what_differs() -> None:
    one = Thing("a")
    one.have = {"id": "id-a", "colour": "red", "tags": {"a": "1", "b": "2"}}
    gone = difference(Step("delete", one))
    assert gone["before"] == {"id": "id-a"} and gone["after"] == {} and "is deleted" in gone["after_header"]
    shown = difference(Step("update", one, {"tags": {"a": "1", "b": "3"}, "colour": "blue"}))
    assert shown["before"] == {"tags": {"b": "2"}, "colour": "red"} and shown["after"] == {
        "tags": {"b": "3"},
        "colour": "blue",
    }


def test_values_become_what_json_can_carry() -> None:
    assert plain({("a", "b"): {2, 1}, "x": (Unknown("y"), None)}) == {"a b": [1, 2], "x": [str(Unknown("y")), None]}


def work(log: list[str], *pauses: float, name: str = "", error: BaseException | None = None) -> Any:
    for pause in pauses:
        log.append(f"{name} waits")
        yield pause
    if error is not None:
        raise error
    log.append(f"{name} done")


def test_a_run_that_is_stopped_starts_nothing_new_and_lets_go_of_what_sleeps() -> None:
    log: list[str] = []
    reasons = iter([None, None, "enough", "enough"])
    needs = {"long": set(), "quick": set(), "next": {"quick"}}
    pieces = {
        "long": lambda: work(log, 10, 10, 10, name="long"),
        "quick": lambda: work(log, name="quick"),
        "next": lambda: work(log, name="next"),
    }
    finish = walk(needs, lambda node: pieces[node](), FakeClock(), stop=lambda: next(reasons, "enough"))
    assert finish.stopped == "enough"
    assert "long" in finish.deferred or "long" in finish.done
    assert "long done" not in log


def test_what_waits_for_a_deferred_step_is_deferred_and_what_needs_a_failed_one_has_no_hope() -> None:
    log: list[str] = []
    needs = {"slow": set(), "bad": set(), "after slow": {"slow"}, "after bad": {"bad"}, "last": {"after bad"}}
    pieces = {
        "slow": lambda: work(log, error=Deferred("it is creating")),
        "bad": lambda: work(log, error=aws_error("Odd")),
    }
    finish = walk(needs, lambda node: pieces[node](), FakeClock())
    assert finish.deferred == {"slow": "it is creating", "after slow": "waits for what it needs"}
    assert set(finish.failed) == {"bad"} and set(finish.not_started) == {"after bad", "last"}


def test_an_interruption_is_nobody_s_failure() -> None:
    with pytest.raises(KeyboardInterrupt):
        walk({"a": set()}, lambda node: work([], error=KeyboardInterrupt()), FakeClock())


def test_a_stopped_run_ends_at_once_when_nothing_runs() -> None:
    finish = walk({"a": set()}, lambda node: work([]), FakeClock(), stop=lambda: "never mind")
    assert finish.not_started == ["a"] and finish.stopped == "never mind"


def test_the_longest_chain_goes_first_when_there_are_more_nodes_than_workers() -> None:
    log: list[str] = []
    needs = {"alarm": set(), "topic": set(), "network": set(), "database": {"network"}, "replica": {"database"}}
    lasts = {"database": 600.0, "replica": 600.0, "topic": 20.0}
    finish = walk(
        needs,
        lambda node: work(log, name=node),
        FakeClock(),
        workers=1,
        lasts=lambda node: lasts.get(node, 1.0),
    )
    assert log == ["network done", "database done", "replica done", "topic done", "alarm done"]
    assert set(finish.done) == set(needs)


def test_nodes_that_sleep_leave_their_worker_to_others_and_go_on_when_one_is_free() -> None:
    log: list[str] = []
    pieces = {"poll": lambda: work(log, 5, 5, name="poll"), "quick": lambda: work(log, name="quick")}
    finish = walk({"poll": set(), "quick": set()}, lambda node: pieces[node](), FakeClock(), workers=1)
    assert log == ["poll waits", "quick done", "poll waits", "poll done"]
    assert finish.last_pause == {"poll": 5}


def test_how_much_lies_ahead_of_a_node_counts_what_may_be_unknown() -> None:
    assert ahead(
        {"a": set(), "b": {"a", "not of this walk"}, "c": {"a"}}, {"a": 1.0, "b": 5.0, "c": 2.0}.__getitem__
    ) == {
        "a": 6.0,
        "b": 5.0,
        "c": 2.0,
        "not of this walk": 5.0,
    }
