"""Taking up an exercise: "add deadlift", "next exercise squat", or its name alone."""

from __future__ import annotations

from gymops.app.library import Exercise
from gymops.app.voice import wording
from gymops.app.voice.context import Context
from gymops.app.voice.measures import NAME, is_known
from gymops.app.voice.names import Names
from gymops.app.voice.outcome import Clarify, Emit, Event, Missed, Outcome
from gymops.app.voice.phrases import phrases, prefix
from gymops.app.voice.sets import examples
from gymops.app.voice.workouts import to_do

_SOME = r"(?: (?:some|a|an|the|with|is|to|my|now))*"
_VERB = phrases(
    rf"(?:add|include|put in){_SOME}",
    rf"(?:up )?next(?: exercise| one)?(?: is| will be| up)?{_SOME}",
    rf"(?:new )?exercise{_SOME}",
    rf"now(?: for| it's)?{_SOME}",
    rf"(?:switch|switching|change|changing|move|moving|go|going|on)(?: exercise)?(?: over| on)? to{_SOME}",
    rf"(?:let's|lets)(?: (?:do|go|hit|start|add))?{_SOME}",
    rf"(?:start|starting|begin|doing|do|then|time for|set up|i'm (?:doing|on)){_SOME}",
)
_TAIL = phrases(r"(?:exercise|next|now|too|as well|to (?:the|my) workout)*")
_NO_NAME = phrases(
    r"add(?: an?)?(?: new| another)?(?: exercise)?",
    r"next(?: exercise| one| up)?",
    r"(?:switch|change)(?: the)? exercise",
)
_LONGEST = 4


def add_exercise(line: str, named: tuple[Exercise, ...], names: Names, context: Context) -> Outcome | None:
    """``line`` has a mark where a name stood; ``named`` is what it may mean. None: no such sentence.

    A name that is only close is asked for unless a verb says that a name was meant.
    """
    if _NO_NAME.fullmatch(line):
        return Clarify("Which exercise?", to_do(context))
    verb = prefix(_VERB, line)
    rest = line.split()[verb:]
    if rest[:1] == [NAME] and _TAIL.fullmatch(" ".join(rest[1:])):
        return _which(named) if len(named) > 1 else added(named[0], context, asked=bool(verb))
    if not rest or NAME in rest or len(rest) > _LONGEST or all(map(is_known, rest)):
        return None
    guess = names.guess(rest)
    if verb and guess.sure:
        return added(guess.exercises[0], context, asked=True)
    return _which(guess.exercises) if guess.exercises else Missed() if verb else None


def _which(exercises: tuple[Exercise, ...]) -> Clarify:
    return Clarify("Which exercise?", tuple(f"add {wording.name(one)}" for one in exercises[:4]))


def added(exercise: Exercise, context: Context, *, asked: bool) -> Outcome:
    title = wording.title(exercise)
    if context.workout and context.workout["focus_exercise"] == exercise.id:
        return Clarify(f"{title} is what you are at. Say a set of it.", examples(exercise, context))
    if context.workout is None and not asked:
        return Clarify(f"Start a workout with {wording.name(exercise)}?", (f"add {wording.name(exercise)}",))
    workout_id = context.workout_id or context.new_id()
    events: list[Event] = [] if context.workout else [("WorkoutStarted", {"workout_id": workout_id})]
    events.append(("ExerciseAdded", {"workout_id": workout_id, "exercise_id": exercise.id}))
    if exercise.id in context.exercise_ids:
        return Emit(tuple(events), f"{title} is next.")  # added again, the focus moves to it
    return Emit(tuple(events), f"{'' if context.workout else 'Workout started. '}{title} added.")
