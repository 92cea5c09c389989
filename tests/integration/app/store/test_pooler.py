"""What the Postgres store sends never pins a connection of RDS Proxy, whatever is asked of it.

Everything is recorded at the server, as it arrives, and by libpq, which also shows whether a statement
has a name. What pins is listed in the RDS user guide under "Avoiding pinning an RDS Proxy".
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from gymops.app.domain import Conflict
from gymops.app.store import IdReused, Store, sessions
from gymops.pg.connection import Connection, connect_plain
from tests.contract.stores import StorePlace, Trainee, long_log, new

USER = "auth0|000001"
LARGEST = 16 * 1024
"""Bytes of a statement's text behind which the proxy pins."""

PINS = {
    "a setting": r"^\s*(SET|RESET)\b|\bset_config\s*\(",
    "a prepared statement": r"^\s*(PREPARE|EXECUTE|DEALLOCATE|DISCARD)\b",
    "a cursor": r"^\s*(DECLARE|FETCH|MOVE|CLOSE)\b",
    "a notification channel": r"^\s*(LISTEN|UNLISTEN|NOTIFY)\b",
    "a temporary object": r"\bTEMP(ORARY)?\b",
    "a session's lock": r"\bpg_(try_)?advisory_(?!xact)|\bpg_try_advisory_lock",
    "a table's lock": r"^\s*LOCK\b",
    "a library": r"^\s*LOAD\b",
    "a sequence": r"\b(nextval|setval|currval|lastval)\s*\(",
    "a savepoint": r"^\s*(SAVEPOINT|RELEASE)\b",
    "COPY": r"^\s*COPY\b",
}


def pinning(text: str) -> str | None:
    """What in a message would pin; values in quotes are no statement."""
    if len(text.encode()) > LARGEST:
        return f"{len(text.encode())} bytes of text"
    bare = re.sub(r"E?'(?:[^'\\]|''|\\.)*'", "''", text, flags=re.DOTALL)
    for statement in bare.split(";"):
        for what, pattern in PINS.items():
            if re.search(pattern, statement, re.IGNORECASE):
                return f"{what}: {statement.strip()}"
    return None


