"""One run that isolates a subnet, as a module does it, to be killed: python operation_run.py '{"url": …, "runs_dir": …, …}'

It prints a line at each stage and then waits at the stage that it was told. ``finish`` on its input lets it finish.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from ansible_collections.webstack.aws.plugins.module_utils.engine.sdk import Clients
from ansible_collections.webstack.aws.plugins.module_utils.operations import run
from ansible_collections.webstack.aws.plugins.module_utils.operations.errors import OperationError
from ansible_collections.webstack.aws.plugins.module_utils.operations.probe_specs import ProbeSpec
from ansible_collections.webstack.aws.plugins.module_utils.operations.run import Operation, Plan
from ansible_collections.webstack.aws.plugins.module_utils.operations.undo import undoes

REGION = "us-east-1"


@undoes("reluctant", "ec2")
def reluctant(clients: Clients, data: dict[str, Any]) -> bool:
    """Works at the third attempt."""
    with Path(data["file"]).open("a") as file:
        file.write("x")
    if len(Path(data["file"]).read_text()) < 3:
        raise OperationError("not yet")
    return True


def stage(options: dict[str, Any], name: str) -> None:
    print(name, flush=True)
    while options["stage"] == name:
        if options.get("read") and sys.stdin.readline().strip() == "finish":
            return
        time.sleep(60)


def main(options: dict[str, Any]) -> None:
    connection = {
        "endpoint_url": options["url"],
        "aws_access_key_id": "lab",
        "aws_secret_access_key": options.get("secret", "lab"),
    }
    clients = Clients(connection)
    plan = Plan(
        kind="az-isolation",
        stack="demo",
        purpose="isolating a subnet",
        region=REGION,
        lock_region=REGION,
        runs_dir=Path(options["runs_dir"]),
        controller_pid=options.get("controller"),
        single=True,
        specs=[ProbeSpec(**spec) for spec in options.get("specs", [])],
        heartbeat=0.2,
    )
    operation = Operation.begin(plan, connection, clients)
    stage(options, "begun")
    data = {"region": REGION, "subnet_id": options["subnet"], "network_acl_id": options["acl"]}
    if file := options.get("reluctant"):
        operation.arm("reluctant", "reluctant", {"region": REGION, "file": file})
    operation.arm("replace_network_acl_association", options["subnet"], data)
    stage(options, "armed")
    client = clients("ec2", REGION)
    client.replace_network_acl_association(AssociationId=options["association"], NetworkAclId=options["closed"])
    stage(options, "injected")
    operation.record("acknowledged", options["subnet"])
    stage(options, "acknowledged")
    while options["stage"] == "stopped" and not (reason := operation.stop()):
        time.sleep(0.01)
    if options["stage"] == "stopped":
        print(reason, flush=True)
    if "ending" in options:
        run.ENDING = options["ending"]
        findings: list[str] = []
        print(json.dumps([operation.finish_or_tell(findings), findings]), flush=True)
    else:
        print(json.dumps(operation.finish()), flush=True)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
