"""Compares the synchronisation of many small files with `aws s3 sync`, on a lab of its own.

assets_sync.py [--files 10000] [--size 20480] [--repeat 5] [--aws PATH] [--delay-ms 0] [--json FILE]

Both do the same work in turns, in the same order, into prefixes of one bucket: a first run, then runs with nothing to do. Ours is measured
twice: as a module's process is (everything from the start of Python to the answer), and as the whole playbook. The CLI is no dependency
of the collection: `python -m venv /tmp/cli && /tmp/cli/bin/pip install awscli`, then `--aws /tmp/cli/bin/aws`.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import boto3
from botocore.config import Config

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
REGION, ACCOUNT, STACK = "us-east-1", "123456789012", "demo"
BUCKET = f"{STACK}-assets-{ACCOUNT}-{REGION}"
SETTINGS = "[default]\ns3 =\n  max_concurrent_requests = 20\n  max_queue_size = 10000\n"
PROGRAM = """
import json, sys
from ansible.module_utils import basic
basic._ANSIBLE_ARGS = json.dumps({"ANSIBLE_MODULE_ARGS": json.loads(sys.argv[1])}).encode()
basic._ANSIBLE_PROFILE = "legacy"
from ansible_collections.webstack.aws.plugins.modules.assets_sync import main
main()
"""


class Bench:
    """A lab, a bucket and a folder of files."""

    def __init__(self, folder: Path, files: int, size: int, aws: str) -> None:
        self.folder, self.site, self.aws = folder, folder / "site", aws
        self.state = folder / "lab"
        self._lab("start", "--port", "0")
        self.url = (self.state / "url").read_text(encoding="utf-8").strip()
        (folder / "config").write_text(SETTINGS, encoding="utf-8")
        self.environment = {
            **{
                key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "ANSIBLE_", "WEBSTACK_"))
            },
            "AWS_ACCESS_KEY_ID": "lab",
            "AWS_SECRET_ACCESS_KEY": "lab",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_CONFIG_FILE": str(folder / "config"),
            "AWS_EC2_METADATA_DISABLED": "true",
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "WEBSTACK_ENDPOINT_URL": self.url,
        }
        self.client = boto3.client(
            "s3",
            region_name=REGION,
            endpoint_url=self.url,
            aws_access_key_id="lab",
            aws_secret_access_key="lab",
            config=Config(retries={"mode": "standard"}),
        )
        self.client.create_bucket(Bucket=BUCKET)
        tags = [{"Key": "webstack:stack", "Value": STACK}]
        self.client.put_bucket_tagging(Bucket=BUCKET, Tagging={"TagSet": tags})
        fill(self.site, files, size)

    def close(self) -> None:
        self._lab("stop")

    def cli(self, prefix: str) -> Callable[[], None]:
        """A run of the CLI."""
        target = f"s3://{BUCKET}/{prefix}"
        command = [self.aws, "--endpoint-url", self.url, "s3", "sync", str(self.site), target, "--only-show-errors"]
        return lambda: self._run(command)

    def module(self, prefix: str, **options: Any) -> Callable[[], None]:
        """A run of the module as its own process."""
        arguments = {
            "stack": STACK,
            "region": REGION,
            "endpoint_url": self.url,
            "expected_account_id": ACCOUNT,
            "source": str(self.site),
            "prefix": prefix,
            "invalidate": False,
            **options,
        }
        return lambda: self._run([sys.executable, "-c", PROGRAM, json.dumps(arguments)])

    def playbook(self, prefix: str) -> Callable[[], None]:
        """A run of the playbook in one region."""
        chosen = {"assets_sync_source": str(self.site), "assets_sync_prefix": prefix, "assets_sync_invalidate": False}
        command = [str(BIN / "ansible-playbook"), str(ROOT / "playbooks" / "sync_assets.yml")]
        inventory = ["-i", str(ROOT / "inventories" / "lab"), "--limit", REGION, "-e", json.dumps(chosen)]
        return lambda: self._run([*command, *inventory])

    def empty(self) -> None:
        """Delete every object, so that all first runs find a bucket of the same size."""
        for page in self.client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET):
            if keys := [{"Key": item["Key"]} for item in page.get("Contents", ())]:
                self.client.delete_objects(Bucket=BUCKET, Delete={"Objects": keys, "Quiet": True})

    def delay(self, milliseconds: int) -> None:
        """Let every call take so long at least."""
        if milliseconds:
            profile = self.folder / "delay.json"
            rules = [{"fault": "slow", "seconds": milliseconds / 1000}]
            profile.write_text(json.dumps({"seed": 1, "rules": rules}), encoding="utf-8")
            self._lab("faults", str(profile))

    def _run(self, command: list[str]) -> None:
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False, cwd=ROOT)
        if done.returncode:
            raise SystemExit(f"{command[0]} ended with {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")

    def _lab(self, *arguments: str) -> None:
        subprocess.run([str(BIN / "lab"), *arguments, "--state-dir", str(self.state)], check=True, capture_output=True)


def fill(site: Path, files: int, size: int) -> None:
    """Files of random content, 500 a folder, of the kinds that a site has."""
    draw = random.Random(1)
    for number in range(files):
        path = site / f"d{number // 500:02}" / f"f{number:05}.{('html', 'js', 'css', 'png', 'json')[number % 5]}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(draw.randbytes(size))


def seconds(work: Callable[[], None]) -> float:
    """How long something takes."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def measure(
    files: int = 10_000, size: int = 20_480, repeat: int = 5, aws: str | None = None, delay_ms: int = 0
) -> dict[str, Any]:
    """Medians in seconds and their ratios to those of the CLI; what is measured takes turns, so that noise meets all alike."""
    program = aws or shutil.which("aws")
    if not program:
        raise SystemExit("There is no aws command. Install awscli into an environment of its own, and give --aws")
    times: dict[str, list[float]] = {}

    def note(name: str, work: Callable[[], None]) -> None:
        times.setdefault(name, []).append(round(seconds(work), 3))

    with TemporaryDirectory(prefix="bench-assets-") as folder:
        bench = Bench(Path(folder), files, size, program)
        try:
            bench.delay(delay_ms)
            for number in range(repeat):
                note("cli_first", bench.cli("cli"))
                if number == 0:
                    for _ in range(repeat):
                        note("cli_quiet", bench.cli("cli"))
                bench.empty()
                note("module_first", bench.module("ours"))
                if number == 0:
                    for _ in range(repeat):
                        note("module_quiet", bench.module("ours"))
                        note("module_quiet_listed", bench.module("ours", verify_after=0))
                        note("playbook_quiet", bench.playbook("ours"))
                bench.empty()
        finally:
            bench.close()
    medians = {name: round(statistics.median(found), 3) for name, found in times.items()}
    ratios = {
        name: round(value / medians["cli_first" if name.endswith("first") else "cli_quiet"], 3)
        for name, value in medians.items()
        if not name.startswith("cli")
    }
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
    shape = {"files": files, "size": size, "repeat": repeat, "delay_ms": delay_ms}
    return {**shape, "seconds": times, "medians": medians, "ratios": ratios, "largest_process_mb": memory}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--size", type=int, default=20_480, help="bytes of a file")
    parser.add_argument("--repeat", type=int, default=int(os.environ.get("REPEAT", "5")))
    parser.add_argument("--aws", help="the aws program of the CLI; by default that of the PATH")
    parser.add_argument("--delay-ms", type=int, default=0, help="milliseconds that every call takes longer")
    parser.add_argument("--json", type=Path, help="where the result goes, besides the output")
    options = parser.parse_args()
    found = measure(options.files, options.size, options.repeat, options.aws, options.delay_ms)
    text = json.dumps(found, indent=1)
    if options.json:
        options.json.write_text(text + "\n", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
