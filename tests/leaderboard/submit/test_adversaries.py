"""What a dishonest submission can try, and what finds it; docs/security.md lists the attacks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from safetensors.torch import load_file, save_file

from dabs.config import PretrainConfig, without_budget
from dabs.encoder import Encoder
from dabs.errors import DabsError
from dabs.evaluation.metrics import bootstrap_interval, metric_of
from dabs.leaderboard.cli.reproduce import compare_scores, list_differences, print_verdict
from dabs.leaderboard.submit.consistency import SeenArrays, check_predictions
from dabs.leaderboard.submit.copies import KnownPredictions, same_predictions
from dabs.leaderboard.submit.rules import find_broken_rules
from dabs.results.files import read_result, result_files
from dabs.results.schema import Environment, Result
from dabs.results.submission import load_submission
from dabs.source_scan import scan
from dabs.training.checkpoint import load_encoder
from dabs.training.pretrain import pretrain
from tests.helpers.made_results import altered, make, make_payload, submit, write_payload
from tests.helpers.places import ROOT
from tests.leaderboard.submit.test_rules import CELLS, RULES, whole, with_field

N = 400
RNG = np.random.default_rng(3)
LABEL = RNG.integers(0, 4, N)
SCORES = RNG.normal(size=N).astype(np.float32)


def noisy(share: float, seed: int, of: np.ndarray = LABEL) -> np.ndarray:
    """Return an array with a share of its values drawn anew."""
    generator = np.random.default_rng(seed)
    new = generator.integers(0, 4, len(of)) if of.dtype.kind in "iu" else generator.normal(size=len(of))
    return np.where(generator.random(len(of)) < share, new.astype(of.dtype), of)


# ----- files that reach for labels, other files, the network or the evaluation: the scan of `check`, `submit`, `verify`

HOSTILE = {
    "labels through the garbage collector": "import gc\nfound = [x for x in gc.get_objects() if hasattr(x, 'labels')]",
    "the garbage collector of another module": "import torch\nobjects = torch.cuda.graphs.gc.get_objects()",
    "labels through sys._getframe": "import sys\nlabels = sys._getframe(3)",
    "labels through inspect": "import inspect\nlabels = inspect.stack()[2]",
    "a frame of a generator": "frame = (0 for _ in ()).gi_frame",
    "a frame of an error": "try:\n    1 / 0\nexcept ZeroDivisionError as e: frame = e.__traceback__.tb_frame",
    "a frame by a format": "text = '{0.gi_frame.f_back.f_locals}'.format(x)",
    "a frame by a pattern": "match x:\n    case object(gi_frame=frame): pass",
    "the environment": "import os\nhome = os.environ['DABS_HOME']",
    "the environment of another module": "import random\nhome = random._os.environ",
    "prepared files by numpy": "import numpy as np\nrows = np.memmap('lite/sensor/tempo/test.arrow')",
    "prepared files by torch": "import torch\nrows = torch.UntypedStorage.from_file('test.arrow')",
    "prepared files by pathlib": "from pathlib import Path\nrows = Path('test.arrow').read_bytes()",
    "prepared files by pyarrow": "import pyarrow\nrows = pyarrow.memory_map('test.arrow')",
    "prepared data by dabs": "from dabs.data.prepared import open_prepared",
    "the process table": "with open('/proc/self/environ') as f: text = f.read()",
    "the memory of a process": "import mmap",
    "a network call": "import socket",
    "a download": "import urllib.request",
    "a download by torch": "import torch\nweights = torch.hub.load_state_dict_from_url('https://example.org')",
    "a program": "import torch\ntext = torch.utils.collect_env.run('ls')",
    "code in a text": "import torch\ntorch.utils.benchmark.Timer('import os').timeit(1)",
    "a pickled attribute": "class Head:\n    def __reduce__(self): return print, ('run',)",
    "unpickling": "import pickle",
    "trained weights in the source": f"WEIGHTS = {'x' * 30_000!r}",
    "labels in the source": f"LABELS = ({'1, ' * 3000})",
    "another score": "from dabs.evaluation import metrics",
    "another encoder": "from dabs.encoder import Encoder\nEncoder.encode = print",
    "another encoder by its object": "type(encoder).encode = print",
    "another layer": "from torch import nn\nnn.Linear.forward = print",
}


@pytest.mark.parametrize("attack", HOSTILE)
def test_a_file_that_reaches_for_what_it_may_not_use_is_refused(attack):
    assert scan(HOSTILE[attack])


def test_the_scan_is_a_fence_and_not_a_wall():
    """A name that is put together at run time passes; in the sandbox of `reproduce --isolated` it finds nothing."""
    assert scan("text = ('{0.gi_' + 'frame.f_' + 'globals}').format(x)") == []


def test_an_encoder_cannot_count_which_rows_come(toy, tmp_path):
    """Evaluation reads weights into an encoder of its own; methods, counters and further tensors stay behind."""
    path = tmp_path / "counting.py"
    path.write_text(
        "from dabs.algorithm import Algorithm\n\n\n"
        "class Counting(Algorithm):\n"
        "    def loss(self, encoder, batch):\n"
        "        encoder.calls = getattr(encoder, 'calls', 0) + 1\n"
        "        encoder.pool = lambda tokens, mask=None: tokens[:, 0] * 0 + encoder.calls\n"
        "        return {'loss': encoder.encode(encoder.embed(batch.inputs)).square().mean()}\n"
    )
    config = PretrainConfig(algorithm=f"{path}:Counting", domain="toy", steps=2)
    encoder = load_encoder(pretrain(config, tmp_path / "run", logger="none") / "encoder")
    assert type(encoder) is Encoder
    assert not {"calls", "pool"} & set(vars(encoder))
    weights = tmp_path / "run" / "encoder" / "encoder.safetensors"
    tensors = load_file(weights)
    save_file(tensors | {"calls": tensors["cls"].clone()}, weights)
    with pytest.raises(DabsError, match="do not have the shapes"):
        load_encoder(tmp_path / "run" / "encoder")


# ----- predictions that were not computed


def write(
    folder: Path, row: str, prediction: np.ndarray, seed: int = 0, label: np.ndarray = LABEL
) -> dict[Path, Result]:
    """Write a result of a row that follows from its predictions."""
    metric = "accuracy" if prediction.dtype.kind in "iu" else "spearman"
    task = {"accuracy": ("sensor", "exercise"), "spearman": ("english_text", "sentiment")}[metric]
    arrays = {"prediction": prediction, "label": label, "group": np.arange(N)}
    payload = make_payload(row, *task, seed=seed, score=metric_of(metric).score(prediction, label))
    payload["interval"] = bootstrap_interval(metric, **arrays)
    payload["counts"]["test"] = N
    path = write_payload(folder / row / f"seed{seed}", payload, arrays)
    return {path: read_result(path)}


@pytest.mark.parametrize("changed", [0.0, 0.01])
@pytest.mark.parametrize("values", ["classes", "real values"])
def test_predictions_of_another_row_are_found(tmp_path, values, changed):
    label = LABEL if values == "classes" else SCORES
    honest, other = noisy(0.5, 1, label), noisy(0.5, 2, label)
    known = KnownPredictions()
    known.add("shed", write(tmp_path, "shed", honest, label=label))
    (line,) = known.find_copies("mine", write(tmp_path, "mine", noisy(changed, 5, honest), label=label))
    assert line.startswith("the predictions of 1 results (")
    assert line.endswith("are those of shed, seed 0, all or nearly all of them")
    assert known.find_copies("mine", write(tmp_path, "mine", other, label=label)) == []


def test_predictions_of_one_seed_under_another_are_found(tmp_path):
    honest = noisy(0.5, 1)
    twice = write(tmp_path, "mine", honest, seed=0) | write(tmp_path, "mine", honest, seed=1)
    (line,) = KnownPredictions().find_copies("mine", twice)
    assert "are those of mine, seed 0" in line


def test_equal_predictions_that_prove_nothing_are_accepted(tmp_path):
    assert not same_predictions(np.zeros(N, dtype=int), np.zeros(N, dtype=int), LABEL)  # neither learned anything
    assert not same_predictions(LABEL, LABEL, LABEL)  # both solved an easy task
    shares = np.round(SCORES).clip(-2, 2)
    assert not same_predictions(shares, shares, SCORES)  # few neighbours vote alike
    known = KnownPredictions()
    known.add("fixed", write(tmp_path, "shed", noisy(0.5, 1)))
    assert known.find_copies("tuned", write(tmp_path, "shed", noisy(0.5, 1))) == []  # one run in two rows


def test_rows_of_the_project_are_not_copies_of_each_other():
    known, rows = KnownPredictions(), {}
    for path in result_files((ROOT / "leaderboard" / "results" / "lite",)):
        if path.parents[2].name == "english_text":
            result = read_result(path)
            rows.setdefault(result.algorithm, {})[path] = result
    assert len({without_budget(row) for row in rows}) == 8
    for row, results in rows.items():
        assert known.find_copies(row, results) == []
        known.add(row, results)


def test_labels_as_predictions_are_refused():
    perfect = [altered("score", 1.0, task=task, protocol=protocol, seed=s) for task, protocol in CELLS for s in (0, 1)]
    found = find_broken_rules(perfect, RULES, None)
    assert len(found) == 6  # protocols and seeds
    assert found[0].startswith("the scores of all 2 tasks of sensor are perfect (knn, seed 0)")
    one_easy_task = [make(task=t, protocol=p, seed=s, score=1.0 - (t == "side") / 9) for t, p in CELLS for s in (0, 1)]
    assert find_broken_rules(one_easy_task, RULES, None) == []


PERMUTED: dict[str, tuple[Callable[[dict[str, np.ndarray], np.ndarray], Any], str]] = {
    "predictions": (lambda a, order: a | {"prediction": a["prediction"][order]}, "score is"),
    "everything": (lambda a, order: {k: v[order] for k, v in a.items()}, "not those of the other results"),
}


@pytest.mark.parametrize("what", PERMUTED)
def test_permuted_predictions_are_found(tmp_path, what):
    permute, message = PERMUTED[what]
    arrays = {"prediction": noisy(0.3, 1), "label": LABEL, "group": np.arange(N) // 2}
    seen: SeenArrays = {}
    for seed, order in ((0, np.arange(N)), (1, np.random.default_rng(8).permutation(N))):
        payload = make_payload(seed=seed, score=metric_of("accuracy").score(arrays["prediction"], LABEL))
        payload["interval"] = bootstrap_interval("accuracy", **arrays)
        payload["counts"]["test"] = N
        path = write_payload(tmp_path / str(seed), payload, permute(arrays, order))
        found = check_predictions(path, read_result(path), lambda domain, task: None, seen)
        assert bool(found) == bool(seed)
    assert any(message in line for line in found)


# ----- facts that are not those of the run


def test_scores_of_another_suite_are_refused():
    (message,) = find_broken_rules(with_field("suite", "paper"), RULES, None)
    assert message.startswith("suite is 'paper', but the protocol of sensor requires 'lite'")


def test_one_run_under_two_seeds_is_refused():
    (message,) = find_broken_rules(with_field("pretraining.weights_sha256", "0" * 64), RULES, None)
    assert message == "the weights of the seeds 0, 1 of sensor are the same: one run stands for several"


def test_a_consistently_forged_environment_passes_and_reproduce_shows_the_difference(tmp_path):
    forged = whole()[0].environment.model_dump() | {"git_commit": "b" * 40, "processor": "a faster one"}
    forged["versions"] |= {"torch": "9.9"}
    results = with_field("environment", forged)
    assert find_broken_rules(results, RULES, None) == []
    submission = load_submission(submit(tmp_path / "mine", results, environment=Environment(**forged)))[0]
    lines = " ".join(list_differences(submission))
    for fact in ("processor is", "torch is", "git commit of dabs is"):
        assert fact in lines


def test_a_forged_hash_of_weights_is_shown_by_reproduce(capsys):
    stated = make(score=0.7)
    again = compare_scores(stated, altered("pretraining.weights_sha256", "0" * 64, score=0.7))
    assert (again.verdict, again.weights_equal) == ("equal", False)
    print_verdict(Console(), again)
    assert "(weights differ)" in capsys.readouterr().out
