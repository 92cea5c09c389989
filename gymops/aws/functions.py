"""Lambda: published versions, the alias that serves, and calls of one or the other."""

from __future__ import annotations

import itertools
import json
import time
from dataclasses import dataclass, field
from typing import Any

from gymops.aws.account import Account
from gymops.aws.session import AwsError, translated
from gymops.clock import Clock, SystemClock

_AGAIN = 5
"""Times a function is called again, with pauses that come to eight seconds."""


@dataclass(frozen=True)
class Version:
    """What a function's version runs."""

    number: str
    """``$LATEST`` or a number."""
    code: str
    """The zip's SHA-256 as Lambda writes it (base64), or the image's ``sha256:...``."""
    runtime: str | None
    state: str
    reason: str | None = None


@dataclass(frozen=True)
class Alias:
    """Where an alias sends requests."""

    version: str
    others: dict[str, float] = field(default_factory=dict)
    """Version -> its share of the requests, 0 to 1; the rest go to ``version``."""
    revision: str = ""


@dataclass(frozen=True)
class Invocation:
    """One call and its answer."""

    version: str
    """The version that answered."""
    answer: Any
    failed: bool
    """The function raised, timed out or could not start; ``answer`` says how."""
    seconds: float


class Functions:
    """The functions of an account and region."""

    def __init__(self, account: Account, clock: Clock | None = None) -> None:
        self._account = account
        self._clock = clock or SystemClock()

    def version(self, function: str, qualifier: str = "$LATEST") -> Version:
        """What a version runs; AWS is asked, nobody else believed.

        Raises:
            AwsError: there is none.
        """
        with translated(f"the function {function}:{qualifier}"):
            found = self._client.get_function(FunctionName=function, Qualifier=qualifier)
        told = found["Configuration"]
        image = found.get("Code", {}).get("ResolvedImageUri", "")
        return Version(
            number=told["Version"],
            code=image.rpartition("@")[2] if image else told["CodeSha256"],
            runtime=told.get("Runtime"),
            state=told.get("State", "Active"),
            reason=told.get("StateReason"),
        )

    def publish(self, function: str, code: str) -> str:
        """Publish ``$LATEST``, which must run this code; the same code and settings give the same number.

        Raises:
            AwsError: ``$LATEST`` has other code, or is not ready.
        """
        with translated(f"publishing a version of {function}"):
            given = {"CodeSha256": code} if not code.startswith("sha256:") else {}
            version = str(self._client.publish_version(FunctionName=function, **given)["Version"])
        found = self.version(function, version)
        if found.code != code:
            raise AwsError(
                f"version {version} of {function} runs {found.code}, and {code} was released",
                reason="CodeMismatch",
                hint="someone else changed the function; run the same again",
            )
        return version

    def alias(self, function: str, name: str) -> Alias:
        """Where an alias points.

        Raises:
            AwsError: there is none.
        """
        with translated(f"the alias {function}:{name}"):
            return _alias(self._client.get_alias(FunctionName=function, Name=name))

    def point(self, function: str, name: str, to: Alias) -> Alias:
        """Point an alias; where ``to.revision`` is given, only if nobody else did since.

        Raises:
            AwsError: reason ``PreconditionFailedException``: somebody did.
        """
        given = {"RevisionId": to.revision} if to.revision else {}
        with translated(f"the alias {function}:{name}"):
            return _alias(
                self._client.update_alias(
                    FunctionName=function,
                    Name=name,
                    FunctionVersion=to.version,
                    RoutingConfig={"AdditionalVersionWeights": to.others},
                    **given,
                )
            )

    def serving(self, function: str, alias: str) -> str:
        """The version an alias points at."""
        return self.alias(function, alias).version

    def split(self, function: str, alias: str, version: str, other: str, share: float) -> None:
        """Send a share (0 to 1) of an alias's requests to another version."""
        self.point(function, alias, Alias(version, {other: share}))

    def serve(self, function: str, alias: str, version: str, *, reference: str = "", shape: str = "") -> None:
        """Send all of an alias's requests to one version."""
        del reference, shape
        self.point(function, alias, Alias(version))

    def invoke(
        self, function: str, event: dict[str, Any], qualifier: str | None = None, *, again: bool = False
    ) -> Invocation:
        """Call it and wait for its answer; a function that fails is an answer too. ``again``: it only looks,
        and may be called once more where no answer came.

        Raises:
            AwsError: it was not called, or no answer came.
        """
        for attempt in itertools.count():
            try:
                return self._invoke(function, event, qualifier)
            except AwsError as error:
                if not again or not error.passing or attempt == _AGAIN:
                    raise
            self._clock.sleep(2.0**attempt / 4)
        raise AssertionError

    def _invoke(self, function: str, event: dict[str, Any], qualifier: str | None) -> Invocation:
        given = {"Qualifier": qualifier} if qualifier else {}
        began = time.monotonic()
        with translated(f"calling {function}"):
            told = self._caller.invoke(FunctionName=function, Payload=json.dumps(event).encode(), **given)
            body = told["Payload"].read()
        return Invocation(
            version=told.get("ExecutedVersion", ""),
            answer=json.loads(body) if body else None,
            failed="FunctionError" in told,
            seconds=time.monotonic() - began,
        )

    @property
    def _client(self) -> Any:
        return self._account.client("lambda")

    @property
    def _caller(self) -> Any:
        # A function may take its 15 minutes, and is called once: work is not repeated behind its back.
        return self._account.client("lambda", timeout=910.0, attempts=1)


def _alias(told: dict[str, Any]) -> Alias:
    weights = told.get("RoutingConfig", {}).get("AdditionalVersionWeights") or {}
    others = {version: float(share) for version, share in weights.items()}
    return Alias(told["FunctionVersion"], others, told.get("RevisionId", ""))
