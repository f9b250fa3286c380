"""Reboots and failovers of DB instances, and the two ways to break them.

https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/Concepts.MultiAZ.Failover.html
"""

from __future__ import annotations

from typing import Any

from webstack_lab.extend import Answer, AwsError, Context, Params, operation
from webstack_lab.faults import fault
from webstack_lab.services.rds import named, shown, standby_zone
from webstack_lab.services.rds_phases import add_event, faults_of, later, order, phase


@operation("rds", "RebootDBInstance")
def reboot_db_instance(context: Context, params: Params) -> Answer:
    """A reboot applies waiting parameters; with failover the standby takes over, and the zones change places (trap 111)."""
    one = named(context, params["DBInstanceIdentifier"])
    if one.status not in ("available", "storage-optimization", "incompatible-parameters"):
        text = (
            f"Instance {one.db_instance_identifier} cannot currently reboot due to an in-progress management operation."
        )
        raise AwsError("InvalidDBInstanceState", text)
    if not params.get("ForceFailover"):
        reboot(one)
        return shown(context, one)
    if not one.multi_az:
        text = "Force failover cannot be specified because the DB instance is not configured for Multi-AZ."
        raise AwsError("InvalidParameterCombination", text)
    fail_over(one)
    return shown(context, one)


def reboot(one: Any) -> None:
    """The servers stay where they are; the engine starts anew."""

    def stopped() -> None:
        add_event(one, "DB instance shutdown", "availability")
        order(one, "restart")

    def restarted() -> None:
        one.lab_parameters = "in-sync"
        add_event(one, "DB instance restarted", "availability")

    phase(one, "rebooting", stopped, key="reboot-request")
    phase(one, "rebooting", restarted, needs="restarted")


def fail_over(one: Any) -> None:
    """The primary is gone, the standby is promoted, the endpoint's DNS record moves, the zones are shown the other way round.

    The event about DNS propagation (RDS-EVENT-0015) does not come with a requested failover of PostgreSQL or MySQL.
    """

    def started() -> None:
        if standby_zone(one) is None:
            one.lab_phases = []
            text = "Abandoning user requested failover since a failover recently occurred on the DB instance."
            add_event(one, text, "failover")
            return
        add_event(one, "Multi-AZ instance failover started.", "failover")
        one.lab_standby_lost = True
        order(one, "stop")

    def restarted() -> None:
        one.lab_parameters = "in-sync"
        add_event(one, "DB instance restarted", "availability")
        later(one, "zone-display", lambda: swap_zones(one))
        later(one, "standby-rebuild", lambda: rebuild(one))

    def completed() -> None:
        add_event(one, "Multi-AZ instance failover completed", "failover")
        add_event(one, "The user requested a failover of the DB instance.")

    phase(one, "rebooting", started, key="failover-request", needs="standby")
    phase(one, "rebooting", lambda: order(one, "promote"), key="failover-detection", needs="stopped")
    phase(one, "rebooting", restarted, key="failover-promotion", needs="promoted")
    phase(one, "rebooting", lambda: order(one, "point"), key="failover-endpoint")
    phase(one, "rebooting", completed, key="failover-completion", needs="pointed")
    phase(one, "rebooting", key="failover-rest")


def swap_zones(one: Any) -> None:
    """The zone of the server that is the primary now is shown."""
    if one.lab_standby:
        one.availability_zone, one.lab_standby = one.lab_standby, one.availability_zone


def rebuild(one: Any) -> None:
    """A standby is made again, unless somebody keeps it broken."""
    if "database-standby" not in faults_of(one):
        one.lab_standby_lost = False


# Faults. AWS has no such calls: they are the lab's own.


def target(context: Context, identifier: str) -> Any:
    """The instance to break."""
    one = named(context, identifier)
    if not one.multi_az:
        raise AwsError("InvalidParameterValue", f"DB instance {identifier} is not Multi-AZ: it has no standby.", 400)
    return one


@fault("database-standby")
def lose_standby(context: Context, identifier: str, broken: bool) -> None:
    """The standby of a Multi-AZ DB instance is gone: no SecondaryAvailabilityZone; a failover is abandoned. Mended: it is rebuilt."""
    one = target(context, identifier)
    (faults_of(one).add if broken else faults_of(one).discard)("database-standby")
    one.lab_standby_lost = broken


@fault("database-failover")
def hang_failover(context: Context, identifier: str, broken: bool) -> None:
    """A failover of a Multi-AZ DB instance hangs: the primary stops, the standby is never promoted. Mended: it goes on."""
    one = target(context, identifier)
    (faults_of(one).add if broken else faults_of(one).discard)("database-failover")
