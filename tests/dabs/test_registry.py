"""Official suites are a fixed list; a plug-in domain can be named but is in no list of all domains."""

from __future__ import annotations

import subprocess
import sys

import pytest

from dabs.cli.check import specs_of
from dabs.cli.data import main as data
from dabs.cli.list import domain_table, task_table
from dabs.cli.run import GridOptions, plan
from dabs.config import SUITES
from dabs.errors import RequestError
from dabs.leaderboard.cli.suite_rules import build_rules
from dabs.official import OFFICIAL_TASKS, is_official
from dabs.registry import domain_names, find_domain, plugin_names


@pytest.mark.parametrize("suite", SUITES)
def test_the_official_list_is_what_the_domains_offer(suite):
    assert list(OFFICIAL_TASKS) == list(SUITES)
    offered = {name: tuple(task.name for task in find_domain(name, suite).tasks) for name in domain_names(suite)}
    assert offered == OFFICIAL_TASKS[suite]
    assert plugin_names(suite) == []


def test_a_plugin_is_found_by_name_but_is_not_official(toy):
    assert find_domain("toy").name == "toy"
    assert plugin_names("lite") == ["toy"]
    assert "toy" not in domain_names("lite")
    assert not is_official("toy", "lite")
    assert is_official("sensor", "lite")
    assert not is_official("sensor", "paper32")
    assert not is_official("sensor", "another")


def test_names_of_plugins_are_known_to_the_message_about_an_unknown_one(toy):
    with pytest.raises(RequestError, match="Did you mean 'toy'"):
        find_domain("tooy")


def test_neither_a_run_nor_a_submission_nor_a_check_takes_a_plugin_by_itself(toy):
    assert {cell.config.domain for cell in plan(GridOptions(algorithms=("none",)))} == set(OFFICIAL_TASKS["lite"])
    assert {cell.config.domain for cell in plan(GridOptions(algorithms=("none",), domains=("toy",)))} == {"toy"}
    assert build_rules("lite").tasks == OFFICIAL_TASKS["lite"]
    assert toy.specs not in specs_of((), "lite").values()
    assert toy.specs in specs_of(("toy",), "lite").values()


def test_a_plugin_is_shown_separately(toy, capsys):
    for table in (domain_table("lite"), task_table("lite")):
        assert "toy" not in list(table.columns[0].cells)
    assert list(domain_table("lite", plugins=True).columns[0].cells) == ["toy"]
    assert data(["status"]) == 0
    official, _, plugins = capsys.readouterr().out.partition("plug-in domains")
    assert "sensor" in official
    assert "toy" not in official
    assert "toy" in plugins


def test_asking_whether_a_domain_is_official_loads_no_torch():
    code = "import sys; from dabs.official import is_official; assert is_official('sensor', 'lite')\n"
    code += "assert not [name for name in sys.modules if name.startswith(('torch', 'dabs.domains'))]"
    subprocess.run([sys.executable, "-c", code], check=True)
