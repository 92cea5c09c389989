"""The workflow that ``gymops init --ci github`` writes: what it may do, when, and with what."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from gymops.cli.ci import workflow
from gymops.config import App, Environment, Settings
from gymops.errors import ConfigError

APP = App(
    ("shop",), "shop.handler", lock=Path("my requirements.lock"), test=("pytest", "-k", "it's"), python="3.13"
)
OWN = Settings(
    app=APP,
    environments={
        "dev": Environment(profile="shop-dev"),
        "live": Environment(after="dev", profile="shop.live"),
    },
)
PHASED = Settings(architecture="lifestyle-phased")
"""As ``gymops init --architecture`` leaves it: which environment comes after which, the architecture says."""


def read(settings: Settings) -> Any:
    return yaml.safe_load(workflow(settings))


@pytest.fixture(params=[Settings(), OWN, PHASED], ids=["usual", "own", "lifestyle-phased"])
def found(request: pytest.FixtureRequest) -> Any:
    return read(request.param)


def steps(found: Any) -> list[dict[str, Any]]:
    return [step for job in found["jobs"].values() for step in job["steps"]]


def test_nothing_is_left_to_fill_in(found: Any) -> None:
    assert not re.search(r"@[A-Z_]+@", yaml.safe_dump(found))
    assert list(found["jobs"]) == ["test", "deploy", "promote"]


def test_each_job_may_do_what_it_needs_and_no_more(found: Any) -> None:
    assert found["permissions"] == {}
    assert {name: job["permissions"] for name, job in found["jobs"].items()} == {
        "test": {"contents": "read"},
        "deploy": {
            "contents": "read", "id-token": "write", "pull-requests": "write", "statuses": "write",
        },
        "promote": {
            "contents": "read", "id-token": "write", "pull-requests": "write", "statuses": "read",
        },
    }  # fmt: skip


def test_credentials_come_by_oidc_and_no_key_is_stored(found: Any) -> None:
    text = yaml.safe_dump(found)
    assert "secrets." not in text
    assert not re.search(r"aws_(access|secret)", text, re.IGNORECASE)
    assert "web_identity_token_file" in text


def test_actions_are_pinned_by_commit_and_leave_no_token_behind(found: Any) -> None:
    used = [step for step in steps(found) if "uses" in step]
    assert used
    for step in used:
        assert re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40}", step["uses"])
        if step["uses"].startswith("actions/checkout"):
            assert step["with"]["persist-credentials"] is False
    pins = re.findall(r"uses: (\S+@[0-9a-f]{40})( # v\d+\.\d+\.\d+)?\n", workflow(Settings()))
    assert len(pins) == len(used)
    assert all(version for _, version in pins)


def test_nothing_an_author_writes_becomes_part_of_a_script(found: Any) -> None:
    """What stands in ${{ }} is put into a script before the shell reads it."""
    assert not [step["run"] for step in steps(found) if "${{" in step.get("run", "")]


def test_one_release_at_a_time_and_none_is_cut_off() -> None:
    jobs = read(OWN)["jobs"]
    assert jobs["deploy"]["concurrency"] == {"group": "gymops-dev", "cancel-in-progress": False}
    assert jobs["promote"]["concurrency"] == {"group": "gymops-live", "cancel-in-progress": False}
    assert (jobs["deploy"]["environment"], jobs["promote"]["environment"]) == ("dev", "live")
    assert all(job["timeout-minutes"] for job in jobs.values())


def test_a_pull_request_is_released_and_what_was_merged_is_promoted_by_its_digest() -> None:
    jobs = read(OWN)["jobs"]
    deploy = "\n".join(step.get("run", "") for step in jobs["deploy"]["steps"])
    promote = "\n".join(step.get("run", "") for step in jobs["promote"]["steps"])
    assert 'gymops deploy "dev" --yes' in deploy
    assert 'gymops promote "dev" "live" --digest "${digest:?was not released}"' in promote
    assert "gh pr comment" in deploy
    assert "gh pr comment" in promote
    assert ("shop-dev" in deploy, "shop.live" in deploy, "shop.live" in promote) == (True, False, True)
    for job in "deploy", "promote":
        assert "head.repo.full_name == github.repository" in jobs[job]["if"]
    assert "merged == true" in jobs["promote"]["if"]
    assert jobs["deploy"]["needs"] == "test"


def test_of_an_architecture_a_pull_request_goes_to_its_first_environment_and_is_told_how_it_went() -> None:
    jobs = read(PHASED)["jobs"]
    assert (jobs["deploy"]["environment"], jobs["promote"]["environment"]) == ("dev", "prod")
    for job, command in ("deploy", 'gymops deploy "dev" --yes'), ("promote", 'gymops promote "dev" "prod"'):
        *_, done, told = [step for step in jobs[job]["steps"] if "run" in step]
        assert command in done["run"], "registry, users, image and function are one command"
        assert told["if"] == "always()", "also of what failed"
        assert f'gymops status "{jobs[job]["environment"]}"' in told["run"]
        assert 'gh pr comment "$PULL"' in told["run"]
    assert [step["run"] for step in jobs["test"]["steps"] if "lint" in step.get("run", "")] == ["gymops lint"]


def test_what_gymops_toml_says_comes_before_the_architecture() -> None:
    own = Settings(architecture="lifestyle-phased", environments={"live": Environment(after="trial")})
    jobs = read(own)["jobs"]
    assert (jobs["deploy"]["environment"], jobs["promote"]["environment"]) == ("trial", "live")


def test_the_app_s_own_tests_run() -> None:
    runs = [step.get("run") for step in read(OWN)["jobs"]["test"]["steps"]]
    assert runs[-1] == """pytest -k 'it'"'"'s'"""
    assert "pip install --require-hashes -r 'my requirements.lock'" in runs


def test_every_script_is_one_that_bash_reads(found: Any) -> None:
    bash = shutil.which("bash")
    assert bash
    for step in steps(found):
        if "run" in step:
            done = subprocess.run(
                [bash, "-n"], input=step["run"], capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ["a b", "a${{ github.token }}", 'a"; id; "'])
def test_a_name_that_means_something_else_there_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="cannot stand in a workflow"):
        workflow(Settings(environments={name: Environment(after="dev")}))
