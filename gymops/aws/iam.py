"""IAM: what a role may do, as AWS itself works it out, and which service-linked roles are there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gymops.aws.account import Account
from gymops.aws.session import AwsError, translated

_BATCH = 100
"""Actions asked about at once."""


class Iam:
    """IAM of an account."""

    def __init__(self, account: Account) -> None:
        self._account = account

    def role(self, name: str) -> str | None:
        """A role's ARN, with the path that a session's ARN leaves out; None if there is none.

        Raises:
            AwsError: it may not be asked, or IAM does not answer.
        """
        try:
            with translated(f"the role {name}"):
                return str(self._client.get_role(RoleName=name)["Role"]["Arn"])
        except AwsError as error:
            if error.reason in {"NoSuchEntity", "NoSuchEntityException"}:
                return None
            raise

    def denied(
        self, principal: str, actions: Sequence[str], resources: Sequence[str], context: Mapping[str, str]
    ) -> Iterator[str]:
        """Those of the actions that the principal may do on none of the resources.

        Raises:
            AwsError: simulating is not allowed, or IAM does not answer.
        """
        entries = [
            {"ContextKeyName": name, "ContextKeyValues": [value], "ContextKeyType": "string"}
            for name, value in context.items()
        ]
        for start in range(0, len(actions), _BATCH):
            pages = self._client.get_paginator("simulate_principal_policy").paginate(
                PolicySourceArn=principal, ActionNames=list(actions[start : start + _BATCH]),
                ResourceArns=list(resources), ContextEntries=entries,
            )  # fmt: skip
            with translated("simulating what the role may do"):
                for page in pages:
                    for one in page["EvaluationResults"]:
                        single = (
                            each["EvalResourceDecision"] for each in one.get("ResourceSpecificResults", ())
                        )
                        if "allowed" not in {one["EvalDecision"], *single}:
                            yield str(one["EvalActionName"])

    @property
    def _client(self) -> Any:
        return self._account.client("iam", timeout=15.0, attempts=4)
