"""One repository of a registry, by the OCI distribution API.

oras knows the steps of the protocol and how registries want to be asked for a token. How a request is sent
is ours: oras waits for an answer without end, tries again for two minutes, and shows a token to whatever
host a registry names for an upload.
"""

from __future__ import annotations

import hashlib
import json
import logging
import random
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import oras.auth
import oras.container
import oras.logger
import oras.provider
import requests

from gymops.clock import Clock
from gymops.deploy.artefact import Blob, sha256
from gymops.deploy.build.failures import RegistryError, written
from gymops.deploy.build.reference import Reference

Credentials = Callable[[str], "tuple[str, str] | None"]
"""Host -> user and password; None where there are none."""

MANIFESTS = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
_AGAIN = frozenset({429, 500, 502, 503, 504})
_CHUNKED = 128 << 20
"""Bytes from which a blob is sent in pieces: oras holds what it sends in memory."""
_PIECE = 16 << 20
_LARGEST_DOCUMENT = 4 << 20


class Repository(oras.provider.Registry):  # type: ignore[misc] # oras has no types
    """A repository, for reading and for writing.

    Every method raises RegistryError: refused, not there, not what its digest says, or no answer after
    ``attempts`` of ``timeout`` seconds each.
    """

    def __init__(
        self,
        where: Reference,
        *,
        credentials: Credentials,
        clock: Clock,
        timeout: float = 60.0,
        attempts: int = 4,
        at: str | None = None,
    ) -> None:
        """``at`` is where its API is, if not where its name says: the local AWS."""
        self.where = where
        self._clock = clock
        self._attempts = attempts
        address = urlsplit(at or where.address)
        oras.logger.setup_logger(quiet=True)
        oras.logger.logger.set_level(logging.CRITICAL + 1)  # what is worth telling is in our errors
        super().__init__(hostname=address.netloc, insecure=address.scheme == "http")
        self._container = oras.container.Container(f"{address.netloc}/{where.repository}")
        if at:
            self.session.headers["Host"] = where.host
        # Also where oras asks for a token.
        self.session.request = partial(self.session.request, timeout=(10.0, timeout))
        self._known = False  # how the registry wants to be asked
        self._sign_in(credentials)
        self._known = True

    # What is asked of a repository.

    def manifest(self, wanted: str | None = None) -> tuple[bytes, str]:
        """A manifest's bytes and media type, by digest or tag."""
        wanted = wanted or self.where.wanted
        answer = self._ask("GET", f"manifests/{wanted}", headers={"Accept": ", ".join(MANIFESTS)})
        body = bytes(answer.content)
        if wanted.startswith("sha256:") and sha256(body) != wanted:
            raise RegistryError(f"{self.where.name}: gave another manifest than {wanted}")
        return body, str(answer.headers.get("Content-Type", "")).split(";")[0]

    def digest(self, wanted: str) -> str | None:
        """What a tag names now, or a digest, if it is there."""
        headers = {"Accept": ", ".join(MANIFESTS)}
        answer = self._ask("GET", f"manifests/{wanted}", headers=headers, missing=True)
        return sha256(bytes(answer.content)) if answer.status_code == 200 else None

    def document(self, digest: str) -> bytes:
        """A small blob, such as an image's configuration."""
        body = bytes(self._ask("GET", f"blobs/{digest}").content)
        if len(body) > _LARGEST_DOCUMENT or sha256(body) != digest:
            raise RegistryError(f"{self.where.name}: gave another blob than {digest}")
        return body

    def download(self, digest: str, to: Path) -> None:
        """A blob into a file, which is there only when it is whole."""
        with (
            written(to, "--cache"),
            tempfile.NamedTemporaryFile(dir=to.parent, prefix=".blob-", delete=False) as file,
        ):
            try:
                running = hashlib.sha256()
                with self._ask("GET", f"blobs/{digest}", stream=True) as answer, self._reading():
                    for piece in answer.iter_content(1 << 20):
                        running.update(piece)
                        file.write(piece)
                if f"sha256:{running.hexdigest()}" != digest:
                    raise RegistryError(
                        f"{self.where.name}: gave another blob than {digest}", hint="run it again"
                    )
                file.flush()
                Path(file.name).replace(to)
            finally:
                Path(file.name).unlink(missing_ok=True)

    def has(self, digest: str) -> bool:
        """Whether the repository holds a blob."""
        return bool(self._ask("HEAD", f"blobs/{digest}", missing=True).status_code == 200)

    def mount(self, digest: str, source: str) -> bool:
        """Take a blob over from another repository of this registry; False where that is not possible."""
        try:
            answer = self._ask("POST", f"blobs/uploads/?mount={digest}&from={source}")
        except RegistryError as error:
            if error.status in (401, 403, 404, 405):
                return False
            raise
        if answer.status_code == 201:
            return True
        if place := self._get_location(answer, self._container):  # an upload was begun in its stead
            self.do_request(place, "DELETE", lenient=True)
        return False

    def push_blob(self, blob: Blob, file: Path) -> None:
        """Send a blob, at once or in pieces."""
        layer = {"digest": blob.digest, "size": blob.size}
        with self._reading():
            if blob.size <= _CHUNKED:
                self.put_upload(str(file), self._container, layer)
            else:
                self.chunked_upload(str(file), self._container, layer, chunk_size=_PIECE)

    def push_manifest(self, body: bytes, media_type: str, tag: str | None = None) -> str:
        """Send a manifest, byte for byte, and see that it is there under its digest."""
        digest = sha256(body)
        for reference in [digest, *([tag] if tag else [])]:
            headers = {"Content-Type": media_type}
            answer = self._ask("PUT", f"manifests/{reference}", data=body, headers=headers)
            stored = answer.headers.get("Docker-Content-Digest", digest)
            if stored != digest:
                raise RegistryError(f"{self.where.name}: stored {stored} in place of {digest}")
        self.manifest(digest)
        return digest

    # How it is sent.

    def do_request(
        self,
        url: str,
        method: str = "GET",
        data: Any = None,
        headers: Mapping[str, str] | None = None,
        json: Any = None,
        stream: bool = False,
        *,
        lenient: bool = False,
    ) -> requests.Response:
        """Send a request, again where that may help; any other answer than a good one is an error."""
        failure: RegistryError | None = None
        for attempt in range(self._attempts):
            if failure:
                self._clock.sleep(min(2.0**attempt, 20) * (0.5 + random.random() / 2))  # noqa: S311
            try:
                answer = self._send(url, method, data=data, headers=headers, json=json, stream=stream)
            except requests.RequestException as error:
                failure = _unanswered(self.where, error)
                if "Connection refused" in str(error):
                    break  # nobody listens there
                continue
            if answer.ok or lenient:
                return answer
            failure = _refused(self.where, answer)
            if answer.status_code not in _AGAIN:
                break
        raise failure or RegistryError(f"{self.where.name}: was not asked")

    def _send(
        self, url: str, method: str, *, headers: Mapping[str, str] | None, **rest: Any
    ) -> requests.Response:
        ours = urlsplit(url).netloc == self.hostname
        head = {**(headers or {}), **(self._authorization() if ours else {})}
        answer: requests.Response = self.session.request(method, url, headers=head, **rest)
        if self._known and answer.status_code == 401 and ours and "Www-Authenticate" in answer.headers:
            # A token is for one action on one repository: ask for one that fits.
            changed, again = self.auth.authenticate_request(answer, dict(headers or {}), refresh=True)
            if again:
                answer = self.session.request(method, url, headers=changed, **rest)
        return answer

    def _authorization(self) -> dict[str, str]:
        token = isinstance(self.auth, oras.auth.TokenAuth) or hasattr(self.auth, "_basic_auth")
        return dict(self.auth.get_auth_header()) if token else {}

    def _ask(self, method: str, path: str, *, missing: bool = False, **rest: Any) -> requests.Response:
        url = f"{self.prefix}://{self.hostname}/v2/{self.where.repository}/{path}"
        try:
            return self.do_request(url, method, **rest)
        except RegistryError as error:
            if missing and error.status == 404:
                answer = requests.Response()
                answer.status_code = 404
                return answer
            raise

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except requests.RequestException as error:
            raise _unanswered(self.where, error) from None
        except ValueError as error:  # oras's own, such as an upload without an address
            raise RegistryError(
                f"{self.where.name}: does not speak the OCI distribution API: {error}"
            ) from None

    def _sign_in(self, credentials: Credentials) -> None:
        """Ask how the registry wants to be asked; what is known of a user goes along."""
        probe = self.do_request(f"{self.prefix}://{self.hostname}/v2/", lenient=True)
        challenge = probe.headers.get("Www-Authenticate", "")
        if probe.status_code == 404:
            raise RegistryError(
                f"{self.where.host}: no registry answers there", hint="check the name and the port"
            )
        known = credentials(self.where.host) if challenge else None
        if challenge.lower().startswith("basic"):
            if known is None:
                raise _signed_out(self.where)
            self.auth = oras.auth.get_auth_backend("basic", self.session, self.prefix == "http")
        if known:
            self.auth.set_basic_auth(*known)


