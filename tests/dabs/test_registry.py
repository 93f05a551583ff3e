"""Official suites are a fixed list; a plug-in domain can be named but is in no list of all domains."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import dabs
from dabs import registry
from dabs.cli import dispatch
from dabs.cli.check import specs_of
from dabs.cli.data import main as data
from dabs.cli.list import entries_of
from dabs.cli.new import write_new
from dabs.cli.run import GridOptions, plan
from dabs.config import FIRST_SEED, SUITES
from dabs.data.prepare import prepare
from dabs.data.prepared import is_prepared, open_prepared
from dabs.errors import DabsError, DabsWarning, RequestError
from dabs.leaderboard.cli.suite_rules import build_rules
from dabs.official import OFFICIAL_TASKS, is_official
from dabs.registry import algorithm_names, domain_label, domain_names, find_domain, plugin_names


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
    shown = {entry.names[0]: entry.value["plugin"] for entry in entries_of("domains", "lite")}
    assert shown == dict.fromkeys(OFFICIAL_TASKS["lite"], False) | {"toy": True}
    assert data(["status"]) == 0
    official, _, plugins = capsys.readouterr().out.partition("plug-in domains")
    assert "sensor" in official
    assert "toy" not in official
    assert "toy" in plugins


def test_asking_whether_a_domain_is_official_loads_no_torch():
    code = "import sys; from dabs.official import is_official; assert is_official('sensor', 'lite')\n"
    code += "assert not [name for name in sys.modules if name.startswith(('torch', 'dabs.domains'))]"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.fixture
def own_domain(tmp_path, home):
    """A file of a domain, as `dabs new --domain` writes it."""
    file, _, _ = write_new("walks", tmp_path, domain=True)
    return file


def test_a_domain_of_a_file_is_found_by_its_path(own_domain):
    for reference in (f"{own_domain}:LITE", str(own_domain)):
        domain = find_domain(reference)
        assert (domain.name, domain.reference, len(domain.source_sha256)) == ("walks", reference, 64)
        assert domain_label(reference) == "walks"
    assert domain_label("sensor") == "sensor"


@pytest.mark.parametrize(
    ("old", "new", "reference", "said"),
    [
        ('"walks",', '"runs",', "walks.py", "is called 'runs'; name it 'walks', like its file"),
        ("LITE = ", "lite = None\nOTHER = ", "walks.py:LITE", "there is no domain 'LITE' in"),
        ("LITE = ", "import nothing_of_this_name\nLITE = ", "walks.py", "failed to load: ModuleNotFoundError"),
        ("LITE = ", "SECOND = LITE = ", "walks.py", r"must offer one Domain of the suite lite \(found: SECOND, LITE\)"),
        ("", "", "strolls.py", "there is no domain file"),
    ],
)
def test_a_file_that_offers_no_domain_is_refused(own_domain, old, new, reference, said):
    own_domain.write_text(own_domain.read_text().replace(old, new, 1))
    with pytest.raises(DabsError, match=said):
        find_domain(str(own_domain.with_name(reference)))


def test_a_file_may_not_take_the_name_of_an_official_domain(own_domain):
    text = own_domain.read_text().replace('"walks"', '"sensor"')
    (other := own_domain.with_name("sensor.py")).write_text(text)
    with pytest.raises(RequestError, match="has the name of an official domain of lite"):
        find_domain(str(other))


def test_a_domain_of_a_file_goes_wherever_a_name_goes(own_domain, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    reference = f"{own_domain.name}:LITE"
    assert data(["prepare", reference]) == 0
    run = dabs.pretrain("shed", reference, steps=2)
    assert run == Path("runs/lite/shed/walks/seed7")
    with pytest.raises(RequestError, match=r"If you trust it, say so: --domain walks\.py:LITE"):
        dabs.evaluate(run)
    with pytest.raises(RequestError, match="was pretrained on walks, not on sensor"):
        dabs.evaluate(run, domain="sensor")
    (result,) = dabs.evaluate(run, protocols=["knn"], domain=reference)
    assert (result.domain, result.pretraining.config["domain"]) == ("walks", "walks")
    (cell,) = plan(GridOptions(algorithms=("shed",), domains=(reference,), out=Path("runs")))[2:]
    assert (cell.name, cell.folder.parent) == (f"shed walks seed {FIRST_SEED}", Path("runs/lite/shed/walks"))


def test_the_next_command_names_a_file_of_a_domain_again(own_domain, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    prepare(find_domain(f"{own_domain.name}:LITE"), lambda line: None)
    assert not dispatch(["pretrain", "none", f"{own_domain.name}:LITE", "--out", "here"])
    assert "next: dabs eval here --domain walks.py:LITE" in capsys.readouterr().out


def test_data_that_another_version_of_the_file_prepared_is_refused(own_domain):
    reference = f"{own_domain}:LITE"
    prepare(find_domain(reference), lambda line: None)
    assert is_prepared(find_domain(reference))
    own_domain.write_text(own_domain.read_text() + "# changed\n")
    assert not is_prepared(find_domain(reference))
    with pytest.raises(DabsError, match=f"another version of {re.escape(reference)}. Run `dabs data prepare"):
        open_prepared(find_domain(reference))


def test_a_plugin_that_cannot_be_imported_is_left_out_with_a_warning(monkeypatch, tmp_path):
    (tmp_path / "broken_plugin.py").write_text("import nothing_of_this_name\n")
    monkeypatch.syspath_prepend(tmp_path)
    modules = registry._modules
    broken = {"broken": "broken_plugin:LITE"}
    monkeypatch.setattr(registry, "_modules", lambda package: modules(package) | broken)
    for names in (lambda: plugin_names("lite"), algorithm_names):
        with pytest.warns(
            DabsWarning, match=r"the plug-in broken \(broken_plugin:LITE\) is left out.*nothing_of_this_name"
        ):
            assert "broken" not in names()
