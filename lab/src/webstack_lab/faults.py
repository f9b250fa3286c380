"""Ways to break things in the lab that AWS has no call for, to rehearse what happens when they break by themselves.

    @fault("database-standby")
    def lose_standby(context, identifier, broken):
        \"\"\"One sentence: what is broken then.\"\"\"

`lab break REGION NAME ID` calls it with broken=True, `lab mend REGION NAME ID` with False. An AwsError refuses.
"""

from __future__ import annotations

from collections.abc import Callable

from webstack_lab.extend import AwsError, Context, Gateway

Fault = Callable[[Context, str, bool], None]
faults: dict[str, Fault] = {}


def fault(name: str) -> Callable[[Fault], Fault]:
    """Register a function as the way to break something; its docstring is what `lab break --help` says."""

    def register(function: Fault) -> Fault:
        if name in faults:
            raise ValueError(f"the fault {name} is registered twice")
        faults[name] = function
        return function

    return register


def apply(gateway: Gateway, region: str, name: str, identifier: str, broken: bool) -> str | None:
    """Break or mend; the reason when it cannot be done."""
    if name not in faults:
        return f"there is no fault {name!r}; there are: {', '.join(sorted(faults))}"
    service = name.partition("-")[0]
    context = Context("rds" if service == "database" else service, "", region, gateway, None)
    try:
        faults[name](context, identifier, broken)
    except AwsError as error:
        return error.message
    return None
