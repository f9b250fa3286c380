"""Invalidations of the lab's distributions, as https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_CreateInvalidation.html has them."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from webstack_lab.services.passing import Pace
from webstack_lab.testing import Lab


@pytest.fixture
def edge(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(Pace, "scale", 1.0)
    return lab.client("cloudfront")


@pytest.fixture
def distribution(edge: Any) -> str:
    origin = {
        "Id": "a",
        "DomainName": "a.example",
        "CustomOriginConfig": {"HTTPPort": 80, "HTTPSPort": 443, "OriginProtocolPolicy": "https-only"},
    }
    config = {
        "CallerReference": "a",
        "Comment": "a",
        "Enabled": True,
        "Origins": {"Quantity": 1, "Items": [origin]},
        "DefaultCacheBehavior": {"TargetOriginId": "a", "ViewerProtocolPolicy": "https-only", "CachePolicyId": "x"},
    }
    return str(edge.create_distribution(DistributionConfig=config)["Distribution"]["Id"])


def ask(edge: Any, distribution: str, reference: str, *paths: str) -> dict[str, Any]:
    batch = {"Paths": {"Quantity": len(paths), "Items": list(paths)}, "CallerReference": reference}
    answer: dict[str, Any] = edge.create_invalidation(DistributionId=distribution, InvalidationBatch=batch)[
        "Invalidation"
    ]
    return answer


def code(edge: Any, distribution: str, reference: str, *paths: str) -> str:
    with pytest.raises(ClientError) as caught:
        ask(edge, distribution, reference, *paths)
    return str(caught.value.response["Error"]["Code"])


def test_is_in_progress_for_a_while(edge: Any, distribution: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made = ask(edge, distribution, "1", "/a")
    assert made["Status"] == "InProgress"
    monkeypatch.setattr(Pace, "scale", 0.0)
    found = edge.get_invalidation(DistributionId=distribution, Id=made["Id"])["Invalidation"]
    assert (found["Status"], found["InvalidationBatch"]["Paths"]["Items"]) == ("Completed", ["/a"])
    assert edge.list_invalidations(DistributionId=distribution)["InvalidationList"]["Quantity"] == 1


def test_a_reference_used_twice_returns_the_old_one(edge: Any, distribution: str) -> None:
    assert ask(edge, distribution, "1", "/a")["Id"] == ask(edge, distribution, "1", "/a")["Id"], "trap 150"
    assert code(edge, distribution, "1", "/b") == "InvalidationBatchAlreadyExists"


def test_has_limits(edge: Any, distribution: str) -> None:
    ask(edge, distribution, "1", *(f"/{number}/*" for number in range(15)))
    assert code(edge, distribution, "2", "/x/*") == "TooManyInvalidationsInProgress"
    ask(edge, distribution, "3", *(f"/{number}" for number in range(3000)))
    assert code(edge, distribution, "4", "/x") == "TooManyInvalidationsInProgress"


@pytest.mark.parametrize("path", ["a", "/ä", "/a b", "/a*b", "/" + "a" * 4000])
def test_refuses_what_is_no_path(edge: Any, distribution: str, path: str) -> None:
    assert code(edge, distribution, "1", path) == "InvalidArgument"
