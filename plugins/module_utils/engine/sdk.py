"""The only place that meets boto3: one session, one client a service and region, one retry configuration, call counts."""

from __future__ import annotations

import gzip
import json
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from .errors import ResourceError
from .permission import DENIED, action_of, missing_permission

try:
    import boto3
    import botocore.session
    from botocore import loaders
    from botocore.config import Config
    from botocore.exceptions import (
        BotoCoreError,
        ClientError,
        CredentialRetrievalError,
        EndpointConnectionError,
        HTTPClientError,
    )

    SDK_ERRORS: tuple[type[Exception], ...] = (ClientError, BotoCoreError)
    LOST: tuple[type[Exception], ...] = (HTTPClientError,)
    STALE: tuple[type[Exception], ...] = (CredentialRetrievalError,)
except ImportError:  # amazon.aws's module class reports it; ansible-test imports every file without boto3
    SDK_ERRORS = LOST = STALE = ()

ADVICE = {
    "NoCredentialsError": "Set profile, or access_key and secret_key, or AWS_PROFILE in the environment",
    "PartialCredentialsError": "Set both access_key and secret_key",
    "EndpointConnectionError": "Check endpoint_url, the region's name and the network",
    "ProfileNotFound": "Name a profile of your AWS configuration",
    "NoRegionError": "Set region",
}

# AWS refused a call because there were too many: it was not carried out (trap 6).
THROTTLED = frozenset(
    {
        "BandwidthLimitExceeded",
        "EC2ThrottledException",
        "LimitExceededException",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        "TransactionInProgressException",
    }
)
# The credentials were good and are too old now (trap 9).
EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"})

READS = ("describe", "get", "list", "head", "search", "lookup", "batch_get", "check", "estimate", "simulate")


class Counter:
    """HTTP requests, counted by the label of the work that made them. A retried call counts every attempt."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._local = threading.local()
        self.by_label: dict[str, int] = {}
        self.reads = 0
        self.writes = 0

    @contextmanager
    def label(self, label: str) -> Iterator[None]:
        """Requests made by this thread inside the block are counted under the label."""
        before = getattr(self._local, "label", "")
        self._local.label = label
        try:
            yield
        finally:
            self._local.label = before

    def count(self, read: bool) -> None:
        label = getattr(self._local, "label", "")
        with self._lock:
            self.by_label[label] = self.by_label.get(label, 0) + 1
            if read:
                self.reads += 1
            else:
                self.writes += 1


_LOADERS: dict[str | None, Any] = {}  # by the extra folders of models that a profile names


class _Files:
    """Reads the SDK's models as plain dictionaries: in half the time and memory of the ordered ones that it would make itself."""

    OPENERS: Mapping[str, Callable[[str, str], Any]] = {".json": open, ".json.gz": gzip.open}

    def exists(self, file_path: str) -> bool:
        return any(os.path.isfile(file_path + ending) for ending in self.OPENERS)

    def load_file(self, file_path: str) -> Any:
        for ending, opener in self.OPENERS.items():
            if os.path.isfile(file_path + ending):
                with opener(file_path + ending, "rb") as stream:
                    return json.loads(stream.read())
        return None


def _session(profile: str | None) -> Any:
    """A session that takes models from what this process, or the one that it was forked from, has already read."""
    session = botocore.session.Session(profile=profile)
    folders = session.get_config_variable("data_path")
    if folders not in _LOADERS:
        _LOADERS[folders] = loaders.create_loader(folders)
        _LOADERS[folders].file_loader = _Files()
    session.register_component("data_loader", _LOADERS[folders])
    result = boto3.session.Session(botocore_session=session)
    places = _LOADERS[folders].search_paths
    places[:] = dict.fromkeys(places)  # every session adds its own folder
    return result


def warm(services: Iterable[str]) -> None:
    """Load what clients of these services are made of, for this process and all that are forked from it."""
    if not SDK_ERRORS:
        return  # no SDK here: whoever needs it says so
    with suppress(*SDK_ERRORS):
        _session(None)
        for loader in _LOADERS.values():
            for name in ("endpoints", "partitions", "sdk-default-configuration", "_retry"):
                loader.load_data(name)
            for service in services:
                loader.load_service_model(service, "service-2")
                loader.load_service_model(service, "endpoint-rule-set-1")


