"""A folder, a bucket of the stack and a clock of our own, for tests of the synchronisation."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

from direct import DirectClients, Watch

from ansible_collections.webstack.aws.plugins.module_utils.engine.schedule import Clock
from ansible_collections.webstack.aws.plugins.module_utils.operations.sync import Sync
from ansible_collections.webstack.aws.plugins.module_utils.operations.sync_manifest import Manifest, decoded
from ansible_collections.webstack.aws.plugins.module_utils.operations.sync_objects import Uploaded
from ansible_collections.webstack.aws.plugins.module_utils.operations.sync_options import SYNC_ARGUMENTS, wish_of
from webstack_lab.app import LabApp
from webstack_lab.testing import Lab

REGION, ACCOUNT, STACK = "us-east-1", "123456789012", "demo"
BUCKET = f"{STACK}-assets-{ACCOUNT}-{REGION}"
MANIFEST = ".webstack/sync/static/manifest.json.gz"
DAY = 86400
SITE = {
    "index.html": "<link href=site.css><script src=app.3f2a9c1b.js></script>",
    "about/index.html": "<link href=/site.css>",
    "site.css": "body {}",
    "app.3f2a9c1b.js": "run()",
    "logo.svg": "<svg/>",
}
NEXT = {**SITE, "index.html": "<link href=site.css><script src=app.77d0b1e4.js></script>", "app.77d0b1e4.js": "run(2)"}
del NEXT["app.3f2a9c1b.js"]


class Later(Clock):
    """A clock that can be put forward; waiting puts it forward."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def now(self) -> float:
        return super().now() + self.ahead

    def wall(self) -> float:
        return super().wall() + self.ahead

    def sleep(self, seconds: float) -> None:
        self.ahead += seconds


@cache
def clients_of(app: LabApp) -> DirectClients:
    """One set of clients: to make them is most of what a run would cost."""
    return DirectClients(app)


class World:
    """One folder and one bucket; ``sync`` is a run as the module makes it."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.lab = lab
        self.folder = folder
        self.clock = Later()
        self.client = lab.client("s3")
        self.client.create_bucket(Bucket=BUCKET)
        tags = [{"Key": "webstack:stack", "Value": STACK}]
        self.client.put_bucket_tagging(Bucket=BUCKET, Tagging={"TagSet": tags})
        folder.mkdir()

    def fill(self, files: dict[str, str]) -> None:
        """Let the folder hold these files and no others."""
        for path in sorted(self.folder.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
        for name, text in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")

    def prepared(self, watch: Watch | None = None, **options: Any) -> Sync:
        """A run that has not looked yet."""
        clients = clients_of(self.lab.app)
        clients.watch = watch
        defaults = {key: facts.get("default") for key, facts in SYNC_ARGUMENTS.items()}
        given = {"stack": STACK, "source": str(self.folder), "prefix": "static", **options}
        wish = wish_of({**defaults, **given}, REGION, ACCOUNT, "aws")
        return Sync(clients, wish, self.clock)

    def sync(self, watch: Watch | None = None, **options: Any) -> tuple[Sync, Uploaded | None]:
        """One whole run; no outcome where there was nothing to do."""
        run = self.prepared(watch, **options)
        run.look()
        return run, run.carry_out() if run.changed else None

    def good(self, **options: Any) -> Sync:
        """A run that succeeds."""
        run, outcome = self.sync(**options)
        assert outcome is None or outcome.complete, outcome
        return run

    def calls(self, **options: Any) -> list[dict[str, Any]]:
        """The calls of a run that succeeds."""
        before = len(self.lab.calls())
        self.good(**options)
        return self.lab.calls()[before:]

    def objects(self) -> dict[str, str]:
        """Name → content of every object below the prefix."""
        found = self.client.list_objects_v2(Bucket=BUCKET, Prefix="static/").get("Contents", [])
        return {one["Key"].removeprefix("static/"): self.body(one["Key"]).decode() for one in found}

    def body(self, key: str) -> bytes:
        body: bytes = self.client.get_object(Bucket=BUCKET, Key=key)["Body"].read()
        return body

    def manifest(self) -> Manifest:
        return decoded(self.body(MANIFEST))

    def broken(self) -> list[str]:
        """Pages that are there without what they refer to."""
        objects = self.objects()
        wanted = {
            (page, name)
            for page, text in objects.items()
            if page.endswith(".html")
            for name in re.findall(r"(?:href|src)=/?([\w.]+)", text)
        }
        return [f"{page} lacks {name}" for page, name in sorted(wanted) if name not in objects]

    def distribution(self, origin_path: str = "") -> str:
        """A distribution as the cdn tier makes it: its id."""
        origin = {"Id": "assets", "DomainName": f"{BUCKET}.s3.{REGION}.amazonaws.com", "OriginPath": origin_path}
        behavior = {"TargetOriginId": "assets", "ViewerProtocolPolicy": "https-only", "CachePolicyId": "x"}
        config = {
            "CallerReference": "a",
            "Comment": f"{STACK} by webstack.aws: the site",
            "Enabled": True,
            "Origins": {"Quantity": 1, "Items": [{**origin, "S3OriginConfig": {"OriginAccessIdentity": ""}}]},
            "DefaultCacheBehavior": behavior,
        }
        answer = self.lab.client("cloudfront").create_distribution(DistributionConfig=config)
        return str(answer["Distribution"]["Id"])

    def invalidated(self) -> list[list[str]]:
        """The paths of every invalidation so far."""
        calls = self.lab.calls(operation="CreateInvalidation")
        return [call["params"]["InvalidationBatch"]["Paths"]["Items"] for call in calls]
