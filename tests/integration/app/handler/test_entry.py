"""What the image starts, both ways, as processes."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.integration.app.handler import runtime
from tests.unit.app.handler.events import function_url, schedule

PASSCODE = "correct horse"
LAMBDA = {
    "AWS_LAMBDA_FUNCTION_NAME": "prod-titan-trakr",
    "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
}


def environment(folder: Path, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GYMOPS_", "AWS_"))}
    return {
        **kept,
        "GYMOPS_APP_DATABASE": str(folder / "gym.db"),
        "GYMOPS_APP_PASSCODE": PASSCODE,
        "GYMOPS_APP_SESSION_SECRET": "0123456789abcdef0123456789abcdef",
        **more,
    }


@contextmanager
def entry(environ: dict[str, str], *arguments: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "gymops.app.entry", *arguments],
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def get(port: int, path: str) -> int:
    """The status; 0 while nobody listens."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=60) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code
    except OSError:
        return 0


def wait_for(port: int, path: str, process: subprocess.Popen[str]) -> int:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        if status := get(port, path):
            return status
        time.sleep(0.05)
    raise AssertionError(process.communicate(timeout=60))


def asked(environ: dict[str, str]) -> int:
    command = [sys.executable, "-m", "gymops.app.entry", "health"]
    return subprocess.run(command, env=environ, timeout=60, check=False).returncode


def test_a_plain_container_serves_until_it_is_told_to_stop(tmp_path: Path) -> None:
    port = free_port()
    environ = environment(tmp_path, GYMOPS_APP_PORT=str(port), GYMOPS_APP_HEALTH_PATH="/healthz")
    assert asked(environ) == 1
    with entry(environ) as server:
        assert wait_for(port, "/api/health", server) == 200
        assert get(port, "/healthz") == 200
        assert get(port, "/api/ready") == 200
        assert get(port, "/api/history?token=hunter2") == 401
        assert asked(environ) == 0
        assert asked({**environ, "GYMOPS_APP_HEALTH_PATH": "/api/nothing"}) == 1
        server.send_signal(signal.SIGTERM)
        stdout, stderr = server.communicate(timeout=60)
    assert (server.returncode, stderr) == (0, "")
    lines = [json.loads(line) for line in stdout.splitlines()]
    routes = [line["route"] for line in lines if line["message"] == "request"]
    assert "/api/health" in routes
    assert "/healthz" not in routes
    assert "hunter2" not in stdout
    assert not any("_aws" in line for line in lines)


def test_a_container_that_would_be_open_to_all_does_not_start(tmp_path: Path) -> None:
    environ = environment(tmp_path, GYMOPS_APP_PORT=str(free_port()))
    del environ["GYMOPS_APP_PASSCODE"]
    with entry(environ) as server:
        stdout, stderr = server.communicate(timeout=60)
    assert (server.returncode, stdout) == (2, "")
    assert "nothing is set that keeps them out" in stderr
    assert "Traceback" not in stderr


@pytest.mark.parametrize("port", ["http", "0", "65536", "-1"])
def test_a_wrong_port_is_told(tmp_path: Path, port: str) -> None:
    with entry(environment(tmp_path, GYMOPS_APP_PORT=port)) as server:
        _, stderr = server.communicate(timeout=60)
    assert server.returncode == 2
    assert stderr.startswith(f"GYMOPS_APP_PORT is '{port}'")


def test_any_other_command_line_is_run_in_its_stead(tmp_path: Path) -> None:
    with entry(environment(tmp_path), sys.executable, "-m", "gymops", "--version") as process:
        stdout, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert stdout.startswith("gymops ")


def test_as_a_lambda_it_answers_what_the_runtime_hands_out(tmp_path: Path) -> None:
    with (
        runtime.running() as api,
        entry(environment(tmp_path, **LAMBDA, AWS_LAMBDA_RUNTIME_API=api.address)) as function,
    ):
        kind, answer = api.invoke(function_url(path="/api/health"))
        assert (kind, answer["statusCode"], json.loads(answer["body"])) == ("response", 200, {"status": "ok"})
        kind, answer = api.invoke(function_url("POST", "/api/session", json.dumps({"passcode": PASSCODE})))
        assert (kind, answer["statusCode"], len(answer["cookies"])) == ("response", 204, 1)
        kind, answer = api.invoke(schedule())
        assert (kind, answer["awake"], answer["ready"]) == ("response", True, True)
        kind, answer = api.invoke({"Records": [{"eventSource": "aws:sqs"}]})
        assert (kind, answer["errorType"]) == ("error", "ValueError")
        kind, answer = api.invoke(function_url(path="/api/history"))
        assert (kind, answer["statusCode"]) == ("response", 401)
        function.terminate()
        stdout, _ = function.communicate(timeout=60)
    lines = [json.loads(line) for line in stdout.splitlines() if line.startswith("{")]
    first = next(line for line in lines if line["message"] == "request")
    assert first["request_id"] == "00000000-0000-4000-8000-000000000001"
    assert [line["ColdStart"] for line in lines if "ColdStart" in line] == [1, 0, 0, 0]
    assert PASSCODE not in stdout


def test_a_lambda_that_would_be_open_to_all_does_not_start(tmp_path: Path) -> None:
    environ = environment(tmp_path, **LAMBDA)
    del environ["GYMOPS_APP_PASSCODE"]
    with runtime.running() as api, entry({**environ, "AWS_LAMBDA_RUNTIME_API": api.address}) as function:
        kind, told = api.answers.get(timeout=60)
        function.communicate(timeout=60)
    assert (kind, told["errorType"]) == ("error", "ConfigError")
    assert "nothing is set that keeps them out" in told["errorMessage"]
    assert function.returncode == 1
