"""The isolation drill of an availability zone: does the service carry on without it, and come back whole?

The zone's subnets get a network ACL without entries, which lets nothing through and cuts open connections too (a security group would
leave those alone). https://docs.aws.amazon.com/vpc/latest/userguide/vpc-network-acls.html
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..engine.errors import OptionError
from ..engine.sdk import SDK_ERRORS, Clients, error_code, explain
from . import measure
from .az_checks import RUN_TAG, balancer_nodes, capacity, data_stores, network_acls, prober_outside, rights
from .az_report import AzReport
from .drill import Precondition, Scene, Terms
from .errors import OperationError
from .stack_checks import alarms_ok, no_refresh
from .undo import pending
from .web_targets import WebTargets, healthy_by_zone

POLL = 1.0  # seconds between looks at AWS
VISIBLE = 15.0  # seconds for a new network ACL to be known everywhere
KINDS = ("public", "app", "data")


@dataclass
class Cut:
    """What is to be cut off and for how long. Without ``subnet_ids``, the stack's subnets of these kinds in the zone."""

    zone: str
    subnet_kinds: Sequence[str]
    subnet_ids: Sequence[str]
    hold: float  # seconds
    target_groups: Sequence[str]
    least_remaining: float  # share of the healthy targets that must be left
    alarms: bool = True


