"""Deploying a release by replacing the instances of an Auto Scaling group, watched from outside and turned round on trouble.

When AWS has moved the group, the new version becomes the template's default too, so that a converge finds nothing to do.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

from ..engine.sdk import SDK_ERRORS, Clients, explain
from ..resources.autoscaling_parts import launch_problems
from . import measure
from .drill import Scene, Terms
from .errors import OperationError
from .launch_versions import described_group, make_default
from .refresh_checks import alarm_states, is_healthy, states_of, target_health, unfinished, version_of
from .refresh_plan import RefreshPlan, Wish
from .refreshes import FORWARD, RUNNING, refresh_by_id, turn_round
from .release_history import note_release
from .report_words import seconds
from .samples import Sample, scheduled

POLL = 0.9  # seconds between looks at AWS
WINDOW = 10.0  # seconds of samples in which the ratio of failures is taken
FEWEST, FEWEST_FAILED = 10, 3  # samples, and failed ones, without which there is no ratio
LOOPS = 2  # new instances that AWS has ended again for their health: no accident
SEEN_FOR = 2.0  # seconds in which all answers must come from the new release
LANE = "AWS Auto Scaling"

Health = Mapping[str, Mapping[str, str]]  # target group → instance → state


class InstanceRefresh(RefreshPlan):
    """One deployment to one group, from its plan to its verdict."""

    def __init__(self, clients: Clients, terms: Terms, wish: Wish) -> None:
        super().__init__(clients, terms, wish)
        self._looked = 0.0
        self._failure: str | None = None
        self._launch_problem, self._hopeless = "", False
        self._best: tuple[Any, ...] = ()
        self._status = ""
        self._fresh: set[str] = set()
        self._looped: set[str] = set()
        self._instances = 0
        self._sick: list[str] = []  # what is wrong with the new instances
        self._outcome = ""

    # Watching.

    def watch(self, scene: Scene, target: Mapping[str, Any]) -> bool:
        if time.monotonic() - self._looked < POLL:
            return False
        self._looked = time.monotonic()
        try:
            refresh = refresh_by_id(self.clients, self.terms.region, self.wish.group, self._refresh_id)
            group = described_group(self.clients, self.terms.region, self.wish.group)
            health = target_health(self.clients, self.terms.region, group)
            self._take_in(scene, refresh, group, health)
        except SDK_ERRORS as error:  # AWS goes on without us; only if it stays so, nobody watches
            if self._stands_still(0):
                raise
            scene.event(LANE, time.time(), f"A look at AWS failed: {explain(error)}")
            return False
        status = refresh["Status"]
        if status == "Successful":
            return self._settled(scene, group, health)
        if status in FORWARD:
            if reason := self._trouble(scene, refresh):
                self._turn_round(scene, reason)
            return False
        return self._on_the_way_back(scene, refresh)

    def _take_in(
        self,
        scene: Scene,
        refresh: Mapping[str, Any],
        group: Mapping[str, Any],
        health: Health,
    ) -> None:
        """Write down what is new since the last look."""
        now = time.time()
        status, percent = refresh["Status"], refresh.get("PercentageComplete", 0)
        stages = self.wish.preferences.checkpoint_percentages
        self._waves.look(now, group, health, 1 + sum(percent >= stage for stage in stages))
        reason = refresh.get("StatusReason")
        words = f"{status}, {percent} %" + (f": {reason}" if reason else "")
        if words != self._status:
            self._status = words
            scene.event(LANE, now, f"refresh {words}", self._refresh_id)
        if status in FORWARD:
            for stage in stages:
                if percent >= stage:
                    scene.mark(f"checkpoint_{stage}", f"checkpoint {stage} %", now)
        new = [one for one in group["Instances"] if version_of(one) == self._number]
        self._fresh |= {one["InstanceId"] for one in new} if status in FORWARD else set()
        self._activities(scene, group)
        serving = sum(one["LifecycleState"] == "InService" and is_healthy(one, health) for one in new)
        self._sick = [
            f"{one['InstanceId']} is {one['LifecycleState']}{states_of(one, health)}"
            for one in new
            if not is_healthy(one, health)
        ]
        going_back = status not in (*FORWARD, "Successful")
        best = (
            going_back,
            status == "Successful",
            -percent if going_back else percent,
            -serving if going_back else serving,
        )
        if not self._best or best > self._best:
            self._best, self._moved = best, time.monotonic()

    def _activities(self, scene: Scene, group: Mapping[str, Any]) -> None:
        """What the group did: launches that fail (traps 22, 86), and new instances that do not live (trap 76)."""
        client = self.clients("autoscaling", self.terms.region)
        begin = datetime.fromtimestamp((scene.injected or 0.0) - 1, timezone.utc)
        activities = client.describe_scaling_activities(AutoScalingGroupName=self.wish.group, MaxRecords=50)[
            "Activities"
        ]
        for one in activities:
            if one["StartTime"] < begin:
                continue
            failed = one["StatusCode"] == "Failed"
            text = (
                f"{one['Description']} FAILED: {one.get('StatusMessage', 'no reason given')}"
                if failed
                else one["Description"]
            )
            scene.event(LANE, one["StartTime"].timestamp(), text, one["ActivityId"])
            ended = one["Description"].rpartition(" ")[2] if one["Description"].startswith("Terminating") else ""
            if ended in self._fresh and "health" in one["Cause"].lower():
                self._looped.add(ended)
        self._launch_problem, self._hopeless = launch_problems(client, group, begin)
        if self._launch_problem:
            scene.mark("launch_failure", "a launch failed")
            finding = f"Instances could not be started: {self._launch_problem}."
            if finding not in scene.findings:
                scene.findings[:] = [
                    one for one in scene.findings if not one.startswith("Instances could not be started: ")
                ]
                scene.findings.append(finding)

    def _trouble(self, scene: Scene, refresh: Mapping[str, Any]) -> str | None:
        """Why the refresh must not go on; None while all is well."""
        if reason := self._bad_probe(scene):
            return reason
        states = alarm_states(self.clients, self.terms.region, self.wish.preferences.alarms)
        if ringing := sorted(name for name, state in states.items() if state == "ALARM"):
            return f"alarm {', '.join(ringing)} rings"
        if len(self._looped) >= LOOPS:
            return f"new instances fail their health check one after the other: {', '.join(sorted(self._looped))}"
        if self._hopeless:
            return f"instances cannot be started: {self._launch_problem}"
        if self._stands_still(self.wish.preferences.hold):
            return (
                f"no progress for {seconds(time.monotonic() - self._moved)} at {refresh.get('PercentageComplete', 0)} %"
                + (f": {refresh['StatusReason']}" if refresh.get("StatusReason") else "")
                + (f"; {', '.join(self._sick)}" if self._sick else "")
                + (f". {self._launch_problem}" if self._launch_problem else "")
            )
        return None

    def _stands_still(self, hold: float) -> bool:
        return time.monotonic() - self._moved > self.wish.patience + hold

    def _bad_probe(self, scene: Scene) -> str | None:
        """A probe that fails too often in the last seconds."""
        recent = _recent(scene.samples, WINDOW)
        for spec in self.terms.probes:
            asked = measure.known(one for one in recent if one["probe"] == spec.name)
            failed = [one for one in asked if not one["ok"]]
            enough = len(asked) >= FEWEST and len(failed) >= FEWEST_FAILED
            if enough and len(failed) > self.wish.max_failed_ratio * len(asked):
                return f"{len(failed)} of {len(asked)} requests of probe {spec.name} failed ({failed[-1]['error']})"
        return None

    def _turn_round(self, scene: Scene, reason: str) -> None:
        """Give the deployment up, and go back."""
        self._failure = reason
        scene.operation.record("abort", self.wish.group, {"reason": reason})
        scene.mark("abort", "given up")
        turn_round(self.clients, self.terms.region, self.wish.group, rollback=self._rolls_back)
        self._moved = time.monotonic()

    def _on_the_way_back(self, scene: Scene, refresh: Mapping[str, Any]) -> bool:
        """The refresh has been turned round, by us or by AWS, or has ended without success. True at the end."""
        status = refresh["Status"]
        said = (refresh.get("RollbackDetails") or {}).get("RollbackReason") or refresh.get("StatusReason")
        self._failure = self._failure or f"AWS gave the refresh up: {said or status}"
        self._outcome = status
        if status in RUNNING:
            scene.mark("rollback", "rolling back" if status == "RollbackInProgress" else "stopping")
            if self._stands_still(0):
                scene.findings.append(f"The refresh is {status} and makes no progress; it goes on in AWS.")
                return True
            return False
        if status == "RollbackSuccessful":
            scene.mark("rolled_back", "rolled back")
        return True

    def _settled(self, scene: Scene, group: Mapping[str, Any], health: Health) -> bool:
        """AWS is done: let the template agree, look for ourselves, and go on measuring for a while. True at the end."""
        region, wish = self.terms.region, self.wish
        if "refreshed" not in scene.marks:
            make_default(self.clients, region, wish.group, self._number)
            note_release(scene.operation, region, wish.group, wish.release, self._before.release)
            scene.mark("refreshed", "AWS: all replaced")
            self._instances = len(group["Instances"])
        if reason := self._not_yet(scene, group, health):
            if self._failure is None and self._stands_still(0):
                self._failure = f"AWS says that all instances are replaced, but {reason}" + (
                    f". {self._launch_problem}" if self._launch_problem else ""
                )
            return self._failure is not None
        scene.mark("verified", f"only {wish.release} answers")
        if time.time() - scene.marks["refreshed"][0] < self.terms.stable:
            return False
        scene.mark("stable", f"watched for {self.terms.stable:g} s")
        return True

    def _not_yet(self, scene: Scene, group: Mapping[str, Any], health: Health) -> str | None:
        """What is not as it was to be; None when all is."""
        if reason := unfinished(group, health, self._number):
            return reason
        seen = {one["release"] for one in _recent(scene.samples, SEEN_FOR) if one["ok"] and one["release"]}
        if seen - {self.wish.release}:
            return f"probes still see release {', '.join(sorted(seen - {self.wish.release}))}"
        if not seen and any(one["release"] for one in scene.samples[-1000:]):
            return "probes see no release at all any more"
        return None

    def undo(self, scene: Scene) -> None:
        """Keep the promise, and wait for AWS to end what it is about."""
        deadline = time.monotonic() + self.wish.patience
        while True:
            try:
                super().undo(scene)
                return
            except OperationError:
                if time.monotonic() > deadline:
                    raise
            except SDK_ERRORS:
                if time.monotonic() > deadline:
                    raise
            time.sleep(POLL)

    # The outcome.

    def failed(self, scene: Scene) -> str | None:
        return f"Given up: {self._failure}" if self._failure else None

    def recovery(self, scene: Scene) -> None:
        """What failed is told by the figures; a deployment has no fault to recover from."""
        if not any(one.get("release") for one in scene.samples):
            scene.findings.append(
                "No answer named its release (header X-Release), so that it runs is known from AWS alone."
            )

    def _samples(self, scene: Scene) -> list[Sample]:
        """The samples of all probes from the start of the refresh to its end."""
        end = scene.marks.get("stable", (None, ""))[0]
        since = scene.injected or 0.0
        return measure.known(
            one for one in list(scene.samples) if scheduled(one) >= since and (end is None or scheduled(one) <= end)
        )

    def measures(self, scene: Scene) -> dict[str, float | None]:
        samples = self._samples(scene)
        gaps = [
            measure.longest(measure.outages([one for one in samples if one["probe"] == spec.name], stable=0.0, least=1))
            for spec in self.terms.probes
        ]
        during = measure.latencies(one for one in samples if one["probe"] == self.judged.name)["p95"]
        baseline = [one for one in scene.of(self.judged.name) if scheduled(one) < (scene.injected or 0.0)]
        before = measure.latencies(baseline)["p95"]
        return {
            "failed_requests": float(sum(not one["ok"] for one in samples)),
            "failed_ratio": measure.failed_ratio(samples),
            "longest_outage": max(gaps, default=0.0),
            "p95_ratio": during / before if during is not None and before else None,
        }

    def sentence(self, verdict: str, measured: Mapping[str, float | None]) -> str:
        wish, before = self.wish, self._before.release
        if self._failure is None:
            return f"Release {wish.release} replaced {before} on {self._instances} instances of {wish.group}."
        if self._outcome == "RollbackSuccessful":
            return f"Release {wish.release} was not deployed: {self._failure}. Release {before} runs on all instances again."
        if self._outcome:
            return f"Release {wish.release} was not deployed: {self._failure}. The refresh ended as {self._outcome}."
        return f"Release {wish.release} was deployed, and is not right: {self._failure}. To go back: playbooks/rollback.yml."

    def details(self, scene: Scene) -> dict[str, Any]:
        promised = [one for one in scene.operation.journal.read().of("undone") if one.data["changed"]]
        return {
            "release": self.wish.release,
            "release_before": self._before.release,
            "version": self._number,
            "refresh": self._refresh_id,
            "waves": self._waves.rows,
            "releases": measure.by_identity(self._samples(scene), "release"),
            "requests": len(self._samples(scene)),
            "undone": [{"action": one.data["action"], "target": one.step, "time": one.time} for one in promised],
        }


def _recent(samples: Sequence[Sample], window: float) -> list[Sample]:
    """The samples that were due in the last seconds. They come in nearly by time, so that the search ends soon."""
    since, found = time.time() - window, []
    for place in range(len(samples) - 1, -1, -1):
        if scheduled(samples[place]) >= since:
            found.append(samples[place])
        elif scheduled(samples[place]) < since - window:
            break
    return found
