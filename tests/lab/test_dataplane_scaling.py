"""Auto Scaling over real processes: replacement, draining before the end, refreshes that wait for health and turn round."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator

import pytest
from botocore.exceptions import ClientError
from dataplane_world import World, wait_for

from webstack_lab.services.passing import Pace
from webstack_lab.testing import Lab


@pytest.fixture(scope="module")
def running() -> Iterator[Lab]:
    with Lab(data_plane=True) as lab:
        yield lab


@pytest.fixture
def lab(running: Lab) -> Lab:
    running.reset()
    running.clear_calls()
    return running


@pytest.fixture
def world(lab: Lab) -> World:
    return World(lab)


def ids(world: World) -> set[str]:
    return {one["InstanceId"] for one in world.instances()}


def test_a_killed_program_becomes_unhealthy_and_its_instance_is_replaced(world: World) -> None:
    victim = sorted(ids(world))[0]
    os.kill(world.row(victim)["pid"], signal.SIGKILL)
    wait_for(lambda: victim not in ids(world), "the instance is gone")
    wait_for(lambda: len(world.healthy()) == 3, "three healthy again")
    ending = next(one for one in world.activities() if one["Description"] == f"Terminating EC2 instance: {victim}")
    assert "ELB system health check failure" in ending["Cause"] and ending["StatusCode"] == "Successful"
    assert world.ec2.describe_instances(InstanceIds=[victim])["Reservations"][0]["Instances"][0]["State"]["Name"] == (
        "terminated"
    )


def test_health_of_type_ec2_looks_at_the_instance_and_not_at_its_program(lab: Lab) -> None:
    world = World(lab, size=2, HealthCheckType="EC2")
    crashed, ended = sorted(ids(world))
    os.kill(world.row(crashed)["pid"], signal.SIGKILL)
    wait_for(lambda: crashed not in world.healthy(), "the load balancer sees it")
    world.ec2.terminate_instances(InstanceIds=[ended])
    wait_for(lambda: ended not in ids(world) and len(world.instances()) == 2, "the terminated one is replaced")
    assert crashed in ids(world)
    assert any("EC2 health check" in one["Cause"] for one in world.activities())


def test_scaling_out_and_in_under_load_fails_no_request(world: World) -> None:
    with world.load(clients=3, path="/slow?ms=30") as seen:
        world.asg.set_desired_capacity(AutoScalingGroupName="web", DesiredCapacity=5)
        wait_for(lambda: len(world.healthy()) == 5, "five")
        world.asg.set_desired_capacity(AutoScalingGroupName="web", DesiredCapacity=2)
        wait_for(lambda: len(world.instances()) == 2 and len(world.states()) == 2, "two")
    assert seen.failures == [] and len(seen.answers) >= 4


def test_an_instance_drains_before_it_is_terminated(world: World) -> None:
    with world.load(clients=3, path="/slow?ms=1000") as seen:
        time.sleep(0.3)
        world.asg.set_desired_capacity(AutoScalingGroupName="web", DesiredCapacity=2)
        leaving = next(one for one in world.instances() if one["LifecycleState"] == "Terminating")
        assert world.states()[leaving["InstanceId"]]["State"] == "draining"
        activity = world.activities()[0]
        assert activity["StatusCode"] == "WaitingForELBConnectionDraining" and "EndTime" not in activity
        assert world.row(leaving["InstanceId"])["state"] == "serving"
        wait_for(lambda: len(world.instances()) == 2, "it has gone")
    assert seen.failures == []


def test_standby_takes_an_instance_out_of_the_load_balancer_and_back(world: World) -> None:
    one = sorted(ids(world))[0]
    world.asg.enter_standby(AutoScalingGroupName="web", InstanceIds=[one], ShouldDecrementDesiredCapacity=True)
    wait_for(lambda: one not in world.states(), "deregistered")
    assert one in ids(world) and len(world.instances()) == 3
    world.asg.exit_standby(AutoScalingGroupName="web", InstanceIds=[one])
    wait_for(lambda: one in world.healthy(), "registered and healthy")


def test_a_target_that_an_operator_took_out_stays_out(world: World) -> None:
    one = sorted(ids(world))[0]
    world.elb.deregister_targets(TargetGroupArn=world.pool, Targets=[{"Id": one}])
    wait_for(lambda: one not in world.states(), "drained")
    time.sleep(0.4)
    assert one not in world.states() and one in ids(world)


def test_a_refresh_under_load_replaces_every_instance_and_fails_no_request(world: World) -> None:
    before = ids(world)
    with world.load(clients=4, path="/slow?ms=10", kept=True) as kept, world.load(clients=2) as new:
        refresh = world.refresh(world.version("B"), MinHealthyPercentage=100, MaxHealthyPercentage=150)
        wait_for(lambda: world.refreshed(refresh)["Status"] == "Successful", "the refresh succeeds", 30)
        wait_for(lambda: len(world.states()) == 3, "the old ones have gone")
    assert not before & ids(world) and len(world.instances()) == 3
    assert kept.failures == [] and new.failures == [] and version_of(world) == "2"
    assert set(new.releases) == {"A", "B"} and world.get("/")[1]["x-release"] == "B"
    assert len(new.answers) >= 6 and {one["LaunchTemplate"]["Version"] for one in world.instances()} == {"2"}


def test_a_refresh_keeps_to_its_limits(world: World) -> None:
    lowest, highest = 99, 0
    refresh = world.refresh(world.version("B"), MinHealthyPercentage=100, MaxHealthyPercentage=134)
    while world.refreshed(refresh)["Status"] not in ("Successful", "Failed"):
        lowest = min(lowest, len(world.healthy()))
        there = [one for one in world.instances() if one["LifecycleState"] != "Terminating"]
        highest = max(highest, len(there))
    assert (world.refreshed(refresh)["Status"], lowest, highest) == ("Successful", 3, 4)


def test_a_refresh_of_a_release_that_fails_its_health_check_turns_round(world: World) -> None:
    with world.load(clients=3) as seen:
        refresh = world.refresh(
            world.version("C", "fail"), MinHealthyPercentage=100, MaxHealthyPercentage=134, AutoRollback=True
        )
        status = wait_for(
            lambda: (found := world.refreshed(refresh))["Status"] == "RollbackSuccessful" and found, "turned round", 40
        )
        wait_for(lambda: len(world.healthy()) == 3 == len(world.instances()), "three of the release before")
    assert "did not become healthy" in status["StatusReason"]
    assert seen.failures == [] and set(seen.releases) == {"A"}
    assert {one["LaunchTemplate"]["Version"] for one in world.instances()} == {"1"}


def test_a_launch_that_fails_is_told_by_activities_and_by_the_refresh(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Capacity and parameter errors appear in activities only, the call succeeds (trap 86)."""
    monkeypatch.setattr("webstack_lab.dataplane.rolling.SHORTEST_PATIENCE", 1.0)
    monkeypatch.setattr(Pace, "scale", 0.0001)
    refresh = world.refresh(
        world.version("B", InstanceType="t3.huge"), MinHealthyPercentage=100, MaxHealthyPercentage=134
    )
    status = wait_for(lambda: (found := world.refreshed(refresh))["Status"] == "Failed" and found, "failed", 20)
    assert "t3.huge" in status["StatusReason"]
    failed = [one for one in world.activities() if one["StatusCode"] == "Failed"]
    assert 1 <= len(failed) <= 6 and "t3.huge" in failed[0]["StatusMessage"]
    assert len(world.healthy()) == 3


