"""A domain of parts: each dataset is prepared separately, and can be used without the others."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from dabs.cli import main
from dabs.cli.data import prepare_all, status_table, verify_all
from dabs.data.domain import PRETRAIN, Domain, Part
from dabs.data.prepare import prepare, verify
from dabs.data.prepared import folder_of, is_prepared, open_prepared, units_of
from dabs.errors import DabsError, RequestError
from dabs.evaluation.evaluate import chosen_tasks
from dabs.registry import domain_names, find_domain, plugin_names

SOURCE = '''
from dataclasses import replace
from dabs.data.domain import Part
from dabs.domains.toy import LITE

class Missing:
    """A source that only the user can get."""
    name = "signed"
    here = False
    def fetch(self, folder, say):
        from dabs.errors import DabsError
        if not self.here:
            raise DabsError("signed is not complete in /somewhere; sign up first.")
        return folder
    def describe(self):
        return {"name": self.name}

def only(name):
    def build(workspace):
        return (rows for rows in LITE.build(workspace) if rows.dataset == name)
    return build

MISSING = Missing()
PARTS = tuple(
    Part(dataset=name, sources=(MISSING,) if name == "length" else (), build=only(name)) for name in LITE.datasets()
)
PAPER = replace(LITE, name="parted", suite="paper", build=None, parts=PARTS, encoder="paper")
PAPER32 = replace(PAPER, suite="paper32", encoder="small", steps=3)
'''


def quiet(line: str) -> None:
    pass


@pytest.fixture
def parted(toy: Domain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Domain:
    """The toy domain in parts, dropped into `domains/paper/`; the part `length` lacks its files."""
    import dabs.domains.paper

    (tmp_path / "paper").mkdir()
    (tmp_path / "paper" / "parted.py").write_text(SOURCE)
    monkeypatch.setattr(dabs.domains.paper, "__path__", [*dabs.domains.paper.__path__, str(tmp_path / "paper")])
    monkeypatch.delitem(sys.modules, "dabs.domains.paper.parted", raising=False)
    monkeypatch.chdir(tmp_path)
    return find_domain("parted", "paper")


def test_suites_have_their_own_domains(parted):
    assert plugin_names("paper") == ["parted"]
    assert plugin_names("paper32") == ["parted"]
    assert plugin_names("lite") == ["toy"]
    assert find_domain("parted", "paper32").steps == 3
    with pytest.raises(RequestError, match=r"no suite 'papr'.*Did you mean 'paper'"):
        domain_names("papr")


def test_what_can_be_prepared_is_prepared_and_the_rest_is_named(parted):
    with pytest.raises(DabsError, match=r"1 of 4 datasets were not prepared\.\s+parted length: signed is not complete"):
        prepare(parted, quiet)
    assert is_prepared(parted, (PRETRAIN, "shade", "findings"))
    assert not is_prepared(parted)
    assert [task.name for task in chosen_tasks(parted, ())] == ["shade", "findings"]
    with pytest.raises(DabsError, match="dabs data prepare parted --suite paper --tasks length"):
        open_prepared(parted, "length")


def test_a_part_is_prepared_alone_or_once_its_source_is_there(parted):
    prepare(parted, quiet, datasets=("shade",))
    assert (folder_of(parted) / "shade" / "manifest.json").exists()
    assert [p.name for p in folder_of(parted).iterdir()] == ["shade"]
    with pytest.raises(DabsError, match="sign up first"):
        prepare(parted, quiet, datasets=("length",))
    sys.modules["dabs.domains.paper.parted"].MISSING.here = True
    prepare(parted, quiet)
    assert is_prepared(parted)


def test_each_part_has_its_own_sources_files_and_hashes(parted, toy):
    sys.modules["dabs.domains.paper.parted"].MISSING.here = True
    prepare(parted, quiet)
    assert open_prepared(parted, "length").manifest["sources"] == [{"name": "signed"}]
    assert open_prepared(parted, "shade").manifest["sources"] == []
    assert set(open_prepared(parted).manifest["splits"]) == {"pretrain/train", "pretrain/validation"}
    assert (folder_of(parted) / "shade" / "words.txt").is_file()
    whole = open_prepared(toy).manifest["splits"]
    for unit in units_of(parted):
        for key, entry in open_prepared(parted, unit.only).manifest["splits"].items():
            assert entry == whole[key]
    assert (
        open_prepared(parted, "shade").columns("test")["label"] == open_prepared(toy, "shade").columns("test")["label"]
    ).all()


def test_verify_covers_every_prepared_part(parted):
    with pytest.raises(DabsError, match=r"parted pretrain .paper. is not prepared"):
        verify(parted)
    prepare(parted, quiet, datasets=(PRETRAIN, "shade"))
    assert verify(parted) == []
    (folder_of(parted) / "shade" / "words.txt").write_text("other")
    assert verify(parted) == ["parted/shade/words.txt: missing or not what was written"]


def test_verifying_all_domains_skips_what_is_not_prepared(parted, capsys):
    prepare(parted, quiet, datasets=("shade",))
    domains = [replace(parted, suite="paper32"), parted]
    assert verify_all(domains, named=False) == 0
    assert capsys.readouterr().out.split("\n")[:2] == [
        "parted: not prepared",
        "parted: as prepared, no published hash",
    ]
    with pytest.raises(DabsError, match=r"parted pretrain .paper32. is not prepared"):
        verify_all(domains, named=True)
    assert "parted: as prepared" in capsys.readouterr().out
    (folder_of(parted) / "shade" / "train.arrow").write_bytes(b"not arrow")
    assert verify_all(domains, named=False) == 1
    said = capsys.readouterr().out
    assert "parted/shade/train: cannot be read" in said
    assert "dabs data prepare parted --suite paper --tasks shade --force" in said
    assert main_code("data", "verify", "parted", "--suite", "paper32") == 1


def main_code(*words: str) -> object:
    with pytest.raises(SystemExit) as stop:
        main(list(words))
    return stop.value.code


def test_parts_must_be_the_datasets_of_the_domain(parted):
    with pytest.raises(DabsError, match="its parts must be"):
        units_of(replace(parted, parts=parted.parts[:-1]))
    with pytest.raises(RequestError, match=r"no dataset 'shad'.*Did you mean 'shade'"):
        prepare(parted, quiet, datasets=("shad",))
    wrong = (*parted.parts[:-1], Part(dataset="length", sources=(), build=parted.parts[1].build))
    with pytest.raises(DabsError, match="wrote shade/train, which is none of"):
        prepare(replace(parted, parts=wrong), quiet, datasets=("length",))


def test_another_version_of_a_part_does_not_affect_the_others(parted):
    prepare(parted, quiet, datasets=("shade", PRETRAIN))
    newer = replace(parted, parts=tuple(replace(p, version=2) if p.dataset == "shade" else p for p in parted.parts))
    assert is_prepared(newer, (PRETRAIN,))
    assert not is_prepared(newer, ("shade",))


def test_the_command_line_from_preparation_to_results(parted, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["data", "prepare", "parted", "--suite", "paper", "--tasks", "shade", "pretrain"])
    assert stop.value.code == 0
    assert "not prepared" in str([column._cells for column in status_table([parted]).columns])
    words = ["--suite", "paper", "--encoder", "small", "--steps", "2", "--batch-size", "8", "--logger", "none"]
    with pytest.raises(SystemExit) as stop:
        main(["pretrain", "shed", "parted", *words])
    assert stop.value.code == 0
    with pytest.raises(SystemExit) as stop:
        main(["eval", "runs/paper/shed/parted/seed7", "--protocol", "knn"])
    assert stop.value.code == 0
    assert [p.name for p in Path("runs").rglob("*.result.json")] == ["shade.knn.result.json"]
    assert "findings" in capsys.readouterr().out  # it is listed as left out


def test_the_grid_runs_on_what_is_prepared(parted):
    from dabs.cli.run import GridOptions, plan
    from dabs.grid import cells

    said = cells.prepare_domain("parted", "paper32")
    assert "without length: `dabs data prepare parted --suite paper32` says why" in said
    options = GridOptions(suite="paper32", domains=("parted",), algorithms=("none",), protocol=("knn",))
    cells_found = plan(options)
    assert [cell.label for cell in cells_found] == ["raw", "summary", "none"]
    for cell in cells_found:
        cells.run_cell(cell)
        assert cells.missing_results(cell) == {("knn",): ("length",)}
    names = {p.name for p in Path("runs/paper32/none").rglob("*.result.json")}
    assert names == {"shade.knn.result.json", "findings.knn.result.json"}


def test_tasks_belong_to_one_domain(parted, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["data", "prepare", "--suite", "paper", "--tasks", "shade"])
    assert stop.value.code == 2
    assert "needs exactly one domain: dabs data prepare DOMAIN --tasks" in capsys.readouterr().err


def test_one_domain_that_fails_does_not_stop_the_others(parted, toy):
    with pytest.raises(DabsError, match="sign up first"):
        prepare_all([parted, replace(parted, suite="paper32")])
    assert is_prepared(replace(parted, suite="paper32"), ("shade",))


def test_the_encoder_is_that_of_the_suite_unless_named(parted):
    from dabs.config import PretrainConfig
    from dabs.training.pretrain import resolve

    config, _, _ = resolve(PretrainConfig(algorithm="shed", domain="parted", suite="paper"))
    assert (config.encoder, config.lr) == ("paper", 1e-4)
    config, _, _ = resolve(PretrainConfig(algorithm="shed", domain="parted", suite="paper", encoder="small"))
    assert (config.encoder, config.lr) == ("small", 3e-3)
    config, _, _ = resolve(PretrainConfig(algorithm="shed", domain="toy"))
    assert config.encoder == "small"
