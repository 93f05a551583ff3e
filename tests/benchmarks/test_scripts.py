"""Each benchmark runs in its quick form, writes its own section of a page and keeps the rest."""

from __future__ import annotations

import subprocess
import sys
from types import ModuleType

import pytest

from dabs.bench.timing import TimingTable, busy_warning
from dabs.cli import main
from tests.helpers.benchmarks import ROOT, load_benchmark

QUICK = {
    "training_step": (),
    "lite_suite": ("leaderboard/results",),
    "growth": (),
    "evaluation": (),
    "decode": (),
    "gpu": ("--device", "cpu", "--domains", "sensor", "english_text", "--algorithms", "shed", "contrastive"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", QUICK)
def test_the_quick_form_runs_and_writes_its_section_alone(name, tmp_path):
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
    curve = load_growth().GrowthCurve(
        along="N", name="x", kind="time", sizes=(1, 2, 4, 8), values=(50.0, 4.0, 16.0, 64.0)
    )
    assert curve.exponent == pytest.approx(2.0)


def load_growth() -> ModuleType:
    sys.path.insert(0, str(ROOT / "benchmarks"))
    try:
        return load_benchmark("growth")
    finally:
        sys.path.remove(str(ROOT / "benchmarks"))


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
