"""A picture of the whole account, for comparing: before and after a destroy, or two accounts.

`snapshot()` is {service: {region: {collection: {id: digest}}}}, with `detail=True` attributes instead of digests. Empty
parts do not appear. It is made by walking moto's backends and our tables, so it sees what no API lists.

Left out:
- what AWS puts into every account: images and their snapshots, managed policies, public SSM parameters, prefix lists,
  the default VPC with its default subnets, group, route table and NACL, default parameter groups, event bus, cache user;
- what never goes away, or only after days: terminated instances, deleted NAT gateways and endpoints, KMS keys and
  secrets pending deletion, targets that have left a group, events, metric data, log events, sent messages, change records;
- tags of things that are gone (moto forgets to delete some), pagination tokens, counters, tables named "_…".
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import Enum
from typing import Any

from moto.core.base_backend import BackendDict, BaseBackend
from moto.utilities.tagging_service import TaggingService

from webstack_lab.extend import stores

Snapshot = dict[str, dict[str, dict[str, dict[str, Any]]]]

# Services of moto that hold no resources of a user.
SKIPPED_SERVICES = frozenset({"moto_api", "instance_metadata", "resourcegroupstaggingapi", "sts"})
# Collections, by service ("*": any), that are catalogues, indexes of what is elsewhere, or history.
SKIPPED = {
    "*": {"events", "account_summary", "regions", "region_names"},
    "ec2": {"amis", "images", "default_vpc", "public_vpc_endpoint_services", "allocated_ips"},
    "iam": {"aws_managed_policies", "account_summary", "service_linked_roles"},
    "rds": {"resource_map", "arn_regex", "_db_cluster_options"},
    "cloudwatch": {"metric_data", "paged_metric_data", "past_metric_data"},
    "logs": {"queries"},
    "route53": {"changes", "delegation_sets"},
    "sns": {"opt_out_numbers", "sms_messages", "sms_attributes"},
    "ses": {"sent_messages"},
    "xray": {"_segment_collection", "_telemetry_records"},
}
SKIPPED_ATTRIBUTE = re.compile(
    r"last_used|token|lock|^instances_tracked$|^tags_tracked$|^invocations$|^_unused_ips$|sent_notifications|^filters$"
    r"|^_leaving$|^deregistered_targets$"
)
GONE = frozenset({"terminated", "deleted", "pendingdeletion", "delete_complete"})
STATE_NAMES = ("state", "_state", "key_state", "status")
ID_NAMES = ("id", "arn", "name", "association_id", "resource_id")
all_backends: Any = BackendDict
PRIMITIVES = (str, int, float, bool, type(None))
MAX_DEPTH = 12


def snapshot(detail: bool = False) -> Snapshot:
    """The whole account as ids and digests (or attributes)."""
    found = Collector()
    for backend_dict in list(all_backends._instances):
        if backend_dict.service_name not in SKIPPED_SERVICES:
            for _account, region, backend in backend_dict.iter_backends():
                found.backend(backend_dict.service_name, region, backend)
    for (_account, region, service), tables in stores.data.items():
        for name, table in tables.items():
            if not name.startswith("_"):
                found.collection(service, region, f"lab:{name}", table)
    return found.picture(detail)


@dataclass
class Item:
    """One thing found in a collection."""

    service: str
    region: str
    collection: str
    id: str
    value: Any
    is_tags: bool = False


@dataclass
class Collector:
    """Gathers items, then makes the picture of those that count."""

    items: list[Item] = field(default_factory=list)
    gone: set[str] = field(default_factory=set)

    def backend(self, service: str, region: str, backend: BaseBackend) -> None:
        """All collections of one backend, also those held by plain helpers (taggers, stores)."""
        skipped = SKIPPED["*"] | SKIPPED.get(service, set())
        for name, value in vars(backend).items():
            if name in skipped or SKIPPED_ATTRIBUTE.search(name):
                continue
            if isinstance(value, TaggingService):
                self.tags(service, region, name, value.tags)
            elif isinstance(value, Mapping | list | set):
                if service == "ec2" and name == "tags":
                    self.tags(service, region, name, value)
                else:
                    self.collection(service, region, name, value)
            elif type(value).__module__.startswith("moto.") and not isinstance(value, BaseBackend):
                for inner, content in getattr(value, "__dict__", {}).items():
                    if isinstance(content, Mapping | list | set) and not SKIPPED_ATTRIBUTE.search(inner):
                        self.collection(service, region, f"{name}.{inner}", content)

    def tags(self, service: str, region: str, name: str, tags: Any) -> None:
        """Tags kept apart from what they are on."""
        for owner, values in tags.items():
            if values:
                self.items.append(Item(service, region, name, str(owner), values, is_tags=True))

    def collection(self, service: str, region: str, name: str, content: Any, prefix: str = "") -> None:
        """The items of one collection; dicts of dicts of objects are one collection."""
        for key, value in pairs(content):
            identity = f"{prefix}{key}"
            if isinstance(value, Mapping) and any(is_object(inner) for inner in value.values()):
                self.collection(service, region, name, value, f"{identity}/")
            elif service == "ec2" and name == "reservations":
                self.collection(service, region, "instances", value.instances)
            elif is_gone(value):
                self.gone.add(key)
            elif not is_empty(value) and not is_given(service, name, str(key), value):
                self.items.append(Item(service, region, name, identity, value))

    def picture(self, detail: bool) -> Snapshot:
        """Items as ids and attributes; things that are items themselves appear elsewhere as references."""
        known = {id(item.value): item.id for item in self.items if is_object(item.value)}
        picture: Snapshot = {}
        texts: dict[str, str] = {}
        for item in sorted(self.items, key=lambda item: item.is_tags):
            attributes = Plain(known).of(item.value, top=True)
            text = json.dumps(attributes, sort_keys=True)
            if item.is_tags and not self.has_owner(item, texts.get(item.service, "")):
                continue
            texts[item.service] = texts.get(item.service, "") + f" {item.id} {text}"
            shown = attributes if detail else hashlib.sha256(text.encode()).hexdigest()[:16]
            regions = picture.setdefault(item.service, {}).setdefault(item.region, {})
            regions.setdefault(item.collection, {})[item.id] = shown
        return picture

    def has_owner(self, item: Item, text: str) -> bool:
        """Whether the thing that tags are on is still there."""
        name = re.split(r"[/:]", item.id)[-1]
        return item.id not in self.gone and name not in self.gone and (item.id in text or name in text)


def pairs(content: Any) -> Iterator[tuple[str, Any]]:
    """Key and value of each member; list members are named by their id, else by their content."""
    if isinstance(content, Mapping):
        for key, value in content.items():
            yield "/".join(map(str, key)) if isinstance(key, tuple) else str(key), value
        return
    for value in content:
        yield name_of(value) or str(value)[:80], value


def is_empty(value: Any) -> bool:
    """Whether there is nothing in a value; compared by type, as moto's classes do not all compare with others."""
    return value is None or (isinstance(value, Mapping | list | set | tuple) and not value)


