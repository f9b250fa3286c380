"""What takes back what a run did: an action's name → the function that restores.

Each function may be called any number of times, reads before it writes, reads back what it wrote, and raises while the old state
is not there again. Its data is written to the journal before the fault: no ids that change, no secrets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from ..engine.sdk import SDK_ERRORS, Clients, error_code
from .errors import OperationError
from .journal import Journal, Record

Undo = Callable[[Clients, dict[str, Any]], bool]

UNDO: dict[str, Undo] = {}  # each says whether it changed anything
SERVICES: dict[str, tuple[str, ...]] = {}  # action → the services whose clients it needs, made before they are needed


@dataclass(frozen=True)
class Intent:
    """One undo that was promised: which, with what, and under which number of the journal."""

    seq: int
    action: str
    target: str
    data: dict[str, Any]


def undoes(action: str, *services: str) -> Callable[[Undo], Undo]:
    """Enter a function into the registry. ``data`` has ``region``, where the clients of ``services`` are needed."""

    def enter(function: Undo) -> Undo:
        UNDO[action] = function
        SERVICES[action] = services
        return function

    return enter


def promised(records: Iterable[Record]) -> list[Intent]:
    """Every promised undo, newest first."""
    intents = [
        Intent(record.seq, record.data["action"], record.step, record.data["data"])
        for record in records
        if record.kind == "undo"
    ]
    return sorted(intents, key=lambda intent: -intent.seq)


def pending(records: Iterable[Record]) -> list[Intent]:
    """The promised undos that have not been carried out, newest first."""
    known = list(records)
    done = {record.data["intent"] for record in known if record.kind == "undone"}
    return [intent for intent in promised(known) if intent.seq not in done]


def warm(clients: Clients, intent: Intent) -> None:
    """Make the clients that an undo needs: loading a service's model takes longer than the undo."""
    for service in SERVICES.get(intent.action, ()):
        clients(service, intent.data["region"])


def carry_out(clients: Clients, journal: Journal, intent: Intent) -> bool:
    """Carry one undo out and note it. Whether it changed anything. Raises OperationError or the SDK's error where it did not work."""
    if intent.action not in UNDO:
        raise OperationError(f"{intent.target}: this version knows no undo named {intent.action}. Undo it by hand")
    changed = UNDO[intent.action](clients, intent.data)
    journal.append("undone", intent.target, {"intent": intent.seq, "action": intent.action, "changed": changed})
    return changed


@undoes("replace_network_acl_association", "ec2")
def restore_network_acl(clients: Clients, data: dict[str, Any]) -> bool:
    """Give a subnet back its network ACL. With ``delete_network_acl_id``, delete the one made for the run, once no subnet has it.

    The id of the association changes with each call, so it is looked up by subnet.
    """
    client = clients("ec2", data["region"])
    changed = False
    association = _acl_association(client, data["subnet_id"])
    if association and association["NetworkAclId"] != data["network_acl_id"]:
        client.replace_network_acl_association(
            AssociationId=association["NetworkAclAssociationId"], NetworkAclId=data["network_acl_id"]
        )
        changed = True
        association = _acl_association(client, data["subnet_id"])
        if association is None or association["NetworkAclId"] != data["network_acl_id"]:
            raise OperationError(f"{data['subnet_id']} does not show its network ACL {data['network_acl_id']} yet")
    if made := data.get("delete_network_acl_id"):
        changed |= _delete_unused_acl(client, made)
    return changed


def _acl_association(client: Any, subnet_id: str) -> dict[str, Any] | None:
    filters = [{"Name": "association.subnet-id", "Values": [subnet_id]}]
    for acl in client.describe_network_acls(Filters=filters)["NetworkAcls"]:
        for association in acl["Associations"]:
            if association["SubnetId"] == subnet_id:
                found: dict[str, Any] = association
                return found
    return None


def _delete_unused_acl(client: Any, acl_id: str) -> bool:
    try:
        acls = client.describe_network_acls(NetworkAclIds=[acl_id])["NetworkAcls"]
        if not acls or acls[0]["Associations"]:
            return False
        client.delete_network_acl(NetworkAclId=acl_id)
    except SDK_ERRORS as error:
        if error_code(error) == "InvalidNetworkAclID.NotFound":
            return False
        raise
    return True


@undoes("delete_network_acls_of_run", "ec2")
def delete_network_acls_of_run(clients: Clients, data: dict[str, Any]) -> bool:
    """Delete every network ACL in a VPC that has the tag of the run: also one whose id its maker did not live to write down."""
    client = clients("ec2", data["region"])
    filters = [
        {"Name": "vpc-id", "Values": [data["vpc_id"]]},
        {"Name": "tag:webstack:run", "Values": [data["run_id"]]},
    ]
    changed = False
    for acl in client.describe_network_acls(Filters=filters)["NetworkAcls"]:
        if acl["Associations"]:
            subnets = ", ".join(sorted(one["SubnetId"] for one in acl["Associations"]))
            raise OperationError(f"{acl['NetworkAclId']} cannot be deleted: {subnets} still has it")
        try:
            client.delete_network_acl(NetworkAclId=acl["NetworkAclId"])
        except SDK_ERRORS as error:
            if error_code(error) != "InvalidNetworkAclID.NotFound":
                raise
        changed = True
    return changed
