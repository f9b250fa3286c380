"""The operations that the collection's code names: what a run may call some day, also where the reference stack never did."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from botocore import xform_name
from botocore.session import Session

UTILS = Path(__file__).resolve().parents[3] / "plugins" / "module_utils"
SERVICES = (
    "acm", "autoscaling", "cloudfront", "cloudwatch", "ec2", "efs", "elasticache", "elbv2", "iam", "kms", "logs", "rds",
    "resourcegroupstaggingapi", "route53", "s3", "secretsmanager", "shield", "sns", "ssm", "sts", "wafv2", "xray",
)  # fmt: skip
SINGLE = ("subscribe", "unsubscribe")  # operations of one word that are no word of everyday code

Operation = tuple[str, str]  # service and operation as botocore names them


@cache
def known() -> dict[str, set[Operation]]:
    """Method name of a client → the operations that it may be."""
    found: dict[str, set[Operation]] = defaultdict(set)
    for service in SERVICES:
        for operation in Session().get_service_model(service).operation_names:
            method = xform_name(operation)
            if "_" in method or method in SINGLE:
                found[method].add((service, operation))
    return found


def named(path: Path) -> set[Operation]:
    """The operations that a file names; of several services, those that the file speaks of."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    texts = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    words = texts | {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    spoken = texts | {path.stem.split("_")[0]}
    found: set[Operation] = set()
    for word in words & set(known()):
        choice = known()[word]
        found |= choice if len(choice) == 1 else {one for one in choice if one[0] in spoken}
    return found


def files(*patterns: str) -> Iterator[Path]:
    """Files of ``plugins/module_utils`` by pattern."""
    for pattern in patterns:
        found = sorted(UTILS.glob(pattern))
        if not found:
            raise FileNotFoundError(f"{pattern}: nothing below {UTILS.name} is called so")
        yield from found


def operations(*patterns: str) -> set[Operation]:
    """The operations that some files name."""
    return {operation for path in files(*patterns) for operation in named(path)}
