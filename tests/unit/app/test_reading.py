"""Reading a restored log through the app: what cannot be told."""

from __future__ import annotations

from contextlib import nullcontext
from threading import Event
from typing import Any

import pytest

from gymops.app import reading
from gymops.clock import SystemClock
from gymops.errors import Unverified


def test_what_takes_too_long_to_fold_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(*_: object, stop: Event, **__: object) -> None:
        assert stop.wait(30)

    def empty(*_: object, **__: object) -> Any:
        return nullcontext()

    monkeypatch.setattr(reading, "_FOLDING", 0.01)
    monkeypatch.setattr(reading, "whose", lambda _: "ann")
    monkeypatch.setattr(reading, "PostgresStore", empty)
    monkeypatch.setattr(reading, "closing", lambda store: store)
    monkeypatch.setattr(reading, "build_all", slow)
    with pytest.raises(Unverified, match="takes longer"):
        reading.read("postgresql://nowhere", SystemClock())
