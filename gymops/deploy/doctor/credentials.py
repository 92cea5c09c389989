"""Who calls, in which account, until when; and whether the clock is right, or no call is believed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from gymops.deploy.doctor.findings import Finding, failed, ok, warning
from gymops.deploy.doctor.port import Patient

_SOON = timedelta(hours=1)
"""About what a first deploy takes."""
_WRONG = timedelta(minutes=5)
"""By then AWS refuses signatures."""
_OFF = timedelta(seconds=30)


def credentials(patient: Patient) -> Iterator[Finding]:
    """Who calls.

    Raises:
        AwsError: nobody, or AWS is not reached.
    """
    deployment, caller = patient.deployment, patient.identity.caller()
    section = f"[environments.{deployment.name}] of gymops.toml"
    if deployment.account not in (None, caller.account):
        yield failed(
            f"{caller.arn} is of account {caller.account}; {deployment.name} is in {deployment.account}",
            f"change `profile` or `account` in {section}",
        )
    else:
        blind = caller.temporary and caller.expires is None
        until = "; a session, and nobody says until when" if blind else ""
        yield ok(f"{caller.arn}, account {caller.account}{until}")
    if deployment.local:
        return
    if caller.root:
        yield warning(
            "these are the account's owner's credentials, which no policy binds",
            f"deploy with a role (gymops doctor {deployment.name} --policy), and delete root's access keys",
        )
    if caller.expires is not None and not caller.renewed:
        left = caller.expires - patient.clock.now()
        if left < _SOON:
            again = "aws sso login" + (f" --profile {deployment.profile}" if deployment.profile else "")
            yield warning(f"they end in {_minutes(left)}", f"{again}, or whatever gave them, before a deploy")
    if deployment.account is None:
        yield warning(
            "gymops.toml does not say which account this environment is in",
            f'account = "{caller.account}" in {section} keeps another\'s credentials out',
        )


def time(patient: Patient) -> Iterator[Finding]:
    """Compare the clock with AWS's.

    Raises:
        AwsError: AWS is not reached.
    """
    before = patient.clock.now()
    theirs, after = patient.identity.now(), patient.clock.now()
    ours = before + (after - before) / 2
    off = abs(ours - theirs) - timedelta(seconds=1)  # they tell whole seconds
    side = "ahead of" if ours > theirs else "behind"
    if off >= _WRONG:
        yield failed(f"this clock is {_seconds(off)} {side} AWS's, and no signature is accepted", _SET)
    elif off >= _OFF:
        yield warning(
            f"this clock is {_seconds(off)} {side} AWS's; from 5 minutes on calls are refused", _SET
        )
    else:
        yield ok(f"as AWS's, to {max(1, round(off.total_seconds()))} s")


_SET = "timedatectl set-ntp true (macOS: sudo sntp -sS time.apple.com)"


def _minutes(left: timedelta) -> str:
    return f"{max(0, int(left.total_seconds() // 60))} minutes"


def _seconds(off: timedelta) -> str:
    return f"{off.total_seconds():,.0f} s"
