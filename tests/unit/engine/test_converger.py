"""The engine's promises, on toys."""

from __future__ import annotations

import threading
from datetime import datetime, timezone
from typing import Any

import pytest
from toys import Cloud, FakeClock, Part, Reader, Slow, Thing, aws_error, converger, ours

from ansible_collections.webstack.aws.plugins.module_utils.engine.errors import (
    OptionError,
    Refused,
    ResourceError,
    TooEarly,
)
from ansible_collections.webstack.aws.plugins.module_utils.engine.report import plain
from ansible_collections.webstack.aws.plugins.module_utils.engine.resource import Unknown, changed_tags
from ansible_collections.webstack.aws.plugins.module_utils.engine.schedule import Clock


def plan(cloud: Cloud, *things: Thing, preview: bool = False, **more: Any) -> list[tuple[str, str, set[str]]]:
    steps = converger(cloud, *things, **more).plan(preview=preview)
    return [(step.verb, step.resource.address, set(step.change) - {"tags"}) for step in steps]


def build(cloud: Cloud, *things: Thing, **more: Any) -> Any:
    run = converger(cloud, *things, **more)
    run.plan(preview=False)
    return run.apply()


def test_makes_what_is_missing_after_what_it_needs() -> None:
    cloud = Cloud()
    first = Thing("first")
    second = Thing("second", [first])
    report = build(cloud, Thing("third", [second]), second)
    assert cloud.writes == ["create first", "create second", "create third"]
    assert [(action["address"], action["verb"], action["ok"]) for action in report.actions] == [
        ("Thing[first]", "create", True),
        ("Thing[second]", "create", True),
        ("Thing[third]", "create", True),
    ]
    assert all(action["requests"] == 2 and action["region"] == "eu-west-1" for action in report.actions)


def test_a_second_run_writes_nothing() -> None:
    cloud = Cloud()
    build(cloud, Thing("one", colour="red"))
    cloud.log.clear()
    assert build(cloud, Thing("one", colour="red")).actions == []
    assert cloud.log == ["list Thing", "list Slow", "list Reader"]


def test_a_preview_on_an_empty_account_writes_nothing_and_shows_unknown_values() -> None:
    cloud = Cloud()
    one = Thing("one")
    run = converger(cloud, Thing("two", wanted_id_of=one))
    assert [step.resource.name for step in run.plan(preview=True)] == ["one", "two"]
    assert cloud.writes == []
    assert run.diff()[1]["after"]["other"] == "(known after apply)"


def test_shows_exactly_what_differs() -> None:
    cloud = Cloud({"one": ours("Thing", "one", colour="blue", size=3)})
    run = converger(cloud, Thing("one", colour="red", size=3))
    run.plan(preview=True)
    (entry,) = run.diff()
    assert (entry["before"], entry["after"]) == ({"colour": "blue"}, {"colour": "red"})


def test_shows_only_the_tags_that_differ() -> None:
    cloud = Cloud({"one": ours("Thing", "one")})
    run = converger(cloud, Thing("one", tags={"team": "web"}))
    run.plan(preview=True)
    (entry,) = run.diff()
    assert (entry["before"], entry["after"]) == ({"tags": {}}, {"tags": {"team": "web"}})


def test_never_shows_a_secret() -> None:
    cloud = Cloud({"one": ours("Thing", "one", password="canary-old")})
    run = converger(cloud, Thing("one", password="canary-new"))
    run.plan(preview=True)
    assert "canary" not in str(run.diff())
    assert run.diff()[0]["before"] != run.diff()[0]["after"]


def test_a_wish_of_none_leaves_alone() -> None:
    cloud = Cloud({"one": ours("Thing", "one", colour="blue")})
    assert plan(cloud, Thing("one")) == []


