"""``gymops serve`` as a user meets it: an address to open, a log that stays, Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from gymops.clock import SystemClock, ticks
from gymops.eventlog import sample

WORKOUT = {"workout_id": "6f1c1f0e-8a68-4f0e-9f6a-1b7c5d0e2f33"}
STARTED = {"event_type": "WorkoutStarted", "payload": WORKOUT}


class Served:
    """A running ``gymops serve``."""

    def __init__(self, process: subprocess.Popen[str], announced: str) -> None:
        self.process = process
        self.document = json.loads(announced)

    def ask(self, path: str, body: Any = None) -> tuple[int, Any]:
        """Status and document of one request; a body makes it a POST."""
        url = self.document["url"] + path
        with httpx2.Client(trust_env=False, timeout=30) as client:
            answer = client.get(url) if body is None else client.post(url, json=body)
        return answer.status_code, answer.json()

    def until_ready(self) -> None:
        for _ in ticks(SystemClock(), timeout=60, interval=0.05):
            if self.ask("/api/ready")[0] == 200:
                return
        raise AssertionError("it does not get ready")

    def stop(self, number: int) -> tuple[int, str, str]:
        """Exit code and what was printed besides the first line."""
        self.process.send_signal(number)
        return self.ended()

    def ended(self) -> tuple[int, str, str]:
        """The same, when it was told to stop already."""
        out, err = self.process.communicate(timeout=60)
        assert "Traceback" not in err
        return self.process.returncode, out, err


Serve = Callable[..., Any]


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder of one's own, whose embedded server is stopped at the end."""
    with tempfile.TemporaryDirectory(prefix="gymops-", dir="/tmp") as name:
        yield Path(name)
        _run(Path(name), "db", "stop", "--timeout", "0.5")


@pytest.fixture
def serve(folder: Path) -> Serve:
    """``with serve("--database", ...) as served``: on a free port, ended in any case."""

    @contextmanager
    def started(*arguments: str, **variables: str) -> Iterator[Served]:
        command = [sys.executable, "-m", "gymops", "serve", "--port", "0", "--json", *arguments]
        with subprocess.Popen(
            command, cwd=folder, env=_environ(variables), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        ) as process:  # fmt: skip
            try:
                assert process.stdout
                line = process.stdout.readline()
                assert line, process.communicate()[1]
                yield Served(process, line)
            finally:
                process.kill()

    return started


def _environ(variables: dict[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GYMOPS_", "PG"))}
    return {**kept, **variables}


def _run(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "gymops", *arguments], cwd=folder, env=_environ(variables),
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    return done


def test_it_serves_a_folder_of_files_and_what_was_logged_is_there_again(serve: Serve, folder: Path) -> None:
    with serve("--database", "gym", "--user", "auth0|000001") as served:
        assert served.document.keys() == {"url", "user", "database"}
        assert (served.document["user"], served.document["database"]) == ("auth0|000001", "gym")
        assert served.ask("/api/health") == (200, {"status": "ok"})
        assert served.ask("/api/session") == (200, {"user": "auth0|000001", "auth": "none"})
        served.until_ready()
        assert served.ask("/api/events", STARTED)[0] == 201
        said = served.ask("/api/voice/process", {"transcript": "bench press 80 kg for 10"})
        assert (said[0], said[1]["outcome"]) == (200, "logged")
        assert served.stop(signal.SIGINT) == (130, "", "stopped\n")
    assert (folder / "gym" / "auth0|000001" / "gym.db").is_file()
    with serve("--database", "gym", "--user", "auth0|000001") as served:
        status, shown = served.ask("/api/projections/current_workout")
        assert (status, shown["data"]["id"]) == (200, WORKOUT["workout_id"])
        assert shown["data"]["exercises"][0]["sets"][0]["weight"] == 80
        assert served.stop(signal.SIGTERM) == (0, "", "stopped\n")


def test_without_a_database_it_is_the_embedded_server_with_a_schema_made_for_it(serve: Serve) -> None:
    with serve() as served:
        served.until_ready()
        assert served.document["database"] == "env:local"
        assert served.ask("/api/events", STARTED)[0] == 201
        assert served.ask("/api/events", STARTED)[1]["code"] == "workout_in_progress"
        code, _, err = served.stop(signal.SIGINT)
    assert code == 130
    assert "started the embedded PostgreSQL" in err
    assert "applied schema revision 0001" in err


def test_what_the_log_holds_is_folded_before_it_is_ready(serve: Serve, folder: Path) -> None:
    sample.write_workspace(folder / "workspace", users=2, events=600, seed=7)
    users = sorted(one.name for one in (folder / "workspace").iterdir())
    with serve("--database", "workspace", "--user", users[0]) as served:
        served.until_ready()
        assert served.ask("/api/history")[1]["items"]
        _, _, err = served.stop(signal.SIGINT)
    assert [line.split()[-1] for line in err.splitlines() if line.startswith("folded ")] == users


def test_a_request_at_work_is_finished_before_it_ends(serve: Serve) -> None:
    with serve("--database", "gym.db") as served:
        host, port = served.document["url"].removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=30) as connection:
            body = json.dumps(STARTED).encode()
            head = f"POST /api/events HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
            connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body[:10])
            served.ask("/api/health")  # by now the server has read the first part
            served.process.send_signal(signal.SIGTERM)
            time.sleep(0.3)
            connection.sendall(body[10:])
            assert connection.recv(65536).startswith(b"HTTP/1.1 201 ")
        assert served.ended()[0] == 0


