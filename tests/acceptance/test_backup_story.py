"""Backups as a user needs them: prod is used, tiers are taken, a table is damaged, and it is all put back.

What was sealed is proved before and after; the environment points at the restored database by a recorded
release; and the history page shows what it showed the second before.
"""

from __future__ import annotations

import os
import re
import signal
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
import pytest

from tests.acceptance.test_release_story import Story, stored, story, use
from tests.browser import chromium
from tests.integration.stacks.environment import Environment
from tests.integration.stacks.signed import Signed
from tests.integration.stacks.using import caller, log_a_set, owner, sign_in
from tests.local_aws import until

__all__ = ["story"]

TIERS = ("daily", "weekly", "monthly", "continuous")
RESTORED = "prod-as-it-was"
SETS = 6


@pytest.mark.long
@pytest.mark.longest
@pytest.mark.shows("titan-trakr", "backup", "restore-test", "audit")
def test_a_damaged_table_is_put_back_as_it_was_the_second_before(story: Story, tmp_path: Path) -> None:
    """The seconds of each part are printed."""
    story.run("init --architecture titan-trakr")
    story.run("local up --port 0 --archive-every 0")
    story.run("deploy prod --yes --break-glass", "nothing else is tested here")
    story.steps.done("release")
    env = story.environment("prod")
    somebody = caller(env)
    sign_in(env, somebody)
    sets = [log_a_set(somebody) for _ in range(SETS)]
    with use(story) as used:
        points = tiers_are_taken(story)
        never_tested(story)
        damaged = damage(env, somebody, sets[0])
        told = used.end()
    assert told["failed"] == []
    story.steps.done("damage")
    before_and_after_are_told_apart(story, points, tmp_path)
    put_back(story, damaged)
    it_shows_what_it_showed(story, damaged)
    audited_after(story, tmp_path)
    if pictures := os.environ.get("GYMOPS_PICTURES"):
        draw(tmp_path, Path(pictures))
    print(story.steps, f"{told['asked']} requests", sep="; ")


def tiers_are_taken(story: Story) -> dict[str, str]:
    """Each tier's recovery point, by its name."""
    points = {}
    for tier in TIERS:
        taken = story.run(f"backup prod --tier {tier} --json").document
        assert taken["seal"]["events"] >= SETS * 4
        if tier != "continuous":
            points[tier] = taken["recovery_point"]["id"]
    assert not (story.folder / ".gymops" / "keys").exists()  # the key of the vault wraps them
    assert story.run("restore-test prod --pending --json").document == {"judged": []}
    story.steps.done("tiers")
    return points


def never_tested(story: Story) -> None:
    found = story.run("audit prod --json", code=3).document
    assert {(one["kind"], one["tier"]) for one in found["findings"]} == {
        ("never-tested", tier) for tier in TIERS
    }


class Damage(NamedTuple):
    """What was there, and what was done to it."""

    at: datetime
    """A whole second: what is expected was committed by then, and the damage came when it was over."""
    history: Any
    events: set[str]
    """Those that were there by then."""
    later: set[str]
    """And those that came until the damage."""


def damage(env: Environment, somebody: Signed, event: str) -> Damage:
    """One event is changed and two are deleted, past the trigger that forbids it, and what they had folded
    to is gone as well.
    """
    with psycopg.connect(owner(env, env.outputs["app"]["DatabaseIdentifier"]), autocommit=True) as there:
        history, events = shown(somebody), ids(there)
        at = whole_second(there)
        with there.transaction():
            there.execute("alter table events disable trigger user")
            later = ids(there)
            there.execute(
                "update events set payload = payload || '{\"weight\": 6.25}' where event_id = %s", [event]
            )
            there.execute("delete from events where position in (7, 8)")
            there.execute("alter table events enable trigger user")
            there.execute("delete from projections where key like 'workout:%'")
        assert shown(somebody) != history
    return Damage(at, history, events, later)


def ids(there: psycopg.Connection[Any]) -> set[str]:
    return {str(row[0]) for row in there.execute("select event_id from events")}


def whole_second(there: psycopg.Connection[Any]) -> datetime:
    """The beginning of a second of the server's, once it is over."""
    row = there.execute("select date_trunc('second', clock_timestamp()) + interval '1 second'").fetchone()
    assert row
    at: datetime = row[0].astimezone(UTC)

    def over() -> bool:
        now = there.execute("select clock_timestamp() > %s + interval '1 second'", [at]).fetchone()
        return bool(now and now[0])

    until(over)
    return at


def shown(somebody: Signed) -> Any:
    answer = somebody.get("/api/history")
    assert answer.status == 200, answer.body
    return answer.body