def test_collects_every_refusal_before_the_first_write() -> None:
    cloud = Cloud({"one": ours("Thing", "one", size=1), "two": ours("Thing", "two", size=1)})
    things = [Thing("one", size=2), Thing("two", size=3), Thing("new", colour="ultraviolet"), Thing("fine")]
    with pytest.raises(Refused) as refused:
        converger(cloud, *things).plan(preview=False)
    assert [reason.address for reason in refused.value.reasons] == ["Thing[one]", "Thing[two]", "Thing[new]"]
    assert "cannot change size in place (it is 1, wanted 2). Make another one." in str(refused.value)
    assert "ultraviolet" in str(refused.value)
    assert cloud.writes == []


def test_refuses_to_touch_what_is_not_ours() -> None:
    cloud = Cloud({"one": {"kind": "Thing", "name": "one", "tags": {"webstack:stack": "other"}, "colour": "blue"}})
    with pytest.raises(Refused, match="not ours to change"):
        converger(cloud, Thing("one", colour="red")).plan(preview=False)


def test_removal_leaves_alone_what_is_not_ours() -> None:
    cloud = Cloud({"one": {"kind": "Thing", "name": "one", "tags": {}}})
    assert converger(cloud, Thing("one")).plan_removal() == []


def test_a_missing_reference_is_refused_with_what_to_do_and_assumed_in_a_preview() -> None:
    cloud = Cloud()
    user = Thing("user", [Thing("theirs", owned=False, hint="Run the other tier first")])
    with pytest.raises(
        Refused, match=r"finding Thing\[theirs\]: it does not exist in eu-west-1. Run the other tier first"
    ):
        converger(cloud, user).plan(preview=False)
    run = converger(cloud, user)
    run.plan(preview=True)
    assert run.assumed == ["Thing[theirs]"]


def test_a_reference_is_found_by_name_or_id_and_never_changed() -> None:
    cloud = Cloud({"theirs": {"kind": "Thing", "name": "theirs", "tags": {}}})
    user = Thing("user", wanted_id_of=Thing("id-theirs", owned=False, colour="red"))
    build(cloud, user)
    assert cloud.writes == ["create user"]
    assert cloud.things["user"]["other"] == "id-theirs"


def test_a_reference_to_what_the_same_graph_owns_becomes_that_resource() -> None:
    cloud = Cloud()
    user = Thing("user", wanted_id_of=Thing("base", owned=False))
    build(cloud, user, Thing("base"))
    assert cloud.writes == ["create base", "create user"]
    assert cloud.things["user"]["other"] == "id-base"


def test_deletes_what_nobody_wishes_for_any_more_and_nothing_else() -> None:
    cloud = Cloud(
        {
            "kept": ours("Thing", "kept"),
            "old": ours("Thing", "old"),
            "other tier": ours("Thing", "other tier", tier="else"),
            "foreign": {"kind": "Thing", "name": "foreign", "tags": {}},
        }
    )
    build(cloud, Thing("kept"), Thing("new"))
    assert cloud.writes == ["create new", "delete old"]


def test_orphans_go_in_the_reverse_order_of_their_kinds() -> None:
    cloud = Cloud({"a": ours("Thing", "a"), "b": ours("Slow", "b", state="available"), "c": ours("Reader", "c")})
    build(cloud)
    assert cloud.writes == ["delete c", "delete b", "delete a"]


def test_children_without_tags_are_purged_where_the_kind_says_so() -> None:
    cloud = Cloud({"old": {"kind": "Part", "name": "old"}, "kept": {"kind": "Part", "name": "kept"}})
    build(cloud, Part("kept"), kinds=[Part])
    assert cloud.writes == ["delete old"]


def test_two_things_of_the_same_identity_are_reported_not_guessed() -> None:
    cloud = Cloud({"one": ours("Thing", "one"), "copy": {**ours("Thing", "one")}})
    with pytest.raises(Refused, match="two of them exist"):
        converger(cloud, Thing("one")).plan(preview=False)


