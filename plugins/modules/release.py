#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A release of the application on one host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: release
version_added: "0.1.0"
short_description: Put a release of the application in place on a host
description:
  - Runs on the host that serves. It needs no AWS, and nothing but Python 3.8 there.
  - A release is unpacked to C(<root>/releases/<release>) beside the one that serves; C(<root>/current) is a link that one rename switches.
  - C(<root>/manifests/<release>.json) says what is known of a release; its state is C(preparing), C(ready), C(active), C(failed) or
    C(retired). What a killed run left half unpacked is removed and made again.
options:
  release:
    description:
      - Name of the release, 1 to 64 letters, digits, dots, underscores and hyphens.
      - With O(state=rolled_back), the release to go back to. By default, the one that really served before the present one.
    type: str
  root:
    description: Folder that holds C(releases), C(manifests) and C(current). It must exist.
    type: path
    required: true
  state:
    description:
      - V(ready) unpacks the release and leaves what serves alone.
      - V(active) switches to a release that is ready, reloads, and waits until it is well. When it does not get well, it is marked
        V(failed) and the task fails; the link stays as it is, for V(rolled_back) to take back.
      - V(rolled_back) switches back, reloads, and waits until the older release is well.
      - V(known) only looks.
    type: str
    choices: [ready, active, rolled_back, known]
    default: known
  artifact:
    description: For O(state=ready), the tar or zip file on the host.
    type: path
  sha256:
    description: For O(state=ready), the SHA-256 of the artifact in hexadecimal digits. With any other content nothing is unpacked.
    type: str
  min_free:
    description: Megabytes that must be free in O(root) before anything is unpacked.
    type: int
    default: 500
  keep:
    description:
      - How many releases stay on the host. The oldest others are deleted after a switch, failed ones first.
      - The active one, the one before it, and those that are ready are never deleted.
    type: int
    default: 5
  reload_command:
    description: Command and arguments that make the program read C(current) again. It must return when that is done. No shell is used.
    type: list
    elements: str
    default: []
  health_url:
    description: Address on this host that is asked after the switch. Without it, nothing is asked.
    type: str
  health_header:
    description: Header of the answer that must be the release's name.
    type: str
    default: ""
  health_body:
    description: Text that the body of the answer must hold.
    type: str
    default: ""
  health_passes:
    description: Good answers in a row that make the release well.
    type: int
    default: 3
  health_interval:
    description: Seconds between two questions.
    type: float
    default: 1
  health_timeout:
    description: Seconds in which the release must get well.
    type: float
    default: 60
  validate_certs:
    description: Whether O(health_url) must have a certificate that is trusted and made for its name.
    type: bool
    default: true
attributes:
  check_mode:
    description: Says what would be done, and changes nothing.
    support: full
  diff_mode:
    description: Shows which release serves before and after.
    support: full
author:
  - webstack.aws developers (@webstack-aws)
"""

EXAMPLES = r"""
- name: Put release B beside the one that serves
  webstack.aws.release:
    release: B
    root: /srv/app
    state: ready
    artifact: /var/tmp/app-B.tar.gz
    sha256: 2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae

- name: Let it serve
  webstack.aws.release:
    release: B
    root: /srv/app
    state: active
    reload_command: [systemctl, reload, app]
    health_url: http://{{ ansible_default_ipv4.address }}:8080/health
    health_header: X-Release

- name: Go back to what served before
  webstack.aws.release:
    root: /srv/app
    state: rolled_back
    reload_command: [systemctl, reload, app]
    health_url: http://{{ ansible_default_ipv4.address }}:8080/health

- name: Ask what serves
  webstack.aws.release:
    root: /srv/app
  register: release
"""

RETURN = r"""
current:
  description: The release that C(current) leads to after the task (in check mode, now). Empty if there is none.
  returned: always
  type: str
  sample: B
previous:
  description: The release that served before the present one and is still whole. Empty if there is none.
  returned: always
  type: str
  sample: A
release_state:
  description: What is known of O(release), or of the present one. Empty if nothing is.
  returned: always
  type: str
  sample: active
releases:
  description: The state of every release on the host. V(unknown) is one that came with the image.
  returned: always
  type: dict
  sample: {"A": "retired", "B": "active"}
pruned:
  description: The releases that were deleted.
  returned: with O(state=active)
  type: list
  elements: str
  sample: []
