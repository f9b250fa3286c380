"""The stacks that are measured: the reference stack of inventories/lab, in one region or in two, and scaled ones."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from world import ROOT

HOME = "us-east-1"
SECOND = "eu-west-1"
# Regions of every AWS account with three zones or more; the lab has their zones, too.
REGIONS = [
    *("us-east-1", "us-east-2", "us-west-2", "ca-central-1", "sa-east-1", "eu-west-1", "eu-west-2", "eu-west-3"),
    *("eu-central-1", "eu-north-1", "eu-south-1", "ap-northeast-1", "ap-northeast-2", "ap-northeast-3", "ap-south-1"),
    *("ap-southeast-1", "ap-southeast-2", "ap-east-1", "me-south-1", "af-south-1"),
]
GROUPS = ("alb", "nlb", "app", "cache", "efs", "db", "endpoints")
ZONES = "abc"
LETTERS = {"ap-northeast-1": "acd", "us-west-1": "ab"}  # not every region calls its zones a, b and c


def variables(values: Mapping[str, Any]) -> tuple[str, ...]:
    """Variables in the form of the command line."""
    return ("-e", json.dumps(values)) if values else ()


def one_region() -> tuple[str, ...]:
    """The whole reference stack in one region: without the certificates, checks and records of the other one."""
    values = yaml.safe_load((ROOT / "inventories/lab/group_vars/global_tiers/dns.yml").read_text())
    certificates = [{**one, "regions": [HOME]} for one in values["dns_certificates"]]
    left = {key: [one for one in values[key] if SECOND not in str(one)] for key in ("dns_health_checks", "dns_records")}
    return ("--limit", f"{HOME},global", *variables({"dns_certificates": certificates, **left}))


def many_regions(folder: Path, number: int) -> tuple[str, ...]:
    """The reference stack in so many regions; traffic goes to the first two, as ever."""
    names = REGIONS[:number]
    hosts = {
        name: {
            "webstack_region": name,
            "webstack_availability_zones": [name + letter for letter in LETTERS.get(name, ZONES)],
            "assets_source": str(ROOT / "roles/assets/files/site"),  # the lab's inventory says it from its own folder
        }
        for name in names
    }
    path = folder / f"regions-{number}.yml"
    path.write_text(yaml.safe_dump({"all": {"children": {"regions": {"hosts": hosts}}}}))
    zone = "demo.example"
    certificate = {
        "domain_name": zone,
        "subject_alternative_names": [f"*.{zone}"],
        "regions": sorted({*names, HOME, SECOND}),
    }
    return ("-i", str(path), *variables({"dns_certificates": [certificate]}))


def records(number: int) -> dict[str, Any]:
    """So many records beside those of the reference stack."""
    path = ROOT / "inventories/lab/group_vars/global_tiers/dns.yml"
    own = [one for one in yaml.safe_load(path.read_text())["dns_records"] if SECOND not in str(one)]
    more = [
        {"name": f"host-{one}.demo.example", "type": "A", "ttl": 300, "values": [f"192.0.2.{one % 250}"]}
        for one in range(number)
    ]
    return {"dns_records": own + more}


def services(number: int) -> dict[str, Any]:
    """So many services behind the load balancer: a target group and a rule each."""
    names = [f"service-{one}" for one in range(1, number + 1)]
    rules = [
        {"name": name, "priority": 100 + index, "hosts": [f"{name}.demo.example"], "target_group": name}
        for index, name in enumerate(names)
    ]
    return {"lb_services": [{"name": name} for name in names], "lb_rules": rules}


def rules(number: int) -> dict[str, Any]:
    """So many rules, over all security groups and both directions: AWS allows 60 a group and direction unless asked for more."""
    places = [(group, direction) for group in GROUPS for direction in ("ingress", "egress")]
    listed = [
        {"group": group, "direction": direction, "peer": f"198.18.{one // 250}.{one % 250}/32", "from_port": 9000}
        for one in range(number)
        for group, direction in [places[one % len(places)]]
    ]
    return {"network_security_group_rules": listed}


def alarms(number: int) -> dict[str, Any]:
    """So many alarms of the user's own in a region, and none of it in the global part."""
    listed = [
        {"name": f"queue-{one}", "namespace": "Shop", "metric_name": f"Depth{one}", "threshold": 10}
        for one in range(number)
    ]
    return {
        "monitoring_extra_alarms": "{{ [] if monitoring_coverage | default('') == 'global' else webstack_bench_alarms }}",
        "webstack_bench_alarms": listed,
    }
