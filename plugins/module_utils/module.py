"""The only code that meets AnsibleModule: options in, one run of the engine, one answer out."""

from __future__ import annotations

import atexit
import copy
import os
import re
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.common.parameters import remove_values
from ansible_collections.amazon.aws.plugins.module_utils.botocore import get_aws_connection_info
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from .engine import progress
from .engine.converger import Converger, Settings
from .engine.errors import OptionError, Refused, ResourceError
from .engine.interruption import Interruption, leave_report, reports_home
from .engine.reading import Reader
from .engine.report import Report, plain
from .engine.resource import Resource
from .engine.schedule import Clock
from .engine.sdk import SDK_ERRORS, Clients, explain
from .engine.tier import Tier
from .operations.errors import OperationError
from .operations.lock import home_region
from .operations.writing import Writing, check_run_id

SHARED: dict[str, Any] = {
    "stack": {"type": "str", "required": True},
    "expected_account_id": {"type": "str"},
    "state": {"type": "str", "default": "present", "choices": ["present", "absent"]},
    "tags": {"type": "dict", "default": {}},
    "purge_tags": {"type": "bool", "default": True},
    "wait": {"type": "bool", "default": True},
    "wait_timeout": {"type": "int"},
    "lift_deletion_protection": {"type": "bool", "default": False},
    "run_id": {"type": "str", "default": ""},
    "lock_region": {"type": "str", "default": ""},
}


Chosen = Sequence[tuple[Tier, Mapping[str, Any]]]


class Run:
    """One module call: the validated options, the clients, the account, and the time since it started."""

    def __init__(self, module: AnsibleAWSModule) -> None:
        self.module = module
        self.options: dict[str, Any] = dict(module.params)
        self.started = time.monotonic()
        region, endpoint, connection = get_aws_connection_info(module)
        if not region:
            module.fail_json(msg="region: not given. Set region, or AWS_REGION in the environment")
        self.region: str = region
        self.connection: dict[str, Any] = {**connection, "endpoint_url": endpoint}
        try:
            self.clients = Clients(self.connection)
        except SDK_ERRORS as error:
            module.fail_json(msg=explain(error))
        self._account: str | None = None

    def check(self) -> None:
        """Refuse values that can never work, before any call."""
        stack, account = self.options["stack"], self.options["expected_account_id"]
        if not re.fullmatch(r"[a-z][a-z0-9-]{0,18}[a-z0-9]", stack):
            raise OptionError(
                "stack",
                stack,
                "Give 2 to 20 lower-case letters, digits and hyphens, a letter first, no hyphen last: it begins the names of all resources",
            )
        if self.options.get("run_id"):
            check_run_id(self.options["run_id"])
        if account and not re.fullmatch(r"\d{12}", account):
            raise OptionError("expected_account_id", account, "Give the twelve digits of an AWS account")

    def account(self) -> str:
        """The account of the credentials, asked for once."""
        if self._account is None:
            self._account = str(self.clients("sts", self.region).get_caller_identity()["Account"])
        return self._account

    @property
    def lock_region(self) -> str:
        """Where the stack's lock is: the home region of the partition, unless the option says otherwise."""
        return self.options.get("lock_region") or home_region(self.clients, self.region)

    def writing(self, purpose: str) -> Writing:
        """The right to write: under the lock of the run that the call belongs to, or under a lease of its own."""
        run_id = self.options["run_id"]
        return Writing(
            self.clients, self.options["stack"], self.region, purpose, run_id=run_id, lock_region=self.lock_region
        )

    def refuse_other_accounts(self) -> None:
        """Stop before any write, or before saying "nothing is there", where the credentials are another account's (trap 19)."""
        expected = self.options["expected_account_id"]
        if expected and expected != self.account():
            raise OptionError(
                "expected_account_id",
                expected,
                f"The credentials belong to account {self.account()}. Use those of {expected}, or correct the option",
            )

    def tier_options(self, tier: Tier, options: Mapping[str, Any]) -> dict[str, Any]:
        """What a tier's function gets."""
        return {
            **options,
            "stack": self.options["stack"],
            "region": self.region,
            "account_id": self.options["expected_account_id"] or self.account(),
            "partition": self.clients.partition(self.region),
        }