@pytest.mark.parametrize(
    "text",
    [
        "SET timezone TO 'UTC'",
        "BEGIN; set local lock_timeout = 1",
        "SELECT set_config('a', 'b', false)",
        "PREPARE x AS SELECT 1",
        "BEGIN; DECLARE c CURSOR FOR SELECT 1",
        "LISTEN x",
        "CREATE TEMP TABLE x ()",
        "SELECT pg_advisory_lock(1)",
        "SELECT pg_try_advisory_lock(1)",
        "SELECT pg_advisory_unlock(1)",
        "SELECT pg_advisory_lock_shared(1)",
        "DISCARD ALL",
        "SELECT '" + "x" * LARGEST + "'",
        "SELECT '" + "é" * (LARGEST // 2) + "'",
    ],
)
def test_what_pins_is_recognised(text: str) -> None:
    assert pinning(text)
    assert not pinning(
        "BEGIN; SELECT pg_advisory_xact_lock(-7); SELECT 'it''s; SET a', E'\\'; LISTEN x'; COMMIT"
    )


class Recorder:
    """All that a store sends, as libpq traces it: one (kind of message, text) each."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: list[Any] = []

    def open(self, url: str, **options: Any) -> Connection:
        connection = connect_plain(url, **options)
        file = (self._folder / f"trace {len(self._files)}").open("wb+", buffering=0)
        self._files.append(file)
        connection.pgconn.trace(file.fileno())
        connection.pgconn.set_trace_flags(psycopg.pq.Trace.SUPPRESS_TIMESTAMPS)
        return connection

    def sent(self) -> list[tuple[str, str]]:
        found = []
        for file in self._files:
            text = Path(file.name).read_text(errors="surrogateescape")
            for message in re.split(r"^(?=[FB]\t\d+\t)", text, flags=re.MULTILINE):
                match message.split("\t", 3):
                    case ["F", _, kind, *rest]:
                        found.append((kind.strip(), "".join(rest)))
                    case _:
                        pass
        return found

    def close(self) -> None:
        for file in self._files:
            file.close()


@pytest.fixture
def recorder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Recorder]:
    made = Recorder(tmp_path)
    monkeypatch.setattr(sessions, "connect_plain", made.open)
    yield made
    made.close()


@contextmanager
def server_log(place: StorePlace) -> Iterator[Callable[[], list[str]]]:
    """Every statement that arrives at the server from this database's clients."""
    name = psycopg.conninfo.conninfo_to_dict(place.database)["dbname"]
    with psycopg.connect(place.database, autocommit=True) as connection:
        for setting, value in (("log_statement", "all"), ("log_min_duration_statement", "-1")):
            connection.execute(f"ALTER DATABASE \"{name}\" SET {setting} TO '{value}'".encode())
        (path,) = connection.execute("SELECT pg_read_file('postmaster.pid')").fetchall()[0]
    log = Path(path.splitlines()[1]).parent / "log"
    before = log.stat().st_size

    def read() -> list[str]:
        text = log.read_bytes()[before:].decode()
        return re.findall(r"(?:statement|execute [^:]+): (.*(?:\n\t.*)*)", text)

    yield read


def _everything(store: Store, place: StorePlace) -> None:
    """A whole session of all operations, large and small."""
    trainee = Trainee(store, USER)
    trainee.train(3)
    event = trainee.start(name="'; SET x TO 1; --")
    trainee.log()
    one = trainee.hold(60)
    trainee.append("ExerciseAdded", workout_id=trainee.workout, exercise_id="squat")
    trainee.append("SetModified", workout_id=trainee.workout, original_event_id=one, duration_seconds=90)
    store.append(
        USER, [new("WorkoutStarted", event_id=event, workout_id=trainee.workout, name="'; SET x TO 1; --")]
    )
    with pytest.raises(IdReused):
        store.append(USER, [new("WorkoutStarted", event_id=event, workout_id=trainee.workout)])
    with pytest.raises(Conflict):
        store.append(USER, [new("WorkoutStarted", workout_id=trainee.workout)])
    trainee.finish()
    trainee.append("SetDeleted", workout_id=trainee.workout, original_event_id=one)
    trainee.start()
    trainee.append("WorkoutDiscarded", workout_id=trainee.workout)
    for notes in ("é" * 2000, "\U0001f4aa" * 2000, "'" * 2000, "\\" * 2000, "x" * 2000):
        trainee.start()
        trainee.append("WorkoutCompleted", workout_id=trainee.workout, notes=notes)
        for count in (1, 2, 3, 5, 50):
            template, plans = (
                str(uuid.uuid4()),
                [{"exercise_id": f"e{n}", "notes": notes} for n in range(count)],
            )
            of = {"template_id": template, "exercises": plans}
            trainee.append("TemplateCreated", name="A", exercise_ids=[], **of)
            trainee.append("TemplateUpdated", name="'", **of)
            trainee.append("TemplateDeleted", template_id=template)
    trainee.start()
    many = [
        new("SetLogged", workout_id=trainee.workout, exercise_id=f"{n % 90:02}-{'a' * 61}", reps=5, weight=n)
        for n in range(400)
    ]
    store.append(USER, many)
    trainee.finish()
    place.insert(USER, "MoodLogged", {})
    trainee.start()
    store.rows(USER, ["current_workout", *(f"personal_records:{'a' * 60}{n}" for n in range(500))])
    store.listed(USER, "personal_records:", after="", limit=10)
    store.latest(USER, "exercise_history:row:", limit=10)
    store.aggregates(USER, "week", limit=10)
    store.exercises(USER)
    store.events(USER, after=0, limit=1000)
    store.find(USER, [str(uuid.uuid4()) for _ in range(500)])
    list(store.users())
    store.readiness()
    assert store.rebuild(USER).equal
    long_log(place, "other", 300)
    store.build("other")
    store.rebuild("other")


def test_nothing_that_is_sent_pins_a_connection(
    any_postgres: StorePlace, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gymops.app.store.rebuild.BATCH", 100)
    with server_log(any_postgres) as statements:
        store = any_postgres.open()
        _everything(store, any_postgres)
        store.close()
        arrived = statements()
    sent = recorder.sent()

    kinds = {kind for kind, _ in sent}
    assert kinds <= {"Query", "Parse", "Bind", "Describe", "Execute", "Sync", "Terminate"}
    texts = [text for kind, text in sent if kind in ("Query", "Parse")]
    assert len(texts) > 400
    for kind, text in sent:
        if kind == "Parse":
            assert text.startswith(' "" "'), f"a statement with a name: {text}"
        if kind in ("Query", "Parse"):
            assert pinning(text.strip().strip('"')) is None, text[:2000]
    assert len(arrived) > 400
    assert [
        one for one in arrived if pinning(one) and "timezone TO 'UTC'" not in one and "COPY" not in one
    ] == []


def test_nothing_is_left_in_the_session(any_postgres: StorePlace, monkeypatch: pytest.MonkeyPatch) -> None:
    """The proxy gives it to somebody else after each transaction."""
    opened: list[Connection] = []

    def opening(url: str) -> Connection:
        opened.append(connect_plain(url))
        return opened[-1]

    monkeypatch.setattr(sessions, "connect_plain", opening)
    store = any_postgres.open()
    _everything(store, any_postgres)
    (connection,) = opened
    left = (
        "SELECT (SELECT count(*) FROM pg_prepared_statements), (SELECT count(*) FROM pg_cursors),"
        " (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'), (SELECT count(*) FROM"
        " pg_listening_channels()), (SELECT count(*) FROM pg_settings WHERE source = 'session')"
    )
    assert connection.execute(left).fetchone() == (0, 0, 0, 0, 0)
