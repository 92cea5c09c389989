"""The Python shown in docs/local-aws.md runs as it stands, with the variables it speaks of."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from tests.local_aws import ACCOUNT, Aws
from tests.local_page import PAGE


@pytest.mark.long
def test_what_the_page_shows_reaches_a_real_database(aws: Aws) -> None:
    (shown,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    environ = {
        **os.environ,
        "AWS_ENDPOINT_URL": aws.settings.url,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": ACCOUNT,
        "AWS_SECRET_ACCESS_KEY": "local",
    }
    done = subprocess.run(
        [sys.executable, "-c", shown], env=environ, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("PostgreSQL 18")
