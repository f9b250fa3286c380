"""The isolation drill of a zone: each precondition refuses by its own name, promises come before the fault, and the sums are right."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fake_clients import FakeClients, aws_error
from probe_world import make_samples

from ansible_collections.webstack.aws.plugins.module_utils.engine.errors import OptionError
from ansible_collections.webstack.aws.plugins.module_utils.operations import az_checks
from ansible_collections.webstack.aws.plugins.module_utils.operations.az_isolation import Cut, ZoneIsolation
from ansible_collections.webstack.aws.plugins.module_utils.operations.drill import Scene, Terms
from ansible_collections.webstack.aws.plugins.module_utils.operations.errors import OperationError
from ansible_collections.webstack.aws.plugins.module_utils.operations.journal import Journal
from ansible_collections.webstack.aws.plugins.module_utils.operations.probe_specs import ProbeSpec
from ansible_collections.webstack.aws.plugins.module_utils.operations.undo import Intent, carry_out, pending

ZONES = "abc"
ALLOWED = aws_error("DryRunOperation", status=412)
ARN = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/shop-web/1"


def health(**states: str) -> dict[str, Any]:
    return {
        "TargetHealthDescriptions": [
            {"Target": {"Id": f"i-{name}", "Port": 8080}, "TargetHealth": {"State": state}}
            for name, state in states.items()
        ]
    }


def acl(name: str, *subnets: str, **tags: str) -> dict[str, Any]:
    return {
        "NetworkAclId": name,
        "Tags": [{"Key": key.replace("_", ":"), "Value": value} for key, value in tags.items()],
        "Associations": [
            {"NetworkAclAssociationId": f"aclassoc-{one}", "NetworkAclId": name, "SubnetId": one} for one in subnets
        ],
    }


def good() -> dict[str, dict[str, Any]]:
    """An account in which every precondition holds: two targets a zone, one app subnet in zone a."""
    subnet = {
        "SubnetId": "subnet-a",
        "VpcId": "vpc-1",
        "AvailabilityZone": "eu-west-1a",
        "CidrBlock": "198.51.100.0/24",
    }
    instances = [
        {"InstanceId": f"i-{zone}{number}", "Placement": {"AvailabilityZone": f"eu-west-1{zone}"}}
        for zone in ZONES
        for number in (1, 2)
    ]
    places = [{"ZoneName": f"eu-west-1{zone}", "SubnetId": f"subnet-public-{zone}"} for zone in ZONES]
    data = [{"SubnetIdentifier": "subnet-data-a"}]
    return {
        "ec2": {
            "describe_subnets": {"Subnets": [subnet]},
            "describe_instances": {"Reservations": [{"Instances": instances}]},
            "describe_network_acls": {"NetworkAcls": [acl("acl-old", "subnet-a", "subnet-b")]},
            "create_network_acl": ALLOWED,
            "replace_network_acl_association": ALLOWED,
        },
        "elbv2": {
            "describe_target_groups": {
                "TargetGroups": [{"TargetGroupArn": ARN, "VpcId": "vpc-1", "LoadBalancerArns": ["arn:alb"]}]
            },
            "describe_target_health": health(**{one["InstanceId"][2:]: "healthy" for one in instances}),
            "describe_load_balancers": {
                "LoadBalancers": [{"LoadBalancerName": "shop-alb", "AvailabilityZones": places}]
            },
        },
        "rds": {
            "describe_db_instances": {
                "DBInstances": [
                    {
                        "DBInstanceIdentifier": "shop-db",
                        "AvailabilityZone": "eu-west-1a",
                        "DBSubnetGroup": {"Subnets": data},
                    }
                ]
            }
        },
        "elasticache": {
            "describe_cache_subnet_groups": {
                "CacheSubnetGroups": [{"CacheSubnetGroupName": "shop-cache", "Subnets": data}]
            },
            "describe_cache_clusters": {
                "CacheClusters": [
                    {
                        "CacheClusterId": "shop-cache-001",
                        "CacheSubnetGroupName": "shop-cache",
                        "PreferredAvailabilityZone": "eu-west-1a",
                    }
                ]
            },
        },
        "cloudwatch": {"describe_alarms": {"MetricAlarms": [], "CompositeAlarms": []}},
        "autoscaling": {"describe_instance_refreshes": {"InstanceRefreshes": []}},
    }


def drill_on(answers: dict[str, dict[str, Any]], **cut: Any) -> ZoneIsolation:
    terms = Terms(
        stack="shop",
        region="eu-west-1",
        account="123456789012",
        lock_region="us-east-1",
        runs_dir=Path("runs"),
        expect={"failed_ratio": 0.1},
        probes=[ProbeSpec("web", "http", url="http://shop.example/")],
        stable=1.0,
    )
    chosen = {
        "zone": "eu-west-1a",
        "subnet_kinds": ["app"],
        "subnet_ids": [],
        "hold": 10.0,
        "target_groups": ["shop-web"],
        "least_remaining": 0.5,
    }
    return ZoneIsolation(FakeClients(answers), terms, Cut(**{**chosen, **cut}))


def failing(answers: dict[str, dict[str, Any]]) -> dict[str, str]:
    drill = drill_on(answers)
    return {one.name: one.text for one in drill.preconditions(drill.target()) if not one.ok}


def test_every_precondition_holds_in_a_good_account_and_nothing_is_written() -> None:
    answers = good()
    assert failing(answers) == {}
    drill = drill_on(answers)
    drill.preconditions(drill.target())
    calls = drill.clients.calls
    writes = [call for call in calls if not call[1].startswith("describe_")]
    assert writes and all(params["DryRun"] is True for _service, _method, params in writes)


def put(service: str, method: str, answer: Any) -> Callable[[dict[str, Any]], None]:
    return lambda answers: answers[service].__setitem__(method, answer)


SIX = {f"{zone}{number}": "healthy" for zone in ZONES for number in (1, 2)}
BREAKS = {
    "targets": put("elbv2", "describe_target_health", health(**{**SIX, "b1": "unhealthy"})),
    "capacity": put("elbv2", "describe_target_health", health(a1="healthy", a2="healthy", b1="healthy")),
    "load_balancer": put(
        "elbv2",
        "describe_load_balancers",
        {"LoadBalancers": [{"LoadBalancerName": "shop-alb", "AvailabilityZones": [{"SubnetId": "subnet-a"}]}]},
    ),
    "data_stores": put(
        "rds",
        "describe_db_instances",
        {
            "DBInstances": [
                {
                    "DBInstanceIdentifier": "shop-db",
                    "AvailabilityZone": "eu-west-1a",
                    "DBSubnetGroup": {"Subnets": [{"SubnetIdentifier": "subnet-a"}]},
                }
            ]
        },
    ),
    "network_acls": put(
        "ec2",
        "describe_network_acls",
        {
            "NetworkAcls": [
                acl("acl-old", "subnet-a"),
                acl("acl-left", webstack_run="az-isolation-20250101T000000-0000"),
            ]
        },
    ),
    "rights": put("ec2", "replace_network_acl_association", aws_error("UnauthorizedOperation", status=403)),
    "alarms": put("cloudwatch", "describe_alarms", {"MetricAlarms": [{"AlarmName": "shop-5xx"}]}),
    "instance_refresh": put(
        "autoscaling",
        "describe_instance_refreshes",
        {"InstanceRefreshes": [{"InstanceRefreshId": "r-1", "Status": "InProgress"}]},
    ),
}
WORDS = {
    "targets": "i-b1",
    "capacity": "1 of 3",
    "load_balancer": "shop-alb in subnet-a",
    "data_stores": "shop-db",
    "network_acls": "acl-left of run az-isolation-20250101T000000-0000. Run playbooks/undo.yml",
    "rights": "replace_network_acl_association",
    "alarms": "shop-5xx",
    "instance_refresh": "r-1",
}


@pytest.mark.parametrize("name", BREAKS)
def test_each_precondition_alone_refuses_by_its_name_and_says_what_was_found(name: str) -> None:
    answers = good()
    BREAKS[name](answers)
    found = failing(answers)
    assert list(found) == [name]
    assert WORDS[name] in found[name]


def test_a_zone_without_healthy_targets_would_rehearse_nothing() -> None:
    answers = good()
    put("elbv2", "describe_target_health", health(b1="healthy", b2="healthy", c1="healthy"))(answers)
    assert "Nothing would be rehearsed" in failing(answers)["targets"]


def test_a_cache_node_in_the_subnets_refuses() -> None:
    answers = good()
    groups = {
        "CacheSubnetGroups": [{"CacheSubnetGroupName": "shop-cache", "Subnets": [{"SubnetIdentifier": "subnet-a"}]}]
    }
    put("elasticache", "describe_cache_subnet_groups", groups)(answers)
    assert "shop-cache-001" in failing(answers)["data_stores"]


def test_a_prober_inside_the_subnets_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(az_checks, "_own_address", lambda _towards: "198.51.100.7")
    assert "198.51.100.7" in failing(good())["prober"]


def test_a_zone_without_such_subnets_and_subnets_of_another_zone_are_refused() -> None:
    empty = good()
    empty["ec2"]["describe_subnets"] = {"Subnets": []}
    with pytest.raises(OptionError, match="no app subnet"):
        drill_on(empty).target()
    with pytest.raises(OptionError, match="no such subnet"):
        drill_on(empty, subnet_ids=["subnet-z"]).target()
    with pytest.raises(OptionError, match="It is in eu-west-1a"):
        drill_on(good(), zone="eu-west-1b", subnet_ids=["subnet-a"]).target()


def test_the_target_names_each_subnet_with_the_network_acl_that_it_will_get_back() -> None:
    target = drill_on(good()).target()
    assert target["subnets"] == {"subnet-a": "acl-old"} and target["hold"] == 10.0
    moved = good()
    moved["ec2"]["describe_network_acls"] = {"NetworkAcls": [acl("acl-other", "subnet-a")]}
    assert drill_on(moved).target() != target


class RecordingOperation:
    """A run's journal without its keeper."""

    def __init__(self, folder: Path, clients: Any) -> None:
        self.journal = Journal(folder / "journal.jsonl")
        self.run_id = "az-isolation-20250101T000000-0000"
        self.folder = folder
        self.clients = clients
        self.order: list[str] = []

    def record(self, kind: str, step: str = "", data: dict[str, Any] | None = None) -> None:
        self.journal.append(kind, step, data)

    def arm(self, action: str, target: str, data: dict[str, Any]) -> Intent:
        record = self.journal.append("undo", target, {"action": action, "data": data})
        return Intent(record.seq, action, target, data)

    def undo(self, intent: Intent) -> bool:
        return carry_out(self.clients, self.journal, intent)