def test_two_wishes_of_one_name_are_refused() -> None:
    with pytest.raises(ResourceError, match="two resources of one kind have the same name"):
        converger(Cloud(), Thing("one"), Thing("one"))


def test_a_circle_is_named() -> None:
    one, two = Thing("one"), Thing("two")
    one.needs, two.needs = [two], [one]
    with pytest.raises(ResourceError, match=r"Thing\[one\] → Thing\[two\] → Thing\[one\]"):
        converger(Cloud(), one)


def test_keeps_the_users_tags_when_told_not_to_purge() -> None:
    item = ours("Thing", "one")
    item["tags"].update({"theirs": "yes", "aws:created": "x"})
    cloud = Cloud({"one": item})
    assert plan(cloud, Thing("one"), purge_tags=False) == []
    assert converger(cloud, Thing("one")).plan(preview=True)[0].change["tags"].keys() == {
        "Name",
        "webstack:stack",
        "webstack:tier",
        "webstack:name",
    }


def test_independent_work_runs_at_the_same_time() -> None:
    meeting = threading.Barrier(2, timeout=5)

    class Meets(Thing):
        def create(self, client: Cloud, want: dict[str, Any]) -> None:
            meeting.wait()
            super().create(client, want)

    build(Cloud(), Meets("one"), Meets("two"), kinds=[Meets])


def test_a_failure_stops_what_depends_on_it_and_the_report_says_what_was_done() -> None:
    cloud = Cloud(errors={"create bad": [aws_error("Broken")]})
    bad = Thing("bad")
    report = build(cloud, bad, Thing("after", [bad]), Thing("last", [Thing("after2", [bad])]), Thing("good"))
    assert [str(error) for error in report.failed] == ["creating Thing[bad]: MakeThing answered Broken: no"]
    assert report.failed[0].as_result() == {
        "address": "Thing[bad]",
        "verb": "creating",
        "cause": "MakeThing answered Broken: no",
        "code": "Broken",
        "request_id": "r-1",
    }
    assert report.not_started == ["Thing[after]", "Thing[after2]", "Thing[last]"] or set(report.not_started) >= {
        "Thing[after]",
        "Thing[last]",
    }
    assert [action["address"] for action in report.actions if action["ok"]] == ["Thing[good]"]


def test_no_orphan_is_deleted_after_a_failure() -> None:
    cloud = Cloud({"old": ours("Thing", "old")}, errors={"create bad": [aws_error("Broken")]})
    report = build(cloud, Thing("bad"))
    assert "old" in cloud.things
    assert "Thing[old]" in report.not_started


def test_a_listed_error_is_repeated_only_while_a_dependency_is_new() -> None:
    cloud = Cloud(errors={"create two": [aws_error("NotYet"), aws_error("Vague", message="it is not visible")]})
    build(cloud, Thing("two", [Thing("one")]))
    assert cloud.writes == ["create one", "create two", "create two", "create two"]
    cloud = Cloud({"one": ours("Thing", "one")}, errors={"create two": [aws_error("NotYet")]})
    report = build(cloud, Thing("two", [Thing("one")]))
    assert [error.code for error in report.failed] == ["NotYet"]


def test_a_young_dependency_of_an_interrupted_run_counts_as_new() -> None:
    clock = FakeClock()
    clock.time = 1000.0
    made = datetime.fromtimestamp(900, tz=timezone.utc)
    cloud = Cloud({"one": ours("Thing", "one", created_at=made)}, errors={"create two": [aws_error("NotYet")]})
    assert build(cloud, Thing("two", [Thing("one")]), clock=clock).failed == []


def test_an_error_that_is_not_listed_is_not_repeated() -> None:
    cloud = Cloud(errors={"create two": [aws_error("Vague", message="something else")]})
    assert [error.code for error in build(cloud, Thing("two", [Thing("one")])).failed] == ["Vague"]
    assert cloud.writes.count("create two") == 1


