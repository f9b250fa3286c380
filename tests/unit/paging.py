"""Listings in pages, whatever the lab does: every answer of a paginated operation comes in two, the first half and the rest (trap 7).

The pages are cut between the SDK and the code under test: a token of ours, in front of the lab's own, is taken out of the request,
and the half of the answer that it stands for is handed on. A listing of one thing is an empty page and one with the thing, as AWS gives them, too.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

from botocore.loaders import Loader

TOKEN = "the-second-page"
# Operations that have pages and, in the SDK, no paginator: input token, output token, items.
OWN = {
    "wafv2": {
        name: ("NextMarker", "NextMarker", items)
        for name, items in (
            ("ListWebACLs", "WebACLs"),
            ("ListIPSets", "IPSets"),
            ("ListRegexPatternSets", "RegexPatternSets"),
            ("ListLoggingConfigurations", "LoggingConfigurations"),
        )
    },
    "cloudfront": {
        f"List{noun}": ("Marker", f"{holder}.NextMarker", f"{holder}.Items")
        for noun, holder in (
            ("Functions", "FunctionList"),
            ("CachePolicies", "CachePolicyList"),
            ("ResponseHeadersPolicies", "ResponseHeadersPolicyList"),
        )
    },
}


def first(value: Any) -> Any:
    return value[0] if isinstance(value, list) else value


def paginated(service: str) -> dict[str, tuple[str, str, str, str | None, list[str]]]:
    """Operation → input token, output token, items, the member that says that there is more, other items."""
    found: dict[str, tuple[str, str, str, str | None, list[str]]] = {}
    for name, page in Loader().load_service_model(service, "paginators-1")["pagination"].items():
        output, items = first(page["output_token"]), first(page["result_key"])
        if "||" not in output and "[" not in output:
            others = page["result_key"][1:] if isinstance(page["result_key"], list) else []
            found[name] = (first(page["input_token"]), output, items, page.get("more_results"), others)
    return found | {name: (*parts, None, []) for name, parts in OWN.get(service, {}).items()}


def holder_of(answer: dict[str, Any], path: str) -> tuple[dict[str, Any], str]:
    *parents, last = path.split(".")
    for parent in parents:
        answer = answer.setdefault(parent, {})
    return answer, last


class Pages:
    """Cuts the answers of some clients for the time of a ``with`` block; ``cut`` are the operations that came in two pages."""

    def __init__(self, clients: list[Any], whole: Collection[str] = ()) -> None:
        """``whole`` stay as they are: operations that ask for a few things by name, which AWS answers in one page."""
        self.clients = clients
        self.whole = whole
        self.cut: set[str] = set()

    @contextmanager
    def cutting(self) -> Iterator[None]:
        hooks = [(client.meta.events, *self._hooks(client.meta.service_model.service_name)) for client in self.clients]
        for events, ask, answer in hooks:
            events.register_first("provide-client-params", ask)
            events.register_last("after-call", answer)
        try:
            yield
        finally:
            for events, ask, answer in hooks:
                events.unregister("provide-client-params", ask)
                events.unregister("after-call", answer)

    def _hooks(self, service: str) -> tuple[Any, Any]:
        known = {name: parts for name, parts in paginated(service).items() if f"{service}.{name}" not in self.whole}

        def ask(params: dict[str, Any], model: Any, context: dict[str, Any], **_unused: Any) -> dict[str, Any] | None:
            token = known[model.name][0] if model.name in known else ""
            given = params.get(token)
            context["page"] = given or ""
            if not isinstance(given, str) or not given.startswith(TOKEN):
                return None
            own = {token: given.removeprefix(TOKEN)} if given != TOKEN else {}
            return {**{name: value for name, value in params.items() if name != token}, **own}

        def answer(parsed: dict[str, Any], model: Any, context: dict[str, Any], **_unused: Any) -> None:
            if model.name not in known:
                return
            _input, output, items, more, others = known[model.name]
            holder, name = holder_of(parsed, items)
            everything = holder.get(name)
            if not isinstance(everything, list) or not everything:
                return
            half = len(everything) // 2
            if context["page"].startswith(TOKEN):  # what the lab itself says of further pages stands
                holder[name] = everything[half:]
                parsed.update({other: [] for other in others if other in parsed})
                self.cut.add(f"{service}.{model.name}")
                return
            holder[name] = everything[:half]
            place, token = holder_of(parsed, output)
            place[token] = TOKEN + context["page"]
            if more:
                place, flag = holder_of(parsed, more)
                place[flag] = True

        return ask, answer
