"""Keys that KMS wraps: made once, bound to what they are for, and never taken for others."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from gymops.aws.session import AwsError
from gymops.backup import envelope
from gymops.backup.keys import KeyProblem, Keys, Secrets, new_secrets, open_keys, parsed, secrets_there
from gymops.backup.pinned import public_key
from gymops.backup.wrapped import WrappedKeys
from tests.contract.objects import MemoryObjects
from tests.unit.clocks import FakeClock


class Kms:
    """A key that knows what it wrapped."""

    def __init__(self, name: str = "a", refuses: str | None = None) -> None:
        self.arn, self.refuses = f"arn:aws:kms:us-west-1:123456789012:key/{name}", refuses
        self.contexts: list[Mapping[str, str]] = []

    def wrap(self, secret: bytes, context: Mapping[str, str]) -> tuple[bytes, str]:
        self._may()
        return json.dumps([self.arn, dict(context), secret.decode()]).encode(), self.arn

    def unwrap(self, wrapped: bytes, context: Mapping[str, str]) -> bytes:
        self._may()
        self.contexts.append(context)
        try:
            arn, of, secret = json.loads(wrapped)
        except ValueError:
            raise AwsError("no", reason="InvalidCiphertextException") from None
        if (arn, of) != (self.arn, dict(context)):
            raise AwsError("no", reason="IncorrectKeyException")
        return str(secret).encode()

    def _may(self) -> None:
        if self.refuses:
            raise AwsError("no", reason=self.refuses)


@pytest.fixture
def wrapped(objects: MemoryObjects) -> WrappedKeys:
    return WrappedKeys(objects, "prod")


def same(one: Keys, other: Keys) -> bool:
    return (one.public, one.recipient) == (other.public, other.recipient)


def test_they_are_made_once_and_lie_nowhere_in_clear(objects: MemoryObjects, wrapped: WrappedKeys) -> None:
    kms = Kms()
    made = wrapped.open(kms)
    assert same(made, wrapped.open(kms))
    assert wrapped.arn == kms.arn
    assert list(objects.keys("")) == ["keys/prod.json"]
    assert {one["gymops:key"] for one in kms.contexts} == {"signing", "backup"}
    assert not same(made, WrappedKeys(objects, "staging").open(kms))


def test_of_two_that_make_them_at_once_both_have_the_same(objects: MemoryObjects) -> None:
    class Overtaken(MemoryObjects):
        def create(self, key: str, data: bytes) -> str:
            if key not in self.keys(""):
                WrappedKeys(objects, "prod").open(kms)
            return objects.create(key, data)

        def get(self, key: str) -> tuple[bytes, str, float] | None:
            return objects.get(key)

    kms = Kms()
    late = WrappedKeys(Overtaken(FakeClock()), "prod").open(kms)
    assert same(late, WrappedKeys(objects, "prod").open(kms))


def test_keys_that_signed_what_is_there_are_taken_over(
    objects: MemoryObjects, wrapped: WrappedKeys, tmp_path: Path
) -> None:
    ours = open_keys(tmp_path, {})
    objects.create("seals/prod/00000001.json", envelope.close(b"a seal", ours))
    assert same(wrapped.open(Kms(), lambda: secrets_there(tmp_path, {})), ours)
    assert same(wrapped.open(Kms()), ours)  # from now on without the files


@pytest.mark.parametrize("kind", ["seals/prod/00000001", "points/prod/x", "sources/prod"])
def test_where_others_signed_none_are_made(objects: MemoryObjects, wrapped: WrappedKeys, kind: str) -> None:
    theirs = parsed(new_secrets(), "")
    objects.create(f"{kind}.json", envelope.close(b"x", theirs))
    for here in (None, new_secrets()):
        with pytest.raises(KeyProblem, match="neither wrapped by KMS nor here") as refused:
            wrapped.open(Kms(), lambda here=here: here)  # type: ignore[misc]
        assert refused.value.hint
    assert wrapped.arn is None


def test_those_that_are_here_and_signed_nothing_there_stay_here(wrapped: WrappedKeys) -> None:
    here = new_secrets()
    assert not same(wrapped.open(Kms(), lambda: here), parsed(here, ""))


def test_what_another_key_wrapped_is_not_opened(objects: MemoryObjects, wrapped: WrappedKeys) -> None:
    WrappedKeys(objects, "prod").open(Kms("theirs"))
    with pytest.raises(KeyProblem, match="another key of KMS"):
        wrapped.open(Kms("ours"))


@pytest.mark.parametrize("swapped", ["environment", "each other"])
def test_a_wrapped_key_opens_as_what_it_is_only(
    objects: MemoryObjects, wrapped: WrappedKeys, swapped: str
) -> None:
    kms = Kms()
    WrappedKeys(objects, "staging").open(kms)
    wrapped.open(kms)
    found = objects.get("keys/prod.json")
    assert found
    record = json.loads(found[0])
    if swapped == "environment":
        other = objects.get("keys/staging.json")
        assert other
        record = json.loads(other[0])
    else:
        record["signing"], record["backup"] = record["backup"], record["signing"]
    objects.replace("keys/prod.json", json.dumps(record).encode(), found[1])
    with pytest.raises(KeyProblem, match=r"keys/prod\.json is damaged"):
        wrapped.open(kms)


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{}", b'{"wrapped_by": "a", "signing": "*", "backup": "*", "public": "*"}']
)
def test_a_damaged_record_is_told(objects: MemoryObjects, wrapped: WrappedKeys, content: bytes) -> None:
    objects.create("keys/prod.json", content)
    with pytest.raises(KeyProblem, match="damaged"):
        wrapped.open(Kms())


def test_what_is_unwrapped_and_no_key_is_told_and_not_shown(
    objects: MemoryObjects, wrapped: WrappedKeys
) -> None:
    class Garbled(Kms):
        def unwrap(self, wrapped: bytes, context: Mapping[str, str]) -> bytes:
            return b"\xff" if context["gymops:key"] == "backup" else base64.b64encode(b"short")

    wrapped.open(Kms())
    with pytest.raises(KeyProblem) as refused:
        wrapped.open(Garbled())
    assert "short" not in refused.value.message


@pytest.mark.parametrize("reason", ["AccessDeniedException", "DisabledException", "KMSInvalidStateException"])
def test_who_may_not_is_told_what_kms_says(wrapped: WrappedKeys, reason: str) -> None:
    with pytest.raises(AwsError):
        wrapped.open(Kms(refuses=reason))
    assert wrapped.arn is None
    wrapped.open(Kms())
    with pytest.raises(AwsError) as refused:
        wrapped.open(Kms(refuses=reason))
    assert refused.value.reason == reason


def test_who_only_checks_opens_the_public_half_and_signs_nothing(
    objects: MemoryObjects, wrapped: WrappedKeys
) -> None:
    kms = Kms()
    with pytest.raises(KeyProblem, match="not wrapped"):
        public_key(objects, "prod", kms)
    made = wrapped.open(kms)
    kms.contexts.clear()
    only = public_key(objects, "prod", kms)
    assert only.public == made.public
    assert [one["gymops:key"] for one in kms.contexts] == ["public"]
    with pytest.raises(KeyProblem, match="not here"):
        only.sign(b"x")
    with pytest.raises(KeyProblem, match="another key of KMS"):
        public_key(objects, "prod", Kms("theirs"))


def test_secrets_are_never_printed() -> None:
    assert "AGE-SECRET" not in repr(Secrets("seed", "AGE-SECRET-KEY-1")) + str(Secrets("s", "AGE-SECRET"))