def test_a_propagation_that_never_ends_is_an_error_at_its_deadline() -> None:
    clock = FakeClock()
    cloud = Cloud(errors={"create two": [aws_error("NotYet") for _time in range(100)]})
    report = build(cloud, Thing("two", [Thing("one")]), clock=clock)
    assert report.failed[0].code == "NotYet"
    assert 120 < clock.time < 140


def test_what_was_just_made_may_appear_late() -> None:
    cloud = Cloud(invisible={"one": 3})
    assert build(cloud, Thing("one")).failed == []
    assert cloud.writes == ["create one"]


def test_what_never_appears_is_an_error_and_not_made_twice() -> None:
    cloud = Cloud(invisible={"one": 10_000})
    report = build(cloud, Thing("one"))
    assert "does not show it" in str(report.failed[0])
    assert cloud.writes == ["create one"]


def test_waits_until_ready() -> None:
    clock = FakeClock()
    cloud = Cloud(lifecycle={"one": ["creating", "creating", "available"]})
    report = build(cloud, Slow("one"), clock=clock)
    assert report.failed == [] and report.pending == []
    assert [action["verb"] for action in report.actions] == ["create", "wait"]
    assert clock.time > 0


def test_waits_for_what_a_former_run_started() -> None:
    cloud = Cloud(
        {"one": ours("Slow", "one", state="creating")}, lifecycle={"one": ["creating", "creating", "available"]}
    )
    report = build(cloud, Slow("one"))
    assert [action["verb"] for action in report.actions] == ["wait"]


def test_a_terminal_state_fails_at_once_with_the_reason() -> None:
    cloud = Cloud(lifecycle={"one": ["creating", "failed"]})
    things = Slow("one")
    run = converger(cloud, things)
    run.plan(preview=False)
    cloud.things = {}
    report = run.apply()
    assert str(report.failed[0]) == "waiting for Slow[one]: it ended in state failed"


def test_a_state_that_never_ends_is_an_error_at_the_types_own_timeout_or_the_users() -> None:
    for settings, limit in (({}, 100), ({"wait_timeout": 30}, 30)):
        clock = FakeClock()
        cloud = Cloud(lifecycle={"one": ["creating"] * 1000})
        report = build(cloud, Slow("one"), clock=clock, **settings)
        assert "it is still creating" in str(report.failed[0])
        assert limit <= clock.time < limit + 20


def test_what_vanishes_while_waited_for_is_an_error() -> None:
    class Vanishing(Slow):
        def read(self, client: Cloud, item: Any) -> dict[str, Any]:
            have = super().read(client, item)
            client.things.pop(self.name)
            return have

    cloud = Cloud(lifecycle={"one": ["creating"]})
    report = build(cloud, Vanishing("one"), kinds=[Vanishing])
    assert "vanished" in str(report.failed[0])


def test_without_waiting_what_is_on_its_way_is_pending_and_so_is_what_needs_it_ready() -> None:
    cloud = Cloud(lifecycle={"source": ["creating"] * 9})
    source = Slow("source")
    report = build(cloud, Reader("replica", [source]), Thing("beside", [source]), wait=False)
    assert report.pending == ["Reader[replica]", "Slow[source]"]
    assert cloud.writes == ["create source", "create beside"]


def test_without_waiting_what_comes_too_early_is_pending_and_with_waiting_an_error() -> None:
    class Early(Thing):
        def create(self, client: Cloud, want: dict[str, Any]) -> None:
            raise TooEarly("creating", self.address, "nobody listens yet")

    assert build(Cloud(), Early("one"), kinds=[Early], wait=False).pending == ["Early[one]"]
    assert [error.cause for error in build(Cloud(), Early("one"), kinds=[Early]).failed] == ["nobody listens yet"]


def test_with_waiting_what_needs_it_ready_comes_later() -> None:
    cloud = Cloud(lifecycle={"source": ["creating", "creating", "available"]})
    report = build(cloud, Reader("replica", [Slow("source")]))
    assert report.failed == [] and report.pending == []
    assert cloud.writes == ["create source", "create replica"]
    assert cloud.log.index("create replica") > len(cloud.log) - 3


