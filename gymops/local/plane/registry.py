"""The registries behind ECR, by the OCI distribution API: what is pushed is on disk, and known to ECR.

Every account and region has its own, as on AWS. Which one is meant is said by the host of the request, as in
``111111111111.dkr.ecr.us-east-1.amazonaws.com``, else by who asks: the token of GetAuthorizationToken.
Layers are files, each under its digest; manifests and tags are the emulator's own images.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import re
import shutil
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from gymops.local.plane import ministack
from gymops.local.plane.context import Context
from gymops.local.plane.saver import App, Receive, Scope, Send

HOST = re.compile(r"(\d{12})\.dkr\.ecr\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?")
_TOKEN = re.compile(r"local-(\d{12})-([a-z0-9-]+)")
_PATH = re.compile(
    r"/v2/(?:(?P<name>[a-z0-9][a-z0-9._/-]*)/(?P<kind>blobs|manifests|tags(?=/list$))/(?P<which>[\w:./+-]*))?"
)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_PIECE = 1 << 20
_TOKEN_SECONDS = 12 * 3600  # as on AWS; here it does not end


class Refused(Exception):
    """What the registry refuses, in the words of the distribution API."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


@dataclass(frozen=True)
class Asked:
    """A request for one repository."""

    method: str
    account: str
    region: str
    name: str
    which: str
    """What follows ``blobs/`` or ``manifests/``."""
    query: dict[str, str]
    media: str
    body: Callable[[], AsyncIterator[bytes]]

    async def whole(self) -> bytes:
        """All of its body."""
        return b"".join([piece async for piece in self.body()])


@dataclass(frozen=True)
class Answer:
    """An answer; of a file its bytes are sent, unless only its size was asked for."""

    status: int
    headers: dict[str, str]
    content: bytes | Path = b""


