"""The failover drill of a database: is the service back as quickly as promised, is nothing lost, is the standby there again?

Three ends are told apart: the control plane says that it is done, DNS answers with another address, a client can write again.
https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/Concepts.MultiAZSingleStandby.html
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from ..engine.errors import OptionError
from ..engine.sdk import SDK_ERRORS, Clients, error_code
from . import measure
from .drill import Drill, Precondition, Scene, Terms
from .rds_checks import cluster_checks, instance_checks
from .rds_events import (
    ABANDONED,
    CLUSTER_COMPLETED,
    CLUSTER_FAILED,
    CLUSTER_REVERSED,
    COMPLETED,
    DNS,
    events,
)
from .report_words import seconds
from .samples import scheduled
from .stack_checks import alarms_ok, no_refresh

POLL = 1.0  # seconds between looks at the control plane
QUIET = 120.0  # seconds after which a failover that nobody has noticed did not happen
LANE = "AWS RDS"


class DatabaseFailover(Drill):
    """What an instance's and a cluster's failover have in common."""

    kind = "rds_failover"
    purpose = "drill rds_failover"
    abortable = False
    differs_from_real = (
        "This failover is orderly: AWS is asked for it. When a host or a zone is lost, AWS has to notice it first, and the "
        "database may have to recover; expect it to take longer."
    )
    source_type = ""
    ends: tuple[str, ...] = ()  # numbers of the events with which the control plane says that it is done

    def __init__(
        self, clients: Clients, terms: Terms, identifier: str, backup_age: float, interval: float, alarms: bool
    ) -> None:
        super().__init__(clients, terms)
        self.identifier = identifier
        self.title = f"RDS failover drill: {identifier}"
        self.backup_age = backup_age
        self.interval = interval
        self.alarms = alarms
        self._looked = 0.0
        self._seen: set[str] = set()
        self._was_away = False

    @property
    def client(self) -> Any:
        return self.clients("rds", self.terms.region)

    def preconditions(self, target: Mapping[str, Any]) -> list[Precondition]:
        found = [*self.checks()]
        if self.alarms:
            found.append(alarms_ok(self.clients, self.terms.stack, self.terms.region))
        return [*found, no_refresh(self.clients, self.terms.stack, self.terms.region)]

    def checks(self) -> list[Precondition]:
        raise NotImplementedError

    def status(self) -> tuple[str, bool]:
        """The state in AWS's word, and whether the redundancy is complete."""
        raise NotImplementedError

    def watch(self, scene: Scene, target: Mapping[str, Any]) -> bool:
        if time.monotonic() - self._looked >= POLL:
            self._looked = time.monotonic()
            self._look(scene)
        self._dns(scene)
        self.recovery(scene)
        if ABANDONED in self._seen or CLUSTER_FAILED in self._seen:
            return True
        if {"stable", "redundant"} <= scene.marks.keys():
            return True
        return "first_failure" not in scene.marks and self.happened(scene) is not None

    def _look(self, scene: Scene) -> None:
        """Events and state, as AWS tells them."""
        for at, text, number in events(self.client, self.source_type, self.identifier, (scene.injected or 0.0) - 1):
            scene.event(LANE, at, text, number)
            self._seen.add(number)
            if number in self.ends:
                scene.mark("control_plane", "control plane: complete", at)
        state, redundant = self.status()
        if state != "available":
            self._was_away = True
            scene.mark("detected", f"control plane: {state}")
        elif self._was_away or self._seen & set(self.ends):
            scene.mark("control_plane", "control plane: available")
            if redundant and self._seen & set(self.ends):
                scene.mark("redundant", "redundancy back")

    def _dns(self, scene: Scene) -> None:
        """When the name of the endpoint first led elsewhere: by the DNS probes, else by the addresses of new connections."""
        specs = [spec for spec in self.terms.probes if spec.kind == "dns"] or [self.judged]
        for spec in specs:
            samples = [one for one in scene.of(spec.name) if one.get("address")]
            before = [one["address"] for one in samples if scheduled(one) < (scene.injected or 0.0)]
            after = [one for one in samples if scheduled(one) >= (scene.injected or 0.0)]
            changed = next((one for one in after if before and one["address"] != before[-1]), None)
            if changed:
                scene.mark("dns", "DNS changed", scheduled(changed))

    def happened(self, scene: Scene) -> str | None:
        if ABANDONED in self._seen:
            return (
                "AWS abandoned the failover, because another one was too recent (RDS-EVENT-0034). Nothing failed over"
            )
        if CLUSTER_REVERSED in self._seen:
            return None
        quiet = scene.injected is not None and time.time() - scene.injected > min(QUIET, self.terms.timeout / 2)
        switched = measure.switches(scene.of(self.judged.name, (scene.injected or 0.0) - 5))
        if quiet and not self._seen and not switched and "first_failure" not in scene.marks:
            return "The fault did not happen: no event, no outage, and the same server answers as before"
        return None

    def measures(self, scene: Scene) -> dict[str, float | None]:
        marks = {name: at for name, (at, _label) in scene.marks.items()}
        samples = scene.of(self.judged.name, scene.injected)
        rto = None
        if "first_failure" not in marks:
            rto = 0.0
        elif "stable" in marks:
            rto = marks["first_ok"] - marks["first_failure"]
        redundancy = marks["redundant"] - marks["inject"] if "redundant" in marks else None
        found = measure.outages(samples, stable=0.0)
        return {
            "rto_service": rto,
            "rto_redundancy": redundancy,
            "failed_ratio": measure.failed_ratio(samples),
            "failed_requests": float(sum(not one["ok"] for one in measure.known(samples))),
            "longest_outage": measure.longest(found),
        }

    def sentence(self, verdict: str, measured: Mapping[str, float | None]) -> str:
        rto, lost = measured.get("rto_service"), measured.get("lost_writes")
        if rto is None:
            return f"The database did not come back within {seconds(self.terms.timeout)}."
        lost_words = {None: "what was lost is not known", 0.0: "nothing that was confirmed was lost"}.get(
            lost, f"{lost or 0:g} confirmed writes were lost"
        )
        redundancy = measured.get("rto_redundancy")
        standby = (
            f"the standby was there again after {seconds(redundancy)}"
            if redundancy is not None
            else "the standby was NOT there again"
        )
        return f"The database could not be written for {seconds(rto)}; {lost_words}; {standby}."

    def details(self, scene: Scene) -> dict[str, Any]:
        """The waterfall: where the seconds went. Redundancy: from when to when there was no standby."""
        marks = {name: at for name, (at, _label) in scene.marks.items()}
        course = ["inject", "first_failure", "dns", "first_ok", "stable"]
        known = sorted((marks[name], name) for name in course if name in marks)
        names = {
            "first_failure": "until the outage",
            "dns": "until DNS changed",
            "first_ok": "until a client could write",
            "stable": "stable",
        }
        phases = [
            {"name": names.get(name, name), "start": before, "end": at}
            for (before, _name), (at, name) in pairwise(known)
        ]
        began = min((scheduled(one) for one in scene.samples), default=marks.get("inject"))
        away = marks.get("first_failure")
        copies = [
            {"copy": "primary", "start": began, "end": away},
            {"copy": "primary", "start": marks.get("first_ok") if away else None, "end": None},
            {"copy": "standby", "start": began, "end": marks.get("inject")},
            {"copy": "standby", "start": marks.get("redundant"), "end": None},
        ]
        return {"phases": phases, "redundancy": [copy for copy in copies if copy["start"]]}