def test_the_action_log_tells_when_each_step_began_how_it_waited_and_what_it_needed() -> None:
    clock = FakeClock()
    cloud = Cloud(lifecycle={"source": ["creating", "creating", "available"]})
    source = Slow("source")
    report = build(cloud, Reader("replica", [source]), Thing("beside", [source]), clock=clock)
    log = {(action["verb"], action["address"]): action for action in report.actions}
    made, waited, beside, replica = (
        log["create", "Slow[source]"],
        log["wait", "Slow[source]"],
        log["create", "Thing[beside]"],
        log["create", "Reader[replica]"],
    )
    assert (made["needs"], beside["needs"]) == ({}, {"Slow[source] (eu-west-1)": "made"})
    assert replica["needs"] == {"Slow[source] (eu-west-1)": "ready"}
    assert 0 < waited["last_pause"] < waited["seconds"] and replica["last_pause"] == 0
    assert replica["started"] == waited["started"] + waited["seconds"] > made["started"]


def test_waits_for_a_reference_that_is_on_its_way() -> None:
    item = {"kind": "Slow", "name": "theirs", "tags": {}, "state": "creating"}
    cloud = Cloud({"theirs": item}, lifecycle={"theirs": ["creating", "creating", "available"]})
    assert build(cloud, Reader("mine", [Slow("theirs", owned=False)])).failed == []
    assert cloud.things["theirs"]["state"] == "available"


def test_a_change_waits_until_the_thing_can_be_changed() -> None:
    cloud = Cloud(
        {"one": ours("Slow", "one", colour="blue", state="modifying")},
        lifecycle={"one": ["modifying", "modifying", "available"]},
    )
    build(cloud, Slow("one", colour="red"))
    assert cloud.log[-3:] == ["list Slow", "update one", "list Slow"]
    assert cloud.things["one"]["colour"] == "red"


def test_what_create_cannot_set_is_changed_right_after() -> None:
    class TwoCalls(Thing):
        def create(self, client: Cloud, want: dict[str, Any]) -> None:
            super().create(client, {"tags": want["tags"]})

    cloud = Cloud()
    build(cloud, TwoCalls("one", colour="red"), kinds=[TwoCalls])
    assert cloud.writes == ["create one", "update one"]
    assert cloud.things["one"]["colour"] == "red"


def test_deletes_users_first_and_waits_until_each_is_gone() -> None:
    cloud = Cloud({"base": ours("Thing", "base"), "user": ours("Thing", "user")})
    run = converger(cloud, Thing("user", [Thing("base", tier="toys")]))
    run.graph.resources[0].tier = "toys"
    run.plan_removal()
    run.remove()
    assert cloud.log[3:] == ["delete user", "list Thing", "delete base", "list Thing"]
    assert cloud.things == {}


def test_removing_twice_does_nothing_the_second_time() -> None:
    run = converger(Cloud(), Thing("one"))
    assert run.plan_removal() == []
    assert run.remove().actions == []


def test_removal_repeats_what_is_still_in_use_and_accepts_what_is_gone() -> None:
    cloud = Cloud({"one": ours("Thing", "one")}, errors={"delete one": [aws_error("InUse"), aws_error("InUse")]})
    run = converger(cloud, Thing("one"))
    run.plan_removal()
    assert run.remove().failed == []
    assert cloud.writes == ["delete one"] * 3
    cloud = Cloud({"one": ours("Thing", "one")}, errors={"delete one": [aws_error("NoSuchThing")]})
    run = converger(cloud, Thing("one"))
    run.plan_removal()
    assert run.remove().failed == []


