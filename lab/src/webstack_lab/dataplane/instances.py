"""Every running EC2 instance is a process: program.py on an address of its own, serving the release in its own folder.

`<state>/instances/<instance id>/`: `srv/app/current` → `releases/<name>`, `bin/reload`, `bin/restart`, `run/`, `app.log`. An instance
starts with the release that its tag `webstack:release` names, else a line `WEBSTACK_RELEASE=<name>` of its user data. Its health check
fails with `WEBSTACK_HEALTH=fail`, or when `WEBSTACK_BROKEN_RELEASES=<name>,…` lists that release. A process that dies by itself stays
dead, as a crashed program on an instance would; a reboot starts it again.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moto.ec2.models.instances import Instance

from webstack_lab.dataplane import reach
from webstack_lab.dataplane.children import end, resident, spawn
from webstack_lab.dataplane.network import real_port
from webstack_lab.extend import backends_of, mend
from webstack_lab.services import reality
from webstack_lab.services.elbv2_listeners import groups_of
from webstack_lab.services.elbv2_targets import LEAVING

if TYPE_CHECKING:
    from webstack_lab.app import LabApp

PROGRAM = Path(__file__).with_name("program.py")
SETTING = re.compile(r"^\s*(?:export\s+)?(WEBSTACK_(?:RELEASE|HEALTH|BROKEN_RELEASES))=[\"']?([\w.+,-]+)", re.MULTILINE)
RELEASE_TAG = "webstack:release"
BOOTS = "_boots"
SCRIPTS = {
    "reload": ("HUP", "read the release again, and return when it has been read"),
    "restart": ("USR2", "start the program anew after the requests under way, and return when it serves"),
}
SCRIPT = """#!/bin/sh
# {text}
run=$(dirname "$0")/../run
rm -f "$run/loaded"
kill -{signal} "$(cat "$run/app.pid")" || exit 1
for _ in $(seq 1000); do
    test -f "$run/loaded" && exit 0
    sleep 0.02
done
echo "the program did not answer" >&2
exit 1
"""

reboot_of_moto = Instance.reboot


def reboot(self: Any) -> None:
    """moto's, counted."""
    vars(self)[BOOTS] = vars(self).get(BOOTS, 0) + 1
    reboot_of_moto(self)


mend(Instance, "reboot", reboot)


@dataclass
class Wanted:
    """What the API says of one running instance."""

    id: str
    zone: str
    region: str
    private_ip: str
    user_data: str
    release: str
    boots: int
    orders: dict[str, Any]


@dataclass
class Running:
    """The process of one instance."""

    wanted: Wanted
    address: str
    folder: Path
    process: subprocess.Popen[bytes]
    sent: dict[str, Any] = field(default_factory=dict)
    started: float = field(default_factory=time.monotonic)

    @property
    def serving(self) -> bool:
        """Whether the program has read its release and its ports, and lives."""
        return self.process.poll() is None and (self.folder / "run" / "orders").exists()

    def order(self, orders: dict[str, Any]) -> None:
        """Tell the program what to listen on, when that has changed."""
        if orders == self.sent or self.process.poll() is not None or self.process.stdin is None:
            return
        try:
            self.process.stdin.write(json.dumps(orders).encode() + b"\n")
            self.process.stdin.flush()
            self.sent = orders
        except OSError:
            pass  # it has just died, which is no business of ours

    def end(self) -> None:
        """Let it finish what is under way, in the background."""
        self.process.terminate()
        if self.process.stdin is not None:
            self.process.stdin.close()


class Instances:
    """The processes of all instances of all regions."""

    def __init__(self, app: LabApp, folder: Path) -> None:
        self.app = app
        self.folder = folder / "instances"
        shutil.rmtree(self.folder, ignore_errors=True)
        self.running: dict[str, Running] = {}
        self.addresses_by_id: dict[str, str] = {}
        self.ending: list[Running] = []

    def tick(self) -> None:
        """Start, stop and inform processes; tell which of them serve."""
        with self.app.lock:
            wanted = {one.id: one for one in wishes()}
        for name in [name for name in self.running if name not in wanted]:
            self.stop(name)
        for one in wanted.values():
            known = self.running.get(one.id)
            if known is not None and known.wanted.boots != one.boots:
                end([known.process], 5)
                known = None
            if known is None:
                known = self.start(one)
            known.wanted = one
            known.order(one.orders)
        self.bury()
        with self.app.lock:
            reality.now.serving = {name for name, one in self.running.items() if one.serving}

    def start(self, wanted: Wanted) -> Running:
        """A process for an instance; its folder and address stay from one boot to the next."""
        folder = self.folder / wanted.id
        if not folder.exists():
            furnish(folder, wanted)
        for name in ("orders", "loaded"):
            (folder / "run" / name).unlink(missing_ok=True)
        if wanted.id not in self.addresses_by_id:
            assert self.app.plane is not None
            self.addresses_by_id[wanted.id] = self.app.plane.network.take()
        address = self.addresses_by_id[wanted.id]
        (folder / "run" / "address").write_text(address + "\n")
        command = [str(PROGRAM), str(folder), address, wanted.id, wanted.zone]
        process = spawn(command, folder / "app.log", folder=folder, stdin=subprocess.PIPE)
        self.running[wanted.id] = Running(wanted, address, folder, process)
        return self.running[wanted.id]

    def stop(self, name: str) -> None:
        """End a process whose instance stopped or was terminated."""
        one = self.running.pop(name)
        one.end()
        self.ending.append(one)

    def bury(self) -> None:
        """Forget processes that have ended, and the folders of terminated instances."""
        for one in [one for one in self.ending if one.process.poll() is not None]:
            self.ending.remove(one)
            with self.app.lock:
                kept = any(one.wanted.id == instance.id for _region, instance in all_instances())
            if not kept:
                shutil.rmtree(one.folder, ignore_errors=True)
                self.addresses_by_id.pop(one.wanted.id, None)

    def clear(self) -> None:
        """End all."""
        gone = [*self.running.values(), *self.ending]
        self.running, self.ending, self.addresses_by_id = {}, [], {}
        end([one.process for one in gone], 0.5)
        for one in gone:
            if one.process.stdin is not None:
                one.process.stdin.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def close(self) -> None:
        """End all."""
        self.clear()

    def address_of(self, target: str) -> str | None:
        """Where an instance is, by its id or its private address."""
        for name, one in list(self.running.items()):
            if target in (name, one.wanted.private_ip):
                return one.address
        return None

    def status(self) -> list[dict[str, Any]]:
        """One row an instance."""
        return [
            {
                "id": name,
                "zone": one.wanted.zone,
                "address": one.address,
                "ports": one.sent.get("ports", {}),
                "release": text_of(one.folder / "run" / "loaded"),
                "state": "serving" if one.serving else "starting" if one.process.poll() is None else "crashed",
                "pid": one.process.pid,
                "memory": resident(one.process.pid),
                "folder": str(one.folder),
            }
            for name, one in sorted(self.running.items())
        ]


