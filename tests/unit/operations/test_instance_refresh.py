"""Deployments by instance refresh: what is sent, what is refused, and what becomes of the group when something goes wrong."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from compute_world import OPTIONS, World, converge
from fault_server import FaultServers
from stack import Stack, clients_of, quiet

from ansible_collections.webstack.aws.plugins.module_utils.engine.errors import OptionError
from ansible_collections.webstack.aws.plugins.module_utils.operations import (
    keeper,
    launch_versions,
    refresh_checks,
    refreshes,
)
from ansible_collections.webstack.aws.plugins.module_utils.operations.journal import read
from ansible_collections.webstack.aws.plugins.module_utils.operations.recovery import recover
from ansible_collections.webstack.aws.plugins.module_utils.operations.refresh_options import Preferences
from ansible_collections.webstack.aws.plugins.module_utils.operations.release_history import release_before
from webstack_lab.extend import stores
from webstack_lab.services.autoscaling_instances import BOOT
from webstack_lab.services.passing import Pace

pytestmark = pytest.mark.measured  # it counts seconds and requests, so nothing else may run beside it

HERE = Path(__file__).parent
REGION, GROUP = "us-east-1", "demo-web"
WRITES = ("CreateLaunchTemplateVersion", "StartInstanceRefresh", "RollbackInstanceRefresh", "ModifyLaunchTemplate")
QUICK = {"baseline": 0.6, "stable": 0.5, "timeout": 20, "environment": "lab"}
COMPUTE = {**OPTIONS, "release": "A"}


@dataclass
class Deployments:
    """The compute tier of a stack with release A, users in front of it, and deployments to it in processes of their own."""

    world: World
    runs_dir: Path
    port: int = 0
    processes: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def lab(self) -> Any:
        return self.world.stack.lab

    def options(self, **changes: Any) -> dict[str, Any]:
        probe = {"name": "shop", "kind": "http", "url": f"http://127.0.0.1:{self.port}/", "rate": 20.0, "timeout": 1.0}
        return {
            "url": self.lab.url,
            "runs_dir": str(self.runs_dir),
            "release": "B",
            "expect": {"failed_requests": 0, "longest_outage": 0},
            "probes": [probe],
            **QUICK,
            **changes,
        }

    def begin(self, **changes: Any) -> subprocess.Popen[str]:
        self.lab.clear_calls()
        command = [sys.executable, str(HERE / "refresh_run.py"), json.dumps(self.options(**changes))]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
        self.processes.append(process)
        return process

    def deploy(self, **changes: Any) -> dict[str, Any]:
        """A deployment from begin to end; its answer."""
        output, _ = self.begin(**changes).communicate(timeout=60)
        return dict(json.loads(output.splitlines()[-1]))

    def die(self, at: str, **changes: Any) -> None:
        """A deployment that is killed at a moment, as nothing can be caught."""
        process = self.begin(die_at=at, **changes)
        assert process.stdout
        assert any(line.strip() == "dying" for line in process.stdout), "it ended before"
        os.kill(process.pid, signal.SIGKILL)
        process.wait()

    def sent(self, operation: str) -> list[dict[str, Any]]:
        return [call["params"] for call in self.lab.calls("write", operation=operation)]

    @property
    def order(self) -> list[str]:
        """The writes of the deployment proper, in order."""
        return [call["operation"] for call in self.lab.calls("write") if call["operation"] in WRITES]

    @property
    def releases(self) -> set[str | None]:
        return set(launch_versions.instance_releases(self.clients, REGION, self.world.group()).values())

    @property
    def clients(self) -> Any:
        return clients_of(self.lab.url)

    @property
    def refresh(self) -> dict[str, Any]:
        return refreshes.refreshes(self.clients, REGION, GROUP)[0]

    @property
    def folder(self) -> Path:
        return max((self.runs_dir / "demo").iterdir(), key=lambda path: path.stat().st_mtime_ns)

    def slow_down(self, seconds: float) -> None:
        """Let each instance take so many seconds, and wait until those that are there count as healthy at that pace."""
        Pace.scale = seconds / BOOT
        group = self.world.group()
        until(lambda: refresh_checks.all_healthy(refresh_checks.target_health(self.clients, REGION, group)).ok, 20)

    def version(self) -> tuple[str, int]:
        """What the group names, and its template's default."""
        pointer = launch_versions.pointer_of(self.clients, REGION, GROUP)
        return pointer.version, launch_versions.default_version(self.clients, REGION, pointer.template_id)

    def quiet(self) -> None:
        """A converge finds nothing to do."""
        quiet(self.world.stack, "compute_asg", COMPUTE)


