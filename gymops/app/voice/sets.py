"""From what was said of a set to the set: the exercise, the last set and plain sense decide the rest.

Whatever they leave open is asked, with sentences to choose from. "really" before a sentence answers
"that is a lot": it lifts the limits of plain sense, never those of the log.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from gymops.app.events import MAX_REPS, MAX_SECONDS, MAX_WEIGHT
from gymops.app.library import Exercise
from gymops.app.voice import wording
from gymops.app.voice.context import Context, LoggedSet, Unit
from gymops.app.voice.measures import Measure, Weight
from gymops.app.voice.outcome import Clarify, Emit, Event, Outcome

POUNDS = 2.20462262
BAR: dict[Unit, tuple[float, float]] = {"kg": (20.0, 20.0), "lb": (45.0, 45.0)}
"""Bar and plate. "Two plates" is two on each side: 100 kg, or 225 lb."""

HEAVY: dict[Unit, float] = {"kg": 500.0, "lb": 1100.0}
MANY_REPS = 100
LONG_SECONDS = 3600
SURELY_SECONDS = range(15, 301)
"""A number alone is seconds of a timed exercise only in this range: "plank 2" may be minutes."""

_EITHER_WAY = 30
"""Above so many reps with at most so much weight, "80 at 10" may be meant the other way round."""

_SETS_OF = 10
"""Up to here, "3 x 10" may be three sets of ten."""


@dataclass(frozen=True)
class Lift:
    """A set as it will be logged."""

    exercise: Exercise
    weight: float
    unit: Unit
    reps: int | None = None
    seconds: int | None = None

    @property
    def phrase(self) -> str:
        """Without the exercise, as a sentence of its own."""
        return wording.measure(self.exercise, self.weight, self.unit, reps=self.reps, seconds=self.seconds)

    @property
    def sentence(self) -> str:
        """With the exercise, to be chosen."""
        return f"{wording.name(self.exercise)} {self.phrase}"

    @property
    def said(self) -> str:
        """The confirmation."""
        return f"{wording.title(self.exercise)}, {self.phrase}."


def log(lift: Lift, context: Context) -> Emit:
    """Log a set; without a workout, begin one, and let the exercise be part of it."""
    workout_id = context.workout_id
    events: list[Event] = []
    if workout_id is None:
        workout_id = context.new_id()
        events.append(("WorkoutStarted", {"workout_id": workout_id}))
    if lift.exercise.id not in context.exercise_ids:
        events.append(("ExerciseAdded", {"workout_id": workout_id, "exercise_id": lift.exercise.id}))
    payload = {
        "workout_id": workout_id,
        "exercise_id": lift.exercise.id,
        "weight": lift.weight,
        "reps": lift.reps,
        "unit": lift.unit,
    }
    if lift.seconds is not None:
        payload["duration_seconds"] = lift.seconds
    started = "Workout started. " if context.workout_id is None else ""
    return Emit((*events, ("SetLogged", payload)), started + lift.said)


def resolve(measure: Measure, exercise: Exercise, context: Context, *, really: bool) -> Lift | Clarify:
    """The set one reading of a sentence means for this exercise, or what to ask."""
    last = context.last_set(exercise)
    unit = (measure.weight and measure.weight.unit) or (last.unit if last else context.default_unit)
    measure = _number(measure, exercise)
    if measure.several:
        return _several(measure, exercise, last, unit)
    if measure.number is not None:
        return _lone_number(measure.number, exercise, last, unit)
    if measure.seconds is not None:
        return _timed(measure, exercise, last, unit, really)
    if exercise.timed and not really:
        return _counted_in_seconds(measure, exercise, unit)
    return _counted(measure, exercise, last, unit, really)


def _number(measure: Measure, exercise: Exercise) -> Measure:
    """A number alone is what the exercise is counted in, where only one thing can be meant."""
    if exercise.timed and not measure.marked and measure.weight is None and isinstance(measure.reps, float):
        measure = replace(measure, number=measure.reps, reps=None)
    number = measure.number
    if number is None:
        return measure
    if exercise.timed:
        return replace(measure, number=None, seconds=number) if number in SURELY_SECONDS else measure
    return replace(measure, number=None, reps=number) if exercise.bodyweight else measure


def _several(measure: Measure, exercise: Exercise, last: LoggedSet | None, unit: Unit) -> Clarify:
    question = "I log one set at a time. Log one?"
    if not measure.weight or measure.weight.kind != "bare" or not isinstance(measure.reps, float):
        return Clarify(question, _a_set(exercise, last, unit))
    unit = measure.weight.unit or unit
    return Clarify(question, _ways(exercise, unit, [(measure.weight.value, measure.reps)]))


def _lone_number(number: float, exercise: Exercise, last: LoggedSet | None, unit: Unit) -> Clarify:
    if exercise.timed:
        shown = wording.plain(number)
        ways = [f"{shown} seconds"] + [f"{shown} minutes"] * (number <= LONG_SECONDS / 60)
        name = wording.name(exercise)
        return Clarify(f"{shown} what?", tuple(f"{name} {way}" for way in ways))
    return _which_reps(number, exercise, last, unit)


def _which_reps(value: float, exercise: Exercise, last: LoggedSet | None, unit: Unit) -> Clarify:
    shown = wording.weight(value, unit) if value else "Bodyweight"
    guesses = [last.reps] if last and last.reps else []
    guesses += [reps for reps in (5, 8, 10) if reps not in guesses]
    ways = [(value, float(reps)) for reps in guesses[:3]]
    return Clarify(f"{shown}: how many reps?", _ways(exercise, unit, ways))


def _timed(
    measure: Measure, exercise: Exercise, last: LoggedSet | None, unit: Unit, really: bool
) -> Lift | Clarify:
    seconds = measure.seconds or 0.0
    load = _load(measure, exercise, last, unit, really)
    if isinstance(load, Clarify):
        return load
    if seconds != int(seconds) or not 1 <= seconds <= MAX_SECONDS:
        return Clarify("How many seconds was that?", (f"{wording.name(exercise)} 60 seconds",))
    return sensible(Lift(exercise, *load, seconds=int(seconds)), really=really)


def _counted_in_seconds(measure: Measure, exercise: Exercise, unit: Unit) -> Clarify:
    title, name = wording.title(exercise), wording.name(exercise)
    reps = measure.reps if isinstance(measure.reps, float) else 0.0
    seconds = int(reps) if reps in SURELY_SECONDS else 60
    value = measure.weight.value if measure.weight and measure.weight.kind == "bare" else 0.0
    ways = [Lift(exercise, value, unit, seconds=seconds).sentence] if 0 <= value <= HEAVY[unit] else []
    return Clarify(f"{title} is counted in seconds. For how long?", tuple(ways) or (f"{name} 60 seconds",))


def _counted(
    measure: Measure, exercise: Exercise, last: LoggedSet | None, unit: Unit, really: bool
) -> Lift | Clarify:
    if measure.weight is None and (not exercise.bodyweight or (last and last.weight)):
        return _which_weight(measure, exercise, last, unit)
    load = _load(measure, exercise, last, unit, really)
    if isinstance(load, Clarify):
        return load
    value, unit = load
    reps = last.reps if measure.reps == "same" and last else measure.reps
    if reps is None or reps == "same":
        return _which_reps(value, exercise, last, unit)
    if not really and _two_ways(measure, value, reps):
        ways = [(reps, value), (value, reps)]
        return Clarify("Which of the two is the weight?", _ways(exercise, unit, ways))
    if not really and measure.crossed and not measure.marked and value <= _SETS_OF:
        question = (
            f"{wording.plain(value)} by {wording.plain(reps)}: sets, or a weight? I log one set at a time."
        )
        return Clarify(question, _ways(exercise, unit, [(value, reps)]))
    if reps != int(reps) or not 1 <= reps <= MAX_REPS:
        return replace(_which_reps(value, exercise, last, unit), question="How many reps was that?")
    return sensible(Lift(exercise, value, unit, reps=int(reps)), really=really)


def sensible(lift: Lift, *, really: bool) -> Lift | Clarify:
    """The set, unless it is so far from common that it was more likely misheard."""
    if lift.weight > MAX_WEIGHT:
        return Clarify("That is too heavy to be right. What was the weight?")
    doubt = ""
    if lift.weight > HEAVY[lift.unit]:
        doubt = f"{wording.weight(lift.weight, lift.unit)} is a lot."
    elif lift.reps and lift.reps > MANY_REPS:
        doubt = f"{lift.reps} reps is a lot."
    elif lift.seconds and not lift.exercise.timed:
        doubt = f"{wording.title(lift.exercise)} is counted in reps, and that was a time."
    elif lift.seconds and lift.seconds > LONG_SECONDS:
        doubt = f"{wording.duration(lift.seconds)} is long."
    return Clarify(f"{doubt} Is it right?", (f"really {lift.sentence}",)) if doubt and not really else lift


def _two_ways(measure: Measure, value: float, reps: float) -> bool:
    """Whether two numbers without a word of what they count make as much sense swapped."""
    if measure.marked or not measure.weight or measure.weight.kind != "bare":
        return False
    return reps > _EITHER_WAY >= value > 0 and value == int(value)


def _which_weight(measure: Measure, exercise: Exercise, last: LoggedSet | None, unit: Unit) -> Clarify:
    reps = measure.reps if isinstance(measure.reps, float) and 1 <= measure.reps <= MANY_REPS else None
    if reps is None:
        return Clarify("What was the set?", _a_set(exercise, last, unit))
    weights = [last.weight] if last and last.weight else []
    if exercise.bodyweight:
        weights.append(0.0)
    elif not weights:
        weights = [BAR[unit][0], BAR[unit][0] * 2, BAR[unit][0] * 3]
    return Clarify(
        f"{wording.plain(reps)} reps at what weight?", _ways(exercise, unit, [(w, reps) for w in weights])
    )


def _load(
    measure: Measure, exercise: Exercise, last: LoggedSet | None, unit: Unit, really: bool
) -> tuple[float, Unit] | Clarify:
    """The weight in figures."""
    said = measure.weight or Weight("bodyweight")
    reps = measure.reps if isinstance(measure.reps, float) else float((last and last.reps) or 10)
    if said.kind == "plates":
        return _plates(said, exercise, unit, reps)
    if said.kind in {"same", "more", "less"}:
        return _relative(said, exercise, last, unit, reps, really)
    if said.kind == "bare" and not said.value and not exercise.bodyweight:
        return Clarify("Without any weight?", _ways(exercise, unit, [(0.0, reps)]))
    return round(said.value, 3), unit


def _plates(said: Weight, exercise: Exercise, unit: Unit, reps: float) -> tuple[float, Unit] | Clarify:
    bar, plate = BAR[unit]
    value = bar + 2 * plate * said.value
    if said.value not in range(11):
        return Clarify("What did it weigh in all?")
    if exercise.barbell:
        return value, unit
    question = f"On a bar that is {wording.weight(value, unit)}. What was it here?"
    return Clarify(question, _ways(exercise, unit, [(value, reps)]))


def _relative(
    said: Weight, exercise: Exercise, last: LoggedSet | None, unit: Unit, reps: float, really: bool
) -> tuple[float, Unit] | Clarify:
    """A weight told by the last set's: the same, so much more, so much less."""
    if said.kind == "more" and exercise.bodyweight and not (last and last.weight):
        return said.value, unit
    if last is None:
        question = f"There is no set of {wording.name(exercise)} yet to go by. What was the weight?"
        return Clarify(question, _a_set(exercise, None, unit))
    if said.kind == "same":
        return last.weight, last.unit
    change = said.value if said.kind == "more" else -said.value
    value = round(last.weight + change, 3)
    if unit != last.unit:
        question = f"The last set was in {wording.UNITS[last.unit]}. What was the weight?"
        return Clarify(question, _ways(exercise, last.unit, [(last.weight, reps)]))
    if exercise.bodyweight and said.kind == "more":
        return Clarify(
            "More than the last set, or in all?", _ways(exercise, unit, [(value, reps), (said.value, reps)])
        )
    if value < 0 or (not really and abs(change) > last.weight / 2):
        ways = [(weight, reps) for weight in (value, said.value) if weight > 0]
        return Clarify("That is a big step. What was the weight?", _ways(exercise, unit, ways))
    return value, unit


