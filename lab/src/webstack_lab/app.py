"""The WSGI application: moto's, with our operations before it, a call log behind it, and one lock around it."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Iterable
from threading import RLock
from typing import TYPE_CHECKING, Any

from moto.core.base_backend import BackendDict, BaseBackend
from moto.core.exceptions import ServiceException
from moto.core.model_instances import reset_model_data
from moto.iam.models import get_account_id_from
from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    create_backend_app,
)
from werkzeug.exceptions import HTTPException
from werkzeug.http import HTTP_STATUS_CODES
from werkzeug.wsgi import LimitedStream, get_input_stream

import webstack_lab.quicker  # noqa: F401 - it mends moto when it is imported
from webstack_lab import services, wire
from webstack_lab.calls import CallLog, kind_of
from webstack_lab.control import CONTROL_PREFIX, Control
from webstack_lab.extend import (
    Answer,
    AwsError,
    Context,
    Params,
    Raw,
    backends_of,
    operations,
    reset_hooks,
    stores,
)
from webstack_lab.idempotency import answer_once
from webstack_lab.services import reality
from webstack_lab.unreliable import Dropped, Unreliable
from webstack_lab.wire import Call

if TYPE_CHECKING:
    from webstack_lab.dataplane.plane import DataPlane

StartResponse = Callable[..., Any]
log = logging.getLogger("webstack_lab")
all_backends: Any = BackendDict


class LabApp:
    """A whole AWS account behind one WSGI callable."""

    def __init__(self, calls: CallLog | None = None) -> None:
        services.load()
        self.calls = calls or CallLog()
        # moto is not thread-safe; extensions call back into moto, hence re-entrant.
        self.lock = RLock()
        self.moto_app = DomainDispatcherApplication(create_backend_app)
        self.control = Control(self)
        self.unreliable = Unreliable()
        self.plane: DataPlane | None = None  # set by the data plane itself

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        stream = get_input_stream(environ)
        body = stream.read() if isinstance(stream, LimitedStream) or environ.get("wsgi.input_terminated") else b""
        ours = str(environ.get("PATH_INFO", "")).startswith(CONTROL_PREFIX)
        raw = self.control.answer(environ) if ours else self.answer(Call(environ, body))
        headers = [(name, value) for name, value in raw.headers.items() if name.lower() not in ("connection", "status")]
        headers = [(name, value) for name, value in headers if name.lower() not in ("server", "date")]
        # A HEAD answer tells the length of what is not sent, so moto's own number stays.
        if environ.get("REQUEST_METHOD") != "HEAD":
            headers = [(name, value) for name, value in headers if name.lower() != "content-length"]
            headers.append(("Content-Length", str(len(raw.body))))
        if raw.status == 204:  # it never has a body; one would be read as the start of the next answer
            headers = [(name, value) for name, value in headers if name.lower() != "content-length"]
        start_response(f"{raw.status} {HTTP_STATUS_CODES.get(raw.status, 'Unknown')}", headers)
        return [] if raw.status == 204 or environ.get("REQUEST_METHOD") == "HEAD" else [raw.body]

    def answer(self, call: Call) -> Raw:
        """Understand, run and write down one call."""
        started = time.perf_counter()
        wire.read_scope(call)
        fault: str | None = None
        with self.lock:
            try:
                wire.read_request(call)
                raw, fault = self.unreliable.answer(call, lambda known: answer_once(known, self.run))
            except Dropped as lost:
                raw, fault = Raw(0, {}, b""), str(lost)
            except Exception as error:
                log.exception("%s %s failed", call.service, call.operation)
                raw = self.failure(call, error)
        seconds = time.perf_counter() - started
        if self.plane is not None and kind_of(call.operation) == "write":
            self.plane.wake()
        service = call.service or "unknown"
        if not str(call.environ.get("PATH_INFO", "")).startswith("/moto-api"):
            error_code = wire.error_code(raw)
            self.calls.add(
                service,
                call.operation,
                call.region,
                params=call.params,
                status=raw.status,
                error=error_code,
                seconds=seconds,
                fault=fault,
            )
        self.unreliable.delay(call)
        if raw.status == 0:
            raise Dropped(fault)
        return raw

    def run(self, call: Call) -> Raw:
        """Our operation if there is one, else moto's."""
        function = operations.get((call.service, call.operation))
        if function is None or call.model is None:
            return self.run_moto(call)
        context = Context(
            service=call.service,
            operation=call.operation,
            region=call.region,
            gateway=self,
            request=call,
            account_id=account_of(call),
            request_id=str(uuid.uuid4()),
        )
        try:
            result = function(context, call.params)
        except AwsError as error:
            return wire.serialize(call, error, context.request_id)
        except (ServiceException, HTTPException) as error:
            return wire.serialize(call, as_aws_error(error), context.request_id)
        return result if isinstance(result, Raw) else wire.serialize(call, result, context.request_id)

    def run_moto(self, call: Call) -> Raw:
        """moto's own answer; what it lacks or stumbles over becomes an error that a client understands."""
        if call.service in wire.known_services() and not known_to_moto(call.service):
            return self.refusal(call, f"{call.service} is not part of the lab")
        if call.service and call.service not in wire.known_services():
            return self.refusal(call, f"there is no service {call.service!r}")
        collected: dict[str, Any] = {}

        def start_response(status: str, headers: list[tuple[str, str]], *_: Any) -> None:
            collected.update(status=int(status.split(maxsplit=1)[0]), headers=dict(headers))

        try:
            chunks = self.moto_app(wire.fresh_environ(call), start_response)
            body = b"".join(chunks)
        except NotImplementedError as error:
            log.warning("%s %s: not implemented: %s", call.service, call.operation, error)
            return self.refusal(call, f"{call.service} {call.operation} is not part of the lab")
        # Flask's own page, or moto's empty answer: no handler for this path.
        if collected["status"] in (404, 405) and (body[:9].lower() == b"<!doctype" or not (body or call.model)):
            return self.refusal(call, f"{call.service} {call.operation} is not part of the lab")
        return Raw(collected["status"], collected["headers"], body)

    def refusal(self, call: Call, text: str) -> Raw:
        """An answer for what nobody implements. 501, because clients repeat calls answered 500."""
        return self.error(call, AwsError("NotImplemented", text, 501))

    def failure(self, call: Call, error: Exception) -> Raw:
        """An answer for a defect of the lab; 400, because clients repeat calls answered 500."""
        text = f"the lab failed in {call.service} {call.operation}: {type(error).__name__}: {error}"
        return self.error(call, AwsError("InternalFailure", text, 400))

    def error(self, call: Call, error: AwsError) -> Raw:
        """An error in the wire shape of the call's protocol, or of the nearest guess."""
        request_id = str(uuid.uuid4())
        try:
            return wire.serialize(call, error, request_id)
        except Exception:
            body = f'{{"__type": "{error.code}", "message": "{error.message}"}}'
            headers = {"Content-Type": "application/x-amz-json-1.0", "x-amzn-errortype": error.code}
            return Raw(error.status or 400, headers, body.encode())

    # What a context may ask for (extend.Gateway).

    def forward(self, context: Context) -> Raw:
        """moto's answer to the context's call, as bytes."""
        return self.run_moto(context.request)

    def moto(self, context: Context, params: Params | None) -> Answer:
        """moto's answer to the context's call, parsed; with other parameters when given."""
        call: Call = context.request
        if params is not None:
            call = wire.compose(call.service, call.operation, call.region, params, call)
        return wire.parse(call, self.run_moto(call))

    def call(self, context: Context, service: str, operation: str, region: str, params: Params) -> Answer:
        """Another operation's answer, our extensions included."""
        call = wire.compose(service, operation, region, params, context.request)
        return wire.parse(call, self.run(call))

    def reset(self) -> None:
        """An empty account. The call log stays."""
        with self.lock:
            in_use: list[Any] = all_backends._instances
            for backend_dict in list(in_use):
                for regions in backend_dict.values():
                    for backend in regions.values():
                        # The plain reset builds the backend anew (a second for some), only to be thrown away.
                        if type(backend).reset is not BaseBackend.reset:
                            backend.reset()
                backend_dict.clear()
            in_use.clear()
            reset_model_data()
            stores.clear()
            reality.now.clear()
            for hook in reset_hooks:
                hook()
        if self.plane is not None:
            self.plane.clear()


def as_aws_error(error: Exception) -> AwsError:
    """moto's own exceptions, raised by its models inside an extension."""
    if isinstance(error, ServiceException):
        return AwsError(error.code, error.message)
    code = getattr(error, "error_type", type(error).__name__)
    return AwsError(code, getattr(error, "message", str(error)), getattr(error, "code", 400))


def known_to_moto(service: str) -> bool:
    """Whether moto has a backend for a service of botocore."""
    try:
        backends_of(service)
    except (ImportError, AttributeError, KeyError):
        return False
    return True


def account_of(call: Call) -> str:
    """The account that an access key belongs to: the lab's own, unless a role of another was assumed."""
    return str(get_account_id_from(call.access_key))