def on_the_lab(lab: Any, folder: Path) -> tuple[ZoneIsolation, Scene, dict[str, Any], Any]:
    """A drill on two subnets of the lab, prepared by hand."""
    from stack import clients_of

    client = lab.client("ec2", "us-east-1")
    vpc = client.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        client.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{number}.0/24", AvailabilityZone="us-east-1a")["Subnet"][
            "SubnetId"
        ]
        for number in (1, 2)
    ]
    drill = drill_on(good(), zone="us-east-1a", subnet_ids=subnets)
    drill.clients = clients_of(lab.url)
    drill.terms.region = "us-east-1"
    drill.web = SimpleNamespace(read=list)
    operation = RecordingOperation(folder, drill.clients)
    return drill, Scene(operation), drill.target(), client


def test_every_undo_is_promised_before_the_network_acl_is_made_and_the_deletion_is_kept_last(
    lab: Any, tmp_path: Path
) -> None:
    drill, scene, target, client = on_the_lab(lab, tmp_path)
    lab.clear_calls()
    drill.prepare(scene, target)
    steps = [(one.kind, one.data.get("action")) for one in scene.operation.journal.read().records]
    assert [kind for kind, _action in steps] == ["undo", "undo", "undo", "acknowledged"]
    assert [call["operation"] for call in lab.calls("write")] == ["CreateNetworkAcl"]
    drill.inject(scene, target)
    cut = client.describe_network_acls(Filters=[{"Name": "tag:webstack:run", "Values": [scene.operation.run_id]}])
    [made] = cut["NetworkAcls"]
    assert {one["SubnetId"] for one in made["Associations"]} == set(target["subnets"]) and made["Entries"] == []
    assert "webstack:stack" not in {tag["Key"] for tag in made["Tags"]}
    lab.clear_calls()
    drill.undo(scene)
    assert [call["operation"] for call in lab.calls("write")] == [
        "ReplaceNetworkAclAssociation",
        "ReplaceNetworkAclAssociation",
        "DeleteNetworkAcl",
    ]
    assert drill.target() == target and pending(scene.operation.journal.read().records) == []
    assert drill.measures(scene)["undo"] is not None
    lab.clear_calls()
    drill.undo(scene)
    assert lab.calls("write") == []


