"""The names of instances: an address belongs to a name, and whoever gets the name gets the address.

On AWS an address is a host, and DNS lets it follow the name. Here all servers are on one host, and their
ports tell them apart, so it is the port that follows.
"""

from __future__ import annotations

import re

from gymops.local import ports
from gymops.local.plane.faults import Fault
from gymops.local.plane.rds import records
from gymops.local.plane.rds.records import OURS, Record, instances

_NAME = re.compile(r"[a-zA-Z](?:-?[a-zA-Z0-9])*")
_PORTS = "ports"
"""Names that an instance had, and the ports that go with them."""


def check(name: str) -> str:
    """A name that an instance may have.

    Raises:
        Fault: it is none.
    """
    if not _NAME.fullmatch(name) or len(name) > 63:
        raise Fault("InvalidParameterValue", f"Invalid database identifier: {name!r}")
    return name


def rename(record: Record, name: str) -> int:
    """Give an instance another name; the port that its server is to have from now on.

    Raises:
        Fault: the name is taken, or none.
    """
    if check(name) in instances():
        raise Fault("DBInstanceAlreadyExists", f"DB instance {name} already exists")
    old, arn = record["DBInstanceIdentifier"], record["DBInstanceArn"]
    instances().pop(old)
    record["DBInstanceIdentifier"] = name
    record["DBInstanceArn"] = f"{arn.rpartition(':')[0]}:{name}"
    tags = records.rds()._tags
    if found := tags.pop(arn, None):
        tags[record["DBInstanceArn"]] = found
    instances()[name] = record
    kept = [one[OURS].setdefault(_PORTS, {}).pop(name, None) for one in instances().values()]
    record[OURS][_PORTS][old] = record["Endpoint"]["Port"]
    return next((int(port) for port in kept if port), None) or ports.free_port()