def text_of(path: Path) -> str:
    """A small file's text, blank where there is none."""
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def furnish(folder: Path, wanted: Wanted) -> None:
    """The folder of a new instance, with the release of its tag or user data."""
    app = folder / "srv" / "app"
    for part in (app / "releases", folder / "run", folder / "bin"):
        part.mkdir(parents=True)
    for name, (signal, text) in SCRIPTS.items():
        script = folder / "bin" / name
        script.write_text(SCRIPT.format(signal=signal, text=text[0].upper() + text[1:]))
        script.chmod(0o755)
    (folder / "bin" / "python").symlink_to(sys.executable)
    settings = dict(SETTING.findall(wanted.user_data))
    if release := wanted.release or settings.get("WEBSTACK_RELEASE"):
        broken = release in settings.get("WEBSTACK_BROKEN_RELEASES", "").split(",")
        place = app / "releases" / release
        place.mkdir()
        (place / "RELEASE").write_text(release + "\n")
        (place / "health").write_text(("fail" if broken else settings.get("WEBSTACK_HEALTH", "ok")) + "\n")
        (app / "current").symlink_to(Path("releases") / release)


def all_instances() -> Iterator[tuple[Any, Any]]:
    """Every instance of every region that is not terminated, with its EC2 backend; under the app's lock."""
    for regions in list(backends_of("ec2").values()):
        for backend in list(regions.values()):
            for reservation in list(backend.reservations.values()):
                for instance in reservation.instances:
                    if instance._state.name != "terminated":
                        yield backend, instance


def wishes() -> Iterator[Wanted]:
    """Every running instance as it should be; under the app's lock."""
    sides: dict[tuple[str, str], Balancing] = {}
    for backend, instance in all_instances():
        if instance._state.name != "running":
            continue
        key = backend.account_id, backend.region_name
        if key not in sides:
            sides[key] = Balancing(*key)
        yield Wanted(
            id=instance.id,
            zone=instance.placement.zone,
            region=backend.region_name,
            private_ip=str(instance.private_ip),
            user_data=decoded(instance.user_data),
            release=next((tag["value"] for tag in instance.get_tags() if tag["key"] == RELEASE_TAG), ""),
            boots=vars(instance).get(BOOTS, 0),
            orders=sides[key].orders(backend, instance),
        )


class Balancing:
    """The load balancers of a region and what they send where; under the app's lock."""

    def __init__(self, account: str, region: str) -> None:
        elbv2 = backends_of("elbv2")[account][region]
        self.groups = [group for group in elbv2.target_groups.values() if group.target_type in ("instance", "ip")]
        self.users: dict[str, list[Any]] = {group.arn: [] for group in self.groups}
        for balancer in elbv2.load_balancers.values():
            rules = [rule for one in balancer.listeners.values() for rule in one.rules.values()]
            for arn in {arn for rule in rules for arn in groups_of([action.data for action in rule.actions])}:
                self.users.get(arn, []).append(balancer)

    def orders(self, backend: Any, instance: Any) -> dict[str, Any]:
        """What an instance listens on: the ports of all target groups of its network, open as the rules there say."""
        subnet = backend.get_subnet(instance.subnet_id) if instance.subnet_id else None
        ports: dict[int, list[Any]] = {}
        health = set()
        for group in self.groups:
            if subnet is None or group.vpc_id != subnet.vpc_id:
                continue
            if group.health_check_path:
                health.add(str(group.health_check_path).partition("?")[0])
            known = {
                **{name: target for name, (target, _since) in vars(group).get(LEAVING, {}).items()},
                **group.targets,
            }
            target = known.get(instance.id) or known.get(instance.private_ip)
            ports.setdefault(int(group.port), [])
            if target is not None:
                ports.setdefault(int(target.get("Port") or group.port), []).extend(self.users[group.arn])
                if str(group.health_check_port).isdigit():
                    ports.setdefault(int(group.health_check_port), []).extend(self.users[group.arn])
        states = {
            str(real_port(port)): reach.state_of(backend, balancers, instance, subnet, port)
            for port, balancers in sorted(ports.items())
        }
        return {"ports": states, "health": sorted(health)}


def decoded(user_data: Any) -> str:
    """User data as text, however moto holds it."""
    if not user_data:
        return ""
    raw = user_data if isinstance(user_data, bytes) else str(user_data).encode()
    try:
        return base64.b64decode(raw, validate=True).decode(errors="replace")
    except (binascii.Error, ValueError):
        return raw.decode(errors="replace")
