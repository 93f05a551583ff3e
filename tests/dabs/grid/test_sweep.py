"""Sweeps: each combination is a labelled row; a choice is made by validation scores alone."""

from __future__ import annotations

from pathlib import Path

import pytest

import dabs
from dabs.cli import dispatch
from dabs.cli.config_file import with_config_file
from dabs.cli.run import COMMAND, GridOptions, plan
from dabs.config import FIRST_SEED
from dabs.errors import DabsError, RequestError
from dabs.grid.choice import choose
from dabs.grid.sweep import label_of, parse_sweep, split_setting
from dabs.results.submission import Tuning
from dabs.utils.files import write_json
from dabs.utils.strict_json import read_json
from tests.helpers.in_process import InThisProcess
from tests.helpers.made_results import altered


def test_each_combination_of_an_algorithms_values_is_a_setting():
    sweep = parse_sweep(["shed.corruption_rate=0.1,0.3", "lr=1e-3,3e-3"], ["none", "shed", "emix"])
    assert sweep.settings("none") == [{}], "what does not train has nothing to set"
    assert sweep.settings("emix") == [{"lr": 0.001}, {"lr": 0.003}]
    assert len(sweep.settings("shed")) == 4
    assert {label_of("shed", one) for one in sweep.settings("shed")} == {
        f"shed+lr={lr}+corruption_rate={rate}" for lr in ("0.001", "0.003") for rate in ("0.1", "0.3")
    }
    assert split_setting(sweep.settings("shed")[0]) == ({"lr": 0.001}, {"corruption_rate": 0.1})


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("lr", "--set takes ALGORITHM.OPTION=VALUE,VALUE"),
        ("lr=", "--set takes"),
        ("lr=fast", "'fast' is no float"),
        ("lr=1e-3,0.001", "names a value twice"),
        ("corruption_rate=0.1", "there is no option 'corruption_rate' in all algorithms.*ALGORITHM.OPTION=VALUE"),
        ("steps=3", "there is no option 'steps'"),
        ("shed.rate=1", "there is no option 'rate' in shed"),
        ("contrastive.temperature=1", "there is no algorithm 'contrastive' in this run"),
    ],
)
def test_a_wrong_setting_is_refused(word, said):
    with pytest.raises(RequestError, match=said):
        parse_sweep([word], ["shed"])


def test_a_setting_is_a_row_with_its_own_folder_and_configuration(toy):
    options = GridOptions(
        algorithms=("none", "shed"), domains=("toy",), sweep=("shed.corruption_rate=0.1,0.3", "lr=1e-3")
    )
    cells = {cell.label: cell for cell in plan(options)}
    assert list(cells) == [
        "raw",
        "summary",
        "none",
        "shed+lr=0.001+corruption_rate=0.1",
        "shed+lr=0.001+corruption_rate=0.3",
    ]
    cell = cells["shed+lr=0.001+corruption_rate=0.3"]
    assert (cell.config.lr, cell.config.options) == (0.001, {"corruption_rate": 0.3})
    assert cell.folder == Path(f"runs/lite/{cell.label}/toy/seed{FIRST_SEED}")


