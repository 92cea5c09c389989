"""Every resource type of the stacks, looked up by its own service's API, and never by CloudFormation's."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from tests.integration.stacks.environment import Environment, Held
from tests.integration.stacks.services import compute, containers, data, front, gateways, network
from tests.integration.stacks.services.place import Looks, Place

LOOK: Looks = {
    **compute.LOOK, **containers.LOOK, **data.LOOK, **front.LOOK, **gateways.LOOK, **network.LOOK,
}  # fmt: skip

_GONE = ("NotFound", "NoSuch", "404")


def find(env: Environment, held: Held) -> Any:
    """What the service says of it; None when it says that there is no such thing."""
    look = LOOK.get(held.kind)
    assert look, f"no way is known to look up a {held.kind}: add one to LOOK"
    try:
        return look(Place(env, held.region), held) or None
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if any(word in code for word in _GONE):
            return None
        raise
