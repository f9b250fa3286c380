"""The prober: samples at fixed instants, whatever becomes of the earlier ones."""

from __future__ import annotations

import heapq
import ipaddress
import math
import resource
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from ..engine.errors import OptionError
from .probe_connecting import Deadline, Resolver, Workers
from .probe_specs import DATABASES, ProbeSpec, check_libraries, check_specs
from .probes_database import DatabaseProbe
from .probes_http import HttpProbe
from .probes_network import DnsProbe, TcpProbe
from .samples import NOT_SENT, ProbeFault, Sample, SampleWriter, error_class, new_sample

TOO_LATE = 0.5  # seconds after which a sample is not sent any more: a burst of old ones would measure nothing
MOST_LOOKUPS = 1024
SLACK = 1.0  # seconds that a busy machine may need to end a sample whose time is over


class Probe(Protocol):
    """A kind of sampling. ``sample`` fills in what it finds and raises when the service did not do as it should."""

    def sample(self, number: int, deadline: Deadline, sample: Sample) -> None: ...

    def close(self) -> None: ...


class Prober:
    """Takes samples as the specs say and appends them to a file, until stopped. Open loop: no sample waits for another.

    Each sample has a thread of its own while it is under way; there are enough for every probe to hang until its time limit.
    A sample that finds no thread, or no port or file of this machine, is in the file as failed with the class ``not_sent``.
    Every scheduled sample is in the file exactly once.
    """

    def __init__(
        self,
        specs: Sequence[ProbeSpec],
        samples_path: Path | str,
        *,
        run_id: str = "",
        passwords: Mapping[str, str] | None = None,
        most_workers: int | None = None,
    ) -> None:
        """Check everything; nothing is sent. ``passwords`` holds those of probes without ``password_file``, by probe's name.

        Raises OptionError for a bad spec and ResourceError for a package that is missing.
        """
        check_specs(specs)
        check_libraries(specs)
        self._specs = list(specs)
        in_flight = sum(math.ceil(spec.rate * (spec.timeout + SLACK)) + 4 for spec in specs)
        self._workers = Workers(most_workers or in_flight, "prober")
        self._lookups = Workers(MOST_LOOKUPS, "prober-lookup")
        self._probes = [make_probe(spec, self._lookups, run_id, passwords or {}) for spec in specs]
        self._zones = [[(ipaddress.ip_network(net), zone) for net, zone in spec.zones.items()] for spec in specs]
        self._files_needed = 2 * in_flight + 256
        self._writer = SampleWriter(Path(samples_path))
        self._scheduler = threading.Thread(target=self._schedule, name="prober-schedule", daemon=True)
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._under_way: dict[int, tuple[Sample, float]] = {}  # sample → the monotonic time by which it must be over
        self._epoch = time.time() - time.monotonic()  # a step of the wall clock must not tear a gap into the schedule

    def start(self) -> None:
        """Start the schedule and return. Raises OSError when the file cannot be written."""
        _allow_files(self._files_needed)
        self._writer.start()
        self._scheduler.start()

    def stop(self) -> None:
        """End the schedule, let samples under way finish within their time limits, and close the file."""
        self._stopping.set()
        if self._scheduler.ident is None:
            return
        self._scheduler.join()
        while (left := self._longest_left()) > 0:
            time.sleep(min(left, 0.02))
        with self._lock:
            overdue = [sample for sample, _limit in self._under_way.values()]
            self._under_way.clear()
        for sample in overdue:  # a step that could not be interrupted; what it finds later is nobody's
            marker = sample["marker"] and {**sample["marker"], "state": "unknown"}
            late = {"ok": False, "error": "timeout", "ended": self._now(), "marker": marker}
            self._writer.put({**sample, "phases": dict(sample["phases"]), **late})
        for probe in self._probes:
            probe.close()
        self._workers.close()
        self._lookups.close()
        self._writer.stop()

    @property
    def alive(self) -> bool:
        """Whether samples are being taken and stored."""
        return self._scheduler.is_alive() and self._writer.alive

    @property
    def error(self) -> str | None:
        """Why samples can no longer be stored."""
        return self._writer.error

    def _now(self) -> float:
        return round(time.monotonic() + self._epoch, 6)

    def _longest_left(self) -> float:
        with self._lock:
            limits = [limit for _sample, limit in self._under_way.values()]
        return max(limits) + 0.25 - time.monotonic() if limits else 0.0

    def _schedule(self) -> None:
        """Instants are counted, not added up: the schedule never drifts. Probes start one after the other, not in step."""
        total = sum(spec.rate for spec in self._specs)
        begin = time.monotonic() + 0.05
        due: list[tuple[float, int, int]] = []
        begins = []
        ahead = 0.0
        for index in range(len(self._specs)):
            begins.append(begin + ahead)
            heapq.heappush(due, (begins[index], index, 0))
            ahead += 1 / total
        while not self._stopping.is_set():
            instant, index, number = due[0]
            pause = instant - time.monotonic()
            if pause > 0 and self._stopping.wait(pause):
                break
            heapq.heapreplace(due, (begins[index] + (number + 1) / self._specs[index].rate, index, number + 1))
            self._launch(index, number, instant)

    def _launch(self, index: int, number: int, instant: float) -> None:
        spec = self._specs[index]
        sample = new_sample(spec.name, number, instant + self._epoch)
        key = id(sample)
        if time.monotonic() - instant > TOO_LATE:
            self._not_sent(sample)
            return
        with self._lock:
            self._under_way[key] = (sample, time.monotonic() + spec.timeout)
        if not self._workers.start(lambda: self._take(index, number, sample)):
            with self._lock:
                del self._under_way[key]
            self._not_sent(sample)

    def _not_sent(self, sample: Sample) -> None:
        sample["ended"] = self._now()
        sample["error"] = NOT_SENT
        self._writer.put(sample)

    def _take(self, index: int, number: int, sample: Sample) -> None:
        sample["started"] = self._now()
        take(self._probes[index], self._specs[index], number, sample)
        sample["ended"] = self._now()
        if sample["zone"] is None and sample["address"]:
            sample["zone"] = _zone_of(sample["address"], self._zones[index])
        with self._lock:
            waited_for = self._under_way.pop(id(sample), None) is not None
        if waited_for:
            self._writer.put(sample)


