"""The library of exercises, and finding one by what a recogniser made of its name."""

from __future__ import annotations

import re

import pytest

from gymops.app.library import Exercise, library
from gymops.app.voice.names import names, stem
from gymops.app.voice.tokens import sentence

SEEDED = {
    "bench-press": "Bench Press",
    "incline-bench-press": "Incline Bench Press",
    "dumbbell-fly": "Dumbbell Fly",
    "deadlift": "Deadlift",
    "barbell-row": "Barbell Row",
    "pull-up": "Pull-up",
    "lat-pulldown": "Lat Pulldown",
    "overhead-press": "Overhead Press",
    "lateral-raise": "Lateral Raise",
    "face-pull": "Face Pull",
    "barbell-curl": "Barbell Curl",
    "tricep-pushdown": "Tricep Pushdown",
    "hammer-curl": "Hammer Curl",
    "squat": "Squat",
    "leg-press": "Leg Press",
    "romanian-deadlift": "Romanian Deadlift",
    "leg-curl": "Leg Curl",
    "leg-extension": "Leg Extension",
    "calf-raise": "Calf Raise",
    "plank": "Plank",
}
SHARED = {"bicepcurl", "bicepscurl", "tricepextension", "tricepsextension"}
"""Names that people give to more than one exercise: they are asked which."""


def test_the_library_has_the_exercises_every_log_knows() -> None:
    known = {one.id: one.name for one in library()}
    assert known.items() >= SEEDED.items()
    assert len(known) == len(library()) >= 80
    assert len(set(known.values())) == len(known)
    assert all(re.fullmatch(r"[a-z0-9][a-z0-9-]{0,63}", one) for one in known)
    assert library() is library()


def test_a_name_belongs_to_one_exercise() -> None:
    index = names(library())
    assert {key for key, found in index.exact.items() if len(found) > 1} == SHARED


def _many(name: str) -> str:
    if name.endswith(("ss", "sh", "ch")):
        return f"{name}es"
    return name if name.endswith("s") or len(sentence(name).texts[-1]) == 1 else f"{name}s"


def test_every_name_is_found_in_every_form() -> None:
    index = names(library())
    for exercise in library():
        for name in (exercise.name, *exercise.aliases):
            for said in (name, _many(name), name.replace(" ", ""), name.upper()):
                words = sentence(said).texts
                (span,) = index.spans(words)
                assert (span.start, span.end) == (0, len(words)), said
                assert exercise in span.exercises, said


def test_the_longest_name_wins() -> None:
    (span,) = names(library()).spans(["incline", "dumbbell", "bench", "press"])
    assert [one.id for one in span.exercises] == ["incline-dumbbell-press"]


@pytest.mark.parametrize(
    ("heard", "exercise"),
    [
        ("bench dress", "bench-press"),
        ("dead left", "deadlift"),
        ("lap pull down", "lat-pulldown"),
        ("hip trust", "hip-thrust"),
        ("skull crashers", "skull-crusher"),
        ("over hat press", "overhead-press"),
        ("bulgarian spit squats", "bulgarian-split-squat"),
        ("tricep push towns", "tricep-pushdown"),
    ],
)
def test_a_name_misheard(heard: str, exercise: str) -> None:
    guess = names(library()).guess(heard.split())
    assert guess.sure
    assert guess.exercises[0].id == exercise


@pytest.mark.parametrize("heard", ["press", "row", "curl", "incline", "squash", "lake press", "leg"])
def test_a_name_that_may_be_several_is_not_sure(heard: str) -> None:
    guess = names(library()).guess(heard.split())
    assert guess.exercises
    assert not guess.sure


def test_a_name_between_two_is_not_sure() -> None:
    index = names((Exercise("cable-row", "Cable Row", "back"), Exercise("table-row", "Table Row", "back")))
    guess = index.guess(["gable", "row"])
    assert (len(guess.exercises), guess.sure) == (2, False)


@pytest.mark.parametrize("heard", ["florble", "hello there", "warm up", "the weather", "easy", ""])
def test_what_is_no_exercise(heard: str) -> None:
    assert names(library()).guess(heard.split()).exercises == ()


def test_two_exercises_of_one_name_are_both_found() -> None:
    mine = Exercise("my-bench", "Bench", "chest")
    (span,) = names((*library(), mine)).spans(["bench"])
    assert {one.id for one in span.exercises} == {"bench-press", "my-bench"}


@pytest.mark.parametrize("forms", ["press presses pressed pressing", "squat squats squatted squatting"])
def test_all_forms_of_a_word_are_one(forms: str) -> None:
    assert len({stem(word) for word in forms.split()}) == 1
