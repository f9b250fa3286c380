"""The events of RDS in the time of a drill. The API gives their texts without their numbers, which the user guide has.

https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_Events.Messages.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

STARTED, DNS, COMPLETED, ABANDONED = "RDS-EVENT-0013", "RDS-EVENT-0015", "RDS-EVENT-0049", "RDS-EVENT-0034"
CLUSTER_COMPLETED, CLUSTER_FAILED, CLUSTER_REVERSED = "RDS-EVENT-0071", "RDS-EVENT-0069", "RDS-EVENT-0070"

NUMBERS = {
    STARTED: r"multi-az (instance )?failover started",
    DNS: r"failover to standby complete",
    COMPLETED: r"multi-az (instance )?failover completed",
    ABANDONED: r"abandoning user requested failover",
    "RDS-EVENT-0006": r"db instance restarted",
    "RDS-EVENT-0004": r"db instance shutdown",
    "RDS-EVENT-0072": r"started same az failover",
    "RDS-EVENT-0073": r"started cross az failover",
    CLUSTER_COMPLETED: r"completed failover to db instance",
    CLUSTER_FAILED: r"failover .*failed|cluster failover failed",
    CLUSTER_REVERSED: r"promoting previous primary",
}


def number_of(message: str) -> str:
    """The event's number in the user guide, or nothing."""
    return next((number for number, text in NUMBERS.items() if re.search(text, message, re.IGNORECASE)), "")


def events(client: Any, source_type: str, identifier: str, since: float) -> Iterator[tuple[float, str, str]]:
    """Time (seconds since the epoch), text and number of each event of one thing from ``since`` on. RDS keeps them for 14 days."""
    pages = client.get_paginator("describe_events").paginate(
        SourceType=source_type,
        SourceIdentifier=identifier,
        StartTime=datetime.fromtimestamp(since, timezone.utc),
        EndTime=datetime.now(timezone.utc) + timedelta(minutes=1),
    )
    for page in pages:
        for event in page["Events"]:
            if event["Date"].timestamp() >= since:
                yield event["Date"].timestamp(), event["Message"], number_of(event["Message"])