@pytest.mark.slow
def test_a_sweep_is_run_shown_chosen_from_and_its_choice_run(toy, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    common = ["--domains", "toy", "--steps", "2", "--protocol", "linear", "--jobs", "1"]
    monkeypatch.setattr("dabs.launch.local.LocalExecutor", InThisProcess)
    sweep = ["--set", "shed.corruption_rate=0.2,0.4", "lr=1e-3,3e-3"]
    assert dispatch(["run", "--algorithms", "none", "shed", *sweep, *common, "--first-seed", "100"]) == 0
    shown = capsys.readouterr().out
    assert "shed+lr=0.001" in shown
    assert len({*dabs.results.frame("runs").algorithm}) == 7
    comparison = dabs.compare("runs", algorithms=["none", "shed+lr=0.001+corruption_rate=0.2"])
    assert len(comparison.pairs) == 1
    assert dispatch(["choose", "shed", "--out", "chosen"]) == 0
    text = capsys.readouterr().out
    assert "best by the mean over domains: shed+lr=" in text
    assert "next: dabs run --algorithms shed --domains toy --choice chosen/choice.json" in " ".join(text.split())
    assert "✗ a run of this setting did not learn" in text  # after two steps
    tuning = Tuning.model_validate_json(Path("chosen/tuning.json").read_text())
    assert (tuning.budget, dict(tuning.grid)) == (4, {"corruption_rate": (0.2, 0.4)})
    words = ["run", "--algorithms", "shed", "--choice", "chosen/choice.json", *common, "--out", "chosen/runs"]
    assert dispatch(words) == 0
    chosen = read_json(Path("chosen/choice.json"))["options"]["toy"]
    (config,) = {str(r["options"]) for r in configs(Path("chosen/runs"))}
    assert config == str(chosen)


def configs(root: Path) -> list[dict]:
    return [read_json(path)["pretrain"] for path in root.rglob("config.json") if path.parent.name != "encoder"]


def results_of(scores: dict[str, dict[str, float]], **changes):
    """Results whose validation scores are given by setting and task."""
    return [
        altered("validation_score", value, algorithm=setting, task=task, domain="sensor", **changes)
        for setting, tasks in scores.items()
        for task, value in tasks.items()
    ]


def test_the_choice_goes_by_validation_scores_and_needs_all_tasks():
    scores = {
        "shed+a=1": {"exercise": 0.2, "tempo": 0.4},
        "shed+a=2": {"exercise": 0.5, "tempo": 0.5},
        "shed+a=3": {"exercise": 0.9},
        "other": {"exercise": 0.99, "tempo": 0.99},
    }
    choice = choose(results_of(scores), "shed", "linear")
    assert choice.best() == choice.best("sensor") == "shed+a=2"
    assert choice.scores["shed+a=1"]["sensor"] == pytest.approx(0.3)
    assert choice.left_out == {"shed+a=3": ("sensor",)}
    assert choice.runs == 2


def test_one_setting_is_no_choice():
    with pytest.raises(RequestError, match="there are 1 complete settings of shed under linear to choose"):
        choose(results_of({"shed": {"exercise": 0.5}}), "shed", "linear")
    with pytest.raises(RequestError, match="there are no settings of shed"):
        choose(results_of({"other": {"exercise": 0.5}}), "shed", "linear")


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"algorithm": "shed"}, "is no choice: it needs `algorithm` and `options`"),
        ({"algorithm": "emix", "options": {"toy": {}}}, "is about emix, which is not among the algorithms"),
        ({"algorithm": "shed", "options": {"sensor": {}}}, "chooses nothing for toy"),
    ],
)
def test_a_choice_that_does_not_fit_is_refused(toy, tmp_path, value, said):
    write_json(tmp_path / "choice.json", value)
    with pytest.raises(DabsError, match=said):
        plan(GridOptions(algorithms=("shed",), domains=("toy",), choice=tmp_path / "choice.json"))


TOML = """
algorithms = ["none", "shed"]
first-seed = 7
seeds = 2
[set]
lr = [1e-3, 3e-3]
shed.corruption_rate = 0.3
"""
YAML = """
algorithms: [none, shed]
first_seed: 7
seeds: 2
set:
  lr: [0.001, 0.003]
  shed: {corruption_rate: 0.3}
"""


@pytest.mark.parametrize(("name", "text"), [("a.toml", TOML), ("a.yaml", YAML)])
def test_a_file_holds_the_options_and_the_command_line_goes_before_it(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    words = with_config_file(["--config", str(tmp_path / name), "--seeds", "3"], COMMAND.option_names())
    options = COMMAND.parse(words)
    assert (options.algorithms, options.first_seed, options.seeds) == (("none", "shed"), 7, 3)
    assert options.sweep == ("lr=0.001,0.003", "shed.corruption_rate=0.3")


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.toml", "seed = 1", "there is no option 'seed' in .*a.toml. Did you mean 'seeds'"),
        ("a.toml", "seeds = ", "a.toml cannot be read: "),
        ("a.yaml", "- a", "must hold options by name, not list"),
        ("a.json", "{}", "must end in .toml, .yaml or .yml"),
    ],
)
def test_a_wrong_file_is_refused(tmp_path, name, text, said):
    (tmp_path / name).write_text(text)
    with pytest.raises(RequestError, match=said):
        with_config_file(["--config", str(tmp_path / name)], COMMAND.option_names())


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(RequestError, match=r"there is no file .*none\.toml"):
        with_config_file([f"--config={tmp_path / 'none.toml'}"], COMMAND.option_names())
