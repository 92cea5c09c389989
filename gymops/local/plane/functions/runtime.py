"""What runs a function: a script for the function's own Python, ``runtime.py LAUNCH``.

It speaks Lambda's Runtime API, as the managed runtime does on AWS. Standard library only, and nothing of
gymops: what the function sees must be what it would see there.
"""

import http.client
import importlib
import json
import os
import runpy
import sys
import time
import traceback
from pathlib import Path
from typing import Any

_API = "/2018-06-01/runtime"
OWN = "GYMOPS_OWN_"
"""Begins what is called like one of the emulator's settings, and is the function's."""
# The emulator's own settings, which its children inherit.
NOT_FOR_FUNCTIONS = (
    "GATEWAY_PORT", "BIND_HOST", "S3_PERSIST", "S3_DATA_DIR", "PERSIST_STATE", "STATE_DIR",
    "MINISTACK_REGION", "LOG_LEVEL", "SFTP_ENABLED", "IOT_MTLS_ENABLED", "DOCKER_HOST",
    "GYMOPS_LOCAL_RUNTIME",
)  # fmt: skip


class Context:
    """What a handler gets beside its event."""

    def __init__(self, headers: Any) -> None:
        environ = os.environ
        self.aws_request_id = headers["Lambda-Runtime-Aws-Request-Id"]
        self.invoked_function_arn = headers["Lambda-Runtime-Invoked-Function-Arn"]
        self.function_name = environ["AWS_LAMBDA_FUNCTION_NAME"]
        self.function_version = environ["AWS_LAMBDA_FUNCTION_VERSION"]
        self.memory_limit_in_mb = environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
        self.log_group_name = f"/aws/lambda/{self.function_name}"
        self.log_stream_name = environ.get("AWS_LAMBDA_LOG_STREAM_NAME", "")
        self.client_context = None
        self.identity = None
        self._deadline = int(headers["Lambda-Runtime-Deadline-Ms"])

    def get_remaining_time_in_millis(self) -> int:
        """Until the function's timeout."""
        return max(0, self._deadline - int(time.time() * 1000))


def main(launch: Path) -> None:
    """Prepare the surroundings, then serve until the emulator is gone."""
    document = json.loads(launch.read_text(encoding="utf-8"))
    for name in NOT_FOR_FUNCTIONS:
        os.environ.pop(name, None)
        if OWN + name in os.environ:
            os.environ[name] = os.environ.pop(OWN + name)
    os.environ.update(document["environment"])
    os.chdir(document["task"])
    sys.path[:0] = document["paths"]
    sys.path.append(document["runtime"])
    if document["module"]:
        sys.argv = document["arguments"]
        runpy.run_module(document["module"], run_name="__main__", alter_sys=True)
        return
    try:
        handler = _load(os.environ["_HANDLER"])
    except BaseException as error:  # noqa: BLE001 - whatever a module does when it is imported
        traceback.print_exc()
        _call("POST", "/init/error", _failure(error))
        sys.exit(1)
    while True:
        _serve_one(handler)


def _serve_one(handler: Any) -> None:
    try:
        headers, body = _call("GET", "/invocation/next")
    except (OSError, http.client.HTTPException):
        sys.exit(0)  # the emulator is gone
    context = Context(headers)
    if trace := headers.get("Lambda-Runtime-Trace-Id"):
        os.environ["_X_AMZN_TRACE_ID"] = trace
    kind = "response"
    try:
        answer = json.dumps(handler(json.loads(body), context), ensure_ascii=False).encode()
    except Exception as error:  # noqa: BLE001 - whatever the function raises
        traceback.print_exc()
        kind, answer = "error", _failure(error)
    sys.stdout.flush()
    sys.stderr.flush()
    _call("POST", f"/invocation/{context.aws_request_id}/{kind}", answer)


def _load(name: str) -> Any:
    module, _, function = name.replace("/", ".").rpartition(".")
    return getattr(importlib.import_module(module), function)


def _failure(error: BaseException) -> bytes:
    trace = traceback.format_exception(error)
    return json.dumps(
        {"errorMessage": str(error), "errorType": type(error).__name__, "stackTrace": trace[1:-1]}
    ).encode()


def _call(method: str, path: str, body: bytes | None = None) -> tuple[Any, bytes]:
    connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    try:
        connection.request(method, _API + path, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        content = answer.read()
        if answer.status >= 500:
            raise http.client.HTTPException(answer.status)
        return answer.headers, content
    finally:
        connection.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
