"""playbooks/drift.yml says what differs, as text, as JSON and as an exit code, and leaves everything as it is."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from playbooks import Playbooks, extra
from webstack_lab.testing import Lab

DRIFT = "playbooks/drift.yml"
FEW: dict[str, Any] = {
    "webstack_tiers": ["network"],
    "network_flow_log_destination": "cloudwatch",
    "network_nat_gateways": "none",
    "network_interface_endpoints": [],
}
ONE = ("--limit", "us-east-1")


@pytest.fixture(scope="module")
def site(running_lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Playbooks]:
    """A network of one region, built."""
    running_lab.reset()
    site = Playbooks(running_lab.url, tmp_path_factory.mktemp("home"))
    built = site.play("site.yml", *ONE, *extra(**FEW))
    assert built.code == 0, built.failures or built.output[-3000:]
    yield site
    running_lab.reset()


def look(site: Playbooks, folder: Path, *arguments: str, **variables: Any) -> tuple[int, str, dict[str, Any]]:
    """Exit code, what was printed, and the report."""
    path = folder / "drift.json"
    variables = {**FEW, "drift_report": str(path), **variables}
    process = site.start(
        DRIFT, *(arguments or ONE), *extra(**variables), ANSIBLE_STDOUT_CALLBACK="ansible.builtin.default"
    )
    output, errors = process.communicate(timeout=300)
    return process.returncode, output + errors, json.loads(path.read_text()) if path.exists() else {}


def differences(report: dict[str, Any], host: str = "us-east-1") -> dict[str, str]:
    return {one["address"]: one["kind"] for one in report["hosts"][host]["differences"]}


def test_ends_with_0_where_nothing_differs_and_writes_nothing(
    site: Playbooks, running_lab: Lab, tmp_path: Path
) -> None:
    running_lab.clear_calls()
    code, output, report = look(site, tmp_path)
    assert code == 0, output
    assert "Stack demo has not drifted" in output
    assert (report["stack"], report["drifted"], report["complete"]) == ("demo", False, True)
    assert running_lab.calls("write") == []
    assert not [call for call in running_lab.calls() if call["operation"].startswith("PutParameter")], (
        "it takes no lock"
    )
    assert report["hosts"]["us-east-1"]["calls"] == len(running_lab.calls("read"))
    assert stat.S_IMODE((tmp_path / "drift.json").stat().st_mode) == 0o600


def test_ends_with_2_where_something_differs_and_says_what(site: Playbooks, running_lab: Lab, tmp_path: Path) -> None:
    keys = {"aws_access_key_id": "lab", "aws_secret_access_key": "lab"}
    ec2 = boto3.client("ec2", region_name="us-east-1", endpoint_url=running_lab.url, **keys)
    named = {"Filters": [{"Name": "tag:Name", "Values": ["demo-endpoints"]}]}
    [group] = ec2.describe_security_groups(**named)["SecurityGroups"]
    ec2.create_tags(Resources=[group["GroupId"]], Tags=[{"Key": "environment", "Value": "somebody else's"}])
    acls = {"network_gateway_endpoints": ["s3", "dynamodb"], "network_availability_zones": ["us-east-1a", "us-east-1b"]}
    code, output, report = look(site, tmp_path, **acls)
    assert code == 2, output
    found = differences(report)
    assert found["SecurityGroup[demo-endpoints]"] == "differs"
    assert found["VpcEndpoint[demo-endpoint-dynamodb]"] == "missing"
    assert found["Subnet[demo-public-us-east-1c]"] == "not wanted"
    [changed] = [
        one for one in report["hosts"]["us-east-1"]["differences"] if one["address"] == "SecurityGroup[demo-endpoints]"
    ]
    assert changed["have"]["tags"] == {"environment": "somebody else's"} and changed["want"]["tags"] == {
        "environment": "lab"
    }
    assert f"Stack demo has drifted: {len(found)} differences" in output
    assert "SecurityGroup[demo-endpoints] (tags)" in output


def test_ends_with_1_where_a_region_cannot_be_compared_even_if_another_differs(site: Playbooks, tmp_path: Path) -> None:
    (tmp_path / "hosts.yml").write_text(
        "{regions: {hosts: {eu-west-1: {webstack_expected_account_id: '999988887777'}}}}"
    )
    arguments = ("-i", str(tmp_path / "hosts.yml"), "--limit", "regions")
    code, output, report = look(site, tmp_path, *arguments, network_cidr_block="10.21.0.0/16")
    assert code == 1, output
    assert report["complete"] is False
    assert "The credentials belong to account 123456789012" in report["hosts"]["eu-west-1"]["error"]
    assert "eu-west-1      not compared" in output and "The comparison failed" in output


def test_ends_with_1_and_shows_the_summary_where_the_report_cannot_be_written(site: Playbooks, tmp_path: Path) -> None:
    code, output, _report = look(site, tmp_path, drift_report=str(tmp_path / "nowhere" / "drift.json"))
    assert code == 1
    assert "No such file or directory. Give a file in a folder that exists" in output
    assert "Stack demo has" in output


def test_an_empty_account_lacks_everything(site: Playbooks, running_lab: Lab, tmp_path: Path) -> None:
    running_lab.reset()
    code, _output, report = look(site, tmp_path)
    assert code == 2 and set(differences(report).values()) == {"missing"}
    assert differences(report)["Vpc[demo]"] == "missing"
