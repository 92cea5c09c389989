"""Everything we add, put together."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import Any

from gymops.local.plane import ministack, templates, users
from gymops.local.plane.backup.api import BackupApi
from gymops.local.plane.backup.contents import Contents
from gymops.local.plane.backup.jobs import Jobs
from gymops.local.plane.backup.schedule import BackupSchedule
from gymops.local.plane.backup.tables import Overwritten
from gymops.local.plane.backup.vaults import Vaults
from gymops.local.plane.calls import Calls
from gymops.local.plane.chat import Chat
from gymops.local.plane.context import Context
from gymops.local.plane.control import Control
from gymops.local.plane.ecs.balancers import addressed
from gymops.local.plane.ecs.health import Health
from gymops.local.plane.ecs.services import Services
from gymops.local.plane.faults import Fault
from gymops.local.plane.functions import apis
from gymops.local.plane.functions.execution import Execution
from gymops.local.plane.functions.metrics import Metrics
from gymops.local.plane.functions.rest import Links, method_handlers, stage_handlers
from gymops.local.plane.functions.rotation import Rotation
from gymops.local.plane.functions.urls import Addresses
from gymops.local.plane.pipelines import Pipelines
from gymops.local.plane.rds import records
from gymops.local.plane.rds.api import Api
from gymops.local.plane.rds.cfn import TYPE, StackInstances
from gymops.local.plane.rds.instances import Instances
from gymops.local.plane.rds.proxies import Proxies
from gymops.local.plane.rds.records import rds
from gymops.local.plane.rds.schedule import Schedule
from gymops.local.plane.rds.snapshots import Snapshots
from gymops.local.plane.registry import Registry
from gymops.local.plane.releases import Releases
from gymops.local.plane.saver import App, Saver
from gymops.local.plane.scaling import Scaling
from gymops.local.plane.stacks import Stacks
from gymops.local.plane.store import Store
from gymops.local.plane.types.all import INSTEAD, KINDS
from gymops.local.plane.types.guards import guarded, look_by_arn
from gymops.local.settings import LocalSettings


class Plane:
    """What acts behind the emulator's APIs."""

    def __init__(self, settings: LocalSettings) -> None:
        self._context = Context(settings)
        store = Store(settings.state / "plane.json")
        self._saver = Saver(store)
        self._instances = Instances(self._context, self._saver.save)
        self._snapshots = Snapshots(self._context, self._instances, self._saver.save)
        self._api = Api(self._context, self._instances, self._snapshots, store)
        self._schedule = Schedule(self._context, self._instances, self._snapshots)
        self._stacks = Stacks(self._context)
        self._execution = Execution(self._context)
        self._metrics = Metrics(self._context)
        self._addresses = Addresses()
        self._links = Links(store, settings.url)
        self._health = Health()
        self._services = Services(self._context, self._health)
        self._proxies = Proxies()
        self._calls = Calls(settings.url)
        self._registry = Registry(self._context)
        self._releases = Releases(store, self._context)
        self._added = (Scaling(store), Chat(store), Pipelines(store), self._releases)
        self._rotation = Rotation(
            self._calls, self._rotate_master, lambda: self._context.clock.now().timestamp()
        )
        contents = Contents(self._calls, store)
        vaults = Vaults(self._context, self._snapshots, contents, store)
        jobs = Jobs(self._context, vaults, self._instances, self._snapshots, contents, store)
        self._backup = BackupApi(vaults, jobs, store)
        self._backup_schedule = BackupSchedule(vaults, jobs, self._instances, contents, store)
        self._resuming: list[threading.Thread] = []

    def install(self) -> Plane:
        """Put it into the emulator, before it serves."""
        self._api.install()
        stacks = StackInstances(self._instances, self._snapshots, self._api.retain)
        self._stacks.register(TYPE, stacks.handlers())
        look_by_arn()
        for kind, handlers in guarded(self._calls).items():
            self._stacks.register(kind, handlers)
        for kind, handlers in (addressed(), method_handlers(), stage_handlers()):
            self._stacks.register(kind, handlers)
        for one in (*KINDS, *INSTEAD):
            self._stacks.register(one.name, one(self._calls).handlers())
        self._stacks.install()
        templates.install()
        self._proxies.install()
        self._backup.install()
        Overwritten(self._context).install()
        self._rotation.install()
        self._execution.install()
        self._metrics.install()
        apis.install()
        self._addresses.install()
        self._links.install()
        self._health.install()
        self._services.install()
        self._releases.deployments.install()
        self._registry.install()
        ministack.wrap(rds(), "load_persisted_state", lambda _: self._resume)
        self._stacks.fail_interrupted()
        return self

    def around(self, app: App) -> App:
        """The emulator's application with ours around it."""
        self._saver.watch()
        self._schedule.start()
        threading.Thread(target=self._open_addresses, daemon=True).start()
        for service in self._added:
            app = service.around(app)
        app = users.around(self._registry.around(app))
        return Control(self._context, self._status, self._tick).around(self._saver.around(app))

    def _tick(self) -> None:
        self._schedule.tick()
        self._rotation.look()
        self._metrics.tick()
        self._backup_schedule.tick()
        self._releases.deployments.tick()
        self._saver.save()

    def _rotate_master(self, secret: str) -> bool:
        """A secret that RDS manages: its instance gets a new password."""
        for record in records.instances().values():
            if record.get("MasterUserSecret", {}).get("SecretArn") == secret:
                self._instances.passwords.rotate(record)
                return True
        return False

    def _open_addresses(self) -> None:
        """What is deleted with its function or its stack passes through no call of ours."""
        while True:
            with contextlib.suppress(Fault, KeyError, RuntimeError):
                self._addresses.catch_up()
                self._proxies.catch_up()
                self._metrics.tick()
                self._rotation.look()
                self._backup_schedule.tick()
                self._releases.deployments.tick()
            time.sleep(1)

    def _resume(self, data: dict[str, Any]) -> None:
        """RDS as it was saved: the records, then a server for each that had one."""
        wanted = {key: one["DBInstanceStatus"] for key, one in data["instances"]._data.items()}
        rds()._restore_state(data)
        for key, record in list(rds()._instances._data.items()):
            record["DBInstanceStatus"] = "starting"
            worker = threading.Thread(target=self._bring_back, args=(key, record, wanted[key]), daemon=True)
            self._resuming.append(worker)
            worker.start()

    def _bring_back(self, key: tuple[str, str, str], record: dict[str, Any], status: str) -> None:
        with ministack.scope(key[0], key[1]):
            self._instances.resume(record, status)
            self._saver.save()

    def _status(self) -> dict[str, Any]:
        return {
            "settled": not any(worker.is_alive() for worker in self._resuming),
            "databases": [
                {
                    "account": account,
                    "region": region,
                    "identifier": name,
                    "status": record["DBInstanceStatus"],
                    "endpoint": f"127.0.0.1:{record['Endpoint']['Port']}",
                }
                for (account, region, name), record in sorted(rds()._instances._data.items())
            ],
        }
