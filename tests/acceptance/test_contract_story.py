"""A schema that is added to and taken away from by releases, on a local AWS, with somebody at the app all the
time: the contract waits, is applied by a later release, and what does not know it is not returned to.
"""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from tests.acceptance import test_release_story as releases
from tests.acceptance.test_release_story import SECOND, Story, stored, use
from tests.integration.stacks.using import owner
from tests.later import Later

story = releases.story

TABLE = "later_table"
THIRD = SECOND.replace('"second"', '"third"').replace("_first", "_second")


@pytest.mark.long
def test_a_contract_waits_for_those_one_may_return_to(story: Story) -> None:
    story.run("init --architecture titan-trakr")
    story.run("local up --port 0 --archive-every 0")
    story.app("")
    with (story.folder / "gymops.toml").open("a", encoding="utf-8") as settings:
        settings.write("\n[environments.staging]\nreturns = 1\n")
    story.run("deploy staging --yes")
    with use(story, "staging") as used:
        expand, contract = revisions_come(story)
        waits(story, expand, contract)
        applied(story, contract)
        gone_is_refused(story, contract)
        known_is_returned_to(story)
        told = used.end()
    assert told["failed"] == []
    assert stored(story, "staging") == sorted(told["acknowledged"])
    print(story.steps, f"{told['asked']} requests", sep="; ")


def revisions_come(story: Story) -> tuple[str, str]:
    """What is not safe is refused before anything is built."""
    later = Later(story.folder / "src")
    expand = later.add("expand", f"DROP TABLE exercises; CREATE TABLE {TABLE} (user_id text PRIMARY KEY)")
    refused = story.run("deploy staging --yes", code=4)
    assert "ban-drop-table" in refused.err
    assert "phase contract" in refused.err
    file = later.migrations / "versions" / f"{expand}_later.py"
    file.write_text(file.read_text(encoding="utf-8").replace("DROP TABLE exercises; ", ""), encoding="utf-8")
    contract = later.add("contract", f"DROP TABLE {TABLE}")
    later.known()
    story.steps.done("looked through")
    return expand, contract


def waits(story: Story, expand: str, contract: str) -> None:
    done = story.run("deploy staging --yes")
    assert f"the SQL of {expand}, {contract} was looked through" in done.err
    assert f"schema revision {expand} applied" in done.err
    told = f"schema revision {contract} waits: release 1 serves or may be returned to, and does not know it"
    assert told in done.err
    last = story.last("staging")
    assert (last["schema_after"], last["accepts"], last["waiting"]) == (expand, contract, [contract])
    assert story.run("status staging --json").document["waiting"] == {contract: [1]}
    assert f"schema revision {contract}, while release 1" in story.run("status staging").out
    story.app(SECOND)
    story.run("deploy staging --yes")
    assert story.last("staging")["waiting"] == [contract]
    assert table(story) == TABLE
    story.steps.done("waits")


def applied(story: Story, contract: str) -> None:
    story.app(SECOND + THIRD)
    done = story.run("deploy staging --yes")
    assert f"schema revision {contract} applied" in done.err
    assert done.err.index(f"revision {contract} applied") < done.err.index("deploy staging: version")
    last = story.last("staging")
    assert (last["number"], last["schema_after"], last["waiting"]) == (4, contract, [])
    assert table(story) is None
    assert story.run("status staging --json").document["waiting"] == {}
    story.steps.done("applied")


def gone_is_refused(story: Story, contract: str) -> None:
    serving = story.serving("staging")
    refused = story.run("rollback staging 1 --yes", code=4)
    assert f"release 1 knows the schema up to 0005, and {contract} has taken away what it may" in refused.err
    assert "of these the code knows it: 3, 2" in refused.err
    assert story.serving("staging") == serving
    assert len(story.releases("staging")["releases"]) == 4
    story.steps.done("refused")


def known_is_returned_to(story: Story) -> None:
    story.run("rollback staging --yes")
    last = story.last("staging")
    assert (last["source"]["number"], last["outcome"]) == (3, "succeeded")
    assert table(story) is None  # nothing goes downwards
    story.steps.done("rollback")


def table(story: Story) -> Any:
    env = story.environment("staging")
    with psycopg.connect(owner(env, env.outputs["app"]["DatabaseIdentifier"])) as connection:
        row = connection.execute("SELECT to_regclass(%s)::text", [TABLE]).fetchone()
    return row and row[0]
