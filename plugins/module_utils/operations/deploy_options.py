"""The options of a deployment by instance refresh, and how they become its wish."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ..engine.errors import OptionError
from .drill_options import DRILL_ARGUMENTS
from .launch_versions import check_release
from .refresh_options import PREFERENCE_ARGUMENTS, preferences_of
from .refresh_plan import Wish

DEPLOY_ARGUMENTS: dict[str, Any] = {
    **DRILL_ARGUMENTS,
    **PREFERENCE_ARGUMENTS,
    "release": {"type": "str", "required": True},
    "image_id": {"type": "str"},
    "auto_scaling_group_name": {"type": "str"},
    "max_failed_ratio": {"type": "float", "default": 0.02},
}


def wish_of(options: Mapping[str, Any]) -> Wish:
    """What a module's options ask for. Raises OptionError."""
    check_release(options["release"])
    image_id, ratio = options["image_id"], options["max_failed_ratio"]
    if image_id and not image_id.startswith("ami-"):
        raise OptionError(
            "image_id", image_id, "Give the id of an image, ami-…: from a parameter AWS could not roll back"
        )
    if not math.isfinite(ratio) or not 0 <= ratio <= 1:
        raise OptionError("max_failed_ratio", ratio, "Give a ratio from 0 to 1")
    return Wish(
        group=options["auto_scaling_group_name"] or f"{options['stack']}-web",
        release=options["release"],
        image_id=image_id or None,
        preferences=preferences_of(options),
        patience=options["timeout"],
        max_failed_ratio=ratio,
        check_alarms=options["check_alarms"],
    )
