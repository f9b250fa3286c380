"""CloudFront forgets what was replaced or removed, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from sync_world import BUCKET, DAY, NEXT, SITE, World

from ansible_collections.webstack.aws.plugins.module_utils.operations.errors import OperationError
from ansible_collections.webstack.aws.plugins.module_utils.operations.sync_invalidation import Target, folded
from webstack_lab.services.passing import Pace
from webstack_lab.testing import Lab


@pytest.fixture
def world(lab: Lab, tmp_path: Path) -> World:
    world = World(lab, tmp_path / "site")
    world.fill(SITE)
    return world


def test_a_first_run_asks_for_nothing(world: World) -> None:
    world.distribution()
    world.good()
    assert world.invalidated() == []
    assert world.lab.calls(service="cloudfront", kind="read") == []


def test_asks_for_what_was_replaced_and_for_the_folder_of_an_index_page(world: World) -> None:
    distribution = world.distribution()
    world.good()
    world.fill(NEXT)
    run = world.good()
    assert world.invalidated() == [["/static/", "/static/index.html"]]
    assert run.invalidation["distribution_id"] == distribution
    world.clock.ahead += 2 * DAY
    world.good()
    assert len(world.invalidated()) == 1, "a removed name that was made from its content needs none"


def test_asks_for_what_is_removed_when_it_is_removed(world: World) -> None:
    world.distribution()
    world.good()
    world.fill({name: text for name, text in SITE.items() if name != "logo.svg"})
    world.good()
    assert world.invalidated() == []
    world.clock.ahead += 2 * DAY
    world.good()
    assert world.invalidated() == [["/static/logo.svg"]]


def test_what_somebody_has_deleted_may_still_be_cached(world: World) -> None:
    world.distribution()
    world.good()
    world.client.delete_object(Bucket=BUCKET, Key="static/site.css")
    (world.folder / "site.css").write_text("new")
    world.good()
    assert world.invalidated() == [["/static/site.css"]]


def test_every_run_has_a_reference_of_its_own(world: World) -> None:
    world.distribution()
    world.good()
    for text in ("a", "b", "a", "b"):
        (world.folder / "site.css").write_text(text)
        world.good()
    calls = world.lab.calls(operation="CreateInvalidation")
    references = {call["params"]["InvalidationBatch"]["CallerReference"] for call in calls}
    assert len(references) == 4, "a reference used twice returns the old invalidation (trap 150)"


def test_takes_the_origins_path_off(world: World) -> None:
    world.distribution("/static")
    world.good()
    (world.folder / "site.css").write_text("new")
    world.good()
    assert world.invalidated() == [["/site.css"]]


def test_what_could_not_be_asked_for_is_asked_for_by_the_next_run(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Pace, "scale", 1.0)
    distribution = world.distribution()
    client = world.lab.client("cloudfront")
    paths = {"Quantity": 3000, "Items": [f"/{number}" for number in range(3000)]}
    world.good()
    client.create_invalidation(DistributionId=distribution, InvalidationBatch={"Paths": paths, "CallerReference": "x"})
    (world.folder / "site.css").write_text("new")
    _run, outcome = world.sync()
    assert outcome is not None and "TooManyInvalidationsInProgress" in str(outcome.failed)
    assert world.objects()["site.css"] == "new"
    assert world.manifest().due == {"site.css"}
    monkeypatch.setattr(Pace, "scale", 0.0)
    world.good()
    assert world.invalidated()[-1] == ["/static/site.css"]
    assert world.manifest().due == set()


def test_says_when_no_distribution_serves_the_bucket(world: World) -> None:
    world.good()
    (world.folder / "site.css").write_text("new")
    assert "No distribution" in world.good().findings[0]
    assert not world.good().changed


def test_an_id_must_be_of_a_distribution_that_serves_the_bucket(world: World) -> None:
    world.good()
    (world.folder / "site.css").write_text("new")
    _run, outcome = world.sync(distribution_id="E0")
    assert outcome is not None and isinstance(outcome.failed, OperationError)
    assert "distribution_id: E0" in str(outcome.failed)


def test_waits_until_all_edges_have_forgotten(world: World) -> None:
    world.distribution()
    world.good()
    (world.folder / "site.css").write_text("new")
    world.good(wait=True)
    assert world.lab.calls(operation="GetInvalidation")


def test_encodes_what_has_to_be_encoded() -> None:
    target = Target("E0", "")
    keys = ["a b.css", "ä.css", "x+y(1).css", "50%.css", "q?.css"]
    assert target.paths(keys) == {"/a%20b.css", "/%C3%A4.css", "/x+y(1).css", "/50%25.css", "/q%3F.css"}


@pytest.mark.parametrize(
    ("paths", "limit", "expected"),
    [
        (["/a", "/b"], 2, ["/a", "/b"]),
        (["/a", "/i/1", "/i/2", "/i/3"], 2, ["/a", "/i/*"]),
        (["/i/1", "/i/2", "/j/1", "/j/2", "/k"], 3, ["/i/*", "/j/*", "/k"]),
        (["/s/a", "/s/b/c", "/s/d/e"], 2, ["/s/*"]),
        ([f"/s/{number}/{name}" for number in range(30) for name in "ab"], 20, ["/s/*"]),
        (["/a", "/b", "/c"], 1, ["/*"]),
    ],
)
def test_many_paths_become_few(paths: list[str], limit: int, expected: list[str]) -> None:
    assert folded(paths, limit) == expected


def test_folding_covers_everything() -> None:
    paths = {f"/s/{number % 7}/{number % 50}/{number}" for number in range(5000)}
    found = folded(paths, 300)
    assert len(found) <= 300
    assert all(any(path == one or (one[-1] == "*" and path.startswith(one[:-1])) for one in found) for path in paths)