def test_a_network_acl_that_a_subnet_still_has_is_not_deleted_and_the_promise_stays(lab: Any, tmp_path: Path) -> None:
    drill, scene, target, _client = on_the_lab(lab, tmp_path)
    drill.prepare(scene, target)
    drill.inject(scene, target)
    deletion = pending(scene.operation.journal.read().records)[-1]
    assert deletion.action == "delete_network_acls_of_run"
    with pytest.raises(OperationError, match="still has it"):
        scene.operation.undo(deletion)
    assert deletion in pending(scene.operation.journal.read().records)
    drill.undo(scene)


def test_one_undo_that_fails_does_not_hold_up_the_others(lab: Any, tmp_path: Path) -> None:
    drill, scene, target, client = on_the_lab(lab, tmp_path)
    drill.prepare(scene, target)
    drill.inject(scene, target)
    scene.operation.arm("unknown_action", "newest", {})
    with pytest.raises(OperationError, match="no undo named unknown_action"):
        drill.undo(scene)
    assert drill.target() == target
    assert client.describe_network_acls(Filters=[{"Name": "tag-key", "Values": ["webstack:run"]}])["NetworkAcls"] == []
    assert "undone" not in scene.marks


# Looking back.


def looking_back(tmp_path: Path, pattern: str, **fields: Any) -> tuple[ZoneIsolation, Scene]:
    """A drill whose fault was at second 1001, held until 1011, undone at 1012."""
    drill = drill_on(good())
    scene = Scene(RecordingOperation(tmp_path, None), injected=1001.0)
    scene.samples = make_samples(pattern, **fields)
    drill.acknowledged = 1001.0
    drill.isolated = {"i-a1"}
    for name, at in (("inject", 1001.0), ("undo", 1011.0), ("undone", 1012.0)):
        scene.mark(name, name, at)
    return drill, scene


