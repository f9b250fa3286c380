"""Tags of all resources of a stack in one call, for the services whose own listings leave tags out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..engine.resource import OWNER_TAG, TIER_TAG, Resource, Scope, as_dict


def tags_of(resource: Resource, arn: str, ask: Callable[[], dict[str, str]]) -> dict[str, str]:
    """The tags of one resource.

    The tagging API answers for a whole stack and region at once, but it lags behind (trap 8). So its answer is believed only
    where it has the resource with every tag that this run wants, or says of a thing that nobody wishes for that it belongs to
    a tier that this run is not about; everything else is asked of the service itself (``ask``).
    """
    scope = resource.scope
    if scope.fresh or not resource.owned:
        return ask()
    known = stack_tags(scope).get(arn)
    if known and not resource.wanted_tags and not scope.covers(known.get(TIER_TAG)):
        return known
    if known is None or not resource.wanted_tags or known != resource.wanted_tags:
        return ask()
    return known


def stack_tags(scope: Scope) -> dict[str, dict[str, str]]:
    """ARN → tags of everything that carries the stack's ownership tag in this region, as of the run's first look."""

    def ask() -> dict[str, dict[str, str]]:
        pages = scope.client("resourcegroupstaggingapi").get_paginator("get_resources")
        found: dict[str, dict[str, str]] = {}
        answer: Any
        for answer in pages.paginate(TagFilters=[{"Key": OWNER_TAG, "Values": [scope.stack]}], ResourcesPerPage=100):
            found.update({item["ResourceARN"]: as_dict(item["Tags"]) for item in answer["ResourceTagMappingList"]})
        return found

    return scope.once("tags of the stack", ask)
