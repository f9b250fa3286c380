"""Every tier, in the order in which one may need another."""

from __future__ import annotations

from collections.abc import Mapping

from ..engine.tier import Tier
from . import assets, cdn, compute_asg, database, dns, edge_security, lb, monitoring, network, storage_cache

TIERS: Mapping[str, Tier] = {
    module.TIER.name: module.TIER
    for module in (assets, network, storage_cache, database, lb, compute_asg, edge_security, cdn, dns, monitoring)
}
