"""The workout as a whole: starting, finishing and discarding it, keeping it as a template."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from gymops.app.library import Exercise
from gymops.app.voice import wording
from gymops.app.voice.context import Context
from gymops.app.voice.measures import NAME
from gymops.app.voice.names import similar, stem
from gymops.app.voice.outcome import Clarify, Emit, Outcome
from gymops.app.voice.phrases import THE, WORKOUT, phrases, prefix
from gymops.app.voice.tokens import Sentence

_LONGEST_NAME = 100
_SAME, _NEAR, _APART = 0.8, 0.6, 0.1

_FINISH = phrases(
    rf"(?:finish|end|complete|stop|wrap up|close)(?: up)?{THE} {WORKOUT}(?: here| now| for today)?",
    rf"{WORKOUT} (?:done|finished|complete|over)",
    r"finish",
    r"(?:(?:i'm|im|i am|we're|we are)(?: all)?|all) (?:done|finished)"
    r"(?: here| now| for (?:today|the day|now)| training| working out)*",
    rf"(?:i'm|im|i am|all) (?:done|finished) with{THE} {WORKOUT}",
    r"(?:that's|thats) (?:it|all)(?: for (?:today|now))?",
    r"(?:let's |lets )?call it a day",
)
_MAYBE_FINISH = phrases(
    r"(?:done|finished|end|stop|complete|over|enough)(?: here| now| with (?:this|that|it))?",
    rf"save(?:{THE} {WORKOUT}| it| this| that)?",
)
_DONE_WITH = phrases(rf"(?:(?:i'm|im|i am|all|we're) )?(?:done|finished) (?:with|on) (?:the )?{NAME}")
_NOTE_WORD = re.compile(r"(?:and |with )?(?:a )?(?:notes?|comment)\b[\s:,]*", re.IGNORECASE)
_NOTE = phrases(
    r"(?:(?:i|it|that) )?(?:felt|feel|feeling|went|was)\b.*",
    r"(?:great|good|tough|hard|easy|tired|strong)\b.*",
)
_DISCARD = phrases(rf"(?:discard|cancel|abandon|scrap|throw away|delete|trash|bin|abort){THE} {WORKOUT}")
_MAYBE_DISCARD = {"cancel", "cancel that", "cancel it", "delete", "delete it all", "start over", "discard"}
_START = phrases(rf"(?:let's |lets )?(?:start|begin|new|open){THE}(?: empty| blank)? {WORKOUT}(?: now)?")
_MAYBE_START = {"start", "begin", "let's go", "lets go"}
_START_NAMED = phrases(r"(?:start|begin)(?: (?:template|from|with))*")
_START_CALLED = phrases(rf"(?:start|begin|new){THE} {WORKOUT} (?:called|named)")
_DAYS = ["day", "push", "pull", "leg", "upper", "lower", "full", "body", "chest", "back", "arm", "shoulder"]
_DAYS += ["core", "cardio", "strength", "hypertrophy", "glute", "abs", "circuit", "workout", "session"]
_DAY_STEMS = {stem(word) for word in _DAYS}
_OF_IT = r"(?: (?:this|that|it|today's|workout|session|training|as|to|from|a|an|the|my|new))*"
_SAVE = phrases(rf"(?:save|store|keep|create|make){_OF_IT} template(?: (?:called|named|as|name))*")
_SAVE_NAME_FIRST = phrases(
    r"(?:save|store|keep)(?: (?:this|that|it|the|my|workout|session))* as"
    r" (?:(?:a|the|my) )?(?P<name>.+) template"
)
_ARTICLE = re.compile(r"^(?:a|an|the|my|our)\s+", re.IGNORECASE)
_AROUND = re.compile(r"^(?:the|my|our)\s+|\s+(?:day|workout|session|template|routine)(?=\s|$)", re.IGNORECASE)
_NO_WORKOUT = Clarify("No workout is running.", ("start workout",))


def finish(said: Sentence, line: str, context: Context, is_command: Callable[[str], bool]) -> Outcome | None:
    """ "finish workout", "I'm done", with notes behind a comma or beginning as notes do.

    ``is_command`` tells what would be understood by itself: "I'm done, next exercise squat" is no note.
    """
    if _DONE_WITH.fullmatch(line):
        return Clarify("Which exercise is next?", (*to_do(context), "finish workout"))
    if _MAYBE_FINISH.fullmatch(line):
        return Clarify("Finish the workout?", ("finish workout",))
    count = prefix(_FINISH, line)
    if not count:
        return None
    if context.workout is None:
        return _NO_WORKOUT
    payload: dict[str, Any] = {"workout_id": context.workout_id}
    tail = said.after(count)
    if tail:
        notes = _NOTE_WORD.sub("", tail, count=1) if _NOTE_WORD.match(tail) else tail
        meant = notes != tail or said.breaks(count) or _NOTE.fullmatch(tail.lower())
        if not notes or not meant or is_command(notes):
            return Clarify("Finish the workout?", ("finish workout", f"finish workout, note: {tail}"))
        payload["notes"] = notes
    sets = sum(1 for _ in context.sets())
    return Emit((("WorkoutCompleted", payload),), f"Workout finished, {sets} set{'s' * (sets != 1)}.")


def to_do(context: Context) -> tuple[str, ...]:
    """The exercises of the workout without a set yet, each as a sentence."""
    done = {one.exercise_id for one in context.sets()}
    to_come = [one for one in context.exercise_ids if one not in done]
    return tuple(f"next exercise {wording.name(context.exercise(one))}" for one in to_come[:3])


def discard(said: Sentence, line: str, context: Context) -> Outcome | None:
    """ "discard workout", with a reason behind a comma. "cancel" alone may mean the last set."""
    if line in _MAYBE_DISCARD:
        return Clarify("Take back the last set, or discard the workout?", ("undo", "discard workout"))
    count = prefix(_DISCARD, line)
    if not count:
        return None
    if context.workout is None:
        return _NO_WORKOUT
    payload: dict[str, Any] = {"workout_id": context.workout_id}
    reason = said.after(count)
    if reason:
        if not said.breaks(count):
            return Clarify("Discard the whole workout?", ("discard workout",))
        payload["reason"] = reason
    return Emit((("WorkoutDiscarded", payload),), "Workout discarded.")


def start(
    said: Sentence, line: str, named: Exercise | None, context: Context, *, certain: bool
) -> Outcome | None:
    """ "start workout", "start push day": from the template of that name, else a workout of that name.

    ``certain``: only what can mean nothing else, so that "start Monday" is a template's name and "start leg
    day tomorrow" is left to the guard.
    """
    if _START.fullmatch(line):
        return _running(context) or _started({}, "Workout started.", context)
    if line in _MAYBE_START and not certain:
        return _running(context) or Clarify("Start a workout?", ("start workout",))
    called = prefix(_START_CALLED, line)
    count = called or prefix(_START_NAMED, line)
    name = said.after(count) if count else ""
    if not name or len(name) > _LONGEST_NAME or (named and line.endswith(NAME) and not called):
        return None
    if called:
        title = wording.first_capital(name)
        return _running(context) or _started({"name": title}, f"{title} started.", context)
    if certain:
        same = any(_alike(name, one["name"]) == 1.0 for one in context.templates)
        return (_running(context) or _from_template(name, context)) if same else None
    return _running(context) or _from_template(name, context) or _by_name(name, context)


def _running(context: Context) -> Clarify | None:
    if context.workout is None:
        return None
    return Clarify("A workout is running. What should become of it?", ("finish workout", "discard workout"))


def _started(fields: Mapping[str, Any], say: str, context: Context) -> Emit:
    return Emit((("WorkoutStarted", {"workout_id": context.new_id(), **fields}),), say)


def _from_template(name: str, context: Context) -> Outcome | None:
    scored = [(_alike(name, one["name"]), one) for one in context.templates]
    near = sorted((pair for pair in scored if pair[0] >= _NEAR), key=lambda pair: -pair[0])
    if not near:
        return None
    best, template = near[0]
    if best < _SAME or any(best - score < _APART for score, _ in near[1:]):
        titles = [one["name"] for _, one in near[:3]]
        distinct = len(set(titles)) == len(titles)
        choices = [f"start template {one}" for one in titles] if distinct else []
        return Clarify("Which template?", (*choices, f"start workout called {name}"))
    planned = template.get("exercises") or ()
    ids = list(template.get("exercise_ids") or [one["exercise_id"] for one in planned])
    fields = {"name": template["name"], "from_template_id": template["id"], "exercise_ids": ids}
    first = f" First, {wording.name(context.exercise(ids[0]))}." if ids else ""
    return _started(fields, f"{template['name']} started.{first}", context)


def _alike(said: str, template: str) -> float:
    """Compared without what all names share: "push" and "pull" are not alike for both being a day."""
    bare, other = _AROUND.sub("", said), _AROUND.sub("", template)
    return max(similar(said, template) if similar(said, template) >= 0.95 else 0.0, similar(bare, other))


def _by_name(name: str, context: Context) -> Outcome:
    """A name that sounds like a workout's is taken; any other is asked about."""
    name = _ARTICLE.sub("", name)
    title = wording.first_capital(name)
    words = re.findall(r"[a-z]+", name.lower())
    if len(words) <= 5 and any(stem(word) in _DAY_STEMS for word in words):
        return _started({"name": title}, f"{title} started.", context)
    return Clarify(f"Start a workout called {title}?", (f"start workout called {name}", "start workout"))


def save_template(said: Sentence, line: str, context: Context) -> Outcome | None:
    """ "save as template leg day": the exercises of the workout in progress, under that name."""
    count = prefix(_SAVE, line)
    name_first = _SAVE_NAME_FIRST.fullmatch(line)
    if not count and not name_first:
        return None
    if not context.exercise_ids:
        return Clarify("There is no workout with exercises to save.")
    name = said.after(count)
    if name_first and not count:
        at = len(line[: name_first.start("name")].split())
        name = said.between(at, at + len(name_first["name"].split()))
    if not name or len(name) > _LONGEST_NAME:
        title = (context.workout or {}).get("name")
        choices = (f"save as template {title}",) if title else ()
        return Clarify("What should the template be called?", choices)
    name = wording.first_capital(name)
    if any(one["name"].casefold() == name.casefold() for one in context.templates):
        return Clarify(f"There is a template called {name} already.", (f"save as template {name} 2",))
    payload = {
        "template_id": context.new_id(),
        "name": name,
        "exercise_ids": list(context.exercise_ids),
        "source_workout_id": context.workout_id,
    }
    return Emit((("TemplateCreated", payload),), f"Saved as template {name}.")
