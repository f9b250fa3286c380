"""CloudFront: invalidations of our distributions, with AWS's limits.

https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_CreateInvalidation.html
"""

from __future__ import annotations

from typing import Any

from webstack_lab.extend import Answer, AwsError, Context, Params, operation
from webstack_lab.services.cloudfront import counted_items, known, listed, new_id, now
from webstack_lab.services.passing import settle, start

SECONDS = 60  # until every edge has forgotten, at AWS's pace
LONGEST = 4000  # characters of a path
WILDCARDS = 15  # in progress for one distribution
PATHS = 3000  # others


def invalidation_of(entry: Params) -> Params:
    settle(entry)
    return {
        "Id": entry["id"],
        "Status": entry["status"],
        "CreateTime": entry["created"],
        "InvalidationBatch": entry["batch"],
    }


def check_paths(paths: list[str]) -> None:
    """A path begins with a slash, is of ASCII characters, and has its wildcard last."""
    for path in paths:
        wild = "*" in path[:-1]
        if not path.startswith("/") or not path.isascii() or " " in path or len(path) > LONGEST or wild:
            text = "Your request contains one or more invalid invalidation paths."
            raise AwsError("InvalidArgument", text, 400)


@operation("cloudfront", "CreateInvalidation")
def create_invalidation(context: Context, params: Params) -> Answer:
    distribution = known(context, "distributions", params["DistributionId"], "NoSuchDistribution")
    batch = params["InvalidationBatch"]
    paths = counted_items(batch["Paths"])
    if not paths or batch["Paths"]["Quantity"] != len(paths):
        raise AwsError("InconsistentQuantities", "The value of Quantity and the size of Items don't match.", 400)
    check_paths(paths)
    mine = [one for one in context.table("invalidations").values() if one["distribution"] == distribution["id"]]
    for one in mine:
        if one["batch"]["CallerReference"] == batch["CallerReference"]:
            if one["batch"] != batch:
                text = "Your request contains a caller reference that was used for a previous invalidation batch for the same distribution."
                raise AwsError("InvalidationBatchAlreadyExists", text, 409)
            return answer_of(one)
    under_way = [one["batch"] for one in mine if invalidation_of(one)["Status"] == "InProgress"]
    pending = [path for one in under_way for path in counted_items(one["Paths"])] + paths
    wild = sum(path.endswith("*") for path in pending)
    if wild > WILDCARDS or len(pending) - wild > PATHS:
        text = "Your request exceeds the maximum number of allowed invalidations in progress."
        raise AwsError("TooManyInvalidationsInProgress", text, 400)
    identity = "I" + new_id(batch["CallerReference"])[1:]
    entry = {
        "id": identity,
        "distribution": distribution["id"],
        "batch": batch,
        "created": now(),
    }
    start(entry, "status", "InProgress", "Completed", SECONDS)
    context.table("invalidations")[identity] = entry
    return answer_of(entry)


def answer_of(entry: Params) -> dict[str, Any]:
    location = (
        f"https://cloudfront.amazonaws.com/2020-05-31/distribution/{entry['distribution']}/invalidation/{entry['id']}"
    )
    return {"Invalidation": invalidation_of(entry), "Location": location}


@operation("cloudfront", "GetInvalidation")
def get_invalidation(context: Context, params: Params) -> Answer:
    known(context, "distributions", params["DistributionId"], "NoSuchDistribution")
    entry = known(context, "invalidations", params["Id"], "NoSuchInvalidation")
    return {"Invalidation": invalidation_of(entry)}


@operation("cloudfront", "ListInvalidations")
def list_invalidations(context: Context, params: Params) -> Answer:
    known(context, "distributions", params["DistributionId"], "NoSuchDistribution")
    found = [one for one in context.table("invalidations").values() if one["distribution"] == params["DistributionId"]]
    newest = sorted(found, key=lambda one: one["created"], reverse=True)
    rows = [{key: value for key, value in invalidation_of(one).items() if key != "InvalidationBatch"} for one in newest]
    return {"InvalidationList": {**listed(rows), "Marker": "", "IsTruncated": False}}