def take(probe: Probe, spec: ProbeSpec, number: int, sample: Sample) -> None:
    """Take one sample within the spec's time limit; every outcome is in the sample, none is raised."""
    deadline = Deadline(spec.timeout)
    try:
        probe.sample(number, deadline, sample)
        deadline.left()  # an answer after the time limit came too late
        sample["ok"] = True
    except Exception as error:
        sample["error"] = error_class(error)
        if isinstance(error, ProbeFault) and error.status is not None:
            sample["status"] = error.status


def make_probe(spec: ProbeSpec, lookups: Workers, run_id: str, passwords: Mapping[str, str]) -> Probe:
    """The probe of a spec. Raises OptionError for a password file or a CA file that cannot be read."""
    resolver = Resolver(() if spec.kind == "dns" else spec.nameservers, lookups)
    if spec.kind in DATABASES:
        return DatabaseProbe(spec, resolver, password_of(spec, passwords), run_id)
    if spec.kind == "http":
        try:
            return HttpProbe(spec, resolver)
        except OSError:
            raise OptionError(
                f"probes[{spec.name}].ca_path", spec.ca_path, "Give a file of CA certificates in PEM"
            ) from None
    return TcpProbe(spec, resolver) if spec.kind == "tcp" else DnsProbe(spec, resolver)


def password_of(spec: ProbeSpec, passwords: Mapping[str, str]) -> str:
    """The password of a database probe: the content of its file, without the last line break, or the one handed over."""
    if spec.password_file is None:
        return passwords.get(spec.name, "")
    try:
        return Path(spec.password_file).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError):
        option = f"probes[{spec.name}].password_file"
        raise OptionError(option, spec.password_file, "Give a text file that can be read") from None


def probe_once(spec: ProbeSpec, *, run_id: str = "", passwords: Mapping[str, str] | None = None) -> Sample:
    """One sample now, for a look before a run. No marker is written."""
    check_specs([spec])
    check_libraries([spec])
    lookups = Workers(MOST_LOOKUPS, "probe-lookup")
    calm = ProbeSpec(**{**spec.as_options(), "write": False})
    probe = make_probe(calm, lookups, run_id, passwords or {})
    sample = new_sample(spec.name, 0, time.time())
    sample["started"] = sample["scheduled"]
    try:
        take(probe, calm, 0, sample)
    finally:
        sample["ended"] = round(time.time(), 6)
        probe.close()
        lookups.close()
    return sample


Networks = Sequence[tuple["ipaddress.IPv4Network | ipaddress.IPv6Network", str]]


def _zone_of(address: str, zones: Networks) -> str | None:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return None
    return next((zone for network, zone in zones if found.version == network.version and found in network), None)


def _allow_files(needed: int) -> None:
    """Raise the soft limit of open files, often 1024, as far as the hard one lets us. What is missing shows as not_sent."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
