"""The functions of `import dabs`: their examples run, and they do what the command line does."""

from __future__ import annotations

import contextlib
import doctest
import inspect
import io
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import dabs
from dabs import api
from dabs.cli.new import write_new
from dabs.errors import DabsError, RequestError
from tests.helpers.in_process import InThisProcess
from tests.helpers.places import ROOT

FUNCTIONS = [name for name, value in vars(api).items() if inspect.isfunction(value) and value.__module__ == "dabs.api"]
WITH_EXAMPLES = [name for name in FUNCTIONS if ">>>" in (inspect.getdoc(getattr(api, name)) or "")]


@pytest.mark.parametrize("name", dabs.__all__)
def test_every_public_name_can_be_imported(name):
    assert getattr(dabs, name) is not None
    assert name in dir(dabs)


def test_importing_dabs_and_listing_its_names_loads_no_torch():
    code = (
        "import sys, dabs, dabs.api; dir(dabs); dabs.DabsError; dabs.PretrainConfig; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'pretraining_'"):
        _ = dabs.pretraining_


def test_every_function_that_does_what_a_verb_does_has_an_example():
    assert set(WITH_EXAMPLES) == {*dabs.__all__} & {*FUNCTIONS}


@pytest.mark.slow
@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_the_example_of_a_docstring_runs_as_it_stands_there(name, prepared, tmp_path, monkeypatch):
    prepared("sensor")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("dabs.launch.local.LocalExecutor", InThisProcess)
    scope: dict[str, object] = {}
    examples = doctest.DocTestParser().get_examples(inspect.getdoc(getattr(api, name)) or "")
    assert examples
    for example in examples:
        with contextlib.redirect_stdout(io.StringIO()):  # progress and tables
            if example.want:
                assert repr(eval(example.source, scope)) == example.want.strip()
            else:
                exec(example.source, scope)


def test_pretrain_evaluate_and_load_take_strings_and_paths(toy, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = dabs.pretrain("shed", "toy", steps=2, out="here/run", options={"corruption_rate": 0.5})
    assert run == Path("here/run")
    for given in (run, str(run)):
        results = dabs.evaluate(given, tasks=["shade"], protocols=["knn"])
        assert [(r.task, r.protocol, r.pretraining.config["options"]) for r in results] == [
            ("shade", "knn", {"corruption_rate": 0.5})
        ]
        assert (run / "results" / "shade.knn.result.json").is_file()
        assert dabs.load(given).specs == toy.specs
    assert list(dabs.results.frame("here").score) == [results[0].score]


def test_a_class_is_found_again_by_its_file(toy, tmp_path):
    from dabs.algorithms.shed import ShED

    run = dabs.pretrain(ShED, "toy", steps=2, out=tmp_path / "run")
    assert dabs.evaluate(run, tasks=["shade"], protocols=["knn"])[0].algorithm == "ShED"


def test_a_class_of_a_notebook_is_refused_with_the_way_out(monkeypatch):
    monkeypatch.setitem(sys.modules, "cell", ModuleType("cell"))  # like a notebook's, it has no file
    scope: dict[str, object] = {"__name__": "cell"}
    exec("import dabs\nclass Mine(dabs.Algorithm): pass", scope)
    with pytest.raises(RequestError, match="begin its cell with `%%writefile my_idea"):
        dabs.pretrain(scope["Mine"], "sensor")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"step": 3}, "there is no setting 'step' in dabs.pretrain. Did you mean 'steps'"),
        ({"corruption_rate": 0.5}, r"go into options=\{"),
        ({"lr": float("inf")}, "lr must be at least 0.0 and finite, not inf"),
        ({"options": {"rate": 1}}, "there is no option 'rate' in shed"),
    ],
)
def test_a_wrong_setting_is_refused(toy, wrong, said):
    with pytest.raises(RequestError, match=said):
        dabs.pretrain("shed", "toy", **wrong)


@pytest.mark.slow
def test_a_script_without_a_main_guard_can_run_the_grid(tmp_path, home):
    """The workers must not import the script, which would start the grid again."""
    write_new("walks", tmp_path, domain=True)
    script = tmp_path / "script.py"
    script.write_text(
        "import dabs\nprint('once')\ndabs.run(['none'], domains=['walks.py:LITE'], protocols=['knn'], jobs=1)\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, cwd=tmp_path, timeout=300)
    assert done.stdout.count("once") == 1, done.stdout + done.stderr
    assert "bootstrapping phase" not in done.stderr


def test_failed_cells_are_an_error_after_the_others(toy, tmp_path, monkeypatch):
    from dabs.cli import run as module

    monkeypatch.setattr(module, "run_grid", lambda options: {"shed toy seed 4": "no space"})
    with pytest.raises(DabsError, match=r"1 failed \(shed toy seed 4: no space\)"):
        dabs.run(["shed"], domains=["toy"], out=tmp_path)


def test_features_of_ones_own_arrays_are_those_of_the_prepared_data(toy, tmp_path):
    from dabs.data.prepared import open_prepared
    from dabs.data.split import Split
    from dabs.evaluation.features import pooled_features

    encoder = dabs.load(dabs.pretrain("shed", "toy", steps=2, out=tmp_path / "run"))
    data = open_prepared(toy, "shade")
    columns = data.columns("test")
    found = encoder.features(columns["input_0"], columns["input_1"])
    expected = pooled_features(encoder.encoder, Split(data, "test", labels=False))
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_any_function_is_a_row_that_is_not_ranked(toy, tmp_path):
    def brightness(pixels, ids):
        assert (pixels.dtype, ids.dtype) == (np.uint8, np.int32)
        assert len(pixels) <= 256
        return np.stack([pixels.mean(axis=(1, 2, 3)), (ids > 0).sum(axis=1)], axis=1)

    results = dabs.evaluate_encoder(brightness, "toy", name="bright-1.0", about="brightness and length", out=tmp_path)
    assert {r.algorithm for r in results} == {"external-bright-1.0"}
    assert next(r.score for r in results if (r.task, r.protocol) == ("shade", "linear")) > 0.9
    assert results[0].encoder.config == {"about": "brightness and length"}
    assert len(dabs.results.frame(tmp_path)) == 6
    assert (tmp_path / "lite" / "external-bright-1.0" / "toy" / "seed0" / "results").is_dir()


@pytest.mark.parametrize(
    ("function", "name", "about", "said"),
    [
        (lambda x, ids: x, "a", "b", r"shape \(90, 1, 8, 8\) for 90 examples of toy; it must return finite features"),
        (lambda x, ids: np.full((len(x), 2), np.nan), "a", "b", "finite features"),
        (lambda x, ids: ids, "a/b", "b", "'a/b' cannot name a row"),
        (lambda x, ids: ids, "a", " ", "say in `about`"),
    ],
)
def test_a_function_that_is_no_encoder_is_refused(toy, tmp_path, function, name, about, said):
    with pytest.raises(RequestError, match=said):
        dabs.evaluate_encoder(function, "toy", name=name, about=about, out=tmp_path)
