"""What an index and JSONB hold, without a database."""

from __future__ import annotations

import pytest

from gymops.eventlog import limits


def test_a_list_of_more_elements_than_jsonb_builds() -> None:
    with pytest.raises(ValueError, match="payload: more than JSONB holds: 27,000,003 characters"):
        limits.check("SetLogged", "[" + "1, " * 9_000_000 + "1]")
    limits.check("SetLogged", "[" + "1, " * 6_000_000 + "1]")


@pytest.mark.parametrize("letter", ["x", "é", "🏋"])
def test_the_size_of_a_text_is_that_of_its_bytes(letter: str) -> None:
    size = len(letter.encode())
    most = limits.INDEXED_BYTES // size
    for length, fits in ((most, True), (most + 1, False)):
        for event_type, payload in (
            (letter * length, "{}"),
            ("t", f'{{"workout_id": "{letter * length}"}}'),
        ):
            assert limits.unusual([event_type], [payload]) or fits
            if fits:
                limits.check(event_type, payload)
            else:
                with pytest.raises(ValueError, match="more than the 2,600 an index holds"):
                    limits.check(event_type, payload)


def test_only_the_outermost_workout_is_in_the_index() -> None:
    long = "x" * 3000
    limits.check("t", f'{{"a": {{"workout_id": "{long}"}}, "workout_id": "w"}}')
    limits.check("t", f'["workout_id", "{long}"]')
    limits.check("t", f'{{"note": "{long}", "workout_id": null}}')
    with pytest.raises(ValueError, match="workout_id: 3,"):
        limits.check("t", f'{{"a": {{"workout_id": "w"}}, "workout_id": {{"b": "{long}"}}}}')


def test_a_key_and_its_user_share_an_index() -> None:
    limits.check_key("u" * 100, "k" * 2500)
    with pytest.raises(ValueError, match="key: 2,601 bytes"):
        limits.check_key("u" * 101, "k" * 2500)