def until(holds: Callable[[], Any], limit: float) -> float:
    begin = time.monotonic()
    while not holds():
        assert time.monotonic() - begin < limit, "it took too long"
        time.sleep(0.02)
    return time.monotonic() - begin


@pytest.fixture
def servers() -> Iterator[FaultServers]:
    with FaultServers([[]]) as servers:
        servers.go()
        yield servers


@pytest.fixture
def deployments(
    stack: Stack, tmp_path: Path, servers: FaultServers, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Deployments]:
    monkeypatch.setattr(Pace, "scale", 0.0)
    world = World(stack).build()
    converge(world, release="A")
    deployments = Deployments(world, tmp_path / "runs", servers.ports[0])
    deployments.slow_down(0.25)
    yield deployments
    for process in deployments.processes:
        process.kill()
        process.communicate()
    for folder in (tmp_path / "runs").glob("demo/*"):
        until(lambda folder=folder: not keeper.alive(folder), 20)


def test_a_release_is_brought_by_a_numbered_version_and_a_converge_finds_nothing_to_do(
    deployments: Deployments,
) -> None:
    found = deployments.deploy(
        image_id=None, instance_warmup=1, bake_time=0, checkpoint_percentages=[34, 100], checkpoint_delay=1
    )
    assert found["verdict"] == "pass", found["findings"]
    # The group is never touched by us: a rollback goes to what it names (trap 72).
    assert deployments.order == ["CreateLaunchTemplateVersion", "StartInstanceRefresh", "ModifyLaunchTemplate"]
    [version] = deployments.sent("CreateLaunchTemplateVersion")
    assert version["SourceVersion"] == "1" and version["ClientToken"]  # traps 53, 54
    before = deployments.world.version("1")["LaunchTemplateData"]
    assert version["LaunchTemplateData"]["UserData"] == before["UserData"]
    [start] = deployments.sent("StartInstanceRefresh")
    assert start["DesiredConfiguration"]["LaunchTemplate"]["Version"] == "2"
    assert start["Preferences"] == {
        "MinHealthyPercentage": 100,
        "MaxHealthyPercentage": 110,
        "SkipMatching": True,
        "AutoRollback": True,
        "InstanceWarmup": 1,
        "CheckpointPercentages": [34, 100],
        "CheckpointDelay": 1,
        "BakeTime": 0,
    }
    assert deployments.version() == ("2", 2)
    assert deployments.releases == {"B"}
    report = json.loads(Path(found["report_json"]).read_text())
    assert report["kind"] == "deploy" and report["waves"] and report["undone"] == []
    assert {row["name"]: row["measured"] for row in report["expectations"]} == {
        "failed_requests": 0,
        "longest_outage": 0,
    }
    deployments.quiet()
    assert release_before(deployments.clients, REGION, GROUP, "demo", deployments.runs_dir).release == "A"


def test_a_release_that_runs_everywhere_changes_nothing(deployments: Deployments) -> None:
    found = deployments.deploy(release="A")
    assert found == {
        "changed": False,
        "sentence": "Release A runs already on all 3 instances of demo-web; nothing was done.",
    }
    assert deployments.lab.calls("write") == []


