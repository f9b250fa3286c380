"""The dashboard, drawn from the same tables as the alarms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..engine.errors import OptionError
from ..resources.cloudwatch import MetricAlarm
from ..resources.cloudwatch_dashboards import MOST_WIDGETS, Dashboard
from .alarm_packs import Row, Section

ACROSS = 24  # columns of a dashboard
WIDE, HIGH = 8, 6
MOST_SHOWN = 100  # alarms in one widget


def dashboard(
    options: dict[str, Any],
    name: str,
    sections: list[Section],
    alarms: list[MetricAlarm],
    limit: Callable[[str, Row], float],
) -> Dashboard:
    """The states of all alarms on top; below, a heading for each tier and a graph for each row of its tables."""
    widgets: list[dict[str, Any]] = []
    y = 2
    begin = f"arn:{options['partition']}:cloudwatch:{options['region']}:{options['account_id']}:alarm:"
    for start in range(0, len(alarms), MOST_SHOWN):
        shown = [f"{begin}{alarm.name}" for alarm in alarms[start : start + MOST_SHOWN]]
        widgets.append(_widget("alarm", 0, y, ACROSS, HIGH, {"title": "Alarms", "alarms": shown}))
        y += HIGH
    for tier in dict.fromkeys(section.tier for section in sections):
        widgets.append(_widget("text", 0, y, ACROSS, 1, {"markdown": f"## {tier}"}))
        y += 1
        graphs = [(one, row) for one in sections if one.tier == tier for row in one.rows if one.subjects]
        for number, (section, row) in enumerate(graphs):
            x = number % (ACROSS // WIDE) * WIDE
            y += HIGH if number and not x else 0
            widgets.append(_widget("metric", x, y, WIDE, HIGH, _graph(options, section, row, limit(tier, row))))
        y += HIGH
    if len(widgets) >= MOST_WIDGETS:  # trap 187
        raise OptionError("dashboard", True, f"It would have more than {MOST_WIDGETS} widgets: set dashboard=false")
    where = "global" if options["coverage"] == "global" else options["region"]
    return Dashboard(name, title=f"{options['stack']} ({where})", widgets=widgets)


def _widget(kind: str, x: int, y: int, width: int, height: int, properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": kind, "x": x, "y": y, "width": width, "height": height, "properties": properties}


def _graph(options: dict[str, Any], section: Section, row: Row, threshold: float) -> dict[str, Any]:
    metrics = []
    for subject in section.subjects:
        dimensions = [part for name, value in subject.dimensions.items() for part in (name, value)]
        metrics.append([section.namespace, row.metric, *dimensions, {"label": subject.label or row.metric}])
    return {
        "title": f"{section.title}: {row.metric} ({row.statistic})",
        "region": options["region"],
        "view": "timeSeries",
        "stacked": False,
        "stat": row.statistic,
        "period": row.period,
        "metrics": metrics,
        "annotations": {"horizontal": [{"label": f"{row.severity}: {row.sign} {threshold:g}", "value": threshold}]},
    }
