"""The plan of a deployment by instance refresh: what it starts from, what must hold, and how it is begun, or taken over.

The group's own template is not touched first: a rollback goes back to what the group names (trap 72).
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..engine.sdk import Clients
from ..resources.ec2_launch import chosen_in
from .drill import Drill, Precondition, Scene, Terms
from .launch_versions import (
    Pointer,
    check_release,
    default_version,
    described_group,
    described_version,
    instance_releases,
    new_version,
    pointer_of,
    release_of,
)
from .refresh_checks import advice, alarms_quiet, all_healthy, group_checks, target_health, template_checks, version_of
from .refresh_options import Preferences
from .refresh_waves import Waves
from .refreshes import FORWARD, UNDO, desired_version, running, start
from .stack_checks import alarms_ok

LONGEST = 14 * 86400.0  # seconds that AWS lets a refresh run


@dataclass(frozen=True)
class Wish:
    """What is to be deployed, and what is put up with. ``patience`` is in seconds without any progress."""

    group: str
    release: str
    image_id: str | None
    preferences: Preferences
    patience: float
    max_failed_ratio: float
    check_alarms: bool


class RefreshPlan(Drill):
    """One deployment to one group up to the start of its refresh, in the course that drills have too."""

    kind = "deploy"
    noun, deed, done = "deployment", "refresh", "started"
    abortable = True

    def __init__(self, clients: Clients, terms: Terms, wish: Wish) -> None:
        check_release(wish.release)
        super().__init__(clients, replace(terms, timeout=LONGEST))
        self.wish = wish
        self.purpose = f"deploy of {wish.release} to {wish.group} in {terms.region}"
        self.title = f"Deploy {wish.release} to {wish.group}, instance by instance"
        self._number = 0
        self._refresh_id = ""
        self._moved = 0.0  # when there was progress last
        self._waves = Waves([])

    # The plan.

    def target(self) -> dict[str, Any]:
        region, wish = self.terms.region, self.wish
        self._group = described_group(self.clients, region, wish.group)
        named = pointer_of(self.clients, region, self._group)
        self._default = default_version(self.clients, region, named.template_id)
        self._running = running(self.clients, region, wish.group)
        self._adopted = self._adoptable(named)
        # While a refresh runs, the default version is what there was before it.
        self._before = self._at(named, self._default) if self._adopted else named
        return {
            "id": wish.group,
            "launch_template": named.template_id,
            "version_before": self._before.version,
            "release_before": self._before.release,
            "release": wish.release,
            "image_id": wish.image_id or self._before.image_id,
            "adopts": self._adopted,
        }

    def _at(self, pointer: Pointer, number: int) -> Pointer:
        document = described_version(self.clients, self.terms.region, pointer.template_id, str(number))
        return Pointer(pointer.group, pointer.template_id, str(number), document)

    def _adoptable(self, named: Pointer) -> str | None:
        """The id of a running refresh that brings this very release: its starter died, or lost its lock."""
        if self._running is None or self._running["Status"] not in FORWARD:
            return None
        version = desired_version(self._running)
        if version is None or not version.isdigit() or self._release_at(named, version) != self.wish.release:
            return None
        return str(self._running["InstanceRefreshId"])

    def _release_at(self, named: Pointer, version: str) -> str | None:
        return release_of(described_version(self.clients, self.terms.region, named.template_id, version))

    def nothing_to_do(self) -> str | None:
        """Why nothing need be done: the release runs already, everywhere. None where there is work."""
        self.target()
        wish, before = self.wish, self._before
        if self._running is not None or before.release != wish.release or before.number != self._default:
            return None
        if wish.image_id and wish.image_id != before.image_id:
            return None
        found = instance_releases(self.clients, self.terms.region, self._group)
        if not found or any(release != wish.release for release in found.values()):
            return None
        return f"Release {wish.release} runs already on all {len(found)} instances of {wish.group}; nothing was done."

    def preconditions(self, target: Mapping[str, Any]) -> list[Precondition]:
        terms, wish, clients = self.terms, self.wish, self.clients
        adopting = self._adopted is not None
        health = target_health(clients, terms.region, self._group)
        found = [] if adopting else [*group_checks(self._group, wish.preferences), all_healthy(health)]
        found += template_checks(self._before, self._default, adopting=adopting)
        found.append(self._no_other_refresh())
        found.append(alarms_quiet(clients, terms.region, wish.preferences.alarms))
        if wish.check_alarms:
            found.append(alarms_ok(clients, terms.stack, terms.region))
        return found

    def _no_other_refresh(self) -> Precondition:
        """AWS runs one at a time (trap 74)."""
        found, group = self._running, self.wish.group
        if found is None:
            return Precondition("instance_refresh", True, f"no refresh of {group} is under way")
        name, version = found["InstanceRefreshId"], desired_version(found)
        if self._adopted:
            text = f"refresh {name} brings release {self.wish.release} already: it is adopted"
            return Precondition("instance_refresh", True, text)
        release = self._release_at(self._before, version) if version and version.isdigit() else None
        what = f"release {release}" if release else f"version {version}" if version else "the group's own version"
        return Precondition(
            "instance_refresh",
            False,
            f"refresh {name} of {group} is {found['Status']} and brings {what}. Wait until it ends, or cancel it",
        )

    def requests(self, target: Mapping[str, Any]) -> list[str]:
        group, version = target["id"], "<the new version>"
        default = f"ec2:ModifyLaunchTemplate LaunchTemplateId={target['launch_template']} DefaultVersion={version}"
        if target["adopts"]:
            return [default]
        return [
            f"ec2:CreateLaunchTemplateVersion LaunchTemplateId={target['launch_template']} "
            f"SourceVersion={target['version_before']} release={target['release']} image={target['image_id']}",
            f"autoscaling:StartInstanceRefresh AutoScalingGroupName={group} DesiredConfiguration={version} "
            + " ".join(f"{key}={value}" for key, value in self.wish.preferences.as_request().items()),
            default,
        ]

    def advice(self) -> list[str]:
        """What is not wrong, but will be slow, or undone by the next converge."""
        hooks = self.clients("autoscaling", self.terms.region).describe_lifecycle_hooks(
            AutoScalingGroupName=self.wish.group
        )["LifecycleHooks"]
        found = advice(self._group, self.wish.preferences, hooks)
        if self.wish.image_id and chosen_in(self._before.document)[1] in ("", "image_id"):
            found.append(
                f"The next converge takes the image of its own options: set compute_asg_image_id to {self.wish.image_id}."
            )
        return found

    # The deed.

    def prepare(self, scene: Scene, target: Mapping[str, Any]) -> None:
        """Make the version, which nothing launches yet, and promise to bring the one before back."""
        wish = self.wish
        scene.findings += self.advice()
        if self._adopted:
            self._number = int(desired_version(self._running or {}) or 0)
        else:
            self._number = new_version(self.clients, self.terms.region, wish.group, wish.release, wish.image_id)
        self._waves = Waves(one["InstanceId"] for one in self._group["Instances"] if version_of(one) != self._number)
        scene.operation.arm(UNDO, wish.group, self._promise())

    def inject(self, scene: Scene, target: Mapping[str, Any]) -> None:
        group = self.wish.group
        if self._adopted:
            self._refresh_id = self._adopted
            finding = f"Refresh {self._refresh_id} was under way already, with this release; it was adopted."
            scene.findings.append(finding)
        else:
            preferences = self.wish.preferences.as_request()
            self._refresh_id = start(self.clients, self.terms.region, group, self._number, preferences)
        scene.operation.record("acknowledged", group, {"refresh": self._refresh_id, "version": self._number})
        self._moved = time.monotonic()

    def _promise(self) -> dict[str, Any]:
        """What the undo needs to know."""
        return {
            "region": self.terms.region,
            "group": self.wish.group,
            "version": self._number,
            "version_before": self._before.number,
            "rollback": self._rolls_back,
            "preferences": {
                key: value
                for key, value in self.wish.preferences.as_request().items()
                if key in ("MinHealthyPercentage", "MaxHealthyPercentage", "InstanceWarmup")
            },
        }

    @property
    def _rolls_back(self) -> bool:
        """Whether there is another version to go back to, and that is wanted."""
        return self.wish.preferences.auto_rollback and self._before.number != self._number