class ZoneIsolation(AzReport):
    """A zone's subnets behind a network ACL without entries, for a while."""

    kind = "az_isolation"
    purpose = "drill az_isolation"
    abortable = True
    differs_from_real = (
        "Only the subnets named here are cut off, at the edge of each: machines inside one still reach each other, DNS and the metadata "
        "service, and load balancers, databases and NAT gateways in other subnets of the zone live. A lost zone takes all of them."
    )
    published: Mapping[str, str] = {"rto_service": "10–60 s, by the health check"}

    def __init__(self, clients: Clients, terms: Terms, cut: Cut) -> None:
        super().__init__(clients, terms)
        self.cut = cut
        self.title = f"Zone isolation drill: {cut.zone}"
        self.web = WebTargets(clients, terms.region, cut.target_groups)
        self.before: dict[str, int] = {}  # zone → healthy targets before the fault
        self.isolated: set[str] = set()  # targets in the zone before the fault
        self.acknowledged: float | None = None
        self._closed = ""  # the network ACL that lets nothing through
        self._looked = 0.0
        self._states: dict[str, str] = {}

    @property
    def client(self) -> Any:
        return self.clients("ec2", self.terms.region)

    # The plan.

    def target(self) -> dict[str, Any]:
        subnets = self._subnets()
        acls = {subnet: acl for subnet, (_association, acl) in self._associations(subnets).items()}
        return {
            "id": self.cut.zone,
            "vpc": subnets[0]["VpcId"],
            "subnets": {subnet["SubnetId"]: acls.get(subnet["SubnetId"]) for subnet in subnets},
            "blocks": sorted(subnet["CidrBlock"] for subnet in subnets),
            "hold": self.cut.hold,
        }

    def _subnets(self) -> list[dict[str, Any]]:
        """The subnets, all in the zone and in one VPC. Raises OptionError."""
        cut = self.cut
        if cut.subnet_ids:
            filters = [{"Name": "subnet-id", "Values": list(cut.subnet_ids)}]
        else:
            names = [f"{self.terms.stack}-{kind}-{cut.zone}" for kind in cut.subnet_kinds]
            owner = {"Name": "tag:webstack:stack", "Values": [self.terms.stack]}
            filters = [owner, {"Name": "tag:webstack:name", "Values": names}]
        subnets: list[dict[str, Any]] = self.client.describe_subnets(Filters=filters)["Subnets"]
        missing = sorted(set(cut.subnet_ids) - {subnet["SubnetId"] for subnet in subnets})
        if missing:
            raise OptionError("subnet_ids", missing[0], "There is no such subnet in this region")
        if not subnets:
            kinds = " or ".join(cut.subnet_kinds)
            advice = f"Stack {self.terms.stack} has no {kinds} subnet there. Name one of its zones, or give subnet_ids"
            raise OptionError("availability_zone", cut.zone, advice)
        for subnet in subnets:
            if subnet["AvailabilityZone"] != cut.zone:
                raise OptionError("subnet_ids", subnet["SubnetId"], f"It is in {subnet['AvailabilityZone']}")
            if subnet["VpcId"] != subnets[0]["VpcId"]:
                raise OptionError("subnet_ids", subnet["SubnetId"], "Give subnets of one VPC")
        return sorted(subnets, key=lambda subnet: str(subnet["SubnetId"]))

    def _acls(self, vpc_id: str) -> list[dict[str, Any]]:
        pages = self.client.get_paginator("describe_network_acls").paginate(
            Filters=[{"Name": "vpc-id", "Values": [vpc_id]}]
        )
        return [acl for page in pages for acl in page["NetworkAcls"]]

    def _associations(self, subnets: Sequence[Mapping[str, Any]]) -> dict[str, tuple[str, str]]:
        """Subnet → (id of its association, which every replacement changes; network ACL)."""
        wanted = {subnet["SubnetId"] for subnet in subnets}
        return {
            one["SubnetId"]: (one["NetworkAclAssociationId"], one["NetworkAclId"])
            for acl in self._acls(subnets[0]["VpcId"])
            for one in acl["Associations"]
            if one["SubnetId"] in wanted
        }

    def preconditions(self, target: Mapping[str, Any]) -> list[Precondition]:
        region, cut = self.terms.region, self.cut
        subnets = list(target["subnets"])
        found = [*capacity(self.web.read(), cut.zone, cut.least_remaining)]
        found.append(balancer_nodes(self.clients, region, self.web.balancers(), subnets))
        found.append(data_stores(self.clients, region, cut.zone, subnets))
        found.append(network_acls(self._acls(target["vpc"]), target["subnets"]))
        found.append(rights(self.client, target["vpc"], self._associations(self._subnets())))
        found.append(prober_outside(target["blocks"]))
        if cut.alarms:
            found.append(alarms_ok(self.clients, self.terms.stack, region))
        return [*found, no_refresh(self.clients, self.terms.stack, region)]

    def requests(self, target: Mapping[str, Any]) -> list[str]:
        subnets = target["subnets"]
        return [
            f"ec2:CreateNetworkAcl VpcId={target['vpc']} (no entries: it lets nothing through)",
            *(f"ec2:ReplaceNetworkAclAssociation {subnet}: {acl} → the new one" for subnet, acl in subnets.items()),
            f"(after {self.cut.hold:g} s, or earlier when the drill is aborted)",
            *(f"ec2:ReplaceNetworkAclAssociation {subnet}: back to {acl}" for subnet, acl in reversed(subnets.items())),
            "ec2:DeleteNetworkAcl of the new one",
        ]

    # The fault.

    def prepare(self, scene: Scene, target: Mapping[str, Any]) -> None:
        """First every promise, the deletion before its network ACL is made, so that it is kept last; then the network ACL."""
        region, operation = self.terms.region, scene.operation
        targets = self.web.read()
        self.before = {zone: count for zone, count in healthy_by_zone(targets).items() if count}
        self.isolated = {one.id for one in targets if one.zone == self.cut.zone}
        self._states = {one.id: one.state for one in targets}
        made = {"region": region, "vpc_id": target["vpc"], "run_id": operation.run_id}
        operation.arm("delete_network_acls_of_run", target["vpc"], made)
        for subnet, acl in target["subnets"].items():
            known = {"region": region, "subnet_id": subnet, "network_acl_id": acl}
            operation.arm("replace_network_acl_association", subnet, known)
        self._closed = self._closed_acl(operation.run_id, target["vpc"])
        operation.record("acknowledged", target["vpc"], {"network_acl_id": self._closed})

    def inject(self, scene: Scene, target: Mapping[str, Any]) -> None:
        for subnet in target["subnets"]:
            self._replace(subnet, self._closed)
            scene.operation.record("acknowledged", subnet)
            scene.event("Drill", time.time(), f"{subnet} is cut off")
        self.acknowledged = time.time()

    def _closed_acl(self, run_id: str, vpc_id: str) -> str:
        """A network ACL without entries. Without the tag webstack:stack: it is the run's, no resource of the stack (converges leave it alone)."""
        tags = {"Name": run_id, RUN_TAG: run_id, "webstack:drill-of": self.terms.stack}
        made = self.client.create_network_acl(
            VpcId=vpc_id,
            TagSpecifications=[
                {"ResourceType": "network-acl", "Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}
            ],
        )
        return str(made["NetworkAcl"]["NetworkAclId"])

    def _replace(self, subnet: str, acl_id: str) -> None:
        """Give a subnet another network ACL; a new one may be unknown for seconds to the part of EC2 that is asked."""
        deadline = time.monotonic() + VISIBLE
        while True:
            answer = self.client.describe_network_acls(Filters=[{"Name": "association.subnet-id", "Values": [subnet]}])
            [association] = [
                one["NetworkAclAssociationId"]
                for acl in answer["NetworkAcls"]
                for one in acl["Associations"]
                if one["SubnetId"] == subnet
            ]
            try:
                self.client.replace_network_acl_association(AssociationId=association, NetworkAclId=acl_id)
            except SDK_ERRORS as error:
                if error_code(error) != "InvalidNetworkAclID.NotFound" or time.monotonic() > deadline:
                    raise
                time.sleep(0.5)
            else:
                return

    def undo(self, scene: Scene) -> None:
        if pending(scene.operation.journal.read().records):
            scene.mark("undo", "isolation ends")
            super().undo(scene)
            scene.mark("undone", "network ACLs restored")

    # Watching.

    def watch(self, scene: Scene, target: Mapping[str, Any]) -> bool:
        if time.monotonic() - self._looked >= POLL:
            self._looked = time.monotonic()
            self._look(scene)
        if "undone" not in scene.marks:
            since = scene.marks.get("undo", (None, ""))[0] or self.acknowledged
            if since is not None and time.time() - since >= (POLL if "undo" in scene.marks else self.cut.hold):
                self._end(scene)
            return False
        restored = scene.marks["undone"][0]
        self.recovery(scene)
        quiet = time.time() - max(restored, self._last_failure(scene)) >= self.terms.stable
        return quiet and "redundant" in scene.marks

    def _end(self, scene: Scene) -> None:
        """End the isolation; what does not work is tried again at the next look."""
        try:
            self.undo(scene)
        except OperationError as error:
            finding = f"The undo had to be repeated: {error}"
        except SDK_ERRORS as error:
            finding = f"The undo had to be repeated: {explain(error)}"
        else:
            return
        if finding not in scene.findings:
            scene.findings.append(finding)

    def _last_failure(self, scene: Scene) -> float:
        failed = [one["scheduled"] for one in measure.known(scene.of(self.judged.name)) if not one["ok"]]
        return max(failed, default=0.0)

    def _look(self, scene: Scene) -> None:
        """Each target's state; when the zone's were taken out, and when every zone has healthy ones again."""
        targets = self.web.read()
        now = time.time()
        for target in targets:
            if self._states.get(target.id) != target.state:
                self._states[target.id] = target.state
                reason = f" ({target.reason})" if target.reason else ""
                scene.event("Load balancer", now, f"{target.id} in {target.zone}: {target.state}{reason}")
        cut_off = [one for one in targets if one.id in self.isolated]
        if any(not one.healthy for one in cut_off):
            scene.mark("detected", "load balancer: first target unhealthy", now)
        if not any(one.healthy for one in cut_off):
            scene.mark("evacuated", "load balancer: no target left in the zone", now)
        healthy = healthy_by_zone(targets)
        back = all(healthy.get(zone) for zone in self.before) and sum(healthy.values()) >= sum(self.before.values())
        if back and "undone" in scene.marks:
            scene.mark("redundant", "redundancy back", now)
