"""The policy that lets a role do what the templates and gymops need, and as little else as fits.

IAM takes a managed policy of 6,144 characters, white space not counted. Most templates need more than that,
so actions of a service that begin alike are put together under a ``*``: first those that only look, but not
where looking means reading data, then those that change something, but never where they give rights.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

LARGEST = 6_144
"""Characters of a managed policy, white space not counted."""
LARGEST_INLINE = 10_240
"""Of all the policies in a role itself."""

_DATA = frozenset({"dynamodb", "kinesis", "kms", "s3", "secretsmanager", "sqs", "ssm", "sts"})
"""Reading here is reading what somebody keeps there: its ``Get`` is never put together."""
_RIGHTS = frozenset({"iam", "kms", "organizations", "s3", "secretsmanager", "ssm", "sts"})
"""Changing here is giving rights, or touching data: these are always named."""
_ROLES = re.compile(r"iam:\w*Role(?!s$)\w*")
_WORD = re.compile(r"(Get|Put)Bucket|[A-Z][a-z]+")
"""A bucket's settings are no data, and told from it by their names."""


@dataclass(frozen=True)
class Policy:
    """A policy, and what was given up to make it short."""

    document: Mapping[str, Any]
    wider: str
    """In words, how it allows more than is needed; empty if it does not."""

    @property
    def text(self) -> str:
        """As IAM counts it."""
        return json.dumps(self.document, separators=(",", ":"))

    @property
    def size(self) -> int:
        """In characters, as IAM counts them."""
        return len(re.sub(r"\s", "", self.text))

    @property
    def fits(self) -> bool:
        """Whether it can be one managed policy."""
        return self.size <= LARGEST


_LOOKS = frozenset({"Get", "List", "Describe", "GetBucket"})
_WIDTHS = (
    ("actions that only look are put together where that reads no data", _LOOKS),
    ("all actions that begin alike are put together, but not those that give rights or touch data", None),
)


def policy(actions: Iterable[str], roles: Sequence[str]) -> Policy:
    """The narrowest policy that fits, or the widest there is.

    ``roles`` are the ARNs, with ``*``, of the roles that the templates make: rights are given to no other.
    """
    wanted = sorted(set(actions))
    found = Policy(_document(wanted, roles), "")
    for wider, together in _WIDTHS:
        if found.fits:
            break
        found = Policy(_document(_grouped(wanted, together), roles), wider)
    return found


def of_roles(actions: Iterable[str]) -> set[str]:
    """The actions that are done to a role: who may do them to any role may do everything."""
    return {one for one in actions if _ROLES.fullmatch(one) and one != "iam:CreateServiceLinkedRole"}


def _document(actions: Sequence[str], roles: Sequence[str]) -> dict[str, Any]:
    mine = of_roles(actions)
    linked = {"iam:CreateServiceLinkedRole"} & set(actions)
    statements = [
        _statement([one for one in actions if one not in mine | linked], ["*"]),
        _statement(sorted(mine), list(roles)),
        _statement(sorted(linked), ["arn:aws:iam::*:role/aws-service-role/*"]),
    ]
    return {"Version": "2012-10-17", "Statement": [one for one in statements if one["Action"]]}


def _statement(actions: Sequence[str], resources: Sequence[str]) -> dict[str, Any]:
    return {
        "Effect": "Allow",
        "Action": list(actions),
        "Resource": resources[0] if len(resources) == 1 else resources,
    }


def _grouped(actions: Sequence[str], together: frozenset[str] | None) -> list[str]:
    """``together``: the first words whose actions are put together; None: any."""
    alike = defaultdict[str, list[str]](list)
    for action in actions:
        service, _, name = action.partition(":")
        first = _WORD.match(name)
        word = first[0] if first else name
        data = service in _DATA if word == "Get" else service in _RIGHTS and not word.endswith("Bucket")
        named = data and word not in {"List", "Describe"}
        join = not named and (together is None or word in together)
        alike[f"{service}:{word}*" if join else action].append(action)
    return sorted(group if len(them) > 1 else them[0] for group, them in alike.items())