def test_a_zone_that_went_on_answering_was_not_cut_off(tmp_path: Path) -> None:
    drill, scene = looking_back(tmp_path, "." * 200, server="i-a1")
    assert "did not happen: i-a1" in (drill.happened(scene) or "")


def test_a_fault_that_nobody_noticed_proves_nothing(tmp_path: Path) -> None:
    drill, scene = looking_back(tmp_path, "." * 200)
    assert "cannot be told to have happened" in (drill.happened(scene) or "")
    scene.mark("detected", "unhealthy", 1004.0)
    assert drill.happened(scene) is None


def test_measures_count_from_the_right_moments(tmp_path: Path) -> None:
    drill, scene = looking_back(tmp_path, "." * 20 + "xxxxx" + "." * 100)
    scene.mark("redundant", "back", 1030.0)
    measured = drill.measures(scene)
    assert measured["undo"] == 1.0 and measured["rto_redundancy"] == 18.0
    assert measured["longest_outage"] == pytest.approx(0.5)
    assert measured["failed_requests"] == 5.0
    assert measured["failed_ratio"] == pytest.approx(5 / 115)
    never = looking_back(tmp_path, "." * 20 + "x" * 100)[0].measures(looking_back(tmp_path, "." * 20 + "x" * 100)[1])
    assert never["rto_service"] is None and never["rto_redundancy"] is None


def test_an_undo_that_does_not_work_is_repeated_and_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drill, scene = looking_back(tmp_path, "")
    del scene.marks["undo"], scene.marks["undone"]
    attempts: list[float] = []

    def undo(scene: Scene) -> None:
        scene.mark("undo", "undo")
        attempts.append(time.time())
        if len(attempts) < 2:
            raise OperationError("not yet")
        scene.mark("undone", "undone")

    monkeypatch.setattr(drill, "undo", undo)
    monkeypatch.setattr(drill, "_look", lambda _scene: None)
    monkeypatch.setattr("ansible_collections.webstack.aws.plugins.module_utils.operations.az_isolation.POLL", 0.05)
    target = copy.deepcopy(drill.target())
    deadline = time.monotonic() + 5
    while "undone" not in scene.marks and time.monotonic() < deadline:
        drill.watch(scene, target)
        time.sleep(0.02)
    assert len(attempts) == 2 and scene.findings == ["The undo had to be repeated: not yet"]
