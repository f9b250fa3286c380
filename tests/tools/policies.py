"""Least-privilege IAM policies.

policies.py                                       write docs/policies/ from recorded.yml and the code
policies.py --record                              record the calls of every kind of run first (minutes)
policies.py --stack shop --account 111122223333   write them filled in, to build/policies/
policies.py --check                               say what is out of date, and what parliament finds
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import parliament
from least_privilege import document, recording, scopes

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ROOT / "docs" / "policies"
# parliament's findings that stay, with the reason.
ACCEPTED = {
    "RESOURCE_STAR": "AWS knows no resource of these actions, or it gets its name only by them; docs/security.md says more",
    "RESOURCE_POLICY_PRIVILEGE_ESCALATION": "the assets' bucket needs its policy written; only buckets of the stack's name are reached",
}
# These stand in several statements, one a type of resource and condition; or parliament knows an older form of the ARN.
OLDER = frozenset({"elasticloadbalancing:SetWebAcl", "ssm:GetParameter", "ssm:GetParameters", "sns:Unsubscribe"})


def main() -> int:
    """Write, fill in or check."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--record", action="store_true", help="record the calls of every kind of run first")
    parser.add_argument(
        "--check", action="store_true", help="change nothing; fail if something would change, or is wrong"
    )
    parser.add_argument("--stack", help="fill in: the stack's name")
    parser.add_argument("--account", default="*", help="fill in: the account's number")
    parser.add_argument("--region", default="*", help="fill in: the region; * where there are several")
    parser.add_argument("--partition", default="aws", help="fill in: aws, aws-cn or aws-us-gov")
    parser.add_argument("--to", type=Path, default=ROOT / "build" / "policies", help="where filled-in policies go")
    options = parser.parse_args()
    if options.record:
        recording.write(document.HERE / "recorded.yml")
    if options.stack:
        texts = {path.name: path.read_text(encoding="utf-8") for path in sorted(SHIPPED.glob("*.json"))}
        filled = {
            name: document.fill(text, options.stack, options.account, options.region, options.partition)
            for name, text in texts.items()
        }
        write(options.to, filled)
        return 0
    wanted = document.files()
    if not options.check:
        write(SHIPPED, wanted)
    problems = stale(wanted) + [problem for name, text in wanted.items() for problem in findings(name, text)]
    print(*problems, sep="\n", end="\n" if problems else "")
    return 1 if problems else 0


def write(folder: Path, texts: dict[str, str]) -> None:
    """Put policies into a folder, and nothing else beside them."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.glob("*.json"):
        if path.name not in texts:
            path.unlink()
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    print(f"{len(texts)} policies in {folder}")


def stale(wanted: dict[str, str]) -> list[str]:
    """What ships and what would be written, where they differ."""
    there = {path.name: path.read_text(encoding="utf-8") for path in SHIPPED.glob("*.json")}
    return [
        f"docs/policies/{name}: run `make policies`"
        for name in sorted({*there, *wanted})
        if there.get(name) != wanted.get(name)
    ]


def findings(name: str, text: str) -> list[str]:
    """What is wrong with a policy: its size, and what parliament finds and nobody has accepted."""
    filled = document.fill(text, stack="shop", account="111122223333")
    found = (
        []
        if document.size(json.loads(text)["Statement"]) <= document.LIMIT
        else [f"{name}: longer than a managed policy may be"]
    )
    policy = parliament.analyze_policy_string(filled)
    for finding in policy.findings:
        apart = finding.issue == "RESOURCE_MISMATCH" and all(spread(one["action"]) for one in finding.detail)
        if finding.issue not in ACCEPTED and not apart:
            found.append(f"{name}: {finding.issue}: {finding.detail} {finding.location}")
    return found


def spread(action: str) -> bool:
    """Whether an action is about several types of resources, which need not stand in one statement."""
    return action in OLDER or len(scopes.kinds_of(action)) > 1


if __name__ == "__main__":
    sys.exit(main())