class Clients:
    """Clients by service and region, made when first asked for and shared by all threads.

    ``connection`` holds the keyword arguments of ``boto3.session.Session.client`` that carry credentials and endpoint, as
    amazon.aws works them out of a module's options; ``profile_name`` goes to the session.
    """

    def __init__(self, connection: dict[str, Any], user_agent: str = "webstack.aws") -> None:
        self.counter = Counter()
        connection = dict(connection)
        self._profile = connection.pop("profile_name", None)
        self._session = _session(self._profile)
        self._config = Config(
            retries={"mode": "standard", "total_max_attempts": 10}, max_pool_connections=32, user_agent_extra=user_agent
        ).merge(connection.pop("config", None) or Config())
        self._connection = connection
        self._lock = threading.Lock()
        self._local = threading.local()
        self._clients: dict[tuple[str, str], Any] = {}
        self._answered = False

    def __call__(self, service: str, region: str) -> Any:
        with self._lock:
            key = (service, region)
            if key not in self._clients:
                client = self._session.client(service, region_name=region, config=self._config, **self._connection)
                client.meta.events.register("before-send", self._count)
                client.meta.events.register_first("needs-retry", self._fail_fast)
                client.meta.events.register("after-call", _name_action)
                self._clients[key] = client
            return self._clients[key]

    def _count(self, request: Any, event_name: str, **_unused: Any) -> None:
        operation = _snake(event_name.rsplit(".", 1)[-1])
        self.counter.count(operation.startswith(READS))

    def renew(self) -> None:
        """Look for the credentials again, and make clients anew: who wrote newer ones into a file since is heard."""
        with self._lock:
            self._session = _session(self._profile)
            self._clients.clear()

    @contextmanager
    def sent_once(self, operations: tuple[str, ...]) -> Iterator[None]:
        """The SDK does not send these operations again when their answer is lost: this thread gets the error at once."""
        self._local.sent_once = operations
        try:
            yield
        finally:
            self._local.sent_once = ()

    def _fail_fast(
        self, response: Any = None, caught_exception: Any = None, operation: Any = None, **_unused: Any
    ) -> None:
        """Stop the SDK's own attempts where another one would be wrong.

        An endpoint that has never answered is a wrong endpoint, not a passing fault: ten attempts would take minutes. And an
        operation that AWS would carry out twice is not sent twice, unless AWS said that it has refused the first one.
        """
        if response is not None:
            self._answered = True
            http, parsed = response
            lost = http.status_code >= 500 and parsed.get("Error", {}).get("Code") not in THROTTLED
            error: Any = ClientError(parsed, operation.name) if lost else None
        elif isinstance(caught_exception, EndpointConnectionError):
            if not self._answered:
                raise caught_exception
            error = None  # nothing was sent
        else:
            error = caught_exception if isinstance(caught_exception, LOST) else None
        if error is not None and operation.name in getattr(self._local, "sent_once", ()):
            raise error

    def partition(self, region: str) -> str:
        """``aws``, ``aws-cn``, … of a region (trap 15)."""
        name: str = self._session.get_partition_for_region(region)
        return name


def _name_action(parsed: dict[str, Any], model: Any, **_unused: Any) -> None:
    """Note on an error which action it was, as IAM's policies name it; the SDK's exception knows the operation only."""
    if "Error" in parsed:
        parsed["ResponseMetadata"]["Action"] = action_of(model.service_model.signing_name, model.name)


def _snake(operation: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in operation).lstrip("_")


def error_code(error: Exception) -> str:
    """AWS's code of an error, or the name of the SDK's own exception."""
    if isinstance(error, ClientError):
        code: str = error.response.get("Error", {}).get("Code", "")
        return code
    return type(error).__name__


def unanswered(error: Exception) -> bool:
    """Whether nobody knows if the call was carried out: the connection broke, or AWS failed. Throttled calls were not."""
    if isinstance(error, LOST):
        return True
    status = (
        error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) if isinstance(error, ClientError) else 0
    )
    return bool(status >= 500) and error_code(error) not in THROTTLED


def sent_again(error: Exception) -> bool:
    """Whether the SDK had sent the call more than once, so that an earlier attempt may be what the error complains of."""
    return isinstance(error, ClientError) and error.response.get("ResponseMetadata", {}).get("RetryAttempts", 0) > 0


def expired(error: Exception) -> bool:
    """Whether the credentials are too old. Such a call was not carried out."""
    return isinstance(error, STALE) or error_code(error) in EXPIRED


def matches(error: Exception, codes: tuple[str, ...]) -> bool:
    """Whether an error is one of ``Code`` or ``Code:part of its message``."""
    if not isinstance(error, ClientError):
        return False
    message = str(error.response.get("Error", {}).get("Message", ""))
    for entry in codes:
        code, _colon, part = entry.partition(":")
        if code == error_code(error) and part in message:
            return True
    return False


def request_id(error: Exception) -> str | None:
    """AWS's request id, for a support case."""
    if isinstance(error, ClientError):
        found: str | None = error.response.get("ResponseMetadata", {}).get("RequestId")
        return found
    return None


def failure(verb: str, address: str, error: Exception, arn: str | None = None) -> ResourceError:
    """An SDK error as the error that users see; ``arn`` is of the resource that it is about, where that is known."""
    statement = missing_permission(error.response, arn) if isinstance(error, ClientError) else None
    return ResourceError(
        verb,
        address,
        explain(error, arn),
        code=error_code(error),
        request_id=request_id(error),
        statement=statement,
    )


def explain(error: Exception, arn: str | None = None) -> str:
    """What went wrong, in words that say what to do."""
    if isinstance(error, ClientError):
        details = error.response.get("Error", {})
        code, message = details.get("Code", ""), details.get("Message", "")
        text = f"{error.operation_name} answered {code}: {message}"
        if statement := missing_permission(error.response, arn):
            text += f". This statement in the caller's policy would allow it, unless an SCP or a boundary denies it: {json.dumps(statement)}"
        elif code in DENIED:
            text += f". Allow the action of {error.operation_name} in the policy of the caller, and look for a denying SCP or boundary"
        elif code in EXPIRED:
            text += (
                ". The credentials have expired: get new ones and run again; a run continues where the last one stopped"
            )
        elif code in ("InvalidClientTokenId", "UnrecognizedClientException", "SignatureDoesNotMatch", "AuthFailure"):
            text += ". AWS does not know these credentials: check the access key, secret, session token and the region's opt-in"
        return text
    advice = ADVICE.get(type(error).__name__, "")
    return f"{error}. {advice}" if advice else f"{type(error).__name__}: {error}"