def _unanswered(where: Reference, error: requests.RequestException) -> RegistryError:
    if isinstance(error, requests.exceptions.SSLError):
        return RegistryError(
            f"{where.host}: its certificate is not trusted, or it does not speak TLS",
            hint="REQUESTS_CA_BUNDLE names your own authority's certificates",
        )
    why = "did not answer in time" if isinstance(error, requests.Timeout) else "cannot be reached"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        why = "broke off"
    hint = "check the name and the network, then run it again"
    return RegistryError(f"{where.host}: {why}", hint=hint, unknown=True)


def _refused(where: Reference, answer: requests.Response) -> RegistryError:
    status = answer.status_code
    told = _told(answer)
    if status in (401, 403):
        return _signed_out(where, status, told)
    if status == 404:
        return RegistryError(
            f"{where}: is not there{told}",
            hint="check repository and digest; a registry such as ECR wants the repository made before",
            status=status,
        )
    again = status in _AGAIN
    hint = "run it again in a while; what arrived is not sent twice" if again else None
    said = f"{where.name}: the registry answers {status}{told}"
    return RegistryError(said, hint=hint, status=status, unknown=again)


def _signed_out(where: Reference, status: int = 401, told: str = "") -> RegistryError:
    if ".dkr.ecr." in where.host:
        hint = "give AWS credentials that may use this repository (ecr:GetAuthorizationToken and the rest)"
    else:
        hint = f"docker login {where.host}, with an account that may use {where.repository}"
    return RegistryError(f"{where.name}: the registry refuses: not allowed{told}", hint=hint, status=status)


def _told(answer: requests.Response) -> str:
    """What the registry says of it; only of its own error format, and not at length."""
    try:
        errors = json.loads(answer.content[:65536])["errors"]
        said = "; ".join(str(error.get("message") or error.get("code")) for error in errors)
    except (ValueError, KeyError, TypeError, AttributeError, requests.RequestException):
        return ""
    printable = "".join(sign for sign in said if sign.isprintable())
    return f": {printable[:200]}" if printable else ""