def before_and_after_are_told_apart(story: Story, points: dict[str, str], folder: Path) -> None:
    """What was taken before passes; the latest time, which holds the damage, fails, and it is said where."""
    for tier, point in points.items():
        app = "--with-app" if tier == "daily" else ""
        passed = story.run(f"restore-test prod --tier {tier} {app} --json").document
        assert (passed["result"], passed["recovery_point"]) == ("passed", point)
        assert passed["events"]["restored"] >= passed["events"]["expected"] >= SETS * 4
        assert passed["target"]["met"] is True
        assert bool(app) is (passed["app"] or "").startswith("healthy; the history of default lists ")
    drill = story.run("restore-test prod --tier weekly --drill --json").document
    assert drill["result"] == "failed"
    assert drill["drill"].startswith("changed-row: user 'default', position ")
    assert drill["message"].startswith("user 'default', chunk 1: something changed from position 1 (event ")
    failed = story.run("restore-test prod --json", code=1).document
    assert failed["result"] == "failed"
    assert re.search(r"user 'default', chunk 1: .* position \d+ \(event [0-9a-f-]{36}\)", failed["message"])
    found = story.run("audit prod --json --html", str(folder / "before.html"), code=3).document
    assert {(one["kind"], one["tier"]) for one in found["findings"]} == {("test-failed", "continuous")}
    # Who backs it up now is told as well, with the way back; and so is who audits it.
    told = story.run("backup prod --tier continuous --json", code=1).document["damaged"]
    assert "'default' has no event 7, which was sealed" in told["message"]
    assert told["hint"].startswith("gymops restore prod --at ")
    worst = story.run("audit prod --json", code=3).document["findings"][0]
    assert (worst["kind"], worst["next"]) == ("log-damaged", told["hint"])
    story.steps.done("restore-tests")


def put_back(story: Story, damaged: Damage) -> None:
    """Killed when the two have changed names, and gone on with by the same command."""
    before = instances(story)
    restore = f"restore prod --at {damaged.at:%Y-%m-%dT%H:%M:%SZ} --to {RESTORED} --switch"
    planned = story.run(f"{restore} --plan")
    assert "the one before is kept" in planned.err
    assert instances(story) == before
    assert story.cut(f"{restore} --yes", "stack", signal.SIGKILL).code == -signal.SIGKILL
    assert "is unfinished" in story.run("deploy prod --yes --break-glass", "meanwhile", code=4).err
    release = story.run(f"{restore} --yes --json").document["release"]
    assert (release["number"], release["verb"], release["outcome"]) == (2, "restore", "succeeded")
    assert release["artefact"] == story.releases("prod")["releases"][0]["artefact"]
    told = release["restore"]
    assert told["events"] >= told["proved"] > 0
    there = instances(story)
    assert there[told["name"]][0] == told["new"] != told["old"]
    assert there[told["kept"]] == (told["old"], True)
    assert set(there) == {told["name"], told["kept"]}
    story.steps.done("restore")


def instances(story: Story) -> dict[str, tuple[str, bool]]:
    """Name -> resource id, and whether it is protected."""
    found = story.environment("prod").client("rds").describe_db_instances()["DBInstances"]
    return {one["DBInstanceIdentifier"]: (one["DbiResourceId"], one["DeletionProtection"]) for one in found}


def it_shows_what_it_showed(story: Story, damaged: Damage) -> None:
    """Through the app, and in the database that the environment is on now."""
    env = story.environment("prod")
    somebody = caller(env)
    sign_in(env, somebody)
    assert shown(somebody) == damaged.history
    found = set(stored(story))
    assert damaged.events <= found <= damaged.later
    current = somebody.get("/api/projections/current_workout").body
    begun = (current.get("data") or {}).get("id") if isinstance(current, dict) else None
    if begun:  # by who used it, the second before
        ended = {"event_type": "WorkoutDiscarded", "payload": {"workout_id": begun}}
        assert somebody.post("/api/events", ended).status == 201
    log_a_set(somebody)
    assert len(stored(story)) == len(found) + 4 + bool(begun)
    assert story.serving("prod") == story.last("prod")["version"]
    story.run("drift prod")


def audited_after(story: Story, folder: Path) -> None:
    """What is taken from now on is proved as well, and then there is nothing left to find."""
    for tier in TIERS:
        story.run(f"backup prod --tier {tier}")
    tested = story.run("restore-test prod --all --json").document
    assert tested["result"] == "passed"
    assert {one["tier"] for one in tested["tests"]} == {None, "daily", "weekly", "monthly"}
    found = story.run("audit prod --json --html", str(folder / "after.html")).document
    assert found["findings"] == []
    assert found["ok"] is True
    story.steps.done("audit")


def draw(pages: Path, folder: Path) -> None:
    """The README's pictures of the audit: ``GYMOPS_PICTURES=docs pytest -m long THIS``."""
    path = chromium.executable()
    assert path
    with chromium.launched(path) as browser:
        for name in "before", "after":
            page = browser.new_context(viewport={"width": 860, "height": 900}).new_page()
            page.goto((pages / f"{name}.html").as_uri())
            page.screenshot(path=folder / f"audit-{name}.png")
