"""What is read as a template, and how it is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gymops.deploy.syntax import TemplateError, parse, read


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("A: !Ref X", {"Ref": "X"}),
        ("A: !Condition X", {"Condition": "X"}),
        ("A: !GetAtt X.Y.Z", {"Fn::GetAtt": ["X", "Y.Z"]}),
        ("A: !GetAtt [X, Y]", {"Fn::GetAtt": ["X", "Y"]}),
        ("A: !Sub ${X}", {"Fn::Sub": "${X}"}),
        ('A: !GetAZs ""', {"Fn::GetAZs": ""}),
        ("A: !If [B, !Ref C, 1]", {"Fn::If": ["B", {"Ref": "C"}, 1]}),
        ("A: 2012-10-17", "2012-10-17"),
        ("A: 0.5", 0.5),
        ("A: true", True),
        ('A: "true"', "true"),
        ('{\n\t"A": {"Ref": "X"}\n}', {"Ref": "X"}),
    ],
)
def test_short_forms_are_written_out(text: str, value: object) -> None:
    assert parse(text, "t.yaml") == {"A": value}


def test_it_remembers_lines() -> None:
    found = parse("A:\n  B:\n    - x\n    - !Ref y\n", "t.yaml")
    assert (found.lines["A"], found["A"].lines["B"], found["A"]["B"].lines) == (1, 2, [3, 4])


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("A: [", "t.yaml:2: no YAML"),
        ("just a text", "a mapping with Resources is expected"),
        ("- a\n- b", "a mapping with Resources is expected"),
        ("", "a mapping with Resources is expected"),
        ("A: 1\nA: 2", "t.yaml:2: 'A' stands here twice"),
        ("A: &x {B: 1}\nC: *x", "no aliases"),
        ("A:\n", "t.yaml:1: an empty value"),
        ("A: !Reff X", "CloudFormation knows no !Reff"),
        ("A:\n  <<: {B: 1}", "no merge keys"),
        ("? [a, b]\n: c", "a key that is no text"),
        ("A: " + "[" * 150 + "1" + "]" * 150, "nested too deeply"),
        ("A: \x00", "no YAML"),
    ],
)
def test_what_is_no_template_is_refused_with_the_line(text: str, why: str) -> None:
    with pytest.raises(TemplateError, match=r"t\.yaml") as caught:
        parse(text, "t.yaml")
    assert why in caught.value.message
    assert caught.value.hint


def test_a_bomb_of_aliases_is_refused_at_once() -> None:
    lines = ["a0: &a0 [x, x]"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 40)]
    with pytest.raises(TemplateError, match="aliases"):
        parse("\n".join(lines), "t.yaml")


def test_endless_nesting_is_refused() -> None:
    with pytest.raises(TemplateError, match=r"nested too deeply|no YAML"):
        parse("{" + '"a": [' * 50_000, "t.json")


def test_json_is_read_as_json(tmp_path: Path) -> None:
    document = {"Resources": {"A": {"Type": "AWS::SNS::Topic", "Properties": {"DisplayName": "a\tb"}}}}
    assert parse(json.dumps(document, indent="\t"), "t.json") == document


@pytest.mark.parametrize(
    ("content", "why"),
    [(b"\xff\xfe\x00", "not UTF-8"), (b"x" * 101, "101 bytes, and CloudFormation takes 100")],
)
def test_what_cannot_be_read_is_said(tmp_path: Path, content: bytes, why: str) -> None:
    file = tmp_path / "t.yaml"
    file.write_bytes(content)
    with pytest.raises(TemplateError) as caught:
        read(file, largest=100)
    assert why in caught.value.message


def test_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    for path in (tmp_path / "none.yaml", tmp_path):
        with pytest.raises(TemplateError):
            read(path, largest=1_000_000)
