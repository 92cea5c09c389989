"""RDS Proxy: which instance is behind a proxy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gymops.aws.account import Account
from gymops.aws.session import AwsError, translated

_NOT_THERE = frozenset({"DBProxyTargetNotFoundFault", "DBProxyTargetNotFound"})
_THERE = frozenset({"DBProxyTargetAlreadyRegisteredFault", "DBProxyTargetAlreadyRegistered"})


class Proxies:
    """The proxies of an account and region."""

    def __init__(self, account: Account) -> None:
        self._account = account

    def before(self, instance: str) -> Sequence[str]:
        """The names of those that have an instance behind them."""
        with translated("the proxies"):
            pages = self._client.get_paginator("describe_db_proxies").paginate()
            names = [one["DBProxyName"] for page in pages for one in page["DBProxies"]]
        return [name for name in names if instance in self._targets(name)]

    def aim(self, proxy: str, instance: str) -> None:
        """Let the instance that has this name now be the only one behind a proxy: as a target is known by
        name or by instance, it is registered anew.
        """
        for name in {*self._targets(proxy), instance}:
            self._unless(_NOT_THERE, self._client.deregister_db_proxy_targets, proxy, name)
        self._unless(_THERE, self._client.register_db_proxy_targets, proxy, instance)

    def _targets(self, proxy: str) -> Sequence[str]:
        with translated(f"the targets of the proxy {proxy}"):
            pages = self._client.get_paginator("describe_db_proxy_targets").paginate(DBProxyName=proxy)
            return [one["RdsResourceId"] for page in pages for one in page["Targets"]]

    def _unless(self, reasons: frozenset[str], call: Any, proxy: str, instance: str) -> None:
        try:
            with translated(f"the proxy {proxy}"):
                call(DBProxyName=proxy, DBInstanceIdentifiers=[instance])
        except AwsError as error:
            if error.reason not in reasons:
                raise

    @property
    def _client(self) -> Any:
        return self._account.client("rds")