def test_check_mode_shows_the_plan_and_writes_nothing(deployments: Deployments) -> None:
    found = deployments.deploy(check=True)
    assert deployments.lab.calls("write") == []
    assert not deployments.runs_dir.exists()
    assert found["target"]["release_before"] == "A" and found["target"]["release"] == "B"
    assert all(one["ok"] for one in found["preconditions"]), found["preconditions"]
    assert [request.split()[0] for request in found["requests"]] == [
        "ec2:CreateLaunchTemplateVersion",
        "autoscaling:StartInstanceRefresh",
        "ec2:ModifyLaunchTemplate",
    ]


def test_users_who_are_failed_turn_the_refresh_round_and_a_converge_finds_nothing_to_do(
    deployments: Deployments,
) -> None:
    deployments.slow_down(1)
    with FaultServers([[{"mode": "503", "after": 0, "seconds": 30}]]) as failing:
        process = deployments.begin(
            probes=[{"name": "shop", "kind": "http", "url": f"http://127.0.0.1:{failing.ports[0]}/", "rate": 20.0}]
        )
        until(lambda: deployments.sent("StartInstanceRefresh"), 30)
        failing.go()
        output, _ = process.communicate(timeout=60)
    found = json.loads(output.splitlines()[-1])
    assert found["verdict"] == "fail"
    assert "requests of probe shop failed (http_5xx)" in found["sentence"], found["sentence"]
    assert "Release A runs on all instances again" in found["sentence"]
    assert deployments.order == ["CreateLaunchTemplateVersion", "StartInstanceRefresh", "RollbackInstanceRefresh"]
    assert deployments.refresh["Status"] == "RollbackSuccessful"
    assert deployments.version() == ("1", 1) and deployments.releases == {"A"}
    deployments.quiet()
    # A release that was given up is none to go back to.
    deployments.lab.clear_calls()
    deployments.slow_down(0.1)
    assert deployments.deploy(release="D")["verdict"] == "pass"
    assert release_before(deployments.clients, REGION, GROUP, "demo", Path("/nowhere")).release == "A"


def test_a_bad_baseline_starts_nothing(deployments: Deployments) -> None:
    found = deployments.deploy(probes=[{"name": "shop", "kind": "http", "url": "http://127.0.0.1:9/", "rate": 20.0}])
    assert found["verdict"] == "inconclusive" and "Nothing was started" in found["sentence"]
    assert deployments.order == []


def test_a_launch_that_fails_is_told_at_once_with_its_reason(deployments: Deployments) -> None:
    """Traps 22 and 86: the API call succeeds, only the activities tell."""
    faults = stores.of("123456789012", REGION, "autoscaling").setdefault("launch_faults", {})
    process = deployments.begin(timeout=2)
    until(lambda: deployments.sent("StartInstanceRefresh"), 30)
    faults[GROUP] = "We currently do not have sufficient t3.micro capacity in the Availability Zone you requested."
    try:
        output, _ = process.communicate(timeout=60)
    finally:
        faults.clear()
    found = json.loads(output.splitlines()[-1])
    assert found["verdict"] == "fail" and "launch_failure" in found["marks"]
    assert any("sufficient t3.micro capacity" in finding for finding in found["findings"])
    assert "sufficient t3.micro capacity" in found["msg"]


@pytest.mark.parametrize("moment", ["armed", "acknowledged"])
def test_a_killed_deployment_is_rolled_back(deployments: Deployments, moment: str) -> None:
    deployments.slow_down(1)
    deployments.die(moment)
    if moment == "acknowledged":
        assert until(lambda: deployments.sent("RollbackInstanceRefresh"), 5) < 2
        Pace.scale = 0.1 / BOOT
    until(lambda: not keeper.alive(deployments.folder), 20)
    assert deployments.version() == ("1", 1) and deployments.releases == {"A"}
    assert read(deployments.folder / "journal.jsonl").of("undone")[0].data["changed"] is (moment == "acknowledged")
    deployments.lab.clear_calls()
    again = recover(deployments.clients, "demo", REGION, "latest", deployments.runs_dir, check=False)
    assert again["undone"] == [] and deployments.order == []
    deployments.quiet()
    deployments.slow_down(0.1)
    assert deployments.deploy()["verdict"] == "pass", "started again, it finishes"
    assert deployments.releases == {"B"}