def quick_end(body: Callable[[Any], None]) -> Callable[[Any], None]:
    """The same body of a module, which ends the process as soon as the answer is out: taking the SDK's models apart takes longer than
    to load them. Only where the module is the program, and after Ansible has tidied up."""

    @wraps(body)
    def run(tiers: Any) -> None:
        try:
            body(tiers)
        except SystemExit as end:
            if hasattr(sys.modules["__main__"], "DOCUMENTATION"):
                atexit.register(_leave, end.code)
            raise

    return run


def _leave(code: Any) -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


@quick_end
def run_tier(tier: Tier) -> None:
    """The body of a tier's module."""
    module = AnsibleAWSModule(argument_spec={**copy.deepcopy(dict(tier.arguments)), **SHARED}, supports_check_mode=True)
    converge(module, lambda: [(tier, {key: module.params[key] for key in tier.arguments})])


class TiersModule(AnsibleModule):  # type: ignore[misc]  # ansible-core has no types
    """Ansible looks for secrets among a module's own options, and not among those of tiers inside one of them: it is told of these,
    before it writes its first line to the system's log."""

    tiers: Mapping[str, Tier] = {}

    def _log_invocation(self) -> None:
        asked = self.params["tiers"]
        given = [(tier, asked[name]) for name, tier in self.tiers.items() if isinstance(asked.get(name), dict)]
        for tier, values in given:
            secret = [values.get(key) for key, facts in tier.arguments.items() if facts.get("no_log")]
            self.no_log_values.update(str(value) for value in secret if value)
        super()._log_invocation()


@quick_end
def run_stack(tiers: Mapping[str, Tier]) -> None:
    """The body of the module that runs several tiers as one graph."""
    TiersModule.tiers = tiers
    AnsibleAWSModule.default_settings["module_class"] = TiersModule  # it asks no other place for the class to use
    module = AnsibleAWSModule(
        argument_spec={"tiers": {"type": "dict", "required": True}, **SHARED}, supports_check_mode=True
    )

    def chosen() -> Chosen:
        asked = module.params["tiers"]
        for name in asked:
            if name not in tiers:
                raise OptionError("tiers", name, f"The tiers are {', '.join(sorted(tiers))}")
        return [(tier, validate(tier, asked[name] or {})) for name, tier in tiers.items() if name in asked]

    converge(module, chosen)


def converge(module: AnsibleAWSModule, tiers: Callable[[], Chosen]) -> None:
    """Converge or remove tiers in one graph and answer the task; every failure becomes one message, none a traceback."""
    run = Run(module)
    try:
        run.check()
        answer = _converge(run, tiers())
    except (OptionError, Refused, ResourceError) as error:
        reasons = error.reasons if isinstance(error, Refused) else [error] if isinstance(error, ResourceError) else []
        module.fail_json(msg=str(error), changed=False, actions=[], errors=[reason.as_result() for reason in reasons])
    except OperationError as error:
        module.fail_json(msg=f"Nothing was changed. {error}", changed=False, actions=[])
    except SDK_ERRORS as error:
        module.fail_json(msg=f"Nothing was changed. {explain(error)}", changed=False, actions=[])
    answer["calls"] = {"read": run.clients.counter.reads, "write": run.clients.counter.writes}
    answer["seconds"] = round(time.monotonic() - run.started, 2)
    if "stopped" in answer:  # whoever started this may be gone
        name = f"{run.options['stack']}-{run.region}"
        path = leave_report(name, remove_values(answer, module.no_log_values), reports_home())
        answer["msg"] += f". This report is also in {path}" if path else ""
        module.log(answer["msg"])
    if "msg" in answer:
        module.fail_json(**answer)
    module.exit_json(**answer)


