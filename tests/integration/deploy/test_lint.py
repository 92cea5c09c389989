"""cfn-lint and our rules on what we ship, and ``gymops lint`` as a user meets it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gymops import resources
from gymops.deploy import lint
from gymops.deploy.template import architecture, names

TITAN = resources.path("cloudformation") / "titan-trakr"


def gymops(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    plain = {name: value for name, value in os.environ.items() if not name.startswith("GYMOPS_")}
    done = subprocess.run(
        [sys.executable, "-m", "gymops", *arguments],
        cwd=folder, env=plain, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    return done


def put(folder: Path, text: str) -> Path:
    file = folder / "t.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def codes(file: Path) -> set[str]:
    return {finding.code for finding in lint.lint_file(file).findings}


TOPIC = """
Resources:
  Topic:
    Type: AWS::SNS::Topic
    Properties: {DisplayName: x, KmsMasterKeyId: alias/x}
"""


FIRST = "titan-trakr"
OTHERS = [pytest.param(name, marks=pytest.mark.long) for name in names() if name != FIRST]
"""Each takes seconds."""


@pytest.mark.parametrize("of", [FIRST, *OTHERS])
def test_nothing_is_found_in_what_is_shipped(of: str) -> None:
    every = list(lint.lint_architecture(architecture(of)))
    assert [finding for one in every for finding in one.findings] == []
    assert [one.name for one in every] == [stack.name for stack in architecture(of).stacks]
    assert {one.name for one in every if not one.inline} <= {"app"}
    assert all(len(one.reason.split()) > 1 for stack in every for one in stack.suppressed)


@pytest.mark.long
@pytest.mark.parametrize("of", names())
def test_cfn_lint_alone_finds_nothing_either(of: str, tmp_path: Path) -> None:
    """Whoever runs it on what is printed gets the same answer."""
    for stack in ("app", architecture(of).stacks[-1].name):
        file = tmp_path / f"{stack}.json"
        file.write_text(gymops(tmp_path, "lint", of, "--print", stack).stdout, encoding="utf-8")
        command = [str(Path(sys.executable).with_name("cfn-lint")), "-c", "I", "--", str(file)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        assert (done.returncode, done.stdout) == (0, "")


def test_a_finding_of_cfn_lint_names_the_file_and_line_of_its_part(tmp_path: Path) -> None:
    (tmp_path / "part.yaml").write_text(TOPIC.replace("DisplayName", "DisplayedName"), encoding="utf-8")
    file = put(tmp_path, "Parts: [part.yaml]\nParameters: {}\n")
    found = next(one for one in lint.lint_file(file).findings if one.code == "E3002")
    assert (Path(found.file).name, found.line, found.resource, found.source) == (
        "part.yaml", 5, "Topic", "cfn-lint",
    )  # fmt: skip


def test_informational_rules_are_on(tmp_path: Path) -> None:
    text = TOPIC + "  Table:\n    Type: AWS::Kinesis::Stream\n    Properties: {ShardCount: 1}\n"
    assert "I3011" in codes(put(tmp_path, text))


def test_settings_files_of_cfn_lint_suppress_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".cfnlintrc").write_text("ignore_checks: [E3002]\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert "E3002" in codes(put(tmp_path, TOPIC.replace("DisplayName", "DisplayedName")))


@pytest.mark.parametrize(
    ("metadata", "wanted"),
    [
        ("", {"G021"}),
        ("    Metadata: {Lint: {G021: Nothing secret is ever sent}}\n", set()),
        ("    Metadata: {Lint: {G021: TODO}}\n", {"G021", "G060"}),
        ("    Metadata: {Lint: {G021: Nothing secret is sent, G030: An old reason}}\n", {"G062"}),
        ("    Metadata: {cfn-lint: {config: {ignore_checks: [W1030]}}}\n", {"G021", "G061"}),
        ("    Metadata: {checkov: {skip: [{id: CKV_AWS_26}]}}\n", {"G021", "G061"}),
        ("    Metadata: {checkov: {skip: [{id: CKV_AWS_26, comment: Nothing secret}]}}\n", {"G021"}),
    ],
)
def test_a_suppression_needs_a_reason_and_a_reason_a_finding(
    tmp_path: Path, metadata: str, wanted: set[str]
) -> None:
    assert codes(put(tmp_path, TOPIC.replace(", KmsMasterKeyId: alias/x", "") + metadata)) == wanted


def test_nothing_is_suppressed_for_a_whole_template(tmp_path: Path) -> None:
    text = "Metadata: {cfn-lint: {config: {ignore_checks: [E3002]}}}\n" + TOPIC
    assert codes(put(tmp_path, text)) == {"G061"}


def test_json(tmp_path: Path) -> None:
    done = gymops(tmp_path, "lint", str(put(tmp_path, TOPIC.replace("alias/x", '""'))), "--json")
    assert (done.returncode, done.stderr) == (3, "")
    document = json.loads(done.stdout)
    assert document["ok"] is False
    (one,) = document["templates"]
    assert set(one) == {"name", "region", "resources", "size", "inline", "findings", "suppressed"}
    keys = {"code", "severity", "message", "file", "line", "resource", "source"}
    assert all(set(finding) == keys for finding in one["findings"])
    assert "G021" in {finding["code"] for finding in one["findings"]}


@pytest.mark.long
def test_a_table_for_people(tmp_path: Path) -> None:
    done = gymops(tmp_path, "lint", "titan-trakr")
    assert (done.returncode, done.stderr) == (0, "")
    assert "(by S3)" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["titan"], 2, "no architecture 'titan'; did you mean titan-trakr?"),
        (["nowhere.yaml"], 1, "nowhere.yaml: no such file"),
        (["broken.yaml"], 1, "broken.yaml:2: no YAML"),
        (["binary.json"], 1, "binary.json: not UTF-8 text"),
        (["large.yaml"], 1, "large.yaml: 1,000,001 bytes, and CloudFormation takes 1,000,000"),
        (["/dev/zero"], 1, "/dev/zero: 1,000,001 bytes, and CloudFormation takes 1,000,000"),
        (["empty.yaml"], 1, "empty.yaml: no template"),
        (["./"], 2, "stacks.toml: No such file or directory"),
        (["titan-trakr", "--print", "none"], 2, "titan-trakr has no stack 'none'"),
        (["--print", "app"], 2, "--print needs an architecture"),
        (["a", "b"], 2, "unexpected extra argument"),
    ],
)
def test_bad_input_is_told_with_the_next_step(
    tmp_path: Path, arguments: list[str], code: int, message: str
) -> None:
    (tmp_path / "broken.yaml").write_text("A: [\n")
    (tmp_path / "binary.json").write_bytes(b"\xff\xfe")
    (tmp_path / "large.yaml").write_text("#" * 1_000_001)
    (tmp_path / "empty.yaml").write_text("")
    done = gymops(tmp_path, "lint", *arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert message in done.stderr
    assert "hint:" in done.stderr
    assert json.loads(gymops(tmp_path, "lint", *arguments, "--json").stdout)["error"]["hint"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            'FunctionMemory = "99999"',
            "prod: the parameter FunctionMemory: '99999' is not between 128 and 10240",
        ),
        pytest.param(
            'FunktionMemory = "512"',
            "prod: no parameter 'FunktionMemory'; did you mean FunctionMemory?",
            marks=pytest.mark.long,
        ),
        pytest.param('OffHours = "true"', "prod: prod is always on - OffHours=false", marks=pytest.mark.long),
    ],
)
def test_the_parameters_of_gymops_toml_are_checked(tmp_path: Path, line: str, message: str) -> None:
    text = f'architecture = "titan-trakr"\n[environments.prod.parameters]\n{line}\n'
    (tmp_path / "gymops.toml").write_text(text)
    done = gymops(tmp_path, "lint")
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr


@pytest.mark.long
def test_windows_that_meet_by_a_parameter_are_found(tmp_path: Path) -> None:
    text = (
        'architecture = "titan-trakr"\n[environments.prod.parameters]\nDatabaseBackupWindow = "03:10-03:40"\n'
    )
    (tmp_path / "gymops.toml").write_text(text)
    done = gymops(tmp_path, "lint")
    assert done.returncode == 3
    assert "G040" in done.stdout
    assert "in prod" in done.stdout


@pytest.mark.long
def test_init_writes_what_lint_reads(tmp_path: Path) -> None:
    done = gymops(tmp_path, "init", "--architecture", "titan-trakr")
    assert done.stdout.endswith("next: gymops lint titan-trakr\n")
    assert gymops(tmp_path, "lint").returncode == 0
    again = gymops(tmp_path, "init", "--architecture", "titan-trakr")
    assert (again.returncode, again.stdout) == (2, "")
    unknown = gymops(tmp_path, "init", "--architecture", "titan", "--json")
    assert unknown.returncode == 2
    assert json.loads(unknown.stdout)["error"]["hint"].startswith(
        f"known architectures: {', '.join(names())};"
    )


@pytest.mark.long
def test_a_template_of_one_s_own_is_looked_through_with_its_environments(tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs" / "any-app.md").read_text(encoding="utf-8")
    text = page.partition("`infra/template.yaml`\n\n```text\n")[2].partition("```")[0]
    (tmp_path / "infra").mkdir()
    (tmp_path / "infra" / "template.yaml").write_text(text)
    written = 'architecture = "infra/template.yaml"\n[environments.dev.parameters]\n'
    (tmp_path / "gymops.toml").write_text(written)
    done = gymops(tmp_path, "lint", "--json")
    assert done.returncode in {0, 3}, done.stdout
    (tmp_path / "gymops.toml").write_text(f'{written}Colour = "red"\n')
    wrong = gymops(tmp_path, "lint")
    assert (wrong.returncode, "no parameter 'Colour'" in wrong.stderr) == (2, True)


@pytest.mark.long
def test_what_an_earlier_stack_gives_needs_no_value_and_what_none_gives_does(tmp_path: Path) -> None:
    app = TOPIC + "Parameters:\n  Key: {Type: String, AllowedPattern: 'arn:.+', Description: The key.}\n"
    app += "  Label: {Type: String, AllowedPattern: '[a-z]+', Description: A label.}\n"
    (tmp_path / "app.yaml").write_text(app.replace("alias/x", "!Ref Key"), encoding="utf-8")
    key = TOPIC + "Outputs:\n  Key: {Description: The key., Value: !Ref Topic}\n"
    (tmp_path / "key.yaml").write_text(key, encoding="utf-8")
    first, second = (
        f'[[stack]]\nname = "{one}"\ntemplate = "{one}.yaml"\nscope = "environment"\n'
        for one in ("key", "app")
    )
    written = 'architecture = "./"\n[environments.prod.parameters]\nLabel = "a"\n'
    (tmp_path / "gymops.toml").write_text(written, encoding="utf-8")
    (tmp_path / "stacks.toml").write_text(first + second, encoding="utf-8")
    assert gymops(tmp_path, "lint").returncode in {0, 3}
    (tmp_path / "stacks.toml").write_text(second, encoding="utf-8")
    done = gymops(tmp_path, "lint")
    assert (done.returncode, done.stderr.splitlines()[:1]) == (
        2,
        ["error: prod: the parameter Key is missing"],
    )


def test_a_type_that_does_not_exist_is_a_finding(tmp_path: Path) -> None:
    put(tmp_path, "Resources:\n  A:\n    Type: AWS::No::Such\n")
    done = gymops(tmp_path, "lint", "t.yaml")
    assert (done.returncode, done.stderr) == (3, "")
    assert "t.yaml:3: E3006 A: Resource type 'AWS::No::Such' does not exist" in done.stdout
