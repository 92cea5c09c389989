"""Clients of AWS services: made one way, impatient, and failing in a user's words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

from gymops.errors import GymopsError

_CREDENTIALS = frozenset(
    {"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"}
    | {"UnrecognizedClientException", "InvalidClientTokenId"}
)
_THROTTLED = frozenset(
    {"Throttling", "ThrottlingException", "ThrottledException", "TooManyRequestsException", "SlowDown"}
    | {"RequestLimitExceeded", "RequestThrottled", "RequestTimeout", "PriorRequestNotComplete"}
)
_SIGN_IN = frozenset(
    {"NoCredentials", "SSOTokenLoadError", "UnauthorizedSSOTokenError", "PendingAuthorizationExpiredError"}
    | {"TokenRetrievalError", "InvalidSSOConfigError", "SSOError"}
)
_DENIED = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"})


class AwsError(GymopsError):
    """A call to AWS failed. ``reason`` is AWS's own code for it, or the kind of failure on the way."""

    code: ClassVar[str] = "aws"

    def __init__(self, message: str, *, reason: str, hint: str | None = None, unknown: bool = False) -> None:
        super().__init__(message, hint=hint)
        self.reason = reason
        self._unknown = unknown

    @property
    def unknown(self) -> bool:
        """Whether it may have been done all the same, or will be when asked again: no answer, a server's
        fault, throttling, credentials that expired on the way.
        """
        return self._unknown

    @property
    def passing(self) -> bool:
        """Whether the same call may well succeed in a while, and nobody has to sign in for that."""
        return self._unknown and self.reason not in _CREDENTIALS | _SIGN_IN


def client(service: str, *, region: str | None = None, timeout: float = 3.0, attempts: int = 2) -> Any:
    """A client with the credentials and the endpoint of the environment.

    ``timeout`` is in seconds, for connecting and for each answer. botocore's own minute would outlast the
    Lambda that waits: without a route to the service (a VPC with neither NAT nor interface endpoint)
    connecting hangs.

    Raises:
        AwsError: no credentials or no region are configured.
    """
    import boto3
    from botocore.config import Config

    config = Config(
        region_name=region,
        connect_timeout=timeout,
        read_timeout=timeout,
        retries={"mode": "standard", "total_max_attempts": attempts},
    )
    with translated(service):
        return boto3.client(service, config=config)


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Turn botocore's errors into ours; ``what`` names the subject of the sentence.

    AWS's messages name resources, roles and request ids. They never repeat a request's body.

    Raises:
        AwsError: instead of any error of botocore.
    """
    from botocore import exceptions as errors
    from botocore.parsers import ResponseParserError
    from urllib3.exceptions import HTTPError

    try:
        yield
    except errors.ClientError as error:
        told = error.response.get("Error", {})
        reason = str(told.get("Code", "Unknown"))
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        raise AwsError(
            f"{what}: {told.get('Message') or reason} ({reason})", reason=reason, hint=_hint(reason),
            unknown=status >= 500 or reason in _CREDENTIALS | _THROTTLED,
        ) from None  # fmt: skip
    except (errors.ConnectTimeoutError, errors.ReadTimeoutError, errors.EndpointConnectionError):
        raise AwsError(
            f"{what}: the service does not answer",
            reason="Unreachable",
            hint="in a VPC it needs a NAT gateway or an interface endpoint, and a security group that lets"
            " port 443 out",
            unknown=True,
        ) from None
    except (errors.NoCredentialsError, errors.PartialCredentialsError, errors.CredentialRetrievalError):
        raise AwsError(
            f"{what}: no credentials",
            reason="NoCredentials",
            hint="give the function a role, or set AWS_PROFILE",
            unknown=True,
        ) from None
    except HTTPError as error:  # botocore reads a refusal to send a file past its own handling
        raise AwsError(f"{what}: half an answer came", reason=type(error).__name__, unknown=True) from None
    except (errors.BotoCoreError, ResponseParserError) as error:
        raise AwsError(
            f"{what}: {error}", reason=type(error).__name__, unknown=isinstance(error, _lost())
        ) from None


def _lost() -> tuple[type[Exception], ...]:
    """botocore's errors of a connection that broke, of half an answer, of a sign-in that ended."""
    from botocore import exceptions as errors
    from botocore.parsers import ResponseParserError

    return (
        errors.HTTPClientError, errors.ConnectionError, errors.IncompleteReadError, ResponseParserError,
        errors.SSOError, errors.TokenRetrievalError,
    )  # fmt: skip


def _hint(reason: str) -> str | None:
    if reason in _CREDENTIALS:
        return "renew the credentials, then run the same again"
    if reason in _DENIED:
        return "the role's policy must allow this action on this resource"
    return None