def test_a_deployment_that_is_killed_when_all_is_replaced_stays_and_the_template_agrees(
    deployments: Deployments,
) -> None:
    deployments.die("refreshed")
    until(lambda: not keeper.alive(deployments.folder), 20)
    assert deployments.sent("RollbackInstanceRefresh") == []
    assert deployments.version() == ("2", 2)
    deployments.quiet()


def test_the_undo_makes_the_template_agree_where_the_run_died_before_it_could(deployments: Deployments) -> None:
    Pace.scale = 0.0
    number = launch_versions.new_version(deployments.clients, REGION, GROUP, "B")
    refreshes.start(deployments.clients, REGION, GROUP, number, Preferences().as_request())
    until(lambda: deployments.refresh["Status"] == "Successful", 5)
    data = {"region": REGION, "group": GROUP, "version": number, "version_before": 1, "rollback": True}
    assert refreshes.take_back(deployments.clients, data) is True
    assert deployments.version() == ("2", 2)
    assert refreshes.take_back(deployments.clients, data) is False


def test_the_undo_replaces_what_a_refresh_brought_that_ended_halfway(deployments: Deployments) -> None:
    number = launch_versions.new_version(deployments.clients, REGION, GROUP, "B")
    refreshes.start(deployments.clients, REGION, GROUP, number, Preferences(auto_rollback=False).as_request())
    until(lambda: deployments.refresh["PercentageComplete"] >= 33, 5)
    deployments.lab.client("autoscaling").cancel_instance_refresh(AutoScalingGroupName=GROUP)
    until(lambda: deployments.refresh["Status"] == "Cancelled", 5)
    assert deployments.releases == {"A", "B"}
    data = {"region": REGION, "group": GROUP, "version": number, "version_before": 1, "rollback": True}

    def undone() -> bool:
        try:
            return refreshes.take_back(deployments.clients, data)
        except launch_versions.OperationError:
            return False

    until(undone, 10)
    assert deployments.releases == {"A"} and deployments.version() == ("1", 1)


def test_a_running_refresh_of_the_same_release_is_adopted_and_another_one_refused(deployments: Deployments) -> None:
    Pace.scale = 2 / BOOT
    number = launch_versions.new_version(deployments.clients, REGION, GROUP, "B")
    refresh_id = refreshes.start(deployments.clients, REGION, GROUP, number, Preferences().as_request())
    refused = deployments.deploy(release="C")["refused"]
    assert "precondition instance_refresh" in refused and refresh_id in refused and "release B" in refused  # trap 74
    assert deployments.lab.calls("write") == []
    found = deployments.deploy(release="B", baseline=0.2)
    assert found["verdict"] == "pass", found
    assert deployments.order == ["ModifyLaunchTemplate"]
    assert any("it was adopted" in finding for finding in found["findings"])
    deployments.quiet()


def test_a_version_that_an_earlier_attempt_left_is_used_again(deployments: Deployments) -> None:
    """Trap 54, and no heap of equal versions."""
    clients = deployments.clients
    assert launch_versions.new_version(clients, REGION, GROUP, "A") == 1
    assert [launch_versions.new_version(clients, REGION, GROUP, "B") for _ in range(2)] == [2, 2]
    assert launch_versions.new_version(clients, REGION, GROUP, "C") == 3
    image = deployments.world.ec2.describe_images(Owners=["amazon"])["Images"][5]["ImageId"]
    assert launch_versions.new_version(clients, REGION, GROUP, "C", image) == 4
    made = deployments.world.version("4")
    assert made["LaunchTemplateData"]["ImageId"] == image
    assert made["VersionDescription"].startswith(f"{image} from ")  # trap 51
    assert launch_versions.point_group_at(clients, REGION, GROUP, 4) and launch_versions.make_default(
        clients, REGION, GROUP, 4
    )
    assert not launch_versions.point_group_at(clients, REGION, GROUP, 4)
    assert not launch_versions.make_default(clients, REGION, GROUP, 4)
    deployments.quiet()