def run_operation(arguments: Mapping[str, Any], body: Callable[[Run], dict[str, Any]]) -> None:
    """The body of an operation's module. ``body`` gets the run and gives the answer; an answer with ``msg`` is a failure.

    ``body`` writes nothing in check mode. Every failure becomes one message, none a traceback.
    """
    shared = {key: SHARED[key] for key in ("stack", "expected_account_id", "lock_region")}
    module = AnsibleAWSModule(argument_spec={**shared, **copy.deepcopy(dict(arguments))}, supports_check_mode=True)
    run = Run(module)
    try:
        run.check()
        answer = body(run)
    except (OptionError, Refused, ResourceError, OperationError) as error:
        module.fail_json(msg=str(error), changed=False)
    except SDK_ERRORS as error:
        module.fail_json(msg=explain(error), changed=False)
    except OSError as error:
        module.fail_json(msg=f"{error.filename or type(error).__name__}: {error.strerror or error}", changed=False)
    answer["calls"] = {"read": run.clients.counter.reads, "write": run.clients.counter.writes}
    answer["seconds"] = round(time.monotonic() - run.started, 2)
    if "msg" in answer:
        module.fail_json(**answer)
    module.exit_json(**answer)


def run_local(arguments: Mapping[str, Any], body: Callable[[dict[str, Any], bool], dict[str, Any]]) -> None:
    """The body of a module that asks nothing of AWS. ``body`` gets the options, and whether this is check mode; an answer with ``msg`` is
    a failure."""
    module = AnsibleModule(argument_spec=copy.deepcopy(dict(arguments)), supports_check_mode=True)
    answer = body(dict(module.params), module.check_mode)
    if "msg" in answer:
        module.fail_json(**answer)
    module.exit_json(**answer)


@quick_end
def run_info(tiers: Mapping[str, Tier]) -> None:
    """The body of the module that lists what a stack has."""
    spec = {
        **{key: SHARED[key] for key in ("stack", "expected_account_id")},
        "tiers": {"type": "list", "elements": "str", "default": []},
    }
    module = AnsibleAWSModule(argument_spec=spec, supports_check_mode=True)
    run = Run(module)
    wanted = set(module.params["tiers"])
    reader = Reader(run.clients, module.params["stack"], run.region, Clock())
    try:
        run.check()
        run.refuse_other_accounts()
        reader.read([], [kind for tier in tiers.values() for kind in tier.kinds], None)
    except (OptionError, Refused) as error:
        module.fail_json(msg=str(error))
    except SDK_ERRORS as error:
        module.fail_json(msg=explain(error))
    homes = {kind: tier.name for tier in tiers.values() for kind in tier.kinds}
    for orphan in reader.orphans:
        orphan.tier = orphan.tier or homes[type(orphan)]  # kinds without tags belong to the tier that has the kind
    rows = [row for row in describe(reader.orphans) if not wanted or row["tier"] in wanted]
    rows.sort(key=lambda row: (row["tier"], row["address"]))
    module.exit_json(
        changed=False, resources=rows, calls={"read": run.clients.counter.reads, "write": run.clients.counter.writes}
    )


def _converge(run: Run, tiers: Chosen) -> dict[str, Any]:
    converger = _planned(run, tiers)
    check, absent = run.module.check_mode, run.options["state"] == "absent"
    if converger.steps or absent:
        run.refuse_other_accounts()
    diff = converger.diff()  # before anything is read again
    if check or not (converger.steps or converger.unfinished):
        report = Report() if check else _carried_out(converger, absent)
    else:
        purpose = f"{', '.join(sorted(tier.name for tier, _values in tiers))} in {run.region}"
        with run.writing(purpose) as writing:
            if writing.waited:
                converger = _planned(run, tiers)
                diff = converger.diff()
            report = _carried_out(converger, absent, writing.stop)
    if check:
        report.actions = [
            {
                "address": step.resource.address,
                "tier": step.resource.tier,
                "region": step.resource.region,
                "verb": step.verb,
            }
            for step in converger.steps
        ]
    return {**_answer(run, tiers, converger, report), "diff": diff}


