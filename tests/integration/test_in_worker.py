"""Tier modules run in a child of Ansible's worker, or as any module; whoever calls them sees no difference but the time."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from playbooks import Playbooks, Played, extra
from webstack_lab.testing import Lab

INVENTORY = """
all:
  hosts:
    here:
    other:
      ansible_python_interpreter: OTHER_PYTHON
  vars:
    ansible_connection: local
    ansible_python_interpreter: "{{ ansible_playbook_python }}"
    zones: [eu-west-1a, eu-west-1b]
"""

TASKS = """
- hosts: here
  gather_facts: false
  ignore_errors: true
  module_defaults:
    group/webstack.aws.webstack:
      stack: demo
      endpoint_url: "{{ url }}"
      access_key: lab
      secret_key: very-secret-word
  environment:
    AWS_REGION: eu-west-1
  tasks:
    - name: preview
      webstack.aws.network: {availability_zones: "{{ zones }}", tags: {word: very-secret-word}}
      check_mode: true
      diff: true
    - name: preview of several
      webstack.aws.stack:
        tiers:
          network: {availability_zones: "{{ zones }}"}
          database: {availability_zones: "{{ zones }}", engine: postgres, manage_master_user_password: false, master_user_password: very-secret-pass}
      check_mode: true
    - name: unknown option
      webstack.aws.network: {availability_zones: "{{ zones }}", colour: red}
    - name: wrong type
      webstack.aws.network: {availability_zones: "{{ zones }}", interface_endpoints: {a: b}}
    - name: missing option
      webstack.aws.stack: {}
    - name: wrong value
      webstack.aws.network: {availability_zones: "{{ zones }}", cidr_block: 10.0.0.0/99}
    - name: other account
      webstack.aws.stack_info: {expected_account_id: "999988887777"}
    - name: no region
      webstack.aws.stack_info:
      environment: {AWS_REGION: ""}
    - name: unknown profile
      webstack.aws.stack_info: {profile: nobody, access_key: "{{ omit }}", secret_key: "{{ omit }}"}
    - name: silent
      webstack.aws.stack_info:
      no_log: true
    - name: converge
      webstack.aws.storage_cache: {availability_zones: "{{ zones }}", state: absent}
    - name: several
      webstack.aws.stack_info: {tiers: ["{{ item }}"]}
      loop: [network, database]
"""


@pytest.fixture(scope="module")
def played(running_lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, tuple[Played, list[Any]]]]:
    """The same tasks in both ways, with the calls that each made."""
    running_lab.reset()
    folder = tmp_path_factory.mktemp("ways")
    playbooks = Playbooks(running_lab.url, folder)
    found = {}
    for way, plain in (("child", False), ("module", True)):
        running_lab.clear_calls()
        found[way] = (play(playbooks, folder, TASKS, running_lab, webstack_plain_modules=plain), running_lab.calls())
    yield found
    running_lab.reset()


def play(playbooks: Playbooks, folder: Path, tasks: str, lab: Lab, *arguments: str, **variables: Any) -> Played:
    (folder / "play.yml").write_text(tasks)
    other = folder / "python"
    other.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    other.chmod(0o755)
    (folder / "hosts.yml").write_text(INVENTORY.replace("OTHER_PYTHON", str(other)))
    more = ("-i", str(folder / "hosts.yml"), "-vvv", *arguments)
    return playbooks.play(str(folder / "play.yml"), *more, *extra(url=lab.url, **variables))


def comparable(answer: Any) -> Any:
    """An answer without what differs from run to run."""
    if isinstance(answer, dict):
        return {key: comparable(value) for key, value in answer.items() if key not in ("seconds", "request_id")}
    if isinstance(answer, list):
        return [comparable(value) for value in answer]
    return re.sub(r"[0-9a-f-]{36}|\d+\.\d+", "", answer) if isinstance(answer, str) else answer


TASK_NAMES = re.findall(r"- name: (.+)", TASKS)


@pytest.mark.parametrize("task", TASK_NAMES)
def test_answers_the_same_in_both_ways(played: dict[str, tuple[Played, list[Any]]], task: str) -> None:
    child, module = (comparable(played[way][0].results(task)["here"]) for way in ("child", "module"))
    assert child == module
    assert (task in FAILING) == bool(child.get("failed")), child


FAILING = {
    "unknown option": "Unsupported parameters",
    "wrong type": "argument 'interface_endpoints' is of type dict and we were unable to convert to list",
    "missing option": "missing required arguments: tiers",
    "wrong value": "cidr_block: '10.0.0.0/99' cannot be used",
    "other account": "The credentials belong to account 123456789012",
    "no region": "region: not given",
    "unknown profile": "The config profile (nobody) could not be found. Name a profile of your AWS configuration",
}


@pytest.mark.parametrize("task", FAILING)
def test_fails_with_a_reason(played: dict[str, tuple[Played, list[Any]]], task: str) -> None:
    answer = played["child"][0].results(task)["here"]
    assert FAILING[task] in answer["msg"] and "Traceback" not in json.dumps(answer)


def test_previews_with_a_diff_and_masks_secrets(played: dict[str, tuple[Played, list[Any]]]) -> None:
    one, several = (played["child"][0].results(name)["here"] for name in ("preview", "preview of several"))
    assert one["changed"] and one["diff"] and one["invocation"]["module_args"]["secret_key"].startswith("VALUE_SPEC")
    assert several["changed_tiers"] == ["database", "network"]
    assert "censored" in played["child"][0].results("silent")["here"]
    for way in ("child", "module"):
        assert "very-secret" not in played[way][0].output


def test_makes_the_same_calls_in_both_ways(played: dict[str, tuple[Played, list[Any]]]) -> None:
    child, module = (sorted((call["service"], call["operation"]) for call in played[way][1]) for way in played)
    assert child == module and ("ec2", "DescribeVpcs") in child


def test_one_way_starts_no_python_and_the_other_does(played: dict[str, tuple[Played, list[Any]]]) -> None:
    assert "AnsiballZ" not in played["child"][0].output
    assert "Running the module webstack.aws.network in a child of its worker" in played["child"][0].output
    assert "Starting the module webstack.aws.network: webstack_plain_modules is set" in played["module"][0].output


ELSEWHERE = """
- hosts: here
  gather_facts: false
  tasks:
    - name: in the background
      webstack.aws.stack_info: &options {stack: demo, region: eu-west-1, endpoint_url: "{{ url }}", access_key: lab, secret_key: lab}
      async: 60
      poll: 1
    - name: on another host
      webstack.aws.stack_info: *options
      delegate_to: other
"""


def test_what_needs_a_process_of_its_own_gets_one(running_lab: Lab, tmp_path: Path) -> None:
    running_lab.reset()
    folder = str(
        tmp_path / "async"
    )  # Ansible takes the user's home where it starts the job, and $HOME where it looks for it
    done = play(Playbooks(running_lab.url, tmp_path), tmp_path, ELSEWHERE, running_lab, ansible_async_dir=folder)
    assert done.code == 0, done.failures or done.output[-3000:]
    assert done.results("in the background")["here"]["resources"] == []
    assert done.results("on another host")["here"]["resources"] == []
    assert "Starting the module webstack.aws.stack_info: it runs in the background" in done.output
    assert f"Starting the module webstack.aws.stack_info: its Python is {tmp_path / 'python'}" in done.output
