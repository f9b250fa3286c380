"""The synchronisation as a user runs it: playbooks/sync_assets.yml on the lab's inventory, with the buckets of the assets tier."""

from __future__ import annotations

from pathlib import Path

from stack import ACCOUNT, Stack

from playbooks import Playbooks, extra
from webstack_lab.testing import Lab

REGIONS = ("us-east-1", "eu-west-1")
TASK = "Upload what has changed"


def test_a_folder_comes_into_the_bucket_of_every_region(lab: Lab, tmp_path: Path) -> None:
    for region in REGIONS:
        Stack(lab, region=region).converge("assets")
    site = tmp_path / "dist"
    site.mkdir()
    (site / "index.html").write_text("<h1>one</h1>")
    (site / "app.3f2a9c1b.js").write_text("run()")
    playbooks = Playbooks(lab.url, tmp_path)
    chosen = extra(assets_sync_source=str(site))

    lab.clear_calls()
    planned = playbooks.play("playbooks/sync_assets.yml", "--check", "--diff", *chosen)
    assert planned.code == 0, planned.output
    assert planned.changed == 2 and lab.calls("write") == []
    assert "index.html" in planned.results(TASK)["us-east-1"]["diff"]["after"]

    done = playbooks.play("playbooks/sync_assets.yml", *chosen)
    assert done.code == 0, done.output
    for region in REGIONS:
        result = done.results(TASK)[region]
        assert (result["uploaded"], result["calls"]) == (2, {"read": 4, "write": 4})
        body = lab.client("s3", region).get_object(
            Bucket=f"demo-assets-{ACCOUNT}-{region}", Key="static/app/index.html"
        )
        assert body["Body"].read() == b"<h1>one</h1>" and body["CacheControl"] == "no-cache"

    lab.clear_calls()
    quiet = playbooks.play("playbooks/sync_assets.yml", *chosen)
    assert quiet.code == 0 and quiet.changed == 0, quiet.output
    assert sorted(call["operation"] for call in lab.calls()) == ["GetObject"] * 2

    (site / "index.html").unlink()
    (site / "app.3f2a9c1b.js").unlink()
    refused = playbooks.play("playbooks/sync_assets.yml", *chosen)
    assert refused.code != 0
    assert all("set allow_empty" in text for text in refused.failures.values()) and len(refused.failures) == 2
