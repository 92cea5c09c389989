"""The audit's page: whole, alone, and with nothing in it that somebody else wrote as HTML."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser

import pytest

from gymops.backup.audit import Audit, audit
from gymops.backup.evidence import Evidence, Expected, Result, Stopped, Trial
from gymops.backup.findings import Finding, Kind
from gymops.backup.page import grouped, page
from gymops.backup.port import Listing
from tests.unit.backup.test_audit import _copy, _failed, _late, _missing
from tests.unit.backup.years import DAY, EXPECTED, NOW, Year, year

VOID = {"meta"}


class Reader(HTMLParser):
    """Tells what is opened and never closed, and what points elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elsewhere: list[str] = []
        self.words = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elsewhere += [value or "" for name, value in attrs if name in {"src", "href", "xlink:href"}]
        if tag == "script":
            self.elsewhere.append(tag)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """It closes itself."""

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data


def read(found: Audit) -> Reader:
    reader = Reader()
    reader.feed(page(found))
    assert reader.open == []
    return reader


def hurt(seed: int = 3) -> Year:
    """A year with some of everything, as the pictures show it."""
    row = year(seed)
    daily = [job for job in row.jobs if job.tier == "daily"]
    _missing(row, daily[-9])
    _late(row, daily[-14])
    for job in daily[-6:-4]:
        _failed(row, job)
    due = _missing(row, daily[-20])[2]
    row.stopped.append(Stopped(due, due + DAY / 48))
    _copy(row, [job for job in row.jobs if job.tier == "monthly"][-3])
    row.jobs = [job for job in row.jobs if job.began > NOW - 30 * DAY]
    row.tests = [
        replace(one, events=128_441, digest="9f2c" * 16, point="daily-20280224T0300") for one in row.tests
    ]
    return row


def audited(row: Year) -> Audit:
    return audit(replace(row.evidence(), jobs_since=NOW - 30 * DAY), EXPECTED, NOW)


def test_it_shows_the_findings_with_their_fix_and_asks_nobody_for_anything() -> None:
    reader = read(audited(hurt()))
    assert reader.elsewhere == []
    for said in (
        "6 findings",
        "2 times",
        "gymops runbook show backup-failure",
        "128,441",
        "9f2c9f2c",
        "us-east-1",
    ):
        assert said in reader.words


def test_where_all_is_well_it_says_so() -> None:
    row = year(1)
    row.jobs = [job for job in row.jobs if job.began > NOW - 30 * DAY]
    reader = read(audited(row))
    assert "every backup is there" in reader.words
    assert "Findings" not in reader.words


def test_before_the_first_backup_there_is_a_page_too() -> None:
    reader = read(audit(Evidence("local", Listing((), ())), Expected(), NOW))
    assert "there is no backup at all" in reader.words
    assert "gymops backup local" in reader.words


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", '"><img src=x>', "a & b"])
def test_what_others_wrote_stays_text(text: str) -> None:
    row = hurt()
    row.tests.append(Trial(NOW, Result.FAILED, "daily", text, message=text))
    row.jobs = [replace(job, message=text) for job in row.jobs]
    assert read(audited(row)).elsewhere == []


def test_findings_that_say_the_same_are_told_once() -> None:
    one = Finding(Kind.MISSING, "daily", NOW, "nothing began", "next")
    rows = list(grouped([one, replace(one, when=NOW - DAY), replace(one, tier="weekly")]))
    assert [len(row) for row in rows] == [2, 1]
