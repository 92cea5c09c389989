"""The payload put together from its environment: what runs in an image, as a Lambda or as a plain server."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.types import ASGIApp, Receive, Scope, Send

from gymops.app import database, secret
from gymops.app.database import Tokens
from gymops.app.logs import RequestLog
from gymops.app.main import create_app
from gymops.app.metrics import Metrics
from gymops.app.routes.services import Understand
from gymops.app.secret import Kept, Secrets
from gymops.app.settings import AppSettings
from gymops.app.store import Store
from gymops.app.voice import Context, Missed, Outcome
from gymops.aws import secrets as manager
from gymops.aws import tokens as signer
from gymops.clock import Clock, SystemClock
from gymops.errors import GymopsError

if TYPE_CHECKING:
    from gymops.app.store.sessions import UrlProvider

_log = logging.getLogger("gymops.app")

VARIABLES: dict[str, str] = {
    "GYMOPS_APP_DATABASE": "a postgresql:// URL, or a SQLite file or folder on a volume",
    "GYMOPS_APP_DATABASE_SECRET_ARN": "the secret that holds the URL, or RDS's JSON, in its stead",
    "GYMOPS_APP_DATABASE_AUTH": "iam: no secret, but a token for each connection (default: secret)",
    "GYMOPS_APP_DATABASE_USER": "whom the token is for; with iam only, and then host and name are needed too",
    "GYMOPS_APP_DATABASE_HOST": "the host to connect to, as of an RDS Proxy, whatever the secret says",
    "GYMOPS_APP_DATABASE_PORT": "the same for the port",
    "GYMOPS_APP_DATABASE_NAME": "the same for the database's name",
    "GYMOPS_APP_PASSCODE_ARN": "the secret that holds GYMOPS_APP_PASSCODE",
    "GYMOPS_APP_PASSCODE_HASH_ARN": "the secret that holds GYMOPS_APP_PASSCODE_HASH",
    "GYMOPS_APP_SESSION_SECRET_ARN": "the secret that holds GYMOPS_APP_SESSION_SECRET, and the one before",
    "GYMOPS_APP_LLM_KEY_ARN": "the secret that holds GYMOPS_APP_LLM_KEY; read when first needed",
    "GYMOPS_APP_SECRET_SECONDS": "how old a secret may get before it is read again (default: 60)",
    "GYMOPS_APP_METRICS": "on or off (default: on in Lambda, off elsewhere)",
    "GYMOPS_APP_METRICS_NAMESPACE": "the metrics' namespace (default: TitanTrakr)",
    "GYMOPS_APP_SERVICE": "the metrics' dimension Service (default: the function's name)",
    "GYMOPS_APP_BASE_PATH": "what a custom domain's mapping puts before every path (default: nothing)",
    "GYMOPS_APP_HEALTH_PATH": "another address of /api/health, for a load balancer that has its own",
    "GYMOPS_APP_HOST": "the address a plain server listens on (default: 0.0.0.0)",
    "GYMOPS_APP_PORT": "its port (default: 8080)",
}
"""The settings of an image, beside those of ``gymops.app.settings``. An ARN may end in ``:json-key::``."""


@dataclass(frozen=True)
class Container:
    """What a process holds for as long as it lives."""

    app: RequestLog
    store: Store
    metrics: Metrics | None


def build(
    environ: Mapping[str, str],
    *,
    bind: str | None = None,
    clock: Clock | None = None,
    secrets: Secrets = manager,
    tokens: Tokens = signer,
) -> Container:
    """Read the settings and put everything together; the database is not asked yet.

    Raises:
        ConfigError: a setting is missing or wrong, or nothing would keep strangers out.
        AwsError: a secret cannot be read.
    """
    clock = clock or SystemClock()
    current = Kept(lambda: secret.current(environ, secrets, bind=bind), clock, secret.seconds(environ))
    settings = current().settings
    url = database.provider(environ, secrets=secrets, tokens=tokens)
    store = _store(environ.get("GYMOPS_APP_DATABASE"), url, clock=clock, user=settings.user)
    metrics = Metrics.from_environment(environ, clock=clock)
    key = settings.session_secret.encode() if settings.session_secret else None
    app: ASGIApp = create_app(
        store, settings, clock=clock, llm=_llm(environ, settings, secrets, clock), current=current
    )
    if path := environ.get("GYMOPS_APP_HEALTH_PATH"):
        app = _Alias(app, path, "/api/health")
    return Container(RequestLog(app, clock=clock, metrics=metrics, user_key=key), store, metrics)


def _store(plain: str | None, url: UrlProvider, *, clock: Clock, user: str) -> Store:
    if plain and not plain.startswith(("postgresql://", "postgres://")):
        from gymops.app.store.opening import open_store

        return open_store(plain, user=user, clock=clock)
    from gymops.app.store.postgres import PostgresStore

    return PostgresStore(url, clock=clock)


def _llm(
    environ: Mapping[str, str], settings: AppSettings, secrets: Secrets, clock: Clock
) -> Understand | None:
    """Who is asked what the grammar misses; most people's first sentence is not, so its key is read late."""
    arn = environ.get("GYMOPS_APP_LLM_KEY_ARN")
    if settings.llm_provider is None or not (arn or settings.llm_key):
        return None
    provider = settings.llm_provider

    key = Kept(lambda: settings.llm_key or secrets.read(arn or ""), clock, secret.seconds(environ))

    def understand(transcript: str, context: Context) -> Outcome:
        from gymops.app.voice.llm import ask

        try:
            return ask(transcript, context, provider=provider, key=key())
        except GymopsError as error:
            _log.warning("the language model is not asked: %s", error.message)
            return Missed()

    return understand


class _Alias:
    """Answers at one address what lies at another. In place, so that the log sees the route."""

    def __init__(self, app: ASGIApp, path: str, target: str) -> None:
        self._app = app
        self._path = path
        self._target = target

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope.get("path") == self._path:
            scope["path"] = self._target
        await self._app(scope, receive, send)
