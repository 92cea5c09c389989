"""What the tests of the voice share."""

from __future__ import annotations

import socket
from typing import NoReturn

import pytest


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """No socket can be made, whatever it is for."""

    def refuse(*args: object, **kwargs: object) -> NoReturn:
        raise AssertionError("the voice reached for the network")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
