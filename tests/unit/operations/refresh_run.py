"""One deployment by instance refresh, as the module runs it, in a process of its own: python refresh_run.py '{"url": …, "release": …}'

It prints the answer as a line of JSON. ``die_at`` names a mark or ``armed``: there it prints ``dying`` and waits to be killed.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from ansible_collections.webstack.aws.plugins.module_utils.engine.errors import OptionError
from ansible_collections.webstack.aws.plugins.module_utils.engine.sdk import Clients
from ansible_collections.webstack.aws.plugins.module_utils.engine.tier import Tier
from ansible_collections.webstack.aws.plugins.module_utils.module import validate
from ansible_collections.webstack.aws.plugins.module_utils.operations import (
    drill,
    drill_course,
    instance_refresh,
    refresh_plan,
)
from ansible_collections.webstack.aws.plugins.module_utils.operations.deploy_options import (
    DEPLOY_ARGUMENTS,
    wish_of,
)
from ansible_collections.webstack.aws.plugins.module_utils.operations.drill_options import answer, terms_of
from ansible_collections.webstack.aws.plugins.module_utils.operations.errors import OperationError
from ansible_collections.webstack.aws.plugins.module_utils.operations.web_probes import web_probes

REGION = "us-east-1"


def wait_to_be_killed() -> None:
    print("dying", flush=True)
    time.sleep(60)


def deploy(options: dict[str, Any]) -> dict[str, Any]:
    connection = {"endpoint_url": options.pop("url"), "aws_access_key_id": "lab", "aws_secret_access_key": "lab"}
    die_at, check = options.pop("die_at", None), options.pop("check", False)
    tier = Tier("deploy", DEPLOY_ARGUMENTS, lambda _options: [], ())
    values = {**validate(tier, options), "stack": "demo"}
    clients = Clients(connection)
    wish = wish_of(values)
    probes = web_probes(clients, REGION, "demo", values["probes"], values["nameservers"], values["ca_path"])
    terms = terms_of(values, region=REGION, account="123456789012", lock_region=REGION, probes=probes, passwords={})
    found = instance_refresh.InstanceRefresh(clients, terms, wish)
    if die_at == "armed":
        refresh_plan.start = lambda *_: wait_to_be_killed()
    elif die_at:
        before = drill.Scene.mark

        def mark(self: Any, name: str, label: str, at: float | None = None) -> None:
            before(self, name, label, at)
            if name == die_at:
                wait_to_be_killed()

        drill.Scene.mark = mark
    if reason := found.nothing_to_do():
        return {"changed": False, "sentence": reason}
    return answer(found, connection, check)


def main() -> None:
    instance_refresh.POLL = 0.1
    drill_course.SETTLE = 0.1
    try:
        found = deploy(json.loads(sys.argv[1]))
    except (OperationError, OptionError) as error:
        found = {"refused": str(error)}
    print(json.dumps(found, default=str), flush=True)


if __name__ == "__main__":
    main()
