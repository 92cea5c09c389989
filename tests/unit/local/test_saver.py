"""The local AWS's saver: nothing is answered that is not on the disk."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gymops.local.plane import ministack, saver
from gymops.local.plane.store import Store


class Encoded:
    """States that may change all the time."""

    restless = False

    def install(self) -> None:
        """Nothing to wrap."""

    def state(self, _: str, get: Callable[[], Any]) -> list[str]:
        if self.restless:
            raise RuntimeError("dictionary changed size during iteration")
        return [json.dumps(get())]


def answer(of: saver.Saver) -> tuple[int, bytes]:
    """What a request that changes something is told."""
    told: list[dict[str, Any]] = []

    async def app(_: object, receive: saver.Receive, send: saver.Send) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"done"})

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"Action=CreateQueue"}

    async def send(message: dict[str, Any]) -> None:
        told.append(message)

    async def asked() -> None:
        await of.around(app)({"type": "http", "method": "POST"}, receive, send)

    asyncio.run(asked())
    return told[0]["status"], told[1]["body"]


def test_what_cannot_be_written_or_copied_is_not_answered_until_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state, folder = {"queue": 1}, tmp_path / "state"
    emulator = SimpleNamespace(
        STATE_DIR=str(folder), _build_persistence_save_dict=lambda: {"sqs": state.copy}
    )
    monkeypatch.setattr(ministack, "module", lambda _: emulator)
    monkeypatch.setattr(saver, "Encoded", Encoded)
    monkeypatch.setattr(saver, "_TRIES", 2)
    found = saver.Saver(Store(tmp_path / "plane.json"))
    folder.write_text("somebody's")  # no folder, and nothing can be written there
    status, body = answer(found)
    assert (status, b"sqs cannot be saved" in body) == (500, True)
    folder.unlink()
    assert answer(found) == (200, b"done")
    assert json.loads((folder / "sqs.json").read_text()) == {"queue": 1}
    monkeypatch.setattr(Encoded, "restless", True)
    assert answer(found)[0] == 500
    monkeypatch.setattr(Encoded, "restless", False)
    assert answer(found)[0] == 200
