"""``gymops doctor`` at a terminal: what it prints, and how it ends, where nobody answers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gymops import config
from gymops.cli import deploy, root
from gymops.cli.doctor import patient
from gymops.config import App
from gymops.deploy.artefact import Arch
from gymops.deploy.build import Places
from gymops.deploy.build.target import DEFAULT_PYTHON, Target
from gymops.deploy.environment import resolve
from gymops.errors import LocalError


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("COLUMNS", "200")
    (tmp_path / "gymops.toml").write_text(
        'architecture = "titan-trakr"\n[environments.staging]\nprofile = "nobody"\n', encoding="utf-8"
    )
    return tmp_path


def doctor(*arguments: str) -> Result:
    return CliRunner().invoke(root, ["doctor", *arguments])


def test_without_credentials_every_part_that_needs_them_says_so(folder: Path) -> None:
    done = doctor("staging", "--json")
    told = json.loads(done.stdout)
    assert (done.exit_code, told["ok"]) == (1, False)
    assert told["could_not_tell"] == [
        "credentials", "clock", "stacks", "permissions", "quotas", "service-linked roles", "domains",
        "aliases", "certificate", "versions",
    ]  # fmt: skip
    untold = [one for one in told["findings"] if one["verdict"] == "could not tell"]
    assert {one["found"] for one in untold} >= {"there is no AWS profile 'nobody'"}
    assert {one["fix"] for one in untold} == {"aws configure --profile nobody"}
    assert {one["verdict"] for one in told["findings"]} == {"could not tell", "ok"}


def test_the_table_ends_with_what_could_not_be_told(folder: Path) -> None:
    done = doctor("staging")
    assert done.exit_code == 1
    assert done.stdout.splitlines()[0].split() == ["check", "verdict", "found", "fix"]
    assert "staging: not all could be told; could not tell: credentials, clock" in done.stdout


def test_the_policy_is_one_document_and_asks_nobody(folder: Path) -> None:
    done = doctor("staging", "--policy")
    assert done.exit_code == 0
    assert json.loads(done.stdout)["Version"] == "2012-10-17"
    assert "6,144 characters; attach it to the deploying role" in done.stderr
    assert "wider than needed" in done.stderr


@pytest.mark.parametrize(
    ("architecture", "own", "runtime"),
    [
        ("titan-trakr", "", "python3.12"),
        ("voice-tracker-neon", "", "python3.11"),
        ("voice-tracker-neon", '[environments.prod.parameters]\nRuntime = "python3.13"', "python3.13"),
        ("voice-tracker-neon", '[app]\npython = "3.12"', "python3.12"),
    ],
)
def test_the_runtime_is_that_of_the_zip_a_deploy_builds(
    folder: Path, monkeypatch: pytest.MonkeyPatch, architecture: str, own: str, runtime: str
) -> None:
    text = f'architecture = "{architecture}"\n[environments.prod]\nprofile = "nobody"\n{own}\n'
    (folder / "gymops.toml").write_text(text, encoding="utf-8")
    asked: list[str] = []

    def built(app: App, arch: Arch, places: Places, *, python: str | None) -> None:
        asked.append(Target.of("zip", arch, python or app.python or DEFAULT_PYTHON).python)

    monkeypatch.setattr("gymops.deploy.build.build_zip", built)
    settings = config.load()
    deploy.make(settings, resolve(settings, "prod"))
    assert [f"python{one}" for one in asked] == [patient(settings, "prod").runtime] == [runtime]


def test_a_local_aws_that_does_not_run_is_named(folder: Path) -> None:
    (folder / "gymops.toml").write_text('architecture = "titan-trakr"\n', encoding="utf-8")
    done = doctor("staging")
    assert isinstance(done.exception, LocalError)
    assert str(done.exception.hint).startswith("gymops local up")
