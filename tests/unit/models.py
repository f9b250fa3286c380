"""What botocore's models say about requests and answers, and what the SDK itself does not check: enums, patterns, lengths."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from botocore.loaders import Loader
from botocore.model import OperationModel, ServiceModel, Shape

SERVICES = {"waf": "wafv2", "elasticloadbalancing": "elbv2", "monitoring": "cloudwatch", "elasticfilesystem": "efs"}
NUMBERS = {"integer": int, "long": int, "float": (int, float), "double": (int, float)}
TYPES = {"structure": dict, "map": dict, "list": (list, tuple), "string": str, "boolean": bool, **NUMBERS}
FOREIGN = re.compile(r"\\p\{|\[:|&&|\\u\{|\\x\{")  # Java's classes of characters


@cache
def service(name: str) -> ServiceModel:
    name = SERVICES.get(name, name)
    return ServiceModel(Loader().load_service_model(name, "service-2"), service_name=name)


def operation(service_name: str, name: str) -> OperationModel:
    return service(service_name).operation_model(name)


def violations(shape: Shape, value: Any, where: str = "", *, lengths: bool = True) -> Iterator[str]:
    """Everything about a value that its shape does not allow; without ``lengths``, names, types and enums alone."""
    kind = shape.type_name
    if kind in ("blob", "timestamp") or (
        shape.name == "policyDocumentType" and isinstance(value, dict)
    ):  # decoded by the SDK
        return
    if not isinstance(value, TYPES[kind]) or (isinstance(value, bool) and kind != "boolean"):
        yield f"{where}: {type(value).__name__} where {kind} belongs"
        return
    if lengths and kind != "structure":
        yield from _measured(shape, value if kind in NUMBERS else 0 if kind == "boolean" else len(value), where)
    if kind == "string":
        yield from _spelled(shape, value, where, lengths)
    for part, inner, name in _parts(shape, value, where):
        yield from violations(part, inner, name, lengths=lengths)
    if kind == "structure":
        yield from (f"{where}.{name}: there is no such member" for name in value.keys() - shape.members.keys())
        yield from (f"{where}.{name}: is required" for name in set(shape.required_members) - value.keys())


def _parts(shape: Shape, value: Any, where: str) -> Iterator[tuple[Shape, Any, str]]:
    """What a value is made of: (shape, value, name)."""
    if shape.type_name == "list":
        yield from ((shape.member, item, f"{where}[{number}]") for number, item in enumerate(value))
    elif shape.type_name == "map":
        yield from ((shape.key, key, f"{where}.{key}") for key in value)
        yield from ((shape.value, item, f"{where}.{key}") for key, item in value.items())
    elif shape.type_name == "structure":
        known = value.keys() & shape.members.keys()
        yield from ((shape.members[name], value[name], f"{where}.{name}") for name in known)


def _measured(shape: Shape, size: float, where: str) -> Iterator[str]:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if (least is not None and size < least) or (most is not None and size > most):
        yield f"{where}: {size} is not within {least} and {most}"


def _spelled(shape: Shape, value: str, where: str, lengths: bool) -> Iterator[str]:
    if shape.enum and value not in shape.enum:
        yield f"{where}: {value} is none of {', '.join(shape.enum)}"
    pattern = compiled(shape.metadata.get("pattern", "")) if lengths else None
    if pattern and not pattern.search(value):
        yield f"{where}: {value!r} does not look like {pattern.pattern}"


@cache
def compiled(pattern: str) -> re.Pattern[str] | None:
    """A pattern of a model, which AWS means for whole texts; none for what is written for Java's expressions alone."""
    if not pattern or FOREIGN.search(pattern):
        return None
    try:
        return re.compile(pattern if pattern.startswith("^") else f"^(?:{pattern})$", re.DOTALL)
    except re.error:
        return None