def is_object(value: Any) -> bool:
    """Whether a value is an object with attributes, not data."""
    return not isinstance(value, (*PRIMITIVES, Mapping, list, tuple, set, bytes, datetime, Enum)) and hasattr(
        value, "__dict__"
    )


def name_of(value: Any) -> str | None:
    """What identifies an object or a dict."""
    if isinstance(value, dict):
        names = [key for key in value if key.lower().endswith(("arn", "id", "name"))]
        return str(value[names[0]]) if names else None
    facts = getattr(value, "__dict__", {})
    return next((str(facts[name]) for name in ID_NAMES if isinstance(facts.get(name), str | int)), None)


def is_gone(value: Any) -> bool:
    """Whether AWS still lists a thing only because it was there."""
    if getattr(value, "deleted_date", None):
        return True
    facts = value if isinstance(value, dict) else getattr(value, "__dict__", {})
    for name in STATE_NAMES:
        state = facts.get(name) or facts.get(name.strip("_").title())
        state = getattr(state, "name", state)
        if isinstance(state, str) and state.lower() in GONE:
            return True
    return False


def is_given(service: str, collection: str, key: str, value: Any) -> bool:
    """Whether AWS puts a thing into every account."""
    if service == "ec2":
        return is_default_network(collection, value)
    if service == "kms" and any(alias.startswith("alias/aws/") for alias in getattr(value, "aliases", ())):
        return True  # AWS makes its own keys when they are first needed, and keeps them
    if service in ("rds", "elasticache") and key.startswith(("default.", "default:")):
        return True
    given = {
        ("iam", "managed_policies"): key.startswith("arn:aws") and ":aws:policy/" in key,
        ("ssm", "_parameters"): key.startswith("/aws/"),
        ("ssm", "_resource_tags"): True,
        ("events", "event_buses"): key == "default",
        ("xray", "lab:sampling_rules"): key == "Default",
        ("elasticache", "users"): key == "default",
    }
    return given.get((service, collection), False)


def is_default_network(collection: str, value: Any) -> bool:
    """Whether an EC2 thing belongs to the network that every region starts with, or to AWS itself."""
    if collection == "snapshots":
        return bool(getattr(value, "from_ami", None)) or str(getattr(value, "description", "")).startswith(
            "Auto-created"
        )
    if collection == "managed_prefix_lists":
        return "amazonaws" in str(getattr(value, "prefix_list_name", ""))
    if str(getattr(value, "is_default", "")).lower() == "true" and collection == "vpcs":
        return True
    if str(getattr(value, "default_for_az", "")).lower() == "true":
        return True
    vpc = getattr(getattr(value, "ec2_backend", None), "default_vpc", None)
    if vpc is None or getattr(value, "vpc_id", None) != vpc.id:
        return False
    default_acl = str(getattr(value, "default", "")).lower() == "true"
    main_table = bool(getattr(value, "main_association_id", None))
    return default_acl or main_table or getattr(value, "name", None) == "default"


@dataclass
class Plain:
    """Turns objects into JSON-able attributes, the same for the same thing each time."""

    known: dict[int, str]
    path: list[int] = field(default_factory=list)

    def of(self, value: Any, top: bool = False) -> Any:
        """A value as JSON-able data."""
        if isinstance(value, PRIMITIVES):
            return value
        if isinstance(value, datetime | date | Enum):
            return str(value)
        if isinstance(value, bytes):
            return hashlib.sha256(value).hexdigest()[:16]
        if isinstance(value, BaseBackend) or callable(value) or len(self.path) > MAX_DEPTH or id(value) in self.path:
            return None
        if id(value) in self.known and not top:
            return f"-> {self.known[id(value)]}"
        self.path.append(id(value))
        try:
            return self.parts(value)
        finally:
            self.path.pop()

    def parts(self, value: Any) -> Any:
        """A container or an object, part by part."""
        if isinstance(value, Mapping):
            return {str(key): self.of(part) for key, part in sorted(value.items(), key=lambda pair: str(pair[0]))}
        if isinstance(value, list | tuple):
            return [self.of(part) for part in value]
        if isinstance(value, set | frozenset):
            return sorted((self.of(part) for part in value), key=str)
        if type(value).__module__.split(".")[0] not in ("moto", "webstack_lab"):
            return type(value).__name__
        facts = {name: self.of(part) for name, part in vars(value).items() if not SKIPPED_ATTRIBUTE.search(name)}
        return {name: fact for name, fact in sorted(facts.items()) if not is_empty(fact)}