def test_with_a_passcode_it_is_closed_on_loopback_too(serve: Serve) -> None:
    secrets = {"GYMOPS_APP_PASSCODE": "correct horse", "GYMOPS_APP_SESSION_SECRET": "s" * 32}
    with serve("--database", "gym.db", **secrets) as served:
        assert served.ask("/api/history")[0] == 401
        out, err = served.stop(signal.SIGINT)[1:]
    assert not any(secret in out + err for secret in secrets.values())


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])  # noqa: S104
def test_it_does_not_run_open_to_a_network(folder: Path, host: str) -> None:
    done = _run(folder, "serve", "--database", "gym.db", "--host", host, "--port", "0")
    assert (done.returncode, done.stdout) == (2, "")
    assert "nothing is set that keeps them out" in done.stderr
    assert "GYMOPS_APP_PASSCODE" in done.stderr


def test_a_port_that_is_taken_is_told_with_a_way_out(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = _run(folder, "serve", "--database", "gym.db", "--port", port)
        asked = _run(folder, "serve", "--database", "gym.db", "--port", port, "--json")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"error: port {port} of 127.0.0.1 is taken\nhint:  gymops serve --port 0 picks a free one\n"
    )
    assert json.loads(asked.stdout)["error"]["code"] == "cannot_listen"


def test_an_address_that_is_not_ours(folder: Path) -> None:
    secrets = {"GYMOPS_APP_PASSCODE": "correct horse", "GYMOPS_APP_SESSION_SECRET": "s" * 32}
    done = _run(folder, "serve", "--database", "gym.db", "--host", "192.0.2.1", **secrets)
    assert done.returncode == 1
    assert "cannot listen on 192.0.2.1" in done.stderr


def test_another_database_is_checked_and_never_changed(folder: Path, database: str) -> None:
    done = _run(folder, "serve", "--database", "env:GYM", "--port", "0", GYM=database)
    assert (done.returncode, done.stdout) == (1, "")
    assert "lacks the revisions 0001" in done.stderr
    assert "gymops schema upgrade --to env:GYM" in done.stderr
    assert "pending" in _run(folder, "schema", "current", "--to", "env:GYM", GYM=database).stdout


def test_a_wrong_setting_is_named(folder: Path) -> None:
    done = _run(folder, "serve", "--database", "gym.db", GYMOPS_APP_UNIT="stone")
    assert (done.returncode, done.stdout) == (2, "")
    assert "GYMOPS_APP_UNIT is 'stone'" in done.stderr


def test_help_names_every_variable_and_imports_no_framework(folder: Path) -> None:
    from gymops.app.settings import VARIABLES

    shown = _run(folder, "serve", "--help").stdout
    assert all(name in shown for name in VARIABLES)
    script = (
        "import sys; from gymops import cli\n"
        "try: cli.main(sys.argv[1:])\n"
        "finally: print(sorted({'fastapi', 'uvicorn', 'pydantic', 'psycopg', 'jwt'} & set(sys.modules)))"
    )
    for arguments in (["--help"], ["serve", "--help"]):
        done = subprocess.run(
            [sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=True
        )
        assert done.stdout.endswith("[]\n")


REAL = Path(__file__).parents[3] / "shared" / "data" / "titan-workspace"


@pytest.mark.shows("titan-trakr", "data")
@pytest.mark.skipif(not REAL.is_dir(), reason="the real app's files are not beside this checkout")
def test_a_moved_workspace_is_served_with_the_real_history_of_its_user(folder: Path, serve: Serve) -> None:
    assert _run(folder, "migrate", str(REAL), "--yes").returncode == 0
    with serve("--user", "auth0|000001") as served:
        served.until_ready()
        status, first = served.ask("/api/history?limit=20")
        _, second = served.ask(f"/api/history?limit=20&cursor={first['next']}")
        assert (status, len(first["items"]), len(second["items"]), second["next"]) == (200, 20, 18, None)
        assert first["items"][0]["name"] == "Léo's pull 💪"
        assert first["items"][0]["completed_at"] == "2026-11-21T03:59:38.359797Z"
        _, records = served.ask("/api/records")
        assert len(records["items"]) == 6
        _, understood = served.ask("/api/voice/process", {"transcript": "bench press 80 kg for 10"})
        assert (understood["outcome"], understood["say"]) == (
            "logged",
            "Workout started. Bench press, 80 kilos for 10.",
        )
        assert served.stop(signal.SIGINT)[0] == 130
    assert _run(folder, "projections", "rebuild", "--user", "auth0|000001").stdout.endswith(
        "EQUAL: the projections were what the log folds to\n"
    )
