"""A folder becomes objects: what is compared, sent, kept, removed and forgotten, and what is refused."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sync_world import ACCOUNT, BUCKET, DAY, MANIFEST, NEXT, SITE, World

from ansible_collections.webstack.aws.plugins.module_utils.engine.errors import OptionError
from ansible_collections.webstack.aws.plugins.module_utils.operations.errors import OperationError
from ansible_collections.webstack.aws.plugins.module_utils.operations.sync_objects import WHOLE
from ansible_collections.webstack.aws.plugins.module_utils.operations.sync_report import answer_of
from webstack_lab.testing import Lab


@pytest.fixture
def world(lab: Lab, tmp_path: Path) -> World:
    world = World(lab, tmp_path / "site")
    world.fill(SITE)
    return world


def puts(calls: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [call["params"] for call in calls if call["operation"] == "PutObject"]


def names(calls: list[dict[str, Any]]) -> list[str]:
    return [put["Key"].removeprefix("static/") for put in puts(calls) if put["Key"] != MANIFEST]


def test_puts_what_pages_refer_to_before_pages_and_the_manifest_last(world: World) -> None:
    calls = world.calls()
    keys = [put["Key"].removeprefix("static/") for put in puts(calls)]
    assert keys[0] == keys[-1] == MANIFEST
    assert keys[1] == "app.3f2a9c1b.js"
    assert set(keys[2:4]) == {"site.css", "logo.svg"}
    assert set(keys[4:6]) == {"index.html", "about/index.html"}
    assert world.objects() == SITE


def test_sends_type_cache_header_checksum_and_the_owner_it_expects(world: World) -> None:
    calls = world.calls(cache_control={"*.svg": "max-age=5", "site.css": ""}, content_types={"*.svg": "image/x-mine"})
    sent = {put["Key"].removeprefix("static/"): put for put in puts(calls)}
    headers = {name: (put["ContentType"], put.get("CacheControl")) for name, put in sent.items()}
    assert headers["index.html"] == ("text/html; charset=utf-8", "no-cache")
    assert headers["app.3f2a9c1b.js"] == ("text/javascript; charset=utf-8", "public, max-age=31536000, immutable")
    assert headers["logo.svg"] == ("image/x-mine", "max-age=5")
    assert headers["site.css"] == ("text/css; charset=utf-8", None)
    digest = hashlib.sha256(SITE["site.css"].encode()).digest()
    assert sent["site.css"]["ChecksumSHA256"] == base64.b64encode(digest).decode(), "S3 checks what arrives"
    about_objects = [call for call in calls if call["service"] == "s3"]
    assert about_objects and all(call["params"]["ExpectedBucketOwner"] == ACCOUNT for call in about_objects), "trap 126"


def test_a_second_run_makes_one_call(world: World) -> None:
    world.good()
    calls = world.calls()
    assert [call["operation"] for call in calls] == ["GetObject"]
    assert not answer_of(world.good(), None)["changed"]


def test_uploads_only_what_differs_in_content_or_headers(world: World) -> None:
    world.good()
    os.utime(world.folder / "logo.svg", (1, 1))
    (world.folder / "site.css").write_text("body {color: red}")
    assert names(world.calls()) == ["site.css"]
    assert names(world.calls(cache_control={"*.svg": "no-store"})) == ["logo.svg"]
    assert names(world.calls(cache_control={"*.svg": "no-store"})) == []


def test_check_shows_the_same_and_writes_nothing(world: World) -> None:
    world.good()
    world.fill(NEXT)
    before = len(world.lab.calls("write"))
    looked = world.prepared()
    looked.look()
    shown = answer_of(looked, None)
    assert len(world.lab.calls("write")) == before
    assert shown["changed"] and shown["to_upload"] == 2 and shown["uploaded"] == 0
    assert shown["names"] == {"upload": ["app.77d0b1e4.js", "index.html"], "missed": ["app.3f2a9c1b.js"]}
    assert "app.3f2a9c1b.js: " in shown["diff"]["after"] and "removed after the time of grace" in shown["diff"]["after"]
    done = answer_of(world.good(), None)
    assert (done["names"], done["uploaded"]) == (shown["names"], 2)


def test_removes_what_has_vanished_after_a_time_of_grace(world: World) -> None:
    world.good()
    world.fill(NEXT)
    run = world.good()
    assert run.changed and "app.3f2a9c1b.js" in world.objects(), "pages that are cached need it"
    world.clock.ahead += DAY - 60
    assert not world.good().changed
    world.clock.ahead += 120
    calls = world.calls()
    deleted = [call["params"]["Delete"]["Objects"] for call in calls if call["operation"] == "DeleteObjects"]
    assert deleted == [[{"Key": "static/app.3f2a9c1b.js"}]]
    assert world.objects() == NEXT
    assert not world.good().changed


def test_what_comes_back_in_time_is_not_uploaded_again(world: World) -> None:
    world.good()
    world.fill({name: text for name, text in SITE.items() if name != "logo.svg"})
    world.good()
    world.fill(SITE)
    run = world.good()
    assert run.changed and run.done["uploaded"] == 0
    world.clock.ahead += 2 * DAY
    assert world.good().done["removed"] == 0


def test_removes_nothing_where_it_is_told_so(world: World) -> None:
    world.good()
    world.fill(NEXT)
    world.good(remove=False)
    world.clock.ahead += 9 * DAY
    assert not world.good(remove=False).changed


def test_never_touches_what_others_have_put(world: World) -> None:
    world.client.put_object(Bucket=BUCKET, Key="static/theirs.txt", Body=b"theirs")
    assert world.good().plan.unmanaged == 1
    world.fill({})
    world.good(allow_empty=True, grace=0)
    assert world.objects() == {"theirs.txt": "theirs"}


def test_does_not_remove_what_somebody_has_replaced_meanwhile(world: World) -> None:
    world.good()
    world.fill({name: text for name, text in SITE.items() if name != "logo.svg"})
    world.good()
    world.client.put_object(Bucket=BUCKET, Key="static/logo.svg", Body=b"theirs")
    world.clock.ahead += 2 * DAY
    world.good()
    assert world.objects()["logo.svg"] == "theirs"
    assert "logo.svg" not in world.manifest().entries


@pytest.mark.parametrize("harm", ["delete", "replace"])
def test_mends_what_was_done_behind_its_back_once_the_manifest_is_old(world: World, harm: str) -> None:
    world.good()
    if harm == "delete":
        world.client.delete_object(Bucket=BUCKET, Key="static/site.css")
    else:
        world.client.put_object(Bucket=BUCKET, Key="static/site.css", Body=b"body {!}")
    assert not world.good().changed, "a young manifest is believed"
    world.clock.ahead += 3700
    assert names(world.calls()) == ["site.css"]
    assert world.objects() == SITE
    world.client.delete_object(Bucket=BUCKET, Key="static/site.css")
    assert names(world.calls(verify_after=0)) == ["site.css"]


def test_takes_over_a_bucket_that_was_filled_by_other_means(world: World) -> None:
    world.distribution()
    world.client.put_object(Bucket=BUCKET, Key="static/site.css", Body=b"old")
    world.good()
    assert world.objects() == SITE
    assert world.invalidated() == [["/static/site.css"]], "of new files no cache has an old form"


def test_puts_large_files_in_parts(world: World) -> None:
    (world.folder / "film.mp4").write_bytes(b"0123456789abcdef" * (WHOLE // 8))
    world.good()
    assert len(world.body("static/film.mp4")) == 2 * WHOLE
    assert not world.good(verify_after=0).changed


def test_lists_in_parts_side_by_side(world: World) -> None:
    world.fill({f"n{number:02}.txt": "x" for number in range(35)})
    world.good()
    for extra in ("a", "n045", "z"):
        world.client.put_object(Bucket=BUCKET, Key=f"static/{extra}.txt", Body=b"theirs")
    run = world.prepared()
    run.look()
    objects = run._objects
    objects.page = 10
    before = len(world.lab.calls())
    found = objects.listed(list(run.manifest.entries))
    assert sorted(found) == sorted(world.objects())
    asked = world.lab.calls()[before:][:-39]
    assert {call["params"].get("StartAfter") for call in asked} >= {
        f"static/n{number}.txt" for number in ("09", "19", "29")
    }


REFUSALS: dict[str, tuple[Callable[[World], Any], dict[str, Any], str]] = {
    "a folder that is missing": (lambda world: None, {"source": "/nowhere"}, "source: '/nowhere'"),
    "an empty folder": (lambda world: world.fill({}), {}, "set allow_empty"),
    "all excluded": (lambda world: None, {"exclude": ["*"]}, "holds no files"),
    "a link": (lambda world: (world.folder / "a").symlink_to("site.css"), {}, "symbolic link"),
    "a link to nowhere": (lambda world: (world.folder / "a").symlink_to("b"), {"symlinks": "follow"}, "leads nowhere"),
    "a circle": (lambda world: (world.folder / "a").symlink_to("."), {"symlinks": "follow"}, "a folder that it is in"),
    "a pipe": (lambda world: os.mkfifo(world.folder / "a"), {}, "neither a file nor a folder"),
    "a name in another code": (
        lambda world: Path(os.fsdecode(bytes(world.folder) + b"/\xff")).touch(),
        {},
        "not UTF-8",
    ),
    "a long name": (
        lambda world: (
            [(world.folder / ("d" * 200) / ("e" * 200) / ("f" * 200) / ("g" * 200)).mkdir(parents=True)]
            and (world.folder / ("d" * 200) / ("e" * 200) / ("f" * 200) / ("g" * 200) / "h").touch()
        ),
        {},
        "1024 bytes",
    ),
    "our own folder": (lambda world: world.fill({".webstack/a": ""}), {}, "Rename it"),
    "a header that is none": (lambda world: None, {"cache_control": {"*": "a\nb"}}, "cache_control.*"),
    "no header at all": (lambda world: None, {"cache_control": {"*": None}}, "HTTP header"),
    "a prefix of ours": (lambda world: None, {"prefix": ".webstack"}, "prefix"),
    "too many at a time": (lambda world: None, {"concurrency": 99}, "at most 32"),
    "a bad bucket": (lambda world: None, {"bucket": "No"}, "bucket: 'No'"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_refuses_before_any_call(world: World, case: str) -> None:
    prepare, options, text = REFUSALS[case]
    prepare(world)
    before = len(world.lab.calls("write"))
    with pytest.raises(OptionError) as error:
        world.sync(**options)
    assert text in str(error.value)
    assert len(world.lab.calls("write")) == before


def test_links_are_followed_or_skipped(world: World) -> None:
    (world.folder / "copy.css").symlink_to("site.css")
    world.good(symlinks="skip")
    assert "copy.css" not in world.objects()
    world.good(symlinks="follow")
    assert world.objects()["copy.css"] == SITE["site.css"]


def test_a_file_that_changes_under_way_is_not_uploaded(world: World) -> None:
    run = world.prepared()
    run.look()
    (world.folder / "site.css").write_text("body {later}")
    outcome = run.carry_out()
    assert "was changed while" in str(outcome.failed)
    assert "site.css" not in world.objects() and "index.html" not in world.objects(), "no page without its style sheet"
    assert "the next run goes on" in answer_of(run, outcome)["msg"]
    world.good()
    assert world.objects() == {**SITE, "site.css": "body {later}"}


def test_refuses_the_place_of_the_assets_tier(world: World) -> None:
    world.client.put_object(Bucket=BUCKET, Key="static/.webstack-manifest.json", Body=b"{}")
    with pytest.raises(OptionError, match="assets tier keeps files"):
        world.sync()


def test_says_what_to_do_without_a_bucket(world: World) -> None:
    with pytest.raises(OperationError, match="Run the assets tier first"):
        world.sync(bucket="shop-nowhere")


def test_a_bucket_of_the_name_must_be_the_stacks(world: World) -> None:
    world.client.delete_bucket_tagging(Bucket=BUCKET)
    with pytest.raises(OperationError, match="does not carry the tag"):
        world.sync()
    assert world.objects() == {}
    world.good(bucket=BUCKET)
    assert world.objects() == SITE


def test_refuses_an_object_in_the_place_of_the_manifest(world: World) -> None:
    world.client.put_object(Bucket=BUCKET, Key=MANIFEST, Body=b"hello")
    with pytest.raises(OperationError, match="is none that this version reads"):
        world.sync()
