"""Taking instances out of rotation: what is sent in which order, what is refused, and what a dead run's undo restores."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from compute_world import OPTIONS, World
from stack import Stack, clients_of

from ansible_collections.webstack.aws.plugins.module_utils.operations import rotation
from ansible_collections.webstack.aws.plugins.module_utils.operations.errors import OperationError
from ansible_collections.webstack.aws.plugins.module_utils.operations.journal import read
from ansible_collections.webstack.aws.plugins.module_utils.operations.lock import StackLock, claim
from ansible_collections.webstack.aws.plugins.module_utils.operations.rotation import Rotation, pools_of
from ansible_collections.webstack.aws.plugins.module_utils.operations.run import Operation
from ansible_collections.webstack.aws.plugins.module_utils.operations.undo import UNDO, pending
from webstack_lab.services.passing import Pace

REGION, GROUP = "us-east-1", "demo-web"
RUN = "deploy-in-place-20250101T000000-0000"


class Armed(Operation):
    """A run whose keeper is always ready: here only what is promised, and when, is looked at."""

    def stop(self) -> str | None:
        return None

    def arm(self, action: str, target: str, data: dict[str, Any]) -> Any:
        seq = self.journal.append("undo", target, {"action": action, "data": data}).seq
        self.journal.append("arm", target, {"intent": seq})


@pytest.fixture
def world(stack: Stack) -> Iterator[World]:
    before = Pace.scale
    Pace.scale = 0.0
    found = World(stack).build()
    found.stack.converge("compute_asg", **{**OPTIONS, "release": "A"})
    stack.lab.clear_calls()
    yield found
    Pace.scale = before


@pytest.fixture
def run(world: World, tmp_path: Path) -> Operation:
    folder = tmp_path / "demo" / RUN
    folder.mkdir(parents=True)
    clients = clients_of(world.stack.lab.url)
    return Armed(folder, RUN, StackLock(clients, "demo", REGION, claim(RUN, "a test")), clients)


def instances(world: World) -> list[str]:
    return sorted(one["InstanceId"] for one in world.group()["Instances"])


def rotation_of(world: World, operation: Operation | None = None, place: int = 0, **more: Any) -> Rotation:
    clients = clients_of(world.stack.lab.url)
    pools = pools_of(clients, REGION, GROUP, [])
    return Rotation(clients, REGION, pools, instances(world)[place], operation, **more)


def sent(world: World) -> list[str]:
    return [call["operation"] for call in world.stack.lab.calls("write")]


def test_the_undo_is_promised_before_the_instance_is_taken_out(world: World, run: Operation) -> None:
    mine = rotation_of(world, run, batch=1)
    assert mine.take_out(1)
    kinds = [record.kind for record in read(run.folder / "journal.jsonl").records]
    assert kinds == ["undo", "arm", "acknowledged", "event"]
    assert sent(world) == ["DeregisterTargets"] and set(mine.states().values()) == {"unused"}


def test_it_is_put_back_as_it_was_and_the_promise_is_kept_once(world: World, run: Operation) -> None:
    mine = rotation_of(world, run)
    mine.take_out(1)
    world.stack.lab.clear_calls()
    assert mine.put_in() and set(mine.states().values()) == {"healthy"}
    [call] = world.stack.lab.calls("write")
    assert call["operation"] == "RegisterTargets" and call["params"]["Targets"][0]["Id"] == mine.target_id
    assert pending(read(run.folder / "journal.jsonl").records) == []
    assert not mine.put_in()


def test_nothing_is_taken_out_while_too_few_others_are_healthy(world: World, run: Operation) -> None:
    others = len(instances(world)) - 1
    with pytest.raises(OperationError, match=f"{others} healthy targets left, and needs {others + 1}"):
        rotation_of(world, run).take_out(others + 1)
    assert sent(world) == [] and read(run.folder / "journal.jsonl").records == []


def test_the_second_of_a_batch_is_counted_after_the_first_is_out(world: World, run: Operation) -> None:
    others = len(instances(world)) - 1
    rotation_of(world, run, 0).take_out(others)
    with pytest.raises(OperationError, match="is not taken out"):
        rotation_of(world, run, 1).take_out(others)


def test_draining_takes_as_long_as_the_target_group_says(world: World) -> None:
    """Not as long as some default: a delay of 300 s, AWS's own, is five times what many tools wait."""
    client = world.stack.lab.client("elbv2")
    [arn] = world.group()["TargetGroupARNs"]
    attribute = {"Key": rotation.DELAY, "Value": "300"}
    client.modify_target_group_attributes(TargetGroupArn=arn, Attributes=[attribute])
    assert [pool.delay for pool in rotation_of(world).pools] == [300.0]


def test_what_is_not_drained_in_time_is_told_with_its_state(world: World) -> None:
    Pace.scale = 1.0
    with pytest.raises(
        OperationError, match=r"is not drained in demo-web after 0.1 s: draining \(Target.Deregistration"
    ):
        rotation_of(world, timeout=0.1).take_out(0)


def test_what_is_out_already_is_left_alone(world: World) -> None:
    mine = rotation_of(world)
    mine.take_out(1)
    world.stack.lab.clear_calls()
    assert not mine.take_out(1)
    assert sent(world) == []


def data_of(world: World) -> dict[str, Any]:
    [arn] = world.group()["TargetGroupARNs"]
    return {"region": REGION, "target_group_arn": arn, "target_id": instances(world)[0], "port": None}


def test_the_undo_registers_a_target_that_still_drains_and_then_finds_nothing_to_do(world: World) -> None:
    Pace.scale = 1.0
    data = data_of(world)
    world.stack.lab.client("elbv2").deregister_targets(
        TargetGroupArn=data["target_group_arn"], Targets=[{"Id": data["target_id"]}]
    )
    clients = clients_of(world.stack.lab.url)
    assert UNDO["register_target"](clients, data)
    assert not UNDO["register_target"](clients, data)


def test_the_undo_of_an_instance_that_is_gone_has_nothing_to_restore(world: World) -> None:
    clients = clients_of(world.stack.lab.url)
    assert not UNDO["register_target"](clients, {**data_of(world), "target_id": "i-00000000000000000"})


def test_only_what_the_run_suspended_is_resumed(world: World) -> None:
    """Trap 80: a process that stays suspended is noticed weeks later; one that the user had suspended stays his."""
    client = world.stack.lab.client("autoscaling")
    client.suspend_processes(AutoScalingGroupName=GROUP, ScalingProcesses=["AZRebalance", "AlarmNotification"])
    data = {"region": REGION, "group": GROUP, "processes": ["AZRebalance"]}
    clients = clients_of(world.stack.lab.url)
    assert UNDO["resume_processes"](clients, data)
    assert [one["ProcessName"] for one in world.group()["SuspendedProcesses"]] == ["AlarmNotification"]
    assert not UNDO["resume_processes"](clients, data)
