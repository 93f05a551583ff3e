"""Each benchmark runs in its quick form, writes its own section of a page and keeps the rest."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest
import torch

from dabs.bench.synthetic import synthetic_batch
from dabs.bench.timing import TimingTable, busy_warning
from dabs.cli import main
from dabs.encoder import PRESETS
from dabs.registry import find_domain
from tests.helpers.benchmarks import ROOT, load_benchmark

QUICK = {
    "training_step": (),
    "lite_suite": ("leaderboard/results",),
    "growth": (),
    "evaluation": (),
    "decode": (),
    "peers": ("--domains", "sensor", "english_text", "--precisions", "fp32"),
    "gpu": ("--device", "cpu", "--domains", "sensor", "english_text", "--algorithms", "shed", "contrastive"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", QUICK)
def test_the_quick_form_runs_and_writes_its_section_alone(name, tmp_path):
    if name == "peers":
        for package in ("timm", "transformers", "lightly"):
            pytest.importorskip(package, reason="pip install 'dabs[peers]'")
    page = tmp_path / "page.md"
    page.write_text("# Kept\n")
    more = ("--plot", str(tmp_path / "growth.png")) if name == "growth" else ()
    command = [sys.executable, f"benchmarks/{name}.py", "--quick", "--markdown", str(page), *QUICK[name], *more]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    text = page.read_text()
    assert text.startswith("# Kept\n")
    assert f"<!-- {name}" in text
    assert "| --- |" in text
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(["page.md", *(["growth.png"] if more else [])])


@pytest.mark.parametrize("domain", ["sensor", "english_text"])
def test_a_peer_with_other_weights_is_found(monkeypatch, domain):
    for package in ("timm", "transformers"):
        pytest.importorskip(package, reason="pip install 'dabs[peers]'")
    peers = load_benchmark("peers")
    (spec,) = find_domain(domain).specs
    batch = replace(synthetic_batch((spec,), 4), label=torch.arange(4))
    config = PRESETS["small"]
    peers.check(spec, config, batch)
    copy = peers.copy_weights

    def copy_all_but_one(encoder, body):
        copy(encoder, body)
        _, parameter = list(body.named_parameters())[-1]
        parameter.data.add_(1.0)

    monkeypatch.setattr(peers, "copy_weights", copy_all_but_one)
    with pytest.raises(SystemExit, match="with our weights its loss is"):
        peers.check(spec, config, batch)


def test_objectives_are_compared_with_the_random_encoder_on_the_same_seeds():
    objectives = load_benchmark("objectives")
    assert objectives.options_of("mae:mask_rate=0.5") == ("mae", {"mask_rate": 0.5})
    assert objectives.options_of("bestrq:codes=64,span=3")[1] == {"codes": 64, "span": 3}

    def cell(objective: str, seed: int, score: float, learned: bool = True) -> dict:
        scores = {"exercise": score, "tempo": score - 0.2}
        row = {"objective": objective, "domain": "sensor", "seed": seed}
        return row | {"validation": scores, "learning": {"learned": learned}}

    cells = [cell("none", 10, 0.5), cell("none", 11, 0.3), cell("red", 10, 0.6), cell("mae", 12, 0.9, learned=False)]
    lines = objectives.table(cells).splitlines()[2:]
    assert lines == ["| none | 30.0 | – | – |", "| mae | 80.0✗ | – | – |", "| red | 50.0 (+10.0) | – | – |"]


def test_a_section_is_replaced_and_the_rest_is_kept(tmp_path):
    publish = load_benchmark("reporting").publish
    page = tmp_path / "README.md"
    for word in ("first", "second"):
        publish(page, "speed", [TimingTable(title=word, columns=("a",), rows=[("1",)])], "A note.")
    publish(page, "other", [TimingTable(title="third", columns=("a",))])
    text = page.read_text()
    assert "first" not in text
    assert text.count("<!-- speed:begin -->") == 1
    assert text.index("second") < text.index("A note.") < text.index("third")
    publish(None, "speed", [])


def test_growth_is_fitted_to_the_largest_sizes():
    curve = load_benchmark("growth").GrowthCurve(
        along="N", name="x", kind="time", sizes=(1, 2, 4, 8), values=(50.0, 4.0, 16.0, 64.0)
    )
    assert curve.exponent == pytest.approx(2.0)


@pytest.mark.slow
def test_dabs_bench_says_what_limits_this_machine(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["bench", "--encoder", "small", "--batch-size", "4", "--rounds", "1"])
    assert not stop.value.code
    out = " ".join(capsys.readouterr().out.split())
    for words in ("is limited by", "minutes of the lite suite", "linear probe", "GB/s", "measured in"):
        assert words in out


@pytest.mark.parametrize(("running", "words"), [(1, ""), (3, "2.0 cores on average are busy with something else")])
def test_dabs_bench_warns_if_other_programs_compute(tmp_path, running, words):
    place = tmp_path / "loadavg"
    place.write_text(f"0.20 0.18 0.12 {running}/80 11206\n")
    assert words in busy_warning(place)
    assert bool(busy_warning(place)) == bool(words)
    assert busy_warning(tmp_path / "none") == ""
