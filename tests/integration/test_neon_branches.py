"""Branches at Neon: made, reset, deleted; how one is reached; what is refused before anything is asked."""

from __future__ import annotations

import json
import shlex
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict

from gymops.cli import main
from gymops.clock import SystemClock
from gymops.errors import ConfigError, GateRefused
from gymops.neon import Neon, NeonError
from tests.neon_api import KEY, PASSWORD, Project, neon_api


class Hasty(SystemClock):
    """Does not sleep; by it, time goes by all the same."""

    def __init__(self) -> None:
        self._slept = 0.0

    def monotonic(self) -> float:
        return self._slept

    def sleep(self, seconds: float) -> None:
        self._slept += seconds


@pytest.fixture
def project() -> Iterator[Project]:
    with neon_api() as found:
        yield found


def neon(project: Project) -> Neon:
    return Neon(project.environ(), Hasty())


def test_branches_are_made_reset_and_deleted_while_others_are_at_it(project: Project) -> None:
    there = neon(project)
    project.busy = 2
    staging = there.create("staging", "main")
    feature = there.create("dev-voice-2", "staging")
    assert (staging.parent, feature.parent) == (there.branch("main").id, staging.id)
    assert [one.name for one in there.branches()] == ["main", "staging", "dev-voice-2"]  # two pages
    assert all(left <= 0 for left in project.operations.values())
    assert there.create("staging", "main") == staging
    assert there.reset("staging").name == "staging"
    assert project.written[staging.id] == 0
    with pytest.raises(NeonError, match="branch has children"):
        there.delete("staging")
    there.delete("dev-voice-2")
    there.delete("staging")
    assert project.names() == ["main"]


def test_production_and_what_is_protected_stay(project: Project) -> None:
    project.add("staging", "br-0", protected=True)
    for refused in (neon(project).reset, neon(project).delete):
        with pytest.raises(GateRefused, match="main is production"):
            refused("main")
        with pytest.raises(GateRefused, match="protected"):
            refused("staging")
    assert not [one for one in project.asked if not one.startswith("GET")]


@pytest.mark.parametrize("name", ["feature", "dev-", "dev-A", "Staging", "dev-x/../y", "main2", ""])
def test_no_branch_is_called_otherwise(project: Project, name: str) -> None:
    with pytest.raises(ConfigError, match="no branch of the house"):
        neon(project).create(name, "main")
    assert project.asked == []


@pytest.mark.parametrize("query", ["sslmode=require", "sslmode=disable", "sslmode=prefer&a=b", "", "x=1"])
def test_a_url_requires_tls_and_is_of_the_kind_that_was_asked_for(project: Project, query: str) -> None:
    project.query = query.replace("a=b", "channel_binding=prefer").replace("x=1", "connect_timeout=9")
    there = neon(project)
    branch = there.branch("main")
    direct, pooled = (
        conninfo_to_dict(there.url(branch, database="gymdb", role="gym", pooled=one)) for one in (False, True)
    )
    assert direct["sslmode"] == pooled["sslmode"] == "require"
    assert (direct["host"], pooled["host"]) == (
        "ep-br-0.us-east-1.aws.neon.tech", "ep-br-0-pooler.us-east-1.aws.neon.tech",
    )  # fmt: skip
    assert (pooled["user"], pooled["password"], pooled["dbname"]) == ("gym", PASSWORD, "gymdb")
    project.pooled = ""
    with pytest.raises(NeonError, match="asked for the pooled address of main, and gave the direct one"):
        there.url(branch, database="gymdb", role="gym", pooled=True)


def test_what_neon_cannot_do_is_told(project: Project) -> None:
    project.fails = True
    with pytest.raises(NeonError, match="Neon could not do it: create_branch, failed"):
        neon(project).create("staging", "main")
    project.fails, project.busy = False, 10_000
    with pytest.raises(NeonError, match="the project is busy: project already has running operations"):
        neon(project).reset("staging")
    project.busy = 0
    with pytest.raises(NeonError, match="no branch dev-none") as told:
        neon(project).delete("dev-none")
    assert told.value.hint == "gymops neon create dev-none"


def test_nothing_is_asked_where_the_token_would_be_shown(project: Project) -> None:
    for name, value, match in (
        ("NEON_API_KEY", "", "NEON_API_KEY is not set"), ("NEON_PROJECT_ID", "", "NEON_PROJECT_ID is not"),
        ("NEON_API_HOST", "http://console.neon.tech", "no https address"),
    ):  # fmt: skip
        with pytest.raises(ConfigError, match=match):
            Neon(project.environ(**{name: value}), Hasty())
    with pytest.raises(NeonError, match="Neon refuses the token: authentication required"):
        Neon(project.environ(NEON_API_KEY="another"), Hasty()).branches()
    with pytest.raises(NeonError, match="does not answer"):
        Neon(project.environ(NEON_API_HOST="http://127.0.0.1:9"), Hasty()).branches()


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(["neon", *arguments])
    told = capsys.readouterr()
    assert KEY not in told.out + told.err
    code = ended.value.code
    return code if isinstance(code, int) else 0, told.out, told.err


def test_the_command(
    project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in project.environ().items():
        monkeypatch.setenv(name, value)
    project.add("staging", "br-0")
    code, out, _ = run(capsys, "branches", "--json")
    assert code == 0
    assert [(one["name"], one["parent"], one["kept"]) for one in json.loads(out)["branches"]] == [
        ("main", None, True), ("staging", "br-0", False),
    ]  # fmt: skip
    assert "began as" in run(capsys, "branches")[1]
    assert run(capsys, "delete", "main", "--yes")[0] == 4
    assert run(capsys, "reset", "staging")[0] == 2  # nobody to ask
    assert run(capsys, "delete", "staging", "--yes", "--json")[0] == 0
    assert run(capsys, "create", "elsewhere")[0] == 2
    assert project.names() == ["main"]


def test_a_url_is_kept_where_its_owner_alone_reads_it(
    project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for name, value in project.environ().items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    project.add("dev-voice", "br-0")
    file = tmp_path / ".env"
    file.write_text("A=1\nexport DATABASE_URL=sqlite:///old.db\nB=2\n", encoding="utf-8")
    file.chmod(0o644)
    for changed in (True, False):
        code, out, err = run(capsys, "url", "dev-voice", "--to", ".env", "--json")
        assert (code, json.loads(out)["changed"]) == (0, changed)
        assert PASSWORD not in out + err
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    first, kept, last = file.read_text(encoding="utf-8").splitlines()
    assert (first, last) == ("A=1", "B=2")
    told = conninfo_to_dict(shlex.split(kept)[0].removeprefix("DATABASE_URL="))
    assert (told["host"], told["password"], told["sslmode"]) == (
        "ep-br-1.us-east-1.aws.neon.tech", PASSWORD, "require",
    )  # fmt: skip
    _, out, err = run(capsys, "url", "dev-voice", "--pooled", "--as", "POOLED")
    assert PASSWORD not in out + err
    own = tmp_path / ".gymops/neon/dev-voice.env"
    assert stat.S_IMODE(own.stat().st_mode) == 0o600
    assert "-pooler." in own.read_text(encoding="utf-8")
    assert run(capsys, "url", "dev-voice", "--to", "missing/.env")[0] == 2
    assert run(capsys, "url", "dev-voice", "--as", "no name")[0] == 2
    assert run(capsys, "url", "dev-none")[0] == 1
    assert sorted(one.name for one in tmp_path.iterdir()) == [".env", ".gymops"]  # and nothing half-written
