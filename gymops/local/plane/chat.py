"""Amazon Q Developer in chat applications: a Slack channel is kept and shown, and nothing is posted to it."""

from __future__ import annotations

from gymops.local.plane import ministack
from gymops.local.plane.added import Added, Document
from gymops.local.plane.faults import Fault
from gymops.local.plane.store import Store, Table


class Chat(Added):
    """The service."""

    media = "application/json"

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.actions = {
            "create-slack-channel-configuration": self._create,
            "update-slack-channel-configuration": self._update,
            "delete-slack-channel-configuration": self._delete,
            "describe-slack-channel-configurations": self._describe,
        }

    def action(self, path: str, target: str, service: str) -> str | None:
        """Its requests are told by their path alone."""
        del target
        return path.strip("/") if service == "chatbot" else None

    def _create(self, asked: Document) -> Document:
        arn = f"arn:aws:chatbot::{ministack.account()}:chat-configuration/slack-channel/"
        arn += asked["ConfigurationName"]
        if arn in self._table():
            raise Fault("ConflictException", f"{asked['ConfigurationName']} exists already", 409)
        for one in self._table().values():
            if one["SlackChannelId"] == asked["SlackChannelId"]:
                raise Fault(
                    "InvalidRequestException",
                    f"Slack channel with ID {asked['SlackChannelId']} in Slack team {asked['SlackTeamId']}"
                    f" has already been configured for AWS account {ministack.account()}.",
                )
        self._table()[arn] = {"State": "ENABLED", **asked, "ChatConfigurationArn": arn}
        return {"ChannelConfiguration": self._table()[arn]}

    def _update(self, asked: Document) -> Document:
        self._one(asked).update(asked)
        return {"ChannelConfiguration": self._one(asked)}

    def _delete(self, asked: Document) -> Document:
        self._one(asked)
        self._table().pop(asked["ChatConfigurationArn"])
        return {}

    def _describe(self, asked: Document) -> Document:
        wanted = asked.get("ChatConfigurationArn")
        found = [one for arn, one in self._table().items() if wanted in (None, arn)]
        return {"SlackChannelConfigurations": found}

    def _one(self, asked: Document) -> Document:
        arn = asked["ChatConfigurationArn"]
        if arn not in self._table():
            raise Fault("ResourceNotFoundException", f"{arn} does not exist", 404)
        return self._table()[arn]

    def _table(self) -> Table:
        """One for all regions, as on AWS."""
        with ministack.scope(ministack.account(), "us-east-1"):
            return self.store.table("chat")
