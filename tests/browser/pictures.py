"""Draw the README's pictures of the page from the real app: ``python -m tests.browser.pictures [FOLDER]``."""

from __future__ import annotations

import sys
import tempfile
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from gymops.clock import SystemClock
from tests.browser import chromium
from tests.browser.api import Api
from tests.browser.server import serving

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

DOCS = Path(__file__).parents[2] / "docs"

PLANS: dict[str, tuple[tuple[str, float, int], ...]] = {
    "Push day": (("bench-press", 70, 8), ("overhead-press", 42.5, 8), ("dips", 0, 12)),
    "Pull day": (("deadlift", 110, 5), ("barbell-row", 60, 8), ("pull-up", 0, 9)),
    "Leg day": (("squat", 90, 6), ("romanian-deadlift", 80, 8), ("leg-press", 140, 10)),
}


class Diary(SystemClock):
    """A clock that is set by hand to a day and an hour."""

    def __init__(self) -> None:
        self.moment = datetime.now(UTC)

    def now(self) -> datetime:
        return self.moment


def weeks(api: Api, diary: Diary, count: int = 8) -> None:
    """Three workouts a week, a little heavier each time; each plan kept as a template."""
    now = diary.moment
    for number, name in enumerate(list(PLANS) * count):
        week, day = divmod(number, len(PLANS))
        diary.moment = now - timedelta(weeks=count - week, days=-2 * day, hours=3)
        workout = api.start(name)
        for one in _sets(name, heavier=2.5 * week):
            diary.moment += timedelta(minutes=4)
            api.log(workout, *one)
        diary.moment += timedelta(minutes=5)
        api.event("WorkoutCompleted", workout_id=workout, notes=None)
    for name, plan in PLANS.items():
        _template(api, name, plan, heavier=2.5 * count)
    diary.moment = now


def _sets(name: str, heavier: float) -> Iterator[tuple[str, float, int]]:
    for exercise, weight, reps in PLANS[name]:
        for tired in (0, 0, 1):
            yield exercise, weight + heavier if weight else 0, reps - tired


def _template(api: Api, name: str, plan: tuple[tuple[str, float, int], ...], heavier: float) -> None:
    api.event(
        "TemplateCreated",
        template_id=str(uuid.uuid4()),
        name=name,
        exercise_ids=[exercise for exercise, _, _ in plan],
        exercises=[
            {
                "exercise_id": exercise,
                "target_sets": 3,
                "target_reps": reps,
                "target_weight": weight + heavier if weight else None,
            }
            for exercise, weight, reps in plan
        ],
    )


def a_record_falls(page: Page) -> None:
    page.get_by_role("button", name="Push day").click()
    page.get_by_text("Record", exact=True).wait_for()
    page.get_by_label("Say what you did").fill("bench press 90 kg for 8")
    page.get_by_label("Say what you did").press("Enter")
    page.get_by_text("New record!").wait_for()
    page.get_by_label("Say what you did").blur()
    page.wait_for_timeout(1000)


def take(browser: Browser, url: str, folder: Path) -> None:
    with chromium.visit(browser, url, color_scheme="dark", device_scale_factor=2) as page:
        a_record_falls(page)
        page.screenshot(path=folder / "tracker-phone.png")
    with chromium.visit(browser, url, viewport={"width": 1120, "height": 760}) as page:
        page.get_by_text("Record", exact=True).wait_for()
        page.wait_for_load_state("networkidle")
        page.screenshot(path=folder / "tracker-desktop.png")


def audited(browser: Browser, folder: Path) -> None:
    """The audit's page, of a year in which some backups were not as they should be."""
    from gymops.backup.page import page
    from tests.unit.backup.test_page import audited, hurt

    with tempfile.TemporaryDirectory() as place:
        file = Path(place, "audit.html")
        file.write_text(page(audited(hurt())), encoding="utf-8")
        context = browser.new_context(viewport={"width": 960, "height": 1240}, color_scheme="light")
        opened = context.new_page()
        opened.goto(file.as_uri())
        opened.screenshot(path=folder / "audit.png")
        context.close()


def main(folder: Path) -> None:
    diary = Diary()
    path = chromium.executable()
    if path is None:
        sys.exit("no Chromium is installed")
    with (
        tempfile.TemporaryDirectory() as data,
        serving(Path(data), clock=diary) as url,
        chromium.launched(path) as browser,
    ):
        audited(browser, folder)
        weeks(Api(url), diary)
        take(browser, url, folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else DOCS)