class InstanceFailover(DatabaseFailover):
    """RebootDBInstance with ForceFailover on a Multi-AZ instance."""

    source_type = "db-instance"
    ends = (DNS, COMPLETED)
    published: Mapping[str, str] = {"rto_service": "60–120 s", "rpo": "0", "lost_writes": "0"}

    def instance(self) -> dict[str, Any]:
        """As AWS shows it now. Raises OptionError where there is none of that name."""
        return described_instance(self.client, self.identifier)

    def target(self) -> dict[str, Any]:
        instance = self.instance()
        return {
            "id": instance["DBInstanceIdentifier"],
            "arn": instance["DBInstanceArn"],
            "zone": instance.get("AvailabilityZone"),
            "standby_zone": instance.get("SecondaryAvailabilityZone"),
            "endpoint": (instance.get("Endpoint") or {}).get("Address"),
        }

    def checks(self) -> list[Precondition]:
        return list(instance_checks(self.client, self.instance(), self.backup_age, self.interval))

    def requests(self, target: Mapping[str, Any]) -> list[str]:
        return [f"rds:RebootDBInstance DBInstanceIdentifier={target['id']} ForceFailover=true"]

    def inject(self, scene: Scene, target: Mapping[str, Any]) -> None:
        self.client.reboot_db_instance(DBInstanceIdentifier=target["id"], ForceFailover=True)

    def status(self) -> tuple[str, bool]:
        instance = self.instance()
        other = instance.get("SecondaryAvailabilityZone")
        return instance["DBInstanceStatus"], bool(other) and other != instance.get("AvailabilityZone")


