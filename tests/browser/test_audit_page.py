"""The audit's page in the real browser, as a file: on phone and desk, in the light and in the dark."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gymops.backup.page import page
from tests.browser import chromium
from tests.unit.backup.test_page import audited, hurt

if TYPE_CHECKING:
    from playwright.sync_api import Browser

AXE = Path(__file__).parent / "axe.min.js"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [chromium.PHONE, chromium.DESKTOP], ids=["phone", "desk"])
def test_it_fits_asks_for_nothing_and_can_be_read_by_all(
    browser: Browser, tmp_path: Path, scheme: str, size: dict[str, int]
) -> None:
    file = tmp_path / "audit.html"
    file.write_text(page(audited(hurt())), encoding="utf-8")
    # The page allows no script at all; axe is let in past its policy.
    context = browser.new_context(viewport=size, color_scheme=scheme, bypass_csp=True)  # type: ignore[arg-type]
    try:
        opened = context.new_page()
        asked: list[str] = []
        said: list[str] = []
        opened.on("request", lambda request: asked.append(request.url))
        opened.on("console", lambda message: said.append(message.text))
        opened.on("pageerror", lambda error: said.append(str(error)))
        opened.goto(file.as_uri())
        assert asked == [file.as_uri()]
        assert opened.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert opened.locator("svg").count() > 10
        assert opened.get_by_text("gymops runbook show backup-failure").first.is_visible()
        opened.add_script_tag(path=AXE)
        found = opened.evaluate(
            "axe.run().then((found) => found.violations.map((one) => [one.id, one.help]))"
        )
        assert found == []
        assert said == []
    finally:
        context.close()