class Registry:
    """The registries of all accounts."""

    def __init__(self, context: Context) -> None:
        self._folder = context.settings.state / "registry"
        self._url = context.settings.url
        self._clock = context.clock

    def install(self) -> None:
        """Hand out tokens that are good here; what a repository held goes with it."""
        ecr = ministack.service("ecr")
        ministack.wrap(ecr, "_get_authorization_token", lambda _: self._token)
        ministack.wrap(ecr, "_delete_repository", self._deleting)
        shutil.rmtree(self._folder / "uploads", ignore_errors=True)  # nobody goes on with them

    def blob(self, account: str, region: str, name: str, digest: str) -> Path:
        """Where a blob of a repository lies, or would."""
        place = self._folder / account / region / name.replace("/", "%")
        return place / digest.removeprefix("sha256:")

    def around(self, app: App) -> App:
        """The same application, with the registries in it."""

        async def served(scope: Scope, receive: Receive, send: Send) -> None:
            match = _PATH.fullmatch(scope["path"]) if scope["type"] == "http" else None
            if match is None:
                await app(scope, receive, send)
                return
            try:
                answer = await self._answer(scope, receive, match)
            except Refused as error:
                said = {"errors": [{"code": error.code, "message": error.message}]}
                asking = {"www-authenticate": f'Basic realm="{self._url}",service="ecr.amazonaws.com"'}
                answer = Answer(
                    error.status, asking if error.status == 401 else {}, json.dumps(said).encode()
                )
            except OSError as error:  # such as a full disk
                said = {"errors": [{"code": "UNKNOWN", "message": str(error.strerror)}]}
                answer = Answer(500, {}, json.dumps(said).encode())
            await _send(send, answer, body=scope["method"] != "HEAD")

        return served

    async def _answer(self, scope: Scope, receive: Receive, match: re.Match[str]) -> Answer:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        account, region = _who(headers)
        if match["name"] is None:
            return Answer(200, {"content-type": "application/json"}, b"{}")

        async def body() -> AsyncIterator[bytes]:
            more = True
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise Refused(400, "BLOB_UPLOAD_INVALID", "the connection broke off")
                yield message.get("body", b"")
                more = message.get("more_body", False)

        query = {key: value[0] for key, value in parse_qs(scope["query_string"].decode()).items()}
        media = headers.get("content-type", "")
        asked = Asked(scope["method"], account, region, match["name"], match["which"], query, media, body)
        with ministack.scope(account, region):
            if asked.name not in ministack.service("ecr")._repositories:
                raise Refused(404, "NAME_UNKNOWN", f"there is no repository {asked.name} in {account}")
            if match["kind"] == "blobs":
                kind, _, upload = asked.which.partition("/")
                return await (self._upload(asked, upload) if kind == "uploads" else self._blob(asked))
            return await self._manifest(asked, scope["path"])

    async def _blob(self, asked: Asked) -> Answer:
        if asked.method not in {"GET", "HEAD"}:
            raise Refused(405, "UNSUPPORTED", "the operation is unsupported")
        file = self._of(asked, _digest(asked.which))
        if not file.exists():
            raise Refused(404, "BLOB_UNKNOWN", f"{asked.name} has no {asked.which}")
        return Answer(200, {"docker-content-digest": asked.which}, file)

    async def _upload(self, asked: Asked, upload: str) -> Answer:
        """Begun by POST (or done, where another repository has it), filled by PATCH, ended by PUT."""
        if asked.method == "POST" and not upload:
            if source := asked.query.get("from"):
                there = self.blob(asked.account, asked.region, source, _digest(asked.query.get("mount", "")))
                if there.exists():
                    return self._kept(asked, f"sha256:{there.name}", there)
            upload = uuid.uuid4().hex
            file = self._folder / "uploads" / upload
            file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            file.touch()
            if "digest" not in asked.query:
                return self._begun(asked, file, 202)
        file = self._folder / "uploads" / Path(upload).name
        if not upload or not file.exists():
            raise Refused(404, "BLOB_UPLOAD_UNKNOWN", "there is no such upload")
        if asked.method == "DELETE":
            file.unlink()
            return Answer(204, {})
        if asked.method in {"PATCH", "PUT", "POST"}:
            with file.open("ab") as written:
                async for piece in asked.body():
                    written.write(piece)
        if asked.method in {"PATCH", "GET"}:
            return self._begun(asked, file, 202 if asked.method == "PATCH" else 204)
        with file.open("rb") as read:
            found = sha256()
            while piece := read.read(_PIECE):
                found.update(piece)
        if f"sha256:{found.hexdigest()}" != _digest(asked.query.get("digest", "")):
            file.unlink()
            raise Refused(400, "DIGEST_INVALID", "what arrived is not what its digest says")
        return self._kept(asked, asked.query["digest"], file)

    def _begun(self, asked: Asked, file: Path, status: int) -> Answer:
        there = f"/v2/{asked.name}/blobs/uploads/{file.name}"
        return Answer(status, {"location": there, "range": f"0-{max(0, file.stat().st_size - 1)}"})

    def _kept(self, asked: Asked, digest: str, file: Path) -> Answer:
        """A blob put into its repository: linked, as another repository's or an upload's file is there."""
        place = self._of(asked, digest)
        place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not place.exists():
            os.link(file, place)
        if file.parent.name == "uploads":
            file.unlink()
        there = {"location": f"/v2/{asked.name}/blobs/{digest}", "docker-content-digest": digest}
        return Answer(201, there)

    async def _manifest(self, asked: Asked, path: str) -> Answer:
        """The emulator keeps them as ECR's images; what they name must be here."""
        ecr = ministack.service("ecr")
        body = await asked.whole()
        if asked.method == "PUT":
            self._check(asked, body, ecr)
        given = {"content-type": asked.media, "host": f"{asked.account}.dkr.ecr.{asked.region}.amazonaws.com"}
        query = {key: [value] for key, value in asked.query.items()}
        status, headers, content = await ecr.handle_registry_request(asked.method, path, given, body, query)
        return Answer(status, {key.lower(): value for key, value in headers.items()}, content)

    def _check(self, asked: Asked, body: bytes, ecr: Any) -> None:
        if asked.which.startswith("sha256:") and f"sha256:{sha256(body).hexdigest()}" != asked.which:
            raise Refused(400, "DIGEST_INVALID", "the manifest is not what its digest says")
        try:
            document = json.loads(body)
            blobs = [one["digest"] for one in (document["config"], *document["layers"])] if (
                "manifests" not in document
            ) else []  # fmt: skip
            listed = [one["digest"] for one in document.get("manifests", [])]
        except (ValueError, KeyError, TypeError):
            raise Refused(400, "MANIFEST_INVALID", "no manifest") from None
        there = ecr._manifest_blobs.get(asked.name, {})
        missing = [one for one in blobs if not self._of(asked, one).exists()]
        missing += [one for one in listed if one not in there]
        if missing:
            raise Refused(404, "MANIFEST_BLOB_UNKNOWN", f"{asked.name} has no {missing[0]}")

    def _of(self, asked: Asked, digest: str) -> Path:
        return self.blob(asked.account, asked.region, asked.name, digest)

    def _token(self, _: Any) -> Any:
        account, region = ministack.account(), ministack.region()
        token = base64.b64encode(f"AWS:local-{account}-{region}".encode()).decode()
        ends = self._clock.now().timestamp() + _TOKEN_SECONDS
        told = {"authorizationToken": token, "expiresAt": int(ends), "proxyEndpoint": self._url}
        body = json.dumps({"authorizationData": [told]}).encode()
        return 200, {"Content-Type": "application/x-amz-json-1.1"}, body

    def _deleting(self, original: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def delete(data: Any) -> Any:
            done = original(data)
            if done[0] < 300:
                place = self.blob(ministack.account(), ministack.region(), data["repositoryName"], "")
                shutil.rmtree(place, ignore_errors=True)
            return done

        return delete


def _who(headers: dict[str, str]) -> tuple[str, str]:
    """The account and region whose registry is asked; a token is good for its own account."""
    kind, _, given = headers.get("authorization", "").partition(" ")
    try:
        user, _, password = base64.b64decode(given, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        user = password = ""
    token = _TOKEN.fullmatch(password)
    if kind.lower() != "basic" or user != "AWS" or token is None:
        raise Refused(401, "UNAUTHORIZED", "ask GetAuthorizationToken for a token")
    host = HOST.match(headers.get("host", ""))
    if host and host[1] != token[1]:
        raise Refused(403, "DENIED", f"the token is of account {token[1]}")
    account, region = (host or token).groups()
    return str(account), str(region)


def _digest(text: str) -> str:
    if not _DIGEST.fullmatch(text):
        raise Refused(400, "DIGEST_INVALID", f"{text[:80]!r} is no digest")
    return text


async def _send(send: Send, answer: Answer, *, body: bool) -> None:
    content = answer.content
    size = content.stat().st_size if isinstance(content, Path) else len(content)
    headers = {"docker-distribution-api-version": "registry/2.0", **answer.headers}
    if answer.status != 204:
        headers.setdefault("content-length", str(size))
    await send(
        {
            "type": "http.response.start",
            "status": answer.status,
            "headers": [(name.encode(), value.encode("latin-1")) for name, value in headers.items()],
        }
    )
    if body and isinstance(content, Path):
        with content.open("rb") as file:
            while piece := file.read(_PIECE):
                await send({"type": "http.response.body", "body": piece, "more_body": True})
    found = content if body and isinstance(content, bytes) else b""
    await send({"type": "http.response.body", "body": found})
