"""``restore`` of a server of one's own: brought back, proved, kept, put in its place, recorded; where an
earlier run was killed, it is ended.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from gymops.cli import changing, output, restoring
from gymops.clock import SystemClock
from gymops.errors import GateRefused, GymopsError

if TYPE_CHECKING:
    from gymops.backup.port import RestorePlan, Wanted
    from gymops.backup.restore import Restores
    from gymops.backup.restored import Restoration
    from gymops.backup.unfinished import Unfinished
    from gymops.backup.vault import Vault
    from gymops.cli.changing import Places
    from gymops.config import Settings


def may_switch(settings: Settings, restores: Restores, plan: RestorePlan) -> str:
    """See that what is restored can take the environment's place; the question whether it is to.

    Raises:
        GateRefused: it cannot.
    """
    if plan.seal is None:
        raise GateRefused(
            "nothing was sealed by then, so nothing would be proved of what it is switched to",
            hint="restore without --switch, and look at it",
        )
    what = changing.places(settings, restores.vault, restores).refuse(plan)
    output.note(f"switch   {what}")
    return f"{what[0].upper()}{what[1:]}?"


def restore(
    settings: Settings, restores: Restores, plan: RestorePlan, vault: Vault, *, to_switch: bool
) -> tuple[Restoration, str | None]:
    """Carry a plan out, and record it; what came of it, and how to connect.

    Raises:
        SwitchedBack: recorded too, for what was restored is there.
        NotSwitchedBack: recorded when the same command, or the next restore, ends it.
        GymopsError: nothing was restored.
    """
    from gymops.backup import unfinished
    from gymops.backup.evidence import Result
    from gymops.backup.restore_test import Watch
    from gymops.backup.restored import NotSwitchedBack, Restoration, record

    clock = SystemClock()
    began, watch = clock.now(), Watch(clock, restoring.Phases())
    restored = restores.restore(plan, watch)
    done = Restoration(
        plan.id, plan.environment, plan.point, plan.lost_since, plan.to, Result.UNVERIFIED, None, None, None,
        None, plan.lost_events, began, began, {},
    )  # fmt: skip
    try:
        proof = restores.prove(plan, restored, watch)
        seal = restores.seal(restored)
        why = proof.broken[0].describe() if proof.broken else "the rejected rows differ"
        done = replace(
            done, result=Result.PASSED if proof.passed else Result.FAILED, seal=seal.number if seal else None,
            expected=proof.expected_events, restored=proof.restored_events, digest=proof.restored_digest,
            message=None if proof.passed else why,
        )  # fmt: skip
    except GymopsError as error:
        seal, done = None, replace(done, message=error.message)
    done = replace(done, ended=clock.now(), phases=dict(watch.phases))
    to = Path(plan.to)
    with unfinished.noted(restores.server(restored).home, to, vault, done, seal):
        try:
            kept = restores.keep(plan, restored)
            url = kept.url
            if to_switch and done.result is Result.PASSED and seal:
                place = changing.places(settings, vault, restores)
                changed = place.change(restores.server(kept), seal, done, watch, begun=False)
                done, url = replace(done, switched=changed.seal, kept=changed.kept), changed.url
        except GymopsError as error:
            if (to / unfinished.NAME).exists() and not isinstance(error, NotSwitchedBack):
                record(vault.objects, vault.keys, unfinished.failed(done, error))
            raise
        watch.stop()
        done = replace(done, ended=clock.now(), phases=dict(watch.phases))
        record(vault.objects, vault.keys, done)
    return done, url


def go_on(
    settings: Settings, restores: Restores, vault: Vault, wanted: Wanted, *, to_switch: bool
) -> tuple[Restoration, str | None] | None:
    """End what killed runs left behind the move to its name; what came of it if it is what is wanted now.

    Raises:
        SwitchedBack: the environment was put back.
        NotSwitchedBack: it was not, and the same goes on with it.
    """
    from gymops.backup import unfinished

    to = Path(wanted.to).expanduser().absolute() if wanted.to else None
    homes = dict.fromkeys([*([to] if to else []), *sorted(restores.own.glob("*"))])
    found = None
    for one in unfinished.find(vault, homes):
        same = one.home == to and _same(one.done, wanted)
        output.note(f"goes on: {one.home} was restored by a run that was killed")
        place = changing.places(settings, vault, restores)
        try:
            begun = place.begun(one)
        except GymopsError as error:
            output.note(f"whether it took its place by then cannot be seen, and it stays: {error.message}")
            continue
        ended = _end(restores, vault, one, place, begun=begun, up=same, to_switch=same and to_switch)
        if same or (to_switch and begun):
            found = ended
    return found


def _same(done: Restoration, wanted: Wanted) -> bool:
    return wanted.at in (None, done.restored_to) and wanted.point in (None, done.recovery_point)


def _end(
    restores: Restores, vault: Vault, one: Unfinished, place: Places, *, begun: bool, up: bool,
    to_switch: bool,
) -> tuple[Restoration, str | None]:  # fmt: skip
    from gymops.backup import isolated, unfinished
    from gymops.backup.evidence import Result
    from gymops.backup.restored import NotSwitchedBack, SwitchedBack
    from gymops.pg import embedded

    tell, done = restoring.Phases(), one.done
    there, url = restores.found(one.home), None
    try:
        if one.seal and (begun or (to_switch and done.result is Result.PASSED)):
            changed = place.change(there, one.seal, done, tell, begun=begun)
            done, url = replace(done, switched=changed.seal, kept=changed.kept), changed.url
        else:
            place.leave(one)
            if up:
                if not embedded.status(there).running:
                    isolated.again(there, SystemClock())
                url = restores.address(there)
    except GymopsError as error:
        if isinstance(error, SwitchedBack) or not (begun or isinstance(error, NotSwitchedBack)):
            one.end(vault, unfinished.failed(done, error))
        raise
    one.end(vault, done)
    return done, url
