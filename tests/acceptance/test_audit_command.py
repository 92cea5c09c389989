"""``gymops audit`` and ``gymops worker`` in an empty directory, and with tiers that cannot be."""

from __future__ import annotations

import fcntl
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest


def gymops(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "gymops", *arguments], cwd=folder, capture_output=True, text=True, timeout=120,
        check=False,
    )  # fmt: skip
    assert "Traceback" not in done.stderr, done.stderr
    return done


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    gymops(tmp_path, "db", "stop")


def test_in_an_empty_directory_there_is_no_backup_at_all(tmp_path: Path) -> None:
    done = gymops(tmp_path, "audit", "local", "--json")
    found = json.loads(done.stdout)
    assert done.returncode == 3
    assert [(one["kind"], one["next"]) for one in found["findings"]] == [("missing", "gymops backup local")]
    assert (found["ok"], found["success_rate"]) == (False, None)


def test_an_environment_nobody_knows_is_told(tmp_path: Path) -> None:
    done = gymops(tmp_path, "audit", "nowhere", "--json")
    assert done.returncode == 2
    assert json.loads(done.stdout)["error"]["code"] == "configuration"


TIERS = '[environments.local.backup.tiers.{name}]\n{key} = "{value}"\n'


@pytest.mark.parametrize(
    ("name", "key", "value", "said"),
    [
        ("monthly", "cold", "30 days", "no cold storage for RDS"),
        ("monthly", "storage", "deep-archive", "it takes 12 hours"),
        ("monthly", "copy", "us-east-1", "AWS Backup copies to another region"),
        ("daily", "rpo", "5 minutes", "cannot hold an rpo"),
    ],
)
def test_tiers_that_cannot_be_are_refused(tmp_path: Path, name: str, key: str, value: str, said: str) -> None:
    (tmp_path / "gymops.toml").write_text(TIERS.format(name=name, key=key, value=value), encoding="utf-8")
    done = gymops(tmp_path, "audit", "local")
    assert done.returncode == 2
    assert said in done.stderr


def test_what_the_template_takes_otherwise_is_refused_by_lint(tmp_path: Path) -> None:
    (tmp_path / "gymops.toml").write_text(
        'architecture = "titan-trakr"\n'
        '[environments.prod.backup.tiers.daily]\nschedule = "04:00"\n', encoding="utf-8",
    )  # fmt: skip
    done = gymops(tmp_path, "lint")
    assert done.returncode == 2
    assert "environments.prod.backup.tiers.daily: the template takes something else" in done.stderr


def test_a_backup_that_failed_is_listed_and_found_once(tmp_path: Path) -> None:
    gone = 'database = "postgresql://127.0.0.1:9/none"'
    (tmp_path / "gymops.toml").write_text(f"[environments.prod]\n{gone}\n", encoding="utf-8")
    wrong = gymops(tmp_path, "backup", "prod", "--tier", "hourly")
    assert wrong.returncode == 2  # nobody tried anything
    assert gymops(tmp_path, "backup", "nowhere").returncode == 2
    assert not list(tmp_path.rglob("runs"))
    assert json.loads(gymops(tmp_path, "backups", "prod", "--json").stdout)["failed"] == []
    failed = gymops(tmp_path, "backup", "prod")
    assert failed.returncode == 1
    listed = gymops(tmp_path, "backups", "prod")
    (told,) = [line for line in listed.stdout.splitlines() if line.startswith("failed: daily, ")]
    assert told.rpartition("UTC: ")[2] in failed.stderr
    worker = gymops(tmp_path, "worker", "prod", "--once")
    assert worker.returncode == 1
    runs = json.loads(gymops(tmp_path, "backups", "prod", "--json").stdout)["failed"]
    assert [(one["tier"], one["state"]) for one in runs] == [("daily", "failed")] * 2
    assert not (tmp_path / ".gymops/backups/data").exists()


@pytest.mark.parametrize("more", [[], ["--drill"], ["--all"]])
def test_what_aws_backup_does_not_take_is_not_judged_for_it(tmp_path: Path, more: list[str]) -> None:
    done = gymops(tmp_path, "restore-test", "local", "--pending", *more)
    assert done.returncode == 2
    assert ("exclude each other" if more else "AWS Backup takes no backups of it") in done.stderr
    assert not (tmp_path / ".gymops").exists()


def test_two_workers_are_not_at_one_environment(tmp_path: Path) -> None:
    folder = tmp_path / ".gymops" / "locks"
    folder.mkdir(parents=True)
    with (folder / "worker-local").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        done = gymops(tmp_path, "worker", "local", "--once")
    assert done.returncode == 7
    assert "another worker" in done.stderr


@pytest.mark.long
def test_a_worker_makes_of_an_empty_directory_one_that_passes_the_audit(place: Path) -> None:
    assert gymops(place, "schema", "upgrade").returncode == 0
    done = gymops(place, "worker", "local", "--once", "--json")
    ran = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, done.stderr
    assert [(one["task"], one["exit"]) for one in ran] == [
        ("backup local --tier daily", 0),
        ("backup local --tier continuous", 0),
        ("restore-test local --all", 0),
    ]
    found = gymops(place, "audit", "local", "--json", "--html", "audit.html")
    assert found.returncode == 0, found.stdout
    assert json.loads(found.stdout)["ok"] is True
    assert "every backup is there" in (place / "audit.html").read_text(encoding="utf-8")


@pytest.mark.long
def test_a_record_that_was_changed_hides_nothing_else(place: Path) -> None:
    assert gymops(place, "schema", "upgrade").returncode == 0
    assert gymops(place, "backup", "local").returncode == 0
    (record,) = (place / ".gymops/backups/records/points/local").glob("*.json")
    record.write_text(record.read_text(encoding="utf-8").replace("daily", "weekly"), encoding="utf-8")
    done = gymops(place, "audit", "local", "--json")
    assert done.returncode == 3
    assert {one["kind"] for one in json.loads(done.stdout)["findings"]} == {"unseen"}