def _planned(run: Run, tiers: Chosen) -> Converger:
    """A converger that has read everything and refused nothing."""
    options = run.options
    resources: list[Resource] = []
    for tier, values in tiers:
        try:
            resources += tier.resources(run.tier_options(tier, values))
        except OptionError as error:
            raise error.of(tier.name) if "tiers" in options else error from None
    settings = Settings(
        stack=options["stack"],
        region=run.region,
        tags=options["tags"],
        purge_tags=options["purge_tags"],
        wait=options["wait"],
        wait_timeout=options["wait_timeout"],
        lift_deletion_protection=options["lift_deletion_protection"],
        tell=progress.tell,
    )
    kinds = [kind for tier, values in tiers for kind in tier.purged(values)]
    labels = {tier.label(values) for tier, values in tiers}
    converger = Converger(resources, kinds, labels, run.clients, settings)
    if options["state"] == "absent":
        converger.plan_removal()
    else:
        converger.plan(preview=run.module.check_mode)
    homes = {kind: tier.label(values) for tier, values in tiers for kind in tier.purged(values)}
    for step in converger.steps:
        step.resource.tier = (
            step.resource.tier or homes[type(step.resource)]
        )  # found without tags, as it can carry none
    return converger


def _carried_out(converger: Converger, absent: bool, stop: Callable[[], str | None] | None = None) -> Report:
    """Carry a plan out; start nothing more once ``stop`` gives a reason, or somebody wants the module to end."""
    with Interruption() as interruption:
        converger.settings.stop = lambda: interruption.reason or (stop() if stop else None)
        return converger.remove() if absent else converger.apply()


def _answer(run: Run, tiers: Chosen, converger: Converger, report: Report) -> dict[str, Any]:
    absent = run.options["state"] == "absent"
    names = {tier.label(values): tier.name for tier, values in tiers}
    steps = converger.steps
    answer = {
        "changed": bool(steps) if run.module.check_mode else report.changed,
        "actions": report.actions,
        "changed_tiers": sorted({names[step.resource.tier] for step in steps}),
        "pending": report.pending,
        "assumed": converger.assumed,
        "resources": [] if absent else describe(converger.graph.resources),
    }
    if absent:
        answer["left"] = report.left
    if report.stopped:
        answer["stopped"] = report.stopped
    if report.failed or report.stopped:
        answer["msg"] = _failure(report)
        answer["errors"] = [error.as_result() for error in report.failed]
        answer["not_started"] = report.not_started
    return answer


def describe(resources: Sequence[Resource]) -> list[dict[str, Any]]:
    """What a person or the next play wants to know of each owned resource."""
    rows = []
    for resource in resources:
        if resource.owned:
            have = resource.have or {}
            row = {"address": resource.address, "tier": resource.tier, "region": resource.region, "name": resource.name}
            shown = ("id", "arn", "state", "endpoint", *resource.shown)
            row |= {key: plain(have.get(key)) for key in shown if have.get(key) is not None}
            rows.append(row)
    return rows


def _failure(report: Report) -> str:
    done = [action["address"] for action in report.actions if action["ok"] and action["verb"] != "wait"]
    text = "; ".join([*([report.stopped] if report.stopped else []), *(str(error) for error in report.failed)])
    parts = [text, f"Done before or beside it: {', '.join(done) or 'nothing'}"]
    if report.pending:
        parts.append(f"Begun, and left to go on by itself: {', '.join(report.pending)}")
    if report.not_started:
        parts.append(f"Not started: {', '.join(report.not_started)}")
    return ". ".join(parts) + ". Run again when the cause is removed: a run continues where this one stopped"


def validate(tier: Tier, values: Mapping[str, Any]) -> dict[str, Any]:
    """A tier's options out of a plain dictionary, checked and completed as its own module would do it; null is "not given"."""
    given = {key: value for key, value in values.items() if value is not None}
    result = ArgumentSpecValidator(copy.deepcopy(dict(tier.arguments))).validate(given)
    if result.error_messages:
        raise OptionError(tier.name, "; ".join(result.error_messages), f"See ansible-doc webstack.aws.{tier.name}")
    return dict(result.validated_parameters)