class ClusterFailover(DatabaseFailover):
    """FailoverDBCluster on an Aurora or Multi-AZ DB cluster."""

    source_type = "db-cluster"
    ends = (CLUSTER_COMPLETED,)
    published: Mapping[str, str] = {
        "rto_service": "under 35 s (Multi-AZ), under 60 s (Aurora)",
        "rpo": "0",
        "lost_writes": "0",
    }

    def cluster(self) -> dict[str, Any]:
        """As AWS shows it now. Raises OptionError where there is none of that name."""
        return described_cluster(self.client, self.identifier)

    def members(self, cluster: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
        names = [member["DBInstanceIdentifier"] for member in cluster["DBClusterMembers"]]
        return {name: described_instance(self.client, name) for name in names}

    def target(self) -> dict[str, Any]:
        cluster = self.cluster()
        return {
            "id": cluster["DBClusterIdentifier"],
            "arn": cluster["DBClusterArn"],
            "writer": self._writer(cluster),
            "endpoint": cluster.get("Endpoint"),
        }

    @staticmethod
    def _writer(cluster: Mapping[str, Any]) -> str | None:
        writers = (one["DBInstanceIdentifier"] for one in cluster["DBClusterMembers"] if one["IsClusterWriter"])
        return next(writers, None)

    def checks(self) -> list[Precondition]:
        cluster = self.cluster()
        return list(cluster_checks(self.client, cluster, self.members(cluster), self.backup_age, self.interval))

    def requests(self, target: Mapping[str, Any]) -> list[str]:
        return [f"rds:FailoverDBCluster DBClusterIdentifier={target['id']}"]

    def inject(self, scene: Scene, target: Mapping[str, Any]) -> None:
        self.client.failover_db_cluster(DBClusterIdentifier=target["id"])

    def status(self) -> tuple[str, bool]:
        """The old writer must be back, as a reader that is available."""
        cluster = self.cluster()
        members = self.members(cluster)
        all_there = all(member["DBInstanceStatus"] == "available" for member in members.values())
        return cluster["Status"], all_there and len(members) > 1


def described_instance(client: Any, identifier: str) -> dict[str, Any]:
    """An instance as AWS shows it. Raises OptionError where there is none of that name."""
    try:
        found: dict[str, Any] = client.describe_db_instances(DBInstanceIdentifier=identifier)["DBInstances"][0]
    except SDK_ERRORS as error:
        if error_code(error) not in ("DBInstanceNotFound", "DBInstanceNotFoundFault"):
            raise
        raise OptionError(
            "db_instance_identifier",
            identifier,
            "There is no such instance in this region. Run the database tier first",
        ) from error
    return found


def described_cluster(client: Any, identifier: str) -> dict[str, Any]:
    """A cluster as AWS shows it. Raises OptionError where there is none of that name."""
    try:
        found: dict[str, Any] = client.describe_db_clusters(DBClusterIdentifier=identifier)["DBClusters"][0]
    except SDK_ERRORS as error:
        if error_code(error) != "DBClusterNotFoundFault":
            raise
        raise OptionError("db_cluster_identifier", identifier, "There is no such cluster in this region") from error
    return found
