"""Secrets rotate: the function runs its four steps, as on AWS, after the call was answered."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable
from typing import Any

from gymops.local.plane import ministack
from gymops.local.plane.calls import Calls
from gymops.local.plane.faults import Fault

_STEPS = ("createSecret", "setSecret", "testSecret", "finishSecret")
_DAY = 86_400


class Rotation:
    """RotateSecret and CancelRotateSecret, and the schedule."""

    def __init__(self, calls: Calls, rotate_master: Callable[[str], bool], now: Callable[[], float]) -> None:
        self._calls = calls
        self._rotate_master = rotate_master
        self._now = now

    def install(self) -> None:
        """Take the two actions over."""
        secrets = ministack.service("secretsmanager")
        secrets._rotate_secret = lambda data: self._edge(self._rotate, data)
        ministack.wrap(secrets, "handle_request", self._with_cancel)
        ministack.wrap(secrets, "_get_secret_value", _only_with_value)
        ministack.wrap(secrets, "_put_secret_value", _into_pending)
        ministack.wrap(secrets, "_describe_secret", _with_last_rotation)

    def look(self) -> None:
        """Rotate what is due, in every account."""
        secrets = ministack.service("secretsmanager")
        for (account, region, _), secret in list(secrets._secrets._data.items()):
            days = (secret.get("RotationRules") or {}).get("AutomaticallyAfterDays")
            last = secret.get("LastRotatedDate") or secret.get("_gymops_scheduled")
            if secret.get("RotationEnabled") and days and last and self._now() >= last + int(days) * _DAY:
                with ministack.scope(account, region):
                    self._begin(secret, str(uuid.uuid4()))

    def _rotate(self, data: dict[str, Any]) -> dict[str, Any]:
        secret = _find(data.get("SecretId"))
        if secret.get("DeletedDate"):
            raise Fault("InvalidRequestException", "The secret is marked for deletion.")
        arn = data.get("RotationLambdaARN") or secret.get("RotationLambdaARN")
        managed = str(secret["Name"]).startswith("rds!")
        if not arn and not managed:
            raise Fault("InvalidRequestException", "No Lambda rotation function ARN is associated.")
        if arn and ministack.service("lambda_svc")._get_func_record_for_ref(arn)[0] is None:
            raise Fault("ResourceNotFoundException", f"The rotation function {arn} does not exist.")
        if _pending(secret):
            raise Fault(
                "InvalidRequestException",
                "A previous rotation isn't complete. That rotation will be reattempted.",
            )
        secret["RotationLambdaARN"] = arn
        secret["RotationRules"] = data.get("RotationRules") or secret.get("RotationRules")
        secret["RotationEnabled"] = True
        secret["_gymops_scheduled"] = self._now()
        token = data.get("ClientRequestToken") or str(uuid.uuid4())
        if data.get("RotateImmediately", True):
            if managed and not arn:
                self._rotate_master(str(secret["ARN"]))
            else:
                self._begin(secret, token)
        return {"ARN": secret["ARN"], "Name": secret["Name"], "VersionId": token}

    def _begin(self, secret: dict[str, Any], token: str) -> None:
        secret["_gymops_scheduled"] = self._now()
        # Part of the secret from now on, without a value until the function gives it one.
        secret["Versions"][token] = {
            "SecretString": None, "SecretBinary": None, "CreatedDate": int(time.time()),
            "Stages": ["AWSPENDING"],
        }  # fmt: skip
        ministack.background(lambda: self._run(secret, token), "rotation")

    def _run(self, secret: dict[str, Any], token: str) -> None:
        for step in _STEPS:
            event = {"Step": step, "SecretId": secret["ARN"], "ClientRequestToken": token}
            answer = self._calls.client("lambda").invoke(
                FunctionName=secret["RotationLambdaARN"], Payload=json.dumps(event)
            )
            if answer.get("FunctionError"):
                failed = answer["Payload"].read().decode(errors="replace")
                secret["_gymops_rotation_failed"] = f"{step}: {failed}"[:1000]
                # The half-made version stays pending on AWS too; a value-less one is taken away here.
                version = secret["Versions"].get(token, {})
                if version.get("SecretString") is None and version.get("SecretBinary") is None:
                    secret["Versions"].pop(token, None)
                return
        secret.pop("_gymops_rotation_failed", None)
        secret["LastRotatedDate"] = int(self._now())

    def _cancel(self, data: dict[str, Any]) -> dict[str, Any]:
        secret = _find(data.get("SecretId"))
        secret["RotationEnabled"] = False
        return {"ARN": secret["ARN"], "Name": secret["Name"]}

    def _with_cancel(self, original: Callable[..., Any]) -> Callable[..., Any]:
        async def handle(
            method: str, path: str, headers: dict[str, str], body: bytes, query_params: dict[str, Any]
        ) -> Any:
            if headers.get("x-amz-target", "").endswith(".CancelRotateSecret"):
                return self._edge(self._cancel, json.loads(body or b"{}"))
            return await original(method, path, headers, body, query_params)

        return handle

    def _edge(self, action: Callable[[dict[str, Any]], dict[str, Any]], data: dict[str, Any]) -> Any:
        head = {"Content-Type": "application/x-amz-json-1.1"}
        try:
            return 200, head, json.dumps(action(data)).encode()
        except Fault as fault:
            body = {"__type": fault.code, "message": fault.message}
            return 400, head, json.dumps(body).encode()


def _only_with_value(original: Callable[..., Any]) -> Callable[..., Any]:
    """A version that still waits for its value is not found: rotation functions rely on that."""

    def get(data: dict[str, Any]) -> Any:
        status, headers, body = original(data)
        if status == 200:
            found = json.loads(body)
            if found.get("SecretString") is None and found.get("SecretBinary") is None:
                said = "Secrets Manager can't find the specified secret value."
                return (
                    400,
                    headers,
                    json.dumps({"__type": "ResourceNotFoundException", "message": said}).encode(),
                )
        return status, headers, body

    return get


def _with_last_rotation(original: Callable[..., Any]) -> Callable[..., Any]:
    def describe(data: dict[str, Any]) -> Any:
        status, headers, body = original(data)
        if status == 200 and (last := _find(data.get("SecretId")).get("LastRotatedDate")):
            body = json.dumps({**json.loads(body), "LastRotatedDate": last}).encode()
        return status, headers, body

    return describe


def _into_pending(original: Callable[..., Any]) -> Callable[..., Any]:
    """The version that a rotation began takes its value from the function."""

    def put(data: dict[str, Any]) -> Any:
        _, secret = ministack.service("secretsmanager")._resolve(data.get("SecretId"))
        waiting = (secret or {}).get("Versions", {}).get(data.get("ClientRequestToken"))
        if waiting and waiting["SecretString"] is None and waiting["SecretBinary"] is None:
            secret["Versions"].pop(data["ClientRequestToken"])
        return original(data)

    return put


def _find(identifier: Any) -> dict[str, Any]:
    _, secret = ministack.service("secretsmanager")._resolve(identifier)
    if not secret:
        raise Fault("ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
    found: dict[str, Any] = secret
    return found


def _pending(secret: dict[str, Any]) -> bool:
    return any(version["Stages"] == ["AWSPENDING"] for version in secret["Versions"].values())