"""

import re
import shutil
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.webstack.aws.plugins.module_utils.operations.release_health import HealthCheck, await_health
from ansible_collections.webstack.aws.plugins.module_utils.operations.releases import NAME, ReleaseError, Releases

ARGUMENTS = {
    "release": {"type": "str"},
    "root": {"type": "path", "required": True},
    "state": {"type": "str", "default": "known", "choices": ["ready", "active", "rolled_back", "known"]},
    "artifact": {"type": "path"},
    "sha256": {"type": "str"},
    "min_free": {"type": "int", "default": 500},
    "keep": {"type": "int", "default": 5},
    "reload_command": {"type": "list", "elements": "str", "default": []},
    "health_url": {"type": "str"},
    "health_header": {"type": "str", "default": ""},
    "health_body": {"type": "str", "default": ""},
    "health_passes": {"type": "int", "default": 3, "no_log": False},
    "health_interval": {"type": "float", "default": 1},
    "health_timeout": {"type": "float", "default": 60},
    "validate_certs": {"type": "bool", "default": True},
}


def check(options: dict[str, Any]) -> None:
    name, root = options["release"], Path(options["root"])
    if name is not None and not NAME.fullmatch(name):
        raise ReleaseError(
            f"release: {name!r}. Give 1 to 64 letters, digits, dots, underscores and hyphens, a letter or digit first"
        )
    if not root.is_dir():
        raise ReleaseError(
            f"root: there is no folder {root}. Make it, owned by the user that deploys, or correct the option"
        )
    if options["sha256"] is not None and not re.fullmatch(r"[0-9a-fA-F]{64}", options["sha256"]):
        raise ReleaseError(f"sha256: {options['sha256']!r}. Give 64 hexadecimal digits")
    for option in ("keep", "health_passes"):
        if options[option] < 1:
            raise ReleaseError(f"{option}: {options[option]}. Give 1 or more")
    if options["health_interval"] < 0 or options["health_timeout"] <= 0:
        raise ReleaseError("health_interval, health_timeout: give seconds, more than 0")


class Task:
    """One call of the module."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.options = module.params
        self.releases = Releases(Path(module.params["root"]))

    def run(self) -> dict[str, Any]:
        check(self.options)
        state = self.options["state"]
        before = self.releases.current()
        if state == "known":
            return self.answer(False, before)
        if self.module.check_mode:
            return self.preview(before)
        with self.releases.locked():
            steps = {"ready": self.prepare, "active": self.activate, "rolled_back": self.roll_back}
            return self.answer(**steps[state](), before=before)

    def preview(self, before: str | None) -> dict[str, Any]:
        name = self.options["release"]
        if self.options["state"] == "ready":
            return self.answer(not self.releases.whole(name or ""), before)
        name = name or self.releases.previous(before)
        return {**self.answer(name != before, before), "diff": self.diff(before, name)}

    def named(self) -> str:
        name = self.options["release"]
        if not name:
            raise ReleaseError("release: give the name of the release")
        return str(name)

    def prepare(self) -> dict[str, Any]:
        name, options = self.named(), self.options
        if not options["artifact"] or not options["sha256"]:
            raise ReleaseError("artifact, sha256: both are needed to make a release ready")
        free = shutil.disk_usage(options["root"]).free // (1 << 20)
        if not self.releases.whole(name) and free < options["min_free"]:
            raise ReleaseError(
                f"min_free: {options['root']} has {free} MB free, not {options['min_free']} MB. Make room"
            )
        return {"changed": self.releases.unpack(name, Path(options["artifact"]), options["sha256"])}

    def activate(self) -> dict[str, Any]:
        name = self.named()
        known = self.releases.manifest(name)
        if self.releases.current() == name and known.get("state", "active") == "active":
            self.require_health(name)
            return {"changed": False, "pruned": []}
        self.releases.switch(name)
        try:
            self.reload()
            self.require_health(name)
        except ReleaseError:
            self.releases.note(name, state="failed")
            raise
        self.releases.activated(name)
        return {"changed": True, "pruned": self.releases.prune(self.options["keep"])}

    def roll_back(self) -> dict[str, Any]:
        present = self.releases.current()
        name = self.options["release"] or self.releases.previous(present)
        if not name:
            raise ReleaseError(f"No release is on record that served before {present}. Name the one to go back to")
        if present == name:
            self.reload()  # a run that was killed may have switched back without it
            self.require_health(name)
            self.releases.activated(name)
            return {"changed": False}
        former = self.releases.manifest(name).get("previous")
        self.releases.switch(name)
        # What served before the older release stays on record: going back twice must not come here again.
        self.releases.note(name, previous=former)
        if present and self.releases.manifest(present).get("state") == "active":
            self.releases.note(present, state="retired")
        self.reload()
        self.require_health(name)
        self.releases.activated(name)
        return {"changed": True}

    def reload(self) -> None:
        command = self.options["reload_command"]
        if not command:
            return
        code, out, err = self.module.run_command(command)
        if code:
            text = (err or out).strip()[-300:]
            raise ReleaseError(f"reload_command: {' '.join(command)} ended with {code}. {text}")

    def require_health(self, name: str) -> None:
        options = self.options
        if not options["health_url"]:
            return
        wanted = HealthCheck(
            url=options["health_url"],
            header=options["health_header"],
            body=options["health_body"],
            passes=options["health_passes"],
            interval=options["health_interval"],
            timeout=options["health_timeout"],
            validate_certificates=options["validate_certs"],
        )
        if trouble := await_health(wanted, name):
            raise ReleaseError(f"Release {name} is not well: {trouble}")

    def diff(self, before: str | None, after: str | None) -> dict[str, str]:
        return {"before": f"{before or 'nothing'}\n", "after": f"{after or 'nothing'}\n"}

    def answer(self, changed: bool, before: str | None, **more: Any) -> dict[str, Any]:
        current = self.releases.current()
        states = {name: self.releases.manifest(name).get("state", "unknown") for name in self.releases.names()}
        return {
            "changed": changed,
            "current": current or "",
            "previous": self.releases.previous(current) or "",
            "release_state": states.get(self.options["release"] or current or "", ""),
            "releases": states,
            "diff": self.diff(before, current),
            **more,
        }


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    task = Task(module)
    try:
        answer = task.run()
    except ReleaseError as error:
        module.fail_json(msg=str(error), **_known(task))
    except OSError as error:
        module.fail_json(msg=f"{error.filename or module.params['root']}: {error.strerror or error}", **_known(task))
    module.exit_json(**answer)


def _known(task: Task) -> dict[str, Any]:
    """What a failure can say of the host."""
    try:
        return {"changed": False, "current": task.releases.current() or ""}
    except (ReleaseError, OSError):
        return {"changed": False}


if __name__ == "__main__":
    main()