def test_removal_of_what_stays_in_use_is_an_error_at_its_deadline() -> None:
    cloud = Cloud({"one": ours("Thing", "one")}, errors={"delete one": [aws_error("InUse") for _time in range(1000)]})
    clock = FakeClock()
    run = converger(cloud, Thing("one"), clock=clock)
    run.plan_removal()
    assert [error.code for error in run.remove().failed] == ["InUse"]
    assert 600 <= clock.time < 630


def test_removal_that_never_ends_is_an_error_at_its_deadline() -> None:
    cloud = Cloud({"one": ours("Slow", "one", state="available")}, lifecycle={"gone one": ["never"]})
    run = converger(cloud, Slow("one"))
    run.plan_removal()
    assert "still there, in state deleting" in str(run.remove().failed[0])


def test_protection_is_respected_until_lifted() -> None:
    cloud = Cloud({"one": ours("Thing", "one", protected=True, colour="gold")})
    with pytest.raises(Refused, match=r"deletion protection is on. Set lift_deletion_protection=true"):
        converger(cloud, Thing("one")).plan_removal()
    assert cloud.writes == []
    run = converger(cloud, Thing("one"), lift_deletion_protection=True)
    run.plan_removal()
    report = run.remove()
    assert cloud.writes == ["unprotect one", "delete one"]
    assert report.left == ["Thing[one]: a snapshot, which costs money"]


def test_credentials_that_fail_are_one_error_not_one_a_kind() -> None:
    cloud = Cloud(
        errors={f"list {kind}": [aws_error("AuthFailure", "ListThings")] for kind in ("Thing", "Slow", "Reader")}
    )
    with pytest.raises(Refused) as refused:
        converger(cloud, Thing("one"), Slow("two")).plan(preview=True)
    assert len(refused.value.reasons) == 1
    assert "AWS does not know these credentials" in str(refused.value)


def test_access_denied_is_never_taken_for_absent() -> None:
    cloud = Cloud(errors={"list Thing": [aws_error("AccessDenied", "ListThings")]})
    with pytest.raises(Refused, match="Allow the action of ListThings"):
        converger(cloud, Thing("one")).plan(preview=True)


def test_a_defect_of_ours_is_not_hidden() -> None:
    class Broken(Thing):
        def create(self, client: Cloud, want: dict[str, Any]) -> None:
            raise KeyError("defect")

        def read(self, client: Cloud, item: Any) -> dict[str, Any]:
            raise KeyError("defect")

    with pytest.raises(KeyError, match="defect"):
        build(Cloud(), Broken("one"), kinds=[Broken])
    with pytest.raises(KeyError, match="defect"):
        build(Cloud({"one": ours("Broken", "one")}), Broken("one"), kinds=[Broken])


def test_an_option_error_names_option_value_and_what_is_allowed() -> None:
    error = OptionError("cidr_block", "x", "Give a network.")
    assert str(error) == "cidr_block: 'x' cannot be used. Give a network."
    assert str(error.of("network")) == "network.cidr_block: 'x' cannot be used. Give a network."


def test_an_unknown_equals_only_itself() -> None:
    one, two = Unknown("Thing[one].id"), Unknown("Thing[two].id")
    assert one != two and one == Unknown("Thing[one].id") and one != "(known after apply)"
    assert len({one, two}) == 2
    assert f"{one}" == "(known after apply)"


def test_aws_tags_are_never_removed() -> None:
    assert changed_tags({"aws:x": "1", "old": "1", "same": "1"}, {"same": "1", "new": "2"}) == ({"new": "2"}, ["old"])


def test_answers_are_plain() -> None:
    when = datetime(2026, 1, 2, tzinfo=timezone.utc)
    value = {("a", 1): {Unknown("x")}, "t": (when, {2, 1})}
    assert plain(value) == {"a 1": ["(known after apply)"], "t": [when.isoformat(), [1, 2]]}


def test_the_real_clock_moves_forward() -> None:
    clock = Clock()
    before = clock.now()
    clock.sleep(0.01)
    assert clock.now() > before and clock.wall() > 1_600_000_000
