"""Releases of images: where they lie, by which digest, what keeps them, and what moves."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from gymops.config import Environment
from gymops.deploy.artefact import Artefact, Blob, canonical, sha256
from gymops.deploy.build.failures import BuildError, RegistryError
from gymops.deploy.build.image import INDEX, MANIFEST
from gymops.deploy.build.transfer import Elsewhere, transfer
from gymops.deploy.release.ledger import Release
from gymops.deploy.release.plan import Outcome
from gymops.deploy.smoke import SmokeFailed
from gymops.deploy.syntax import parse
from gymops.deploy.template import Template
from gymops.deploy.verbs.deploy import Built, deploy
from gymops.deploy.verbs.images import keep, pinned
from gymops.deploy.verbs.rollback import rollback
from gymops.errors import ConfigError, Detached, GateRefused, Unknown
from tests.unit.deploy.verbs.releasing import OWNER, ledger, promoted
from tests.unit.deploy.verbs.repository import Repository
from tests.unit.deploy.verbs.world import Died, World


def image(folder: Path, text: str) -> Built:
    """An image whose layer is this text, as an OCI layout."""
    folder = folder / text
    blobs = folder / "blobs/sha256"
    blobs.mkdir(parents=True, exist_ok=True)
    described = []
    for data in (b"{}", text.encode()):
        (blobs / sha256(data)[7:]).write_bytes(data)
        described.append({"mediaType": "application/any", "digest": sha256(data), "size": len(data)})
    body = canonical({"schemaVersion": 2, "config": described[0], "layers": described[1:]})
    (blobs / sha256(body)[7:]).write_bytes(body)
    whole = sha256(body)
    found = (Blob("manifest", whole, len(body), 0),)
    artefact = Artefact(
        whole, "image", "arm64", "3.12", "app", "app.handler", found, (), whole, whole, whole, None
    )
    return Built(artefact, folder)


def release(world: World, folder: Path, text: str) -> Release:
    return deploy(world.site(), image(folder, text), OWNER, token="t")


def repository(world: World) -> Repository:
    (found,) = world.repositories.values()
    return found


def test_a_release_is_in_the_environment_s_repository_kept_before_it_is_used_and_labelled_after(
    staging: World, tmp_path: Path
) -> None:
    done = release(staging, tmp_path, "one")
    digest = image(tmp_path, "one").artefact.digest
    assert done.parameters["ImageUri"] == done.artefact.uri == f"{repository(staging).uri}@{digest}"
    assert (staging.serves, repository(staging).named) == (digest, {keep(digest): digest, "staging": digest})
    order = [what for what in staging.effects if what.startswith(("tag", "blob", "stack staging-gym-app"))]
    assert order[:4] == ["blob", "blob", f"tag {keep(digest)}", "stack staging-gym-app-certificate"]
    assert order[-1] == "tag staging"
    sent = len(staging.effects)
    assert release(staging, tmp_path, "one").number == 2
    assert staging.effects[sent:] == []


def test_a_promotion_has_the_same_manifest_and_its_own_label(
    staging: World, prod: World, tmp_path: Path
) -> None:
    first = release(staging, tmp_path, "one")
    done = promoted(staging, prod)
    digest = first.artefact.digest
    assert done.artefact == replace(first.artefact, uri=f"{repository(prod).uri}@{digest}")
    assert repository(prod).manifests == repository(staging).manifests
    assert repository(prod).named == {keep(digest): digest, "prod": digest}
    assert prod.serves == digest


@pytest.mark.parametrize("at", ["tag keep", "tag prod"])
def test_killed_before_a_tag_is_there_the_same_command_ends_with_one_release(
    staging: World, prod: World, tmp_path: Path, at: str
) -> None:
    digest = release(staging, tmp_path, "one").artefact.digest
    promoted(staging, other := World("prod", clock=staging.clock))
    where = next(number for number, what in enumerate(other.effects, start=1) if what.startswith(at))
    prod.dies_at = (where, False)
    with suppress(Died, Detached):
        promoted(staging, prod)
    assert prod.effects[-1].startswith(at)
    prod.dies_at = None
    promoted(staging, prod)
    assert [one.number for one in ledger(prod)] == [1]
    assert repository(prod).named == {keep(digest): digest, "prod": digest}
    assert prod.serves == digest


def test_a_registry_that_does_not_answer_is_no_failure_and_the_same_command_goes_on(
    staging: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(*_: object) -> bool:
        raise RegistryError("it broke off", unknown=True)

    with monkeypatch.context() as patched:
        patched.setattr(Repository, "has", lost)
        with pytest.raises(Unknown, match="at the step artefact may still be running: it broke off"):
            release(staging, tmp_path, "one")
    assert ledger(staging) == []
    assert release(staging, tmp_path, "one").number == 1


def test_a_rollback_moves_the_label_back_and_the_kept_ones_stay(staging: World, tmp_path: Path) -> None:
    first, second = release(staging, tmp_path, "one"), release(staging, tmp_path, "two")
    rollback(staging.site(), OWNER)
    one, two = first.artefact.digest, second.artefact.digest
    assert repository(staging).named == {keep(one): one, keep(two): two, "staging": one}
    assert staging.serves == one


def test_a_label_that_cannot_be_moved_is_told_and_fails_nothing(staging: World, tmp_path: Path) -> None:
    release(staging, tmp_path, "one")
    repository(staging).frozen.add("staging")
    done = release(staging, tmp_path, "two")
    assert done.outcome is Outcome.SUCCEEDED
    assert repository(staging).named["staging"] != done.artefact.digest
    assert any("the label staging stays where it was" in line for line in staging.said)


def test_a_release_that_failed_leaves_the_label(staging: World, tmp_path: Path) -> None:
    first = release(staging, tmp_path, "one")
    staging.bad.add(image(tmp_path, "two").artefact.digest)
    with pytest.raises(SmokeFailed):
        release(staging, tmp_path, "two")
    assert repository(staging).named["staging"] == first.artefact.digest
    assert staging.serves == first.artefact.digest


def test_a_policy_that_may_take_a_release_away_is_refused_before_anything_is_changed(
    staging: World, prod: World, tmp_path: Path
) -> None:
    release(staging, tmp_path, "one")
    promoted(staging, prod)
    release(staging, tmp_path, "two")
    rule = {"rulePriority": 1, "description": "ten", "selection": {"tagStatus": "any"}}
    for world in (staging, prod):
        repository(world).lifecycle = json.dumps({"rules": [rule]})
    done = len(staging.effects), len(prod.effects)
    with pytest.raises(GateRefused, match=r"rule 1 \(ten\): tagStatus any") as error:
        release(staging, tmp_path, "three")
    assert error.value.hint
    assert "untagged" in error.value.hint
    with pytest.raises(GateRefused, match="may take away what was released"):
        promoted(staging, prod)
    with pytest.raises(GateRefused, match="may take away what was released"):
        rollback(staging.site(), OWNER)
    assert (len(staging.effects), len(prod.effects)) == done


def test_a_policy_is_read_with_the_tags_that_released_images_have(staging: World, tmp_path: Path) -> None:
    first = release(staging, tmp_path, "one")
    repository(staging).named["v1"] = first.artefact.digest
    rule = {"rulePriority": 1, "selection": {"tagStatus": "tagged", "tagPrefixList": ["v"]}}
    repository(staging).lifecycle = json.dumps({"rules": [rule]})
    with pytest.raises(GateRefused, match=r"v\* selects v1"):
        release(staging, tmp_path, "two")


def test_a_release_whose_tag_was_taken_gets_it_again(staging: World, tmp_path: Path) -> None:
    digest = release(staging, tmp_path, "one").artefact.digest
    del repository(staging).named[keep(digest)]
    release(staging, tmp_path, "two")
    assert repository(staging).named[keep(digest)] == digest
    assert f"{keep(digest)} was taken from {digest}; it has it again" in staging.said


def test_a_kept_tag_that_somebody_moved_is_no_release_s(staging: World, tmp_path: Path) -> None:
    one = release(staging, tmp_path, "one").artefact.digest
    two = image(tmp_path, "two").artefact.digest
    repository(staging).named[keep(two)] = one
    with pytest.raises(RegistryError, match=f"was moved to {one}"):
        release(staging, tmp_path, "two")
    assert staging.serves == one


def test_a_list_of_images_is_refused(staging: World, tmp_path: Path) -> None:
    release(staging, tmp_path, "one")
    there, here = repository(staging), Repository(World("prod"), "example.com/other")
    body = canonical({"manifests": [{"digest": digest} for digest in there.manifests]})
    there.manifests[sha256(body)] = (body, INDEX)
    with pytest.raises(BuildError, match="a list of images for several platforms"):
        transfer(sha256(body), Elsewhere(there), here, "keep", print)
    assert not here.manifests


def test_a_registry_that_gives_another_manifest_is_found_out(staging: World, tmp_path: Path) -> None:
    digest = release(staging, tmp_path, "one").artefact.digest
    there, here = repository(staging), Repository(World("prod"), "example.com/other")
    here.manifests[digest] = (b"{}", MANIFEST)
    here.named[keep(digest)] = digest
    with pytest.raises(RegistryError, match="holds another manifest"):
        transfer(digest, Elsewhere(there), here, keep(digest), print)


def test_an_image_that_is_gone_is_not_returned_to(staging: World, tmp_path: Path) -> None:
    first = release(staging, tmp_path, "one")
    release(staging, tmp_path, "two")
    del repository(staging).manifests[first.artefact.digest]
    done = len(staging.effects)
    with pytest.raises(GateRefused, match=f"release 1 is gone: .*{first.artefact.digest}"):
        rollback(staging.site(), OWNER)
    assert len(staging.effects) == done


@pytest.mark.parametrize(("tag", "kind"), [(":prod", GateRefused), (f"@sha256:{'0' * 64}", ConfigError)])
def test_an_image_given_by_hand_is_refused(tmp_path: Path, tag: str, kind: type[Exception]) -> None:
    uri = f"222222222222.dkr.ecr.us-west-1.amazonaws.com/gym-app{tag}"
    world = World("staging", own=Environment(parameters={"ImageUri": uri}))
    with pytest.raises(kind, match="ImageUri"):
        release(world, tmp_path, "one")
    assert not [what for what in world.effects if "base" not in what]


CODE = {"Type": "AWS::Lambda::Function"}
WHERE = "222222222222.dkr.ecr.us-west-1.amazonaws.com/gym-app"


def template(value: object, kind: str = "AWS::Lambda::Function") -> Template:
    place = {"Code": {"ImageUri": value}, "ContainerDefinitions": [{"Image": value}]}
    body = {
        "Parameters": {"Tag": {"Type": "String", "Default": "live"}, "Uri": {"Type": "String"}},
        "Conditions": {
            "Some": {"Fn::Equals": ["1", "1"]},
            "Unknown": {"Fn::Equals": [{"Ref": "AWS::StackId"}, ""]},
        },
        "Resources": {"Shop": {"Type": kind, "Properties": place}},
    }
    return Template("it", parse(json.dumps(body), "it"))


@pytest.mark.parametrize("kind", ["AWS::Lambda::Function", "AWS::ECS::TaskDefinition"])
@pytest.mark.parametrize(
    "value",
    [
        f"{WHERE}:live",
        WHERE,
        "nginx",
        {"Fn::Sub": f"{WHERE}:${{Tag}}"},
        {"Fn::Sub": "${Repository.RepositoryUri}:live"},
        {"Fn::Join": [":", [{"Fn::GetAtt": ["Repository", "RepositoryUri"]}, "live"]]},
        {"Fn::If": ["Some", f"{WHERE}:live", {"Ref": "AWS::NoValue"}]},
        {"Fn::If": ["Unknown", {"Ref": "AWS::NoValue"}, f"{WHERE}:live"]},
    ],
)
def test_a_tag_in_a_template_is_refused(staging: World, value: object, kind: str) -> None:
    with pytest.raises(GateRefused, match=r"Shop names the image .* by a tag, which moves"):
        pinned(staging.site(), template(value, kind), {})


@pytest.mark.parametrize(
    "value",
    [
        f"{WHERE}@sha256:{'0' * 64}",
        {"Ref": "Uri"},
        {"Fn::Sub": "${Repository.RepositoryUri}@${Uri}"},
        {"Fn::Sub": "${Repository.RepositoryUri}"},
        {"Fn::GetAtt": ["Repository", "RepositoryUri"]},
    ],
)
def test_a_digest_or_what_only_aws_knows_is_not(staging: World, value: object) -> None:
    pinned(staging.site(), template(value), {})


def test_a_template_with_a_tag_is_not_released(tmp_path: Path) -> None:
    code = {"ImageUri": {"Ref": "ImageUri"}}
    body = {
        "Parameters": {
            "AppName": {"Type": "String", "Default": "shop"},
            **{name: {"Type": "String"} for name in ("ImageUri", "Architecture", "LiveVersion")},
        },
        "Resources": {
            "Shop": {"Type": "AWS::Lambda::Function", "Properties": {"Code": code}},
            "Other": {"Type": "AWS::Lambda::Function", "Properties": {"Code": {"ImageUri": f"{WHERE}:live"}}},
        },
        "Outputs": {name: {"Value": "x"} for name in ("FunctionName", "FunctionAlias")},
    }
    (tmp_path / "template.json").write_text(json.dumps(body), encoding="utf-8")
    own = Environment(region="us-west-1")
    world = World("staging", own=own, architecture=str(tmp_path / "template.json"))
    with pytest.raises(GateRefused, match=f"Other names the image {WHERE}:live by a tag"):
        release(world, tmp_path, "one")
    assert not [what for what in world.effects if "base" not in what]


def test_the_digest_a_tag_has_now_is_told(staging: World, tmp_path: Path) -> None:
    done = release(staging, tmp_path, "one")
    with pytest.raises(GateRefused) as error:
        pinned(staging.site(), template({"Ref": "Uri"}), {"Uri": f"{WHERE}:staging"})
    assert error.value.hint == f"name it by digest; it is now {done.artefact.uri}"
