"""Whether two accounts are the same but for ids, times and addresses that AWS hands out.

``likeness`` gives every thing as a text in which each id is replaced by a digest of what carries that id, its tags included, and of
what that refers to in turn. So two accounts with equal likenesses have the same things with the same attributes, tied to each
other in the same way; a thing made twice, an orphan or a thing without its tags shows as a difference.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from typing import Any

Likeness = Counter[str]

# What AWS makes up: ids of all services.
TOKEN = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
    r"|\b[a-z]{1,10}-(?:[0-9a-f]{17}|[0-9a-f]{8})\b"
    r"|\b(?=[0-9a-f]*[a-f])(?=[0-9a-f]*\d)[0-9a-f]{12,20}\b"
    r"|\bE[0-9A-F]{13}\b|\bA[A-Z]{3}[A-Z0-9]{16,17}\b"
    r"|\b(?:cluster|db)-[A-Z0-9]{26}\b"
    r"|\b(?=[A-Z0-9]*\d)(?=[A-Z0-9]*[A-Z])[A-Z0-9]{13,26}\b"
    r"|\b[A-Z0-9]{22}\b|\b\d{13}\b"
    r"|\b[a-z0-9]{20}\b"
    r"|(?<=secret:)[\w/-]+-[A-Za-z0-9]{6}\b"
)
# What differs from run to run and means nothing: times, addresses out of a subnet, hardware addresses.
NOISE = re.compile(
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)?"
    r"|\d{4}-\d\d-\d\d-\d\d(?:-\d\d){0,2}"
    r"|\b\d{1,3}(?:\.\d{1,3}){3}\b(?!/)"
    r"|\bip-\d+-\d+-\d+-\d+\b"
    r"|\b[0-9a-f]{2}(?::[0-9a-f]{2}){5}\b"
    r"|(?<=-)\d{10}(?=\.[a-z0-9-]+\.elb\.)"
    r"|(?<=-)[0-9a-f]{8}(?=\.com\.amazonaws\.)"
    r"|(?<=/)\d{15}\b"
    r"|\bns-\d+\.awsdns-\d+\.[a-z.]+"
    r"|delegationset/\w+"
)
COLOUR = re.compile(r"<[0-9a-f]{10}>")
# AWS chooses the zone, and so the subnet and the address, of these out of those that it was given.
PLACED = re.compile(
    r"^(ec2 \S+ (instances|enis|volumes|iam_instance_profile_associations)|autoscaling \S+ autoscaling_groups"
    r"|elasticache \S+ lab:(clusters|groups)|rds \S+ databases|efs \S+ mount_targets_by_id)$"
)
ZONE = re.compile(r"\b[a-z]{2}-[a-z]+-\d[a-f]\b|\b[a-z]{3}\d-az\d\b")
# Attributes that are drawn anew for each thing, or count what happened to it.
DRAWN = re.compile(
    r"^(born|_leaving|deregistered_targets|apply_immediately|_available_ip_addresses|_subnet_ips|_unused_ips)$|password|etag|caller_?reference|fingerprint|creation_token|certificate|private_key|token",
    re.IGNORECASE,
)


def likeness(snapshot: dict[str, Any], placement: bool = True) -> Likeness:
    """How often each thing is there; without ``placement``, wherever AWS has put what it may put anywhere."""
    things = [
        (f"{service} {region} {collection}", key, json.dumps([NOISE.sub("~", key), _paired(value)]))
        for service, regions in snapshot.items()
        for region, collections in regions.items()
        for collection, items in collections.items()
        for key, value in items.items()
    ]
    things = [(where, key, NOISE.sub("~", text)) for where, key, text in things]

    def shown(where: str, text: str, colours: dict[str, str]) -> str:
        if not placement and PLACED.search(where):
            return f"{where} {_coloured(ZONE.sub('~', text), {})}"
        return f"{where} {_coloured(text, colours)}"

    colours: dict[str, str] = {}
    for _round in range(3):
        about: dict[str, list[str]] = {}
        for where, key, text in things:
            for token in TOKEN.findall(key):
                about.setdefault(token, []).append(shown(where, text, colours))
        colours = {
            token: hashlib.sha256("".join(sorted(texts)).encode()).hexdigest()[:10] for token, texts in about.items()
        }
    return Counter(shown(where, text, colours) for where, _key, text in things)


def difference(have: Likeness, want: Likeness) -> str:
    """What one account has too much and too little against another; empty where they are alike.

    Where things differ by themselves, only they are shown, and not all that refers to them.
    """
    if have == want:
        return ""
    here, there = (Counter({COLOUR.sub("<>", text): 0 for text in side}) for side in (have, want))
    for side, blank in ((have, here), (want, there)):
        for text, number in side.items():
            blank[COLOUR.sub("<>", text)] += number
    if here != there:
        have, want = here, there
    surplus, lack = list((have - want).elements()), list((want - have).elements())
    lines = []
    for text in surplus:
        twin = max(lack, key=lambda other: len(_parts(other) & _parts(text)), default="")
        if len(_parts(twin) & _parts(text)) * 2 < len(_parts(text)):
            lines.append(f"too much: {text}")
            continue
        lack.remove(twin)
        have_parts, want_parts = sorted(_parts(text) - _parts(twin)), sorted(_parts(twin) - _parts(text))
        lines.append(f"differs: {text[:100]}: has {have_parts}, should have {want_parts}")
    return "\n".join([*lines, *(f"lacks: {text}" for text in lack)])


def _parts(text: str) -> set[str]:
    return set(text.split(", "))


def _coloured(text: str, colours: dict[str, str]) -> str:
    replaced = TOKEN.sub(lambda found: f"<{colours.get(found.group(), '')}>", text)
    return json.dumps(_sorted(json.loads(replaced)))


def _paired(value: Any) -> Any:
    """Dictionaries as lists of pairs, so that keys that are ids may become equal."""
    if isinstance(value, dict):
        return [[key, _paired(part)] for key, part in value.items() if not DRAWN.search(str(key))]
    if isinstance(value, list):
        return [_paired(part) for part in value]
    if isinstance(value, (int, float)) and (value > 1e9 or (value > 1000 and value % 1)):  # a time
        return None
    if isinstance(value, str) and value[:1] in "{[":
        try:
            return _paired(json.loads(value))
        except ValueError:
            return value
    return value


def _sorted(value: Any) -> Any:
    if isinstance(value, list):
        return sorted((_sorted(part) for part in value), key=json.dumps)
    return value
