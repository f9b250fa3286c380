# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Asks AWS with boto3 alone, for a second opinion on what the collection has built.

``questions`` is a list of dictionaries: ``ask``, client and method of boto3 (``ec2.describe_vpcs``); ``parameters`` of the method, of which
one that is a question itself stands for its answer; ``query``, a JMESPath expression; ``region``, by default that of the environment, as are
endpoint and credentials. ``what`` and ``expect`` are for whoever compares. Returns ``answers``, one for each question. Only methods that read
are called, and all their pages are fetched.
"""

from __future__ import annotations

import json
from functools import cache

import boto3
import jmespath
from ansible.module_utils.basic import AnsibleModule
from botocore.exceptions import BotoCoreError, ClientError

READS = ("describe_", "get_", "head_", "list_")
QUESTION = {
    "ask": {"type": "str", "required": True},
    "parameters": {"type": "dict", "default": {}},
    "query": {"type": "str", "required": True},
    "region": {"type": "str"},
    "what": {"type": "str", "required": True},
    "expect": {"type": "raw"},
}


@cache
def client_of(service, region):
    """One client for each service and region."""
    return boto3.client(service, region_name=region)


def answer(question):
    """What AWS says, as plain JSON values: times are texts."""
    service, method = question["ask"].split(".")
    if not method.startswith(READS):
        raise ValueError(f"{question['ask']} does not read")
    client = client_of(service, question.get("region"))
    parameters = {
        name: answer(value) if isinstance(value, dict) and "ask" in value else value
        for name, value in question.get("parameters", {}).items()
    }
    if client.can_paginate(method):
        return search(question, client.get_paginator(method).paginate(**parameters).build_full_result())
    return search(question, getattr(client, method)(**parameters))


def search(question, said):
    """What the question's expression finds."""
    return jmespath.search(question["query"], json.loads(json.dumps(said, default=str)))


def main():
    questions = {"type": "list", "elements": "dict", "required": True, "options": QUESTION}
    module = AnsibleModule(argument_spec={"questions": questions}, supports_check_mode=True)
    answers = []
    for question in module.params["questions"]:
        try:
            answers.append(answer(question))
        except (BotoCoreError, ClientError, ValueError, jmespath.exceptions.JMESPathError) as error:
            module.fail_json(msg=f"{question['what']}: {error}")
    module.exit_json(changed=False, answers=answers)


if __name__ == "__main__":
    main()
