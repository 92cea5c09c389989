"""The local AWS's decisions, without an emulator."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from gymops.errors import LocalError
from gymops.local import environment, processes, settings
from gymops.local.coverage import PARTS, Kind, of_kind, resource_type
from gymops.local.plane.backup import cron
from gymops.local.plane.context import iso, parse
from gymops.local.plane.faults import Fault
from gymops.local.plane.functions.artefact import _module
from gymops.local.plane.saver import _Request
from gymops.local.plane.types.kind import typed


def _at(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}+00:00")


@pytest.mark.parametrize(
    ("expression", "last", "now", "expected"),
    [
        ("cron(0 5 ? * * *)", "2026-11-20 05:00", "2026-11-21 04:59", False),
        ("cron(0 5 ? * * *)", "2026-11-20 05:00", "2026-11-21 05:00", True),
        ("cron(0 5 ? * SUN *)", "2026-11-16 06:00", "2026-11-21 23:00", False),
        ("cron(0 5 ? * SUN *)", "2026-11-16 06:00", "2026-11-22 05:00", True),
        ("cron(0 5 1 * ? *)", "2026-11-02 00:00", "2026-11-30 23:59", False),
        ("cron(0 5 1 * ? *)", "2026-11-02 00:00", "2026-12-01 05:01", True),
        ("cron(0/15 8-17 ? * MON-FRI *)", "2026-11-20 17:46", "2026-11-22 23:00", False),
        ("cron(0/15 8-17 ? * MON-FRI *)", "2026-11-20 17:30", "2026-11-20 17:45", True),
        ("rate(12 hours)", "2026-11-20 00:00", "2026-11-20 11:59", False),
        ("rate(1 day)", "2026-11-20 00:00", "2026-11-21 00:00", True),
    ],
)
def test_a_schedule_comes_up_when_it_says(expression: str, last: str, now: str, expected: bool) -> None:
    assert cron.due(expression, _at(last), _at(now)) is expected


@pytest.mark.parametrize("expression", ["daily", "cron(* *)", "cron(x 5 ? * * *)", "rate(2 moons)"])
def test_what_is_no_schedule_is_refused(expression: str) -> None:
    with pytest.raises(Fault, match="schedule"):
        cron.due(expression, _at("2026-11-20 00:00"), _at("2026-11-21 00:00"))


def test_a_restorable_time_is_never_shown_later_than_it_is() -> None:
    moment = datetime(2026, 11, 21, 10, 0, 0, 999_999, tzinfo=UTC)
    assert iso(moment) == "2026-11-21T10:00:00.999Z"
    assert parse(iso(moment)) <= moment
    assert parse("2026-11-21T10:00:00") == _at("2026-11-21 10:00")


async def _nothing() -> dict[str, object]:
    return {}


@pytest.mark.parametrize(
    ("method", "target", "start", "expected"),
    [
        ("GET", b"", b"", False),
        ("PUT", b"", b"", True),
        ("POST", b"secretsmanager.GetSecretValue", b"{}", False),
        ("POST", b"secretsmanager.PutSecretValue", b"{}", True),
        ("POST", b"", b"Action=DescribeStacks&Version=1", False),
        ("POST", b"", b"Version=1&Action=CreateStack", True),
        ("POST", b"", b"", True),
    ],
)
def test_only_what_may_change_something_is_saved(
    method: str, target: bytes, start: bytes, expected: bool
) -> None:
    request = _Request({"method": method, "path": "/", "headers": [(b"x-amz-target", target)]}, _nothing)
    request._start = start
    assert request.changes() is expected


def test_the_cache_is_where_the_user_wants_it() -> None:
    assert environment.cache_folder({"XDG_CACHE_HOME": "/x", "HOME": "/h"}) == Path("/x/gymops")
    assert environment.cache_folder({"XDG_CACHE_HOME": "relative", "HOME": "/h"}) == Path("/h/.cache/gymops")
    found = environment.find({"HOME": "/h"})
    assert found.folder.name.startswith("local-aws-3.")


@pytest.mark.parametrize(
    ("said", "hint"),
    [
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.", "other files"),
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", "room"),
        ("ERROR: No matching distribution found for ministack==1.5.33", "network"),
        ("Error: ... ensurepip ... returned non-zero exit status 1.", "venv package"),
    ],
)
def test_pip_s_last_words_become_a_next_step(said: str, hint: str) -> None:
    error = environment._explain(said)
    assert isinstance(error, LocalError)
    assert hint in (error.hint or "")


def test_the_pinned_list_names_hashes_and_no_address() -> None:
    text = (Path(environment.__file__).parent / "requirements.txt").read_text(encoding="utf-8")
    assert "http" not in text
    assert "--index" not in text
    for block in text.replace("\\\n", "").splitlines():
        assert "==" in block
        assert "--hash=sha256:" in block


def test_a_lock_nobody_holds_is_free(tmp_path: Path) -> None:
    assert not processes.held(tmp_path / "none")
    (tmp_path / "free").touch()
    assert not processes.held(tmp_path / "free")


def test_settings_are_read_as_they_were_written(tmp_path: Path) -> None:
    given = settings.LocalSettings(tmp_path, 4566, Path("/usr/lib/postgresql/18/bin"), delay=1.5)
    given.file.write_text(given.dump(), encoding="utf-8")
    assert settings.load(given.file) == given


def test_templates_text_is_what_a_client_wants() -> None:
    assert typed({"a": "5", "b": ["true", "x"], "c": "-1", "d": "1.5"}) == {
        "a": 5, "b": [True, "x"], "c": -1, "d": "1.5",
    }  # fmt: skip


def test_an_entry_point_that_is_a_module_is_recognised() -> None:
    assert _module(["python", "-m", "a.b", "c"]) == ("a.b", ["a.b", "c"])
    assert _module(["/opt/venv/bin/python3.11", "-u", "-m", "a"]) == ("a", ["a"])
    assert _module(["/lambda-entrypoint.sh", "main.handler"]) == ("", [])


def test_every_part_is_real_emulated_or_absent_and_named_once() -> None:
    assert sorted(part.name for kind in Kind for part in of_kind(kind)) == sorted(part.name for part in PARTS)
    assert len({part.name for part in PARTS}) == len(PARTS)


@pytest.mark.parametrize(
    ("name", "kind", "ours"),
    [
        ("AWS::RDS::DBInstance", Kind.REAL, False),
        ("AWS::RDS::DBProxy", Kind.REAL, True),
        ("AWS::EC2::NatGateway", Kind.EMULATED, True),
        ("AWS::EC2::VPC", Kind.EMULATED, False),
    ],
)
def test_a_resource_type_says_how_far_it_is_there(name: str, kind: Kind, ours: bool) -> None:
    found = resource_type(name)
    assert (found.kind, found.ours) == (kind, ours)
