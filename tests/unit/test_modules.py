"""What the modules answer, run as Ansible runs them: as a process of their own that reads JSON and prints JSON."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from compute_world import OPTIONS, World
from stack import Stack

MODULES = "ansible_collections.webstack.aws.plugins.modules"
POLICY = {"name": "network", "predefined_metric": "ASGAverageNetworkIn", "target_value": 5000000}


def run(stack: Stack, folder: Path, module: str, check: bool = False, **options: Any) -> dict[str, Any]:
    """The answer of one module."""
    connection = {"endpoint_url": stack.lab.url, "access_key": "lab", "secret_key": "lab"}
    arguments = {"stack": stack.name, "region": stack.region, **connection, **options, "_ansible_check_mode": check}
    file = folder / "arguments.json"
    file.write_text(json.dumps({"ANSIBLE_MODULE_ARGS": arguments}))
    command = [sys.executable, "-m", f"{MODULES}.{module}", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    answer: dict[str, Any] = json.loads(done.stdout)
    assert not answer.get("failed"), answer
    return answer


def test_a_deleted_thing_that_carries_no_tags_is_counted_to_its_tier(stack: Stack, tmp_path: Path) -> None:
    """A scaling policy cannot be tagged, so nothing but its kind says which tier it belongs to."""
    world = World(stack).build()
    world.stack.converge("compute_asg", **OPTIONS, scaling_policies=[POLICY])
    for check in (True, False):
        answer = run(stack, tmp_path, "compute_asg", check=check, **OPTIONS)
        assert answer["changed_tiers"] == ["compute_asg"]
        said = [(action["verb"], action["address"], action["tier"]) for action in answer["actions"]]
        assert said == [("delete", "ScalingPolicy[demo-web/network]", "compute_asg")]
    assert not run(stack, tmp_path, "compute_asg", **OPTIONS)["changed"]
