"""What a container's command comes to here, and what a health check's answers come to."""

from __future__ import annotations

from pathlib import Path

import pytest

from gymops.local.plane.ecs.daemon import started
from gymops.local.plane.ecs.health import HEALTHY, INITIAL, UNHEALTHY, Target, _matches
from gymops.local.plane.ecs.services import Restarts
from gymops.local.plane.faults import Fault
from gymops.local.plane.types.containers import cased

GROUP = {"HealthyThresholdCount": 2, "UnhealthyThresholdCount": 3, "HealthCheckIntervalSeconds": 10}


@pytest.mark.parametrize(
    ("words", "kind", "what", "rest"),
    [
        (["python", "-m", "shop", "--port", "1"], "module", "shop", ["--port", "1"]),
        (["/usr/local/bin/python3.12", "-u", "-m", "shop"], "module", "shop", []),
        (["python", "-c", "print(1)"], "code", "print(1)", []),
        (["python", "main.py", "now"], "file", "main.py", ["now"]),
        (["uvicorn", "shop:app"], "file", "uvicorn", ["shop:app"]),
    ],
)
def test_a_command_of_python_runs(
    tmp_path: Path, words: list[str], kind: str, what: str, rest: list[str]
) -> None:
    (tmp_path / "opt/venv/bin").mkdir(parents=True)
    (tmp_path / "opt/venv/bin/uvicorn").write_text("#!/opt/venv/bin/python\n", encoding="utf-8")
    (tmp_path / "main.py").write_text("", encoding="utf-8")
    found = started(words, tmp_path, tmp_path, "shop:1")
    assert (found[0], Path(found[1]).name, found[2]) == (kind, what, rest)


@pytest.mark.parametrize("words", [["node", "server.js"], [], ["python"], ["python", "gone.py"]])
def test_what_is_no_python_of_the_image_is_told(tmp_path: Path, words: list[str]) -> None:
    with pytest.raises(Fault, match="the local AWS runs Python that is in an image's last layer"):
        started(words, tmp_path, tmp_path, "shop:1")


def test_the_first_pass_makes_a_new_target_healthy_and_failures_count_once_an_interval() -> None:
    new = Target(counted=0.0)
    new.add("refused", GROUP, 9.0)
    assert (new.state, new.failed) == (INITIAL, 0)
    new.add("", GROUP, 9.5)
    assert new.state == HEALTHY
    for now in (20.0, 21.0, 30.0, 31.0):
        new.add("refused", GROUP, now)
        assert new.state == HEALTHY
    new.add("refused", GROUP, 40.0)
    assert (new.state, new.told) == (UNHEALTHY, "refused")


def test_one_that_failed_has_to_pass_as_often_as_its_group_says() -> None:
    target = Target(state=UNHEALTHY)
    target.add("", GROUP, 1.0)
    assert target.state == UNHEALTHY
    target.add("", GROUP, 2.0)
    assert target.state == HEALTHY


def test_a_task_that_fails_again_and_again_is_started_ever_later() -> None:
    restarts = Restarts()
    assert [restarts.wait("shop", float(now)) for now in range(6)] == [0, 0, 0, 2, 4, 8]
    assert restarts.wait("other", 6.0) == 0
    assert [restarts.wait("shop", 10.0 + now) for now in range(9)][-1] == 60
    assert restarts.wait("shop", 200.0) == 0


@pytest.mark.parametrize(
    ("status", "wanted", "good"), [(200, "200", True), (204, "200-299", True), (302, "200,301-303", True),
                                   (500, "200-499", False)],
)  # fmt: skip
def test_a_matcher_is_a_list_of_codes_and_ranges(status: int, wanted: str, good: bool) -> None:
    assert _matches(status, wanted) is good


def test_a_template_s_names_become_the_api_s_and_what_is_the_user_s_stays() -> None:
    given = {
        "ContainerDefinitions": [
            {
                "Name": "1", "Environment": [{"Name": "A", "Value": "7"}], "StopTimeout": "30",
                "LogConfiguration": {"Options": {"awslogs-group": "G"}}, "DockerLabels": {"Mine": "True"},
            }
        ]
    }  # fmt: skip
    assert cased(given) == {
        "containerDefinitions": [
            {
                "name": "1", "environment": [{"name": "A", "value": "7"}], "stopTimeout": 30,
                "logConfiguration": {"options": {"awslogs-group": "G"}}, "dockerLabels": {"Mine": "True"},
            }
        ]
    }  # fmt: skip