def _ways(exercise: Exercise, unit: Unit, ways: list[tuple[float, float]]) -> tuple[str, ...]:
    """Choices: this exercise with each weight and reps that can be logged at once."""
    return tuple(
        Lift(exercise, weight, unit, reps=int(reps)).sentence
        for weight, reps in dict.fromkeys(ways)
        if 0 <= weight <= HEAVY[unit] and reps == int(reps) and 1 <= reps <= MANY_REPS
    )


def examples(exercise: Exercise, context: Context) -> tuple[str, ...]:
    """A whole set of this exercise: its last one, or any."""
    last = context.last_set(exercise)
    return _a_set(exercise, last, last.unit if last else context.default_unit)


def _a_set(exercise: Exercise, last: LoggedSet | None, unit: Unit) -> tuple[str, ...]:
    """Sentences that name a whole set, when nothing of what was said can be kept."""
    if last:
        lift = Lift(exercise, last.weight, last.unit, last.reps, last.seconds)
    elif exercise.timed:
        lift = Lift(exercise, 0.0, unit, seconds=60)
    else:
        lift = Lift(exercise, 0.0 if exercise.bodyweight else BAR[unit][0] * 3, unit, reps=10)
    return (lift.sentence,)


def either(readings: list[Lift | Clarify]) -> Outcome | Lift:
    """One set if all readings agree, else the question which one was meant."""
    lifts = list(dict.fromkeys(one for one in readings if isinstance(one, Lift)))
    if len(lifts) > 1:
        common = [one for one in lifts if (one.reps or 0) <= _EITHER_WAY]
        choices = common if len(common) > 1 else lifts
        question = "I heard that in more than one way. Which one?"
        return Clarify(question, tuple(one.sentence for one in choices[:3]))
    asks = [one for one in readings if isinstance(one, Clarify)]
    return lifts[0] if lifts and not asks else asks[0] if asks else lifts[0]
