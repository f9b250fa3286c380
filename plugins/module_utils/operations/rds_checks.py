"""What must hold of a database before its failover is rehearsed."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from typing import Any

from .drill import Precondition
from .rds_events import CLUSTER_COMPLETED, COMPLETED, DNS, events

FAILOVERS = {DNS, COMPLETED, CLUSTER_COMPLETED}


def instance_checks(
    client: Any, instance: Mapping[str, Any], backup_age: float, interval: float
) -> Iterable[Precondition]:
    """The preconditions of a Multi-AZ instance. A reboot is refused unless it is available, and may apply what waits for one."""
    name = instance["DBInstanceIdentifier"]
    status = instance["DBInstanceStatus"]
    yield Precondition("status", status == "available", f"{name} is {status}; RDS reboots available instances only")
    multi_az = bool(instance.get("MultiAZ"))
    yield Precondition(
        "multi_az", multi_az, f"{name} {'has' if multi_az else 'has no'} standby: MultiAZ is {str(multi_az).lower()}"
    )
    yield _standby(name, instance)
    yield _nothing_pending(instance)
    yield maintenance(client, [instance["DBInstanceArn"]])
    yield _backups(instance, backup_age)
    yield _replicas(client, instance)
    yield no_recent_failover(client, "db-instance", name, interval)


def _standby(name: str, instance: Mapping[str, Any]) -> Precondition:
    zone, other = instance.get("AvailabilityZone"), instance.get("SecondaryAvailabilityZone")
    if not other:
        text = f"{name} shows no standby in another zone now. Wait until SecondaryAvailabilityZone is there again"
        return Precondition("standby", False, text)
    return Precondition("standby", zone != other, f"{name} runs in {zone}, its standby in {other}")


def _nothing_pending(instance: Mapping[str, Any]) -> Precondition:
    """The reboot of the failover would apply what waits for one: a change that nobody asked for (day by day, unseen)."""
    waiting = sorted(instance.get("PendingModifiedValues") or {})
    waiting += [
        f"parameter group {group['DBParameterGroupName']}"
        for group in instance.get("DBParameterGroups", [])
        if group.get("ParameterApplyStatus") == "pending-reboot"
    ]
    if waiting:
        return Precondition(
            "pending_changes",
            False,
            f"the reboot would apply {', '.join(waiting)}. Apply them first, in a window of their own",
        )
    return Precondition("pending_changes", True, "nothing waits for a reboot")


def maintenance(client: Any, arns: Iterable[str]) -> Precondition:
    """No maintenance action waits for the instances or the cluster."""
    waiting = []
    for arn in arns:
        answer = client.describe_pending_maintenance_actions(ResourceIdentifier=arn)
        for resource in answer["PendingMaintenanceActions"]:
            waiting += [action["Action"] for action in resource["PendingMaintenanceActionDetails"]]
    if waiting:
        text = f"maintenance is pending: {', '.join(sorted(waiting))}. Apply it first, or let its window pass"
        return Precondition("maintenance", False, text)
    return Precondition("maintenance", True, "no maintenance is pending")


def _backups(instance: Mapping[str, Any], most: float) -> Precondition:
    if not instance.get("BackupRetentionPeriod"):
        return Precondition(
            "backups", False, "automated backups are off. Set a backup retention period of one day or more"
        )
    latest = instance.get("LatestRestorableTime")
    if latest is None:
        return Precondition("backups", False, "no backup can be restored yet. Wait for the first one")
    age = (datetime.now(timezone.utc) - latest).total_seconds()
    return Precondition(
        "backups", age <= most, f"the latest restorable time is {age:.0f} s ago; at most {most:g} s are allowed"
    )


def _replicas(client: Any, instance: Mapping[str, Any]) -> Precondition:
    broken = []
    names = instance.get("ReadReplicaDBInstanceIdentifiers") or []
    for name in names:
        for replica in client.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"]:
            states = [
                one["Status"]
                for one in replica.get("StatusInfos", [])
                if one.get("StatusType") == "read replication" and not one.get("Normal")
            ]
            if replica["DBInstanceStatus"] != "available" or states:
                broken.append(f"{name} is {', '.join(states) or replica['DBInstanceStatus']}")
    if broken:
        return Precondition("replicas", False, f"{'; '.join(broken)}. Mend replication first")
    return Precondition("replicas", True, f"{len(names)} read replicas replicate")


def no_recent_failover(client: Any, source_type: str, name: str, interval: float) -> Precondition:
    """No failover in the last ``interval`` seconds: RDS abandons one that comes too soon after another (RDS-EVENT-0034)."""
    now = time.time()
    for at, text, number in events(client, source_type, name, now - interval):
        if number in FAILOVERS:
            minutes = (now - at) / 60
            return Precondition(
                "recent_failover",
                False,
                f"{text} {minutes:.0f} minutes ago. RDS abandons a failover too soon after another: wait {interval / 60:g} minutes",
            )
    return Precondition("recent_failover", True, f"no failover in the last {interval / 60:g} minutes")


def cluster_checks(
    client: Any,
    cluster: Mapping[str, Any],
    members: Mapping[str, Mapping[str, Any]],
    backup_age: float,
    interval: float,
) -> Iterable[Precondition]:
    """The preconditions of an Aurora or Multi-AZ DB cluster: somebody else can become the writer."""
    name = cluster["DBClusterIdentifier"]
    yield Precondition("status", cluster["Status"] == "available", f"{name} is {cluster['Status']}")
    writer = next((one for one in cluster["DBClusterMembers"] if one["IsClusterWriter"]), None)
    readers = [one["DBInstanceIdentifier"] for one in cluster["DBClusterMembers"] if not one["IsClusterWriter"]]
    yield _reader(name, members.get(writer["DBInstanceIdentifier"]) if writer else None, readers, members)
    waiting = sorted(cluster.get("PendingModifiedValues") or {})
    yield Precondition("pending_changes", not waiting, f"waiting: {', '.join(waiting) or 'nothing'}")
    yield maintenance(client, [cluster["DBClusterArn"]])
    yield _backups(cluster, backup_age)
    yield no_recent_failover(client, "db-cluster", name, interval)


def _reader(
    name: str, writer: Mapping[str, Any] | None, readers: Iterable[str], members: Mapping[str, Mapping[str, Any]]
) -> Precondition:
    if writer is None:
        return Precondition("standby", False, f"{name} shows no writer. Wait until it has one")
    good = [
        reader
        for reader in readers
        if members.get(reader, {}).get("DBInstanceStatus") == "available"
        and members[reader].get("AvailabilityZone") != writer.get("AvailabilityZone")
        and members[reader].get("DBInstanceClass") == writer.get("DBInstanceClass")
    ]
    if not good:
        return Precondition(
            "standby",
            False,
            f"{name} has no available reader of class {writer.get('DBInstanceClass')} outside {writer.get('AvailabilityZone')}. Add one",
        )
    return Precondition("standby", True, f"{', '.join(sorted(good))} can become the writer")
