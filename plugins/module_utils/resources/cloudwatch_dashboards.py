"""CloudWatch dashboards. https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ..engine.resource import OWNER_TAG, TIER_TAG, Resource, Scope
from .cloudwatch import resolved

MOST_WIDGETS = 500  # trap 187
REGION = "webstack:region"


@dataclass(eq=False)
class Dashboard(Resource):
    """A dashboard, found by its name. Dashboards are one list for all regions of an account, so the name must say the region.

    Its first widget says whose it is; one without that line is somebody else's, and is neither overwritten nor deleted.
    """

    service = "cloudwatch"
    missing = ("ResourceNotFound", "DashboardNotFoundError")
    tagged = False
    purge = True

    title: str | None = None
    widgets: list[dict[str, Any]] | None = None

    @classmethod
    def list_all(cls, client: Any, scope: Scope) -> Iterable[Any]:
        """The wished one by its name; only a run that wishes for none looks for what an earlier one left."""
        names = sorted(scope.names)
        if not names:
            pages = client.get_paginator("list_dashboards").paginate(DashboardNamePrefix=f"{scope.stack}-")
            names = sorted(entry["DashboardName"] for page in pages for entry in page["DashboardEntries"])
        for name in names:
            try:
                body = client.get_dashboard(DashboardName=name)["DashboardBody"]
            except client.exceptions.ClientError as error:
                if error.response["Error"]["Code"] not in cls.missing:
                    raise
                continue
            owner = owner_of(json.loads(body))
            tier_is_ours = scope.covers(owner.get(TIER_TAG))
            ours = owner.get(OWNER_TAG) == scope.stack and owner.get(REGION) == scope.region and tier_is_ours
            if ours or name in scope.names:
                yield {"name": name, "body": json.loads(body), "owner": owner}

    @classmethod
    def identify(cls, item: Any) -> tuple[str, ...]:
        return (item["name"],)

    def read(self, client: Any, item: Any) -> dict[str, Any]:
        return {"id": item["name"], "owner": item["owner"].get(OWNER_TAG), "body": item["body"]}

    def want(self) -> dict[str, Any]:
        if self.widgets is None:
            return {}
        mark = {OWNER_TAG: self.scope.stack, TIER_TAG: self.tier, REGION: self.region}
        line = " ".join(f"`{key}={value}`" for key, value in mark.items())
        text = f"# {self.title}\nWritten by webstack.aws; changes made by hand are overwritten. {line}"
        head = {"type": "text", "x": 0, "y": 0, "width": 24, "height": 2, "properties": {"markdown": text}}
        return {"body": {"widgets": [head, *resolved(self.widgets)]}}

    def refuse(self, change: dict[str, Any]) -> str | None:
        if self._foreign():
            return "somebody else made a dashboard of this name. Rename or delete that one, or set dashboard=false"
        return None

    def protection(self) -> str | None:
        return "somebody else made it, or edited its first widget" if self._foreign() else None

    def _foreign(self) -> bool:
        return self.exists and (self.have or {}).get("owner") != self.scope.stack

    def create(self, client: Any, want: dict[str, Any]) -> None:
        client.put_dashboard(DashboardName=self.name, DashboardBody=json.dumps(want["body"], sort_keys=True))

    def update(self, client: Any, change: dict[str, Any]) -> None:
        self.create(client, change)

    def delete(self, client: Any) -> None:
        client.delete_dashboards(DashboardNames=[self.id])


def owner_of(body: Any) -> dict[str, str]:
    """What the first widget of a dashboard says about its owner."""
    widgets = body.get("widgets") or [{}]
    text = (widgets[0].get("properties") or {}).get("markdown", "") if widgets[0].get("type") == "text" else ""
    return dict(re.findall(r"`(webstack:[a-z]+)=([^`]*)`", text))