def test_every_precondition_is_refused_by_name(deployments: Deployments) -> None:
    asg = deployments.world.asg
    asg.suspend_processes(AutoScalingGroupName=GROUP, ScalingProcesses=["AZRebalance"])
    [victim, *_] = deployments.world.group()["Instances"]
    asg.set_instance_protection(
        AutoScalingGroupName=GROUP, InstanceIds=[victim["InstanceId"]], ProtectedFromScaleIn=True
    )
    refused = deployments.deploy(alarms=["demo-missing"])["refused"]
    assert "precondition suspended: AZRebalance" in refused  # trap 80
    assert "precondition protection: " in refused and "precondition refresh_alarms: " in refused
    assert deployments.lab.calls("write") == []


def test_a_group_that_launches_what_moves_by_itself_is_refused(deployments: Deployments) -> None:
    deployments.world.update(LaunchTemplate={"LaunchTemplateName": "demo-web", "Version": "$Latest"})  # trap 72
    assert "precondition version: demo-web launches version $Latest" in deployments.deploy()["refused"]


def test_one_instance_is_replaced_only_by_starting_the_new_one_first(deployments: Deployments) -> None:
    deployments.world.update(MinSize=1, MaxSize=1, DesiredCapacity=1)  # trap 75
    until(lambda: len(deployments.world.group()["Instances"]) == 1, 10)
    found = deployments.deploy(min_healthy_percentage=90, max_healthy_percentage=100)
    assert "precondition capacity: demo-web has one instance" in found["refused"]
    assert deployments.deploy(check=True)["target"]["id"] == GROUP


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"release": "no spaces"}, "release: 'no spaces'"),
        ({"release": ""}, "release: ''"),
        ({"auto_scaling_group_name": "demo-nothing"}, "auto_scaling_group_name: 'demo-nothing'"),
        ({"image_id": "resolve:ssm:/golden"}, "image_id: 'resolve:ssm:/golden'"),
        ({"max_healthy_percentage": 90}, "max_healthy_percentage: 90"),
        ({"min_healthy_percentage": 0, "max_healthy_percentage": 101}, "max_healthy_percentage: 101"),
        ({"checkpoint_percentages": [50]}, "checkpoint_percentages: [50]"),
        ({"checkpoint_delay": 10}, "checkpoint_delay: 10"),
        ({"max_failed_ratio": 2}, "max_failed_ratio: 2"),
        ({"probes": [{"name": "x", "kind": "http"}]}, "probes[x].url: "),
        ({"expect": {"nonsense": 1}}, "expect: 'nonsense'"),
        ({"environment": "production"}, "confirm: None"),
    ],
)
def test_bad_input_is_one_clear_error_before_any_write(
    deployments: Deployments, changes: dict[str, Any], words: str
) -> None:
    assert words in deployments.deploy(**changes)["refused"]
    assert deployments.lab.calls("write") == []


def test_a_mixed_instances_policy_stays_but_for_the_version() -> None:
    policy = {
        "LaunchTemplate": {
            "LaunchTemplateSpecification": {"LaunchTemplateId": "lt-1", "LaunchTemplateName": "x", "Version": "3"},
            "Overrides": [{"InstanceType": "t3.small"}],
        },
        "InstancesDistribution": {"OnDemandBaseCapacity": 1},
    }
    found = launch_versions.configuration({"MixedInstancesPolicy": policy}, "lt-1", 4)["MixedInstancesPolicy"]
    assert found["LaunchTemplate"]["LaunchTemplateSpecification"] == {"LaunchTemplateId": "lt-1", "Version": "4"}
    assert found["LaunchTemplate"]["Overrides"] == [{"InstanceType": "t3.small"}]
    assert found["InstancesDistribution"] == {"OnDemandBaseCapacity": 1}


def test_preferences_that_aws_would_refuse_are_refused() -> None:
    with pytest.raises(OptionError, match="ascending"):
        Preferences(checkpoint_percentages=[60, 30, 100]).check()
    with pytest.raises(OptionError, match="10 at most"):
        Preferences(alarms=["x"] * 11).check()
