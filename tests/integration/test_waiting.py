"""While something takes minutes, a person at a terminal sees what is waited for; a run without a terminal prints as ever."""

from __future__ import annotations

import os
import pty
import subprocess
from pathlib import Path

import pytest

from playbooks import BIN, ROOT, Playbooks, extra
from webstack_lab.services.passing import Pace
from webstack_lab.testing import Lab

PLAY = """
- hosts: us-east-1
  gather_facts: false
  tasks:
    - webstack.aws.network:
        stack: "{{ stack }}"
        region: us-east-1
        endpoint_url: "{{ webstack_endpoint_url }}"
        access_key: lab
        secret_key: lab
        availability_zones: [us-east-1a]
        interface_endpoints: []
        gateway_endpoints: []
        flow_log_destination: none
"""


@pytest.fixture
def playbooks(running_lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Playbooks:
    """At a pace at which a NAT gateway takes fifteen seconds to come."""
    running_lab.reset()
    monkeypatch.setattr(Pace, "scale", 0.15)
    (tmp_path / "play.yml").write_text(PLAY)
    found = Playbooks(running_lab.url, tmp_path)
    found.environment["ANSIBLE_STDOUT_CALLBACK"] = "ansible.builtin.default"
    return found


def at_a_terminal(playbooks: Playbooks, *arguments: str) -> tuple[int, str]:
    """Run with a terminal in place of the pipes. The exit code and what the terminal showed."""
    ours, theirs = pty.openpty()
    command = [
        str(BIN / "ansible-playbook"),
        str(Path(playbooks.environment["HOME"]) / "play.yml"),
        "-i",
        "inventories/lab",
        *arguments,
    ]
    process = subprocess.Popen(
        command, cwd=ROOT, env=playbooks.environment, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    )
    os.close(theirs)
    shown = b""
    while True:
        try:
            shown += os.read(ours, 4096)
        except OSError:  # how a terminal without programs ends
            break
    os.close(ours)
    return process.wait(), shown.decode()


def test_shows_waits_at_a_terminal_and_nothing_in_a_pipe_unless_asked_for(playbooks: Playbooks) -> None:
    """Three stacks at the same time, each of which waits for its NAT gateway."""
    play = str(Path(playbooks.environment["HOME"]) / "play.yml")
    silent = playbooks.start(play, *extra(stack="silent"))
    asked = playbooks.start(play, *extra(stack="asked", webstack_progress=True))
    code, shown = at_a_terminal(playbooks, *extra(stack="watched"))
    assert code == 0, shown
    assert "us-east-1: waiting for NatGateway[watched-nat-us-east-1a] (pending for 1" in shown
    assert ", usually 2 min)" in shown
    output, errors = silent.communicate(timeout=120)
    assert silent.returncode == 0 and "waiting" not in output + errors
    output, errors = asked.communicate(timeout=120)
    assert "waiting" not in output, "who reads the output reads no progress"
    assert "us-east-1: waiting for NatGateway[asked-nat-us-east-1a] (" in errors