def test_checkpoints_baking_and_alarms_are_waited_for(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Pace, "scale", 0.01)
    cloudwatch = world.lab.client("cloudwatch")
    cloudwatch.put_metric_alarm(
        AlarmName="errors", MetricName="m", Namespace="n", Statistic="Sum", Period=60, EvaluationPeriods=1,
        Threshold=1, ComparisonOperator="GreaterThanThreshold",
    )  # fmt: skip
    refresh = world.refresh(
        world.version("B"),
        MinHealthyPercentage=100,
        MaxHealthyPercentage=134,
        InstanceWarmup=0,
        CheckpointPercentages=[34, 100],
        CheckpointDelay=100,
        BakeTime=3600,
        AutoRollback=True,
        AlarmSpecification={"Alarms": ["errors"]},
    )
    wait_for(lambda: "checkpoint" in world.refreshed(refresh).get("StatusReason", ""), "the checkpoint")
    halfway = world.refreshed(refresh)
    assert halfway["PercentageComplete"] < 100 and halfway["InstancesToUpdate"] == 1
    wait_for(lambda: world.refreshed(refresh)["Status"] == "Baking", "baking")
    assert set(world.served_by(9)) == ids(world)
    cloudwatch.set_alarm_state(AlarmName="errors", StateValue="ALARM", StateReason="drill")
    status = wait_for(
        lambda: (found := world.refreshed(refresh))["Status"] == "RollbackSuccessful" and found, "back", 30
    )
    assert "errors" in status["StatusReason"]
    assert world.get("/")[1]["x-release"] == "A"


def version_of(world: World) -> str:
    group = world.asg.describe_auto_scaling_groups(AutoScalingGroupNames=["web"])["AutoScalingGroups"][0]
    return str(group["LaunchTemplate"]["Version"])


def test_a_desired_configuration_is_the_groups_own_after_a_success_only(world: World) -> None:
    refresh = world.refresh(world.version("B"), MinHealthyPercentage=100, MaxHealthyPercentage=134)
    wait_for(lambda: len({one["LaunchTemplate"]["Version"] for one in world.instances()}) == 2, "a new instance")
    assert version_of(world) == "1"
    world.asg.cancel_instance_refresh(AutoScalingGroupName="web")
    wait_for(lambda: world.refreshed(refresh)["Status"] == "Cancelled", "cancelled")
    assert version_of(world) == "1"
    refresh = world.refresh("2", MinHealthyPercentage=100, MaxHealthyPercentage=200, SkipMatching=True)
    wait_for(lambda: world.refreshed(refresh)["Status"] == "Successful", "successful", 20)
    assert version_of(world) == "2"


def test_one_refresh_at_a_time_and_only_one_way_back(world: World) -> None:
    refresh = world.refresh(world.version("B"), MinHealthyPercentage=100, MaxHealthyPercentage=134)
    with pytest.raises(ClientError) as second:
        world.refresh("2")
    assert second.value.response["Error"]["Code"] == "InstanceRefreshInProgress"
    world.asg.rollback_instance_refresh(AutoScalingGroupName="web")
    wait_for(lambda: world.refreshed(refresh)["Status"] == "RollbackSuccessful", "turned round", 20)
    assert {one["LaunchTemplate"]["Version"] for one in world.instances()} == {"1"}
