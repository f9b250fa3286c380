"""The work on one resource when answers are lost, AWS is troubled, or changes come in several calls. On toys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError
from toys import Cloud, Slow, Thing, aws_error, converger, ours

from ansible_collections.webstack.aws.plugins.module_utils.engine.errors import ResourceError
from ansible_collections.webstack.aws.plugins.module_utils.engine.resource import OWNER_TAG


@dataclass(eq=False)
class Lossy(Thing):
    """A thing whose calls are carried out, and whose answers may be lost all the same."""

    def _lose(self, client: Cloud, verb: str) -> None:
        if client.errors.get(f"lost {verb}"):
            raise client.errors[f"lost {verb}"].pop(0)

    def create(self, client: Cloud, want: dict[str, Any]) -> None:
        super().create(client, want)
        self._lose(client, "create")

    def update(self, client: Cloud, change: dict[str, Any]) -> None:
        super().update(client, change)
        self._lose(client, "update")

    def delete(self, client: Cloud) -> None:
        super().delete(client)
        self._lose(client, "delete")


@dataclass(eq=False)
class Steps(Slow):
    """A thing that takes one attribute a call, and is at work after it."""

    stepwise = True

    def update(self, client: Cloud, change: dict[str, Any]) -> None:
        first = sorted(change)[0]
        super().update(client, {first: change[first]})
        client.lifecycle[self.name] = ["modifying", "available"]


KINDS = (Lossy, Steps, Slow)
LOST = ReadTimeoutError(endpoint_url="https://toy.example")


def answered(code: str, status: int = 400, retries: int = 0) -> ClientError:
    about: Any = {"HTTPStatusCode": status, "RetryAttempts": retries}
    return ClientError({"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": about}, "MakeThing")


def run(cloud: Cloud, *things: Thing, **settings: Any) -> Any:
    one = converger(cloud, *things, kinds=KINDS, **settings)
    one.plan(preview=False)
    report = one.apply()
    for error in report.failed:
        raise error
    return one, report


def stripped(cloud: Cloud) -> list[str]:
    return [entry for entry in cloud.log if not entry.startswith("list")]


def test_a_creation_whose_answer_is_lost_is_not_made_again() -> None:
    cloud = Cloud(errors={"lost create": [LOST]}, invisible={"a": 2})
    _run, report = run(cloud, Lossy("a"))
    assert stripped(cloud) == ["create a"] and report.changed


def test_a_creation_that_was_lost_on_its_way_is_made_again_after_a_while() -> None:
    cloud = Cloud(errors={"create a": [LOST]})
    one, _report = run(cloud, Lossy("a"))
    assert stripped(cloud) == ["create a", "create a"]
    assert one.clock.now() >= 10, "what was made may take that long to be seen"


def test_what_somebody_else_made_meanwhile_is_not_taken_for_ours() -> None:
    cloud = Cloud(errors={"create a": [LOST, aws_error("AlreadyExists")]})
    theirs = {"kind": "Lossy", "name": "a", "tags": {OWNER_TAG: "other", "webstack:name": "a"}}

    class Rival(Lossy):
        def create(self, client: Cloud, want: dict[str, Any]) -> None:
            client.things["a"] = theirs
            Thing.create(self, client, want)

    Rival.__name__ = "Lossy"
    one = converger(cloud, Rival("a"), kinds=(Rival,))
    one.plan(preview=False)
    [error] = one.apply().failed
    assert "AlreadyExists" in str(error)


def test_an_update_whose_answer_is_lost_is_read_again_and_one_that_was_not_made_is_sent_again() -> None:
    cloud = Cloud({"a": ours("Lossy", "a", colour="red")}, errors={"lost update": [LOST]})
    run(cloud, Lossy("a", colour="blue"))
    assert stripped(cloud) == ["update a"]
    cloud.log.clear()
    cloud.errors["update a"] = [answered("InternalFailure", 500)]
    run(cloud, Lossy("a", colour="green"))
    assert stripped(cloud) == ["update a", "update a"]


def test_a_complaint_after_the_sdk_sent_twice_may_be_about_our_own_first_attempt() -> None:
    cloud = Cloud(errors={"lost create": [answered("AlreadyExists", retries=1)]})
    run(cloud, Lossy("a"))
    assert stripped(cloud) == ["create a"]


def test_throttling_and_expired_credentials_pass() -> None:
    cloud = Cloud(errors={"create a": [answered("ThrottlingException"), answered("ExpiredToken")]})
    run(cloud, Lossy("a"))
    assert stripped(cloud) == ["create a"] * 3 and cloud.renewed == 1


def test_trouble_while_looking_passes_and_lasting_trouble_is_told() -> None:
    cloud = Cloud(errors={"list Lossy": []})
    one = converger(cloud, Lossy("a"), kinds=KINDS)
    one.plan(preview=False)
    cloud.errors["list Lossy"] = [answered("InternalFailure", 500)]
    assert one.apply().failed == []
    cloud = Cloud()
    one = converger(cloud, Lossy("b"), kinds=KINDS)
    one.plan(preview=False)
    cloud.errors["list Lossy"] = [answered("InternalFailure", 500) for _number in range(99)]
    [error] = one.apply().failed
    assert "InternalFailure" in str(error) and one.clock.now() > 300


def test_a_deletion_whose_answer_is_lost_is_done_when_nothing_is_left() -> None:
    cloud = Cloud({"a": ours("Lossy", "a")}, errors={"lost delete": [LOST]})
    one = converger(cloud, Lossy("a"), kinds=KINDS)
    one.plan_removal()
    report = one.remove()
    assert (report.failed, report.changed, stripped(cloud), cloud.things) == ([], True, ["delete a"], {})


def test_a_thing_that_takes_several_changes_gets_them_one_after_another() -> None:
    have = ours("Steps", "a", colour="red", other="x", state="available")
    cloud = Cloud({"a": have})
    one = Steps("a", colour="blue", password="new-password")
    run(cloud, one)
    assert stripped(cloud) == ["update a", "update a"]
    assert (cloud.things["a"]["colour"], cloud.things["a"]["password"]) == ("blue", "new-password")


def test_without_waiting_only_the_first_of_several_changes_is_made() -> None:
    cloud = Cloud({"a": ours("Steps", "a", colour="red", state="available")})
    _run, report = run(cloud, Steps("a", colour="blue", password="new-password"), wait=False)
    assert stripped(cloud) == ["update a"] and report.pending == ["Steps[a]"]


def test_a_change_that_aws_is_too_busy_for_is_asked_for_again_or_left_to_the_next_run() -> None:
    have = ours("Steps", "a", colour="red", state="available")
    cloud = Cloud({"a": dict(have)}, errors={"update a": [aws_error("InUse")]})
    run(cloud, Steps("a", colour="blue"))
    assert stripped(cloud) == ["update a", "update a"]
    cloud = Cloud({"a": dict(have)}, errors={"update a": [aws_error("InUse")]})
    _run, report = run(cloud, Steps("a", colour="blue"), wait=False)
    assert stripped(cloud) == ["update a"] and report.pending == ["Steps[a]"]


@dataclass(eq=False)
class Drifting(Slow):
    """A thing that is read as wished while it is in the making, and as it is from then on."""

    def read(self, client: Cloud, item: Any) -> dict[str, Any]:
        have = super().read(client, item)
        wished = {key: value for key, value in self.want().items() if value is not None}
        return have if have["state"] == "available" else {**have, **wished}


def test_what_shows_only_when_it_is_ready_is_mended_then() -> None:
    states = {"a": ["creating", "creating", "available"]}
    cloud = Cloud({"a": ours("Drifting", "a", state="creating")}, lifecycle=states)
    one = converger(cloud, Drifting("a", colour="red"), kinds=[Drifting])
    assert one.plan(preview=False) == []
    assert [resource.name for resource in one.unfinished] == ["a"]
    report = one.apply()
    assert stripped(cloud) == ["update a"] and [action["verb"] for action in report.actions] == ["update"]


@pytest.mark.parametrize(
    ("wish", "reason"), [({"colour": "ultraviolet"}, "ultraviolet cannot be seen"), ({"size": 2}, "Make another one")]
)
def test_what_shows_only_when_it_is_ready_may_be_refused(wish: dict[str, Any], reason: str) -> None:
    states = {"a": ["creating", "creating", "available"]}
    cloud = Cloud({"a": ours("Drifting", "a", state="creating", size=1)}, lifecycle=states)
    one = converger(cloud, Drifting("a", **wish), kinds=[Drifting])
    assert one.plan(preview=False) == []
    with pytest.raises(ResourceError, match=reason):
        raise one.apply().failed[0]


@dataclass(eq=False)
class Loose(Thing):
    """A thing without tags, of which nobody can say whose it is."""

    tagged = False


def test_what_cannot_be_told_to_be_ours_is_never_a_stray() -> None:
    cloud = Cloud({"theirs": {"kind": "Loose", "name": "theirs"}})
    assert converger(cloud, kinds=[Loose]).plan(preview=False) == []


def test_two_needs_of_one_thing_are_looked_at_once() -> None:
    """trap 21: the error passes only while something that it needs is new, at however many removes."""
    cloud = Cloud({"old": ours("Lossy", "old")}, errors={"create b": [aws_error("NotYet")]})
    old = Lossy("old")
    left, right = Lossy("left", [old]), Lossy("right", [old])
    cloud.things |= {"left": ours("Lossy", "left"), "right": ours("Lossy", "right")}
    with pytest.raises(ResourceError, match="NotYet"):
        run(cloud, Lossy("b", [left, right]))
