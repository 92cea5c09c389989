"""Run by the emulator's own Python: any changes in its services, saved by us and by the emulator itself."""

from __future__ import annotations

import copy
import random
import runpy
import sys
from pathlib import Path
from typing import Any

TABLES = {
    "alb": ("_lbs", "_tgs"),
    "cloudformation": ("_stacks", "_stack_events", "_change_sets"),
    "cloudwatch": ("_metrics", "_alarms"),
    "cognito": ("_user_pools",),
    "dynamodb": ("_tables",),
    "ecr": ("_repositories", "_manifest_blobs"),
    "ecs": ("_tasks", "_services"),
    "iam": ("_roles",),
    "kms": ("_aliases",),
    "lambda_svc": ("_functions", "_layers", "_function_urls"),
    "rds": ("_instances", "_clusters"),
    "s3": ("_bucket_tags", "_bucket_policies"),
    "secretsmanager": ("_secrets",),
    "sqs": ("_queues",),
}
TURNS = 40
CHANCE = random.Random(0)


def main(boot: str) -> None:
    runpy.run_path(boot, run_name="boot")["_lend_gymops"]()
    from gymops.local.plane import ministack
    from gymops.local.plane.saver import Saver
    from gymops.local.plane.store import Store

    ministack.check()
    app, persistence = ministack.module("ministack.app"), ministack.module("ministack.core.persistence")
    folder = Path(persistence.STATE_DIR)
    saver = Saver(Store(folder.parent / "plane.json"))
    tables = [getattr(ministack.service(name), one) for name, names in TABLES.items() for one in names]
    for turn in range(TURNS):
        for table in CHANCE.sample(tables, CHANCE.randrange(4)):
            with ministack.scope(CHANCE.choice(["111111111111", "222222222222"]), "eu-central-1"):
                change(table)
        saver._again.clear()
        saver.save()
        ours = files(folder)
        persistence.save_all(app._build_persistence_save_dict())
        theirs = files(folder)
        assert ours.keys() == theirs.keys(), turn
        for name, text in ours.items():
            assert text == theirs[name], (turn, name)
    print(sum(len(text) for text in ours.values()))


def change(table: Any) -> None:
    """Something in it, or nothing."""
    keys = list(table._data)
    match CHANCE.choice(["new", "new", "inside", "gone", "again"]) if keys else "new":
        case "new":
            table[CHANCE.choice(["one", ("a", 1), "two", "ü"])] = record()
        case "inside":
            table._data[CHANCE.choice(keys)]["Deep"]["list"].append(value())
        case "gone":
            del table._data[CHANCE.choice(keys)]
        case "again":
            key = CHANCE.choice(keys)
            table._data[key] = copy.deepcopy(table._data[key])


def record() -> dict[str, Any]:
    """Which services change when they are saved: container ids go, and code goes elsewhere."""
    return {"Name": value(), "Deep": {"list": [value()]}, "_docker_container_id": "c", "code_zip": code()}


def code() -> bytes:
    return CHANCE.choice([b"one", b"two"]) * 1000


def value(depth: int = 0) -> Any:
    match CHANCE.randrange(4 if depth > 2 else 6):
        case 0:
            return CHANCE.choice(["", "ä", "a\x00b", '"']) * CHANCE.randrange(3)
        case 1:
            return CHANCE.choice([0, -1, 1.5, 1 << 70])
        case 2:
            return CHANCE.choice([True, None])
        case 3:
            return CHANCE.randbytes(CHANCE.randrange(9))
        case 4:
            return {f"k{number}": value(depth + 1) for number in range(CHANCE.randrange(4))}
    return [value(depth + 1) for _ in range(CHANCE.randrange(4))]


def files(folder: Path) -> dict[str, str]:
    return {file.stem: file.read_text(encoding="utf-8") for file in folder.glob("*.json")}


if __name__ == "__main__":
    main(sys.argv[1])
