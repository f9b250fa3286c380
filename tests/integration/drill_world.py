"""A stack with users, drills on it in processes of their own, and how to know that nothing of a drill is left."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from data_plane import DataPlane
from stack import clients_of

from ansible_collections.webstack.aws.plugins.module_utils.operations.journal import Story, read
from ansible_collections.webstack.aws.plugins.module_utils.operations.lock import StackLock, claim
from playbooks import ROOT, Playbooks, extra
from webstack_lab.state import ask

REGION = "us-east-1"
ZONE, *OTHERS = ZONES = ["us-east-1a", "us-east-1b", "us-east-1c"]
PORT = 8000
TIERS: dict[str, dict[str, Any]] = {
    "network": {
        "cidr_block": "10.20.0.0/16",
        "availability_zones": ZONES,
        "nat_gateways": "none",
        "flow_log_destination": "none",
    },
    "lb": {
        "availability_zones": ZONES,
        "http_port": PORT,
        "access_logs": False,
        "nlb": False,
        "health_check": {"path": "/health", "interval": 5, "timeout": 2, "healthy_threshold": 2},
    },
    "compute_asg": {
        "availability_zones": ZONES,
        "min_size": 3,
        "desired_capacity": 3,
        "max_size": 6,
        "health_check_type": "EC2",
        "user_data": "#!/bin/sh\nWEBSTACK_RELEASE=A\n",
    },
}
MODULE = """
import json, sys
from ansible.module_utils import basic
basic._ANSIBLE_ARGS = json.dumps({"ANSIBLE_MODULE_ARGS": json.loads(sys.argv[1])}).encode()
basic._ANSIBLE_PROFILE = "legacy"
from ansible_collections.webstack.aws.plugins.modules.az_isolation import main
main()
"""


def until(holds: Callable[[], Any], seconds: float, what: str = "") -> Any:
    deadline = time.monotonic() + seconds
    while not (found := holds()):
        assert time.monotonic() < deadline, f"it took too long: {what}"
        time.sleep(0.01)
    return found


class RemoteLab:
    """What ``Stack`` wants of a lab, for one in another process."""

    def __init__(self, plane: DataPlane) -> None:
        self.plane = plane
        self.url = plane.url

    def calls(self, *_: str) -> list[Any]:
        return self.plane.calls()

    def clear_calls(self) -> None:
        ask(self.url, "calls", "DELETE")


@dataclass
class World:
    """The stack, and drills on it."""

    plane: DataPlane
    subnets: dict[str, str] = field(
        default_factory=dict
    )  # subnet → its network ACL, of the zone's app and data subnets
    processes: list[subprocess.Popen[str]] = field(default_factory=list)
    former: set[Path] = field(default_factory=set)  # folders of the runs before this test

    def __post_init__(self) -> None:
        self.former = set((self.plane.runs / "demo").glob("*"))
        self.ec2 = clients_of(self.plane.url)("ec2", REGION)
        names = [f"demo-{kind}-{ZONE}" for kind in ("app", "data")]
        found = self.ec2.describe_subnets(Filters=[{"Name": "tag:webstack:name", "Values": names}])["Subnets"]
        self.subnets = {one["SubnetId"]: "" for one in found}
        self.subnets = dict(sorted(self.acls().items()))
        assert len(self.subnets) == 2

    def acls(self) -> dict[str, str]:
        found = self.ec2.describe_network_acls()["NetworkAcls"]
        return {
            one["SubnetId"]: one["NetworkAclId"]
            for acl in found
            for one in acl["Associations"]
            if one["SubnetId"] in self.subnets
        }

    def drills_acls(self) -> list[str]:
        filters = [{"Name": "tag-key", "Values": ["webstack:run"]}]
        return [one["NetworkAclId"] for one in self.ec2.describe_network_acls(Filters=filters)["NetworkAcls"]]

    def options(self, url: str, **more: Any) -> dict[str, Any]:
        return {
            "stack": "demo",
            "region": REGION,
            "endpoint_url": url,
            "access_key": "lab",
            "secret_key": "lab",
            "environment": "lab",
            "availability_zone": ZONE,
            "subnet_kinds": ["app", "data"],
            "expect": {"failed_ratio": 1, "undo": 60, "rto_redundancy": 60},
            "nameservers": [(self.plane.folder / "nameserver").read_text().strip()],
            "baseline": 0.5,
            "stable": 1,
            "hold": 60,
            "timeout": 120,
            "abort_after": 60,
            "runs_dir": str(self.plane.runs),
            **more,
        }

    def module(self, url: str, **more: Any) -> subprocess.Popen[str]:
        """The module's process alone, as Ansible starts it."""
        return self._started(
            [sys.executable, "-c", MODULE, json.dumps(self.options(url, **more))],
            {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path), "HOME": str(self.plane.runs.parent)},
        )

    def playbook(self, url: str, **more: Any) -> subprocess.Popen[str]:
        """The real thing."""
        options = self.options(url, **more)
        names = ("availability_zone", "subnet_kinds", "hold", "nameservers", "baseline", "stable", "timeout")
        variables = {f"drill_{name}": options[name] for name in names}
        variables |= {"drill_abort_after": 60, "drill_ca_path": "", "drill_az_isolation_expect": options["expect"]}
        playbooks = Playbooks(url, self.plane.runs.parent)
        process = playbooks.start(
            "playbooks/drill_az_isolation.yml",
            *("--limit", REGION),
            *extra(**variables),
            WEBSTACK_LAB_DIR=str(self.plane.folder),
        )
        self.processes.append(process)
        return process

    def _started(self, command: list[str], environment: dict[str, str]) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.processes.append(process)
        return process

    @property
    def folder(self) -> Path:
        found = set((self.plane.runs / "demo").glob("*")) - self.former
        if len(found) != 1:
            raise FileNotFoundError(f"{len(found)} runs have begun in this test")
        return found.pop()

    @property
    def story(self) -> Story:
        return read(self.folder / "journal.jsonl")

    def replacements(self) -> list[tuple[float, str]]:
        """When a subnet was given which network ACL, dry runs left out."""
        calls = self.plane.calls(kind="write", operation="ReplaceNetworkAclAssociation")
        return [(call["time"], call["params"]["NetworkAclId"]) for call in calls if call["status"] == 200]

    def zones_that_answer(self, requests: int = 12) -> set[str]:
        """Who serves through the load balancer, by new connections. One that is not answered soon counts for no zone."""
        [row] = ask(self.plane.url, "plane")["balancers"]
        found = set()
        for number in range(requests):
            address = row["addresses"][number % len(row["addresses"])]
            connection = http.client.HTTPConnection(address, row["listening"], timeout=1)
            with contextlib.closing(connection), contextlib.suppress(OSError):
                connection.request("GET", "/")
                answer = connection.getresponse()
                answer.read()
                if answer.status == 200:
                    found.add(answer.headers["X-Availability-Zone"])
        return found

    def lock_owner(self) -> Any:
        lock = StackLock(clients_of(self.plane.url), "demo", REGION, claim("look-20250101T000000-0000", "look"))
        return lock.current()
