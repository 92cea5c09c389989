"""Functions for the tests: small sources, deployed as zips."""

from __future__ import annotations

import io
import json
import sys
import zipfile
from typing import Any

from tests.local_aws import Aws, unique

RUNTIME = f"python{sys.version_info.major}.{sys.version_info.minor}"
ROLE = "arn:aws:iam::111111111111:role/any"


def package(files: dict[str, str]) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return held.getvalue()


def deploy(aws: Aws, source: str, **given: Any) -> str:
    name = unique("fn")
    aws.client("lambda").create_function(
        **{
            "FunctionName": name, "Runtime": RUNTIME, "Handler": "main.handler", "Role": ROLE, "Timeout": 20,
            "Code": {"ZipFile": package({"main.py": source})}, **given,
        }
    )  # fmt: skip
    return name


def invoke(aws: Aws, name: str, event: Any = None, **given: Any) -> Any:
    answer = aws.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event), **given)
    found = json.load(answer["Payload"])
    return {"failed": found} if answer.get("FunctionError") else found
