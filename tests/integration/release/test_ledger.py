"""The ledger on the local AWS: many append at once, and one operation often."""

from __future__ import annotations

import random
import threading

import pytest

from gymops.aws.s3 import S3Objects
from gymops.deploy.release.ledger import Ledger
from tests.integration.release.plans import CLOCK
from tests.local_aws import ACCOUNT, Aws, unique
from tests.unit.deploy.release.test_ledger import release


@pytest.mark.long
def test_of_many_at_once_each_is_recorded_once_in_s3(aws: Aws) -> None:
    client = aws.client("s3")
    bucket = unique("releases")
    client.create_bucket(Bucket=bucket)
    objects = S3Objects(client, bucket, CLOCK, owner=ACCOUNT)
    start = threading.Barrier(6)

    def append(writer: int) -> None:
        ledger = Ledger(objects, "prod")
        start.wait()
        for turn in random.Random(writer).sample(range(4), 4):
            ledger.append(release(f"op-{turn}"))

    threads = [threading.Thread(target=append, args=(writer,)) for writer in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    releases = Ledger(objects, "prod").releases()
    assert [one.number for one in releases] == [1, 2, 3, 4]
    assert sorted(one.operation for one in releases) == ["op-0", "op-1", "op-2", "op-3"]
