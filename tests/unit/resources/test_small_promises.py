"""Promises that a lab keeps for the code, and AWS does not: the order of calls, what is asked for again, what is waited for.

Mutations survived without these tests; tests/tools/mutations.yml holds them.
"""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from ansible_collections.webstack.aws.plugins.module_utils.engine.report import Step, difference
from ansible_collections.webstack.aws.plugins.module_utils.engine.sdk import matches
from ansible_collections.webstack.aws.plugins.module_utils.resources.autoscaling import AutoScalingGroup
from ansible_collections.webstack.aws.plugins.module_utils.resources.kms import Key
from ansible_collections.webstack.aws.plugins.module_utils.resources.rds import DBInstance
from ansible_collections.webstack.aws.plugins.module_utils.resources.route53 import HostedZone
from ansible_collections.webstack.aws.plugins.module_utils.resources.route53_record_sets import RecordSets
from ansible_collections.webstack.aws.plugins.module_utils.resources.secretsmanager import Secret


class Recorder:
    """A client that writes calls down and answers each operation with what it was given."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers
        self.calls: list[tuple[str, dict[str, Any]]] = []

    def __getattr__(self, operation: str) -> Any:
        def call(**arguments: Any) -> Any:
            self.calls.append((operation, arguments))
            return self.answers.get(operation, {})

        return call


def refused(code: str, message: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "CreateAutoScalingGroup")


@pytest.mark.parametrize(
    "message",
    [
        "Invalid IAM Instance Profile name",
        "Invalid IamInstanceProfile: arn:aws:iam::123456789012:instance-profile/demo",
        "You must use a valid fully-formed launch template. The launch template lt-1 does not exist",
    ],
)
def test_what_is_still_spreading_is_asked_for_again(message: str) -> None:
    """trap 21"""
    assert matches(refused("ValidationError", message), AutoScalingGroup.retry)
    assert not matches(refused("ValidationError", "Min cannot be larger than max"), AutoScalingGroup.retry)


def test_traffic_has_the_new_target_group_before_it_loses_the_old_one() -> None:
    client, group = Recorder(), AutoScalingGroup("demo-web", owned=False)
    group.have = {"id": "demo-web", "target_group_arns": {"old"}}
    group.update(client, {"target_group_arns": {"new"}})
    assert [(operation, arguments["TargetGroupARNs"]) for operation, arguments in client.calls] == [
        ("attach_load_balancer_target_groups", ["new"]),
        ("detach_load_balancer_target_groups", ["old"]),
    ]


def test_a_secret_can_be_taken_back_for_a_week() -> None:
    """trap 28"""
    client, secret = Recorder(), Secret("demo-db")
    secret.have = {"id": "demo-db"}
    secret.delete(client)
    assert client.calls == [("delete_secret", {"SecretId": "demo-db", "RecoveryWindowInDays": 7})]


def test_rotation_of_a_key_is_switched_on_and_off() -> None:
    client, key = Recorder(), Key("alias/demo-data")
    key.have = {"id": "key-1"}
    key.update(client, {"rotation": False})
    key.update(client, {"rotation": True})
    assert [operation for operation, _arguments in client.calls] == ["disable_key_rotation", "enable_key_rotation"]


def test_records_are_made_when_every_name_server_has_them() -> None:
    zone = HostedZone("demo.example", owned=False)
    zone.have = {"id": "Z1", "domain_name": "demo.example"}
    record = {"Name": "www.demo.example.", "Type": "A", "TTL": 60, "ResourceRecords": [{"Value": "192.0.2.1"}]}
    records = RecordSets("demo.example", zone=zone, purge_others=True)
    item = {"name": "demo.example", "zone": zone, "records": [record]}
    client = Recorder(change_resource_record_sets={"ChangeInfo": {"Id": "/change/C1"}})
    records._send(client, [("CREATE", record)])
    for status in ("PENDING", "INSYNC"):
        client.answers["get_change"] = {"ChangeInfo": {"Status": status}}
        assert (records.read(client, item) or {})["state"] == status
    assert client.calls[-1] == ("get_change", {"Id": "C1"})


def test_no_difference_shows_a_password() -> None:
    instance = DBInstance("demo-db")
    instance.tier, instance.region = "database", "us-east-1"
    shown = difference(Step("create", instance, {"master_user_password": "hunter2-hunter2", "engine": "postgres"}))
    assert "hunter2" not in str(shown)
    assert shown["after"]["engine"] == "postgres" and "master_user_password" in shown["after"]
