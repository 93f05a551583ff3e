"""The documentation is true: its code runs, and the files, names and links in it exist."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from itertools import takewhile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import dabs
from dabs.check.suite import run_checks
from dabs.config import PretrainConfig
from dabs.evaluation.evaluate import evaluate
from dabs.registry import find_algorithm
from dabs.results.entries import load_entries
from dabs.training.log import read_metrics
from dabs.training.pretrain import pretrain
from tests.helpers.places import ROOT

FOLDERS_OF_PAGES = ("", "docs", "benchmarks", "leaderboard/submissions")
PAGES = [page for folder in FOLDERS_OF_PAGES for page in (ROOT / folder).glob("*.md")]
TOP = ("dabs", "algorithms", "domains", "leaderboard", "benchmarks", "docs", "tests", ".ci")
# what a reader has not yet: the examples of the pages
INVENTED = re.compile(
    r"[A-Z_]+|my_idea|test_my_idea|variance|rebuild|follow|simclr|try|my_data|test_my_data|digits|pictures|walks|reviews|17|mine|theirs|my-idea|my-view"
)
each_page = pytest.mark.parametrize("page", sorted(PAGES), ids=lambda p: p.relative_to(ROOT).as_posix())


EXAMPLES = ("variance", "rebuild", "follow", "simclr")  # the files of docs/adding-an-algorithm.md


def example(name: str, folder: Path) -> str:
    """Write a file of docs/adding-an-algorithm.md as it stands there, and return its path."""
    page = (ROOT / "docs" / "adding-an-algorithm.md").read_text(encoding="utf-8")
    codes = dict(re.findall(r"`(\w+)\.py`[^`]*?```python\n(.*?)```", page, re.DOTALL))
    assert set(codes) == set(EXAMPLES)
    (folder / f"{name}.py").write_text(codes[name])
    return str(folder / f"{name}.py")


def write_data_of(name: str, folder: Path) -> None:
    """Write the files that a domain of docs/adding-a-domain.md reads."""
    generator = np.random.default_rng(0)
    if name == "pictures":
        for kind, shade in (("cat", 60), ("dog", 160)):
            (folder / "pictures" / kind).mkdir(parents=True)
            for i in range(60):
                pixels = generator.integers(0, 90, (40, 50, 3), dtype=np.uint8) + np.uint8(shade)
                Image.fromarray(pixels).save(folder / "pictures" / kind / f"{i}.png")
    if name == "walks":
        lines = ["person,activity,x,y,z"]
        for person in range(30):
            for kind, size in (("rest", 0.1), ("walk", 2.0)):
                values = generator.normal(size=(200, 3)) * size
                lines += [f"p{person},{kind}," + ",".join(f"{value:.3f}" for value in row) for row in values]
        (folder / "walks.csv").write_text("\n".join(lines) + "\n")
    if name == "reviews":
        words = [("dull", "weak", "bad"), ("fine", "great", "good")]
        rows = [{"text": " ".join(generator.choice(words[i % 2], 9)) + f" {i}", "label": i % 2} for i in range(200)]
        (folder / "reviews.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n")


@pytest.mark.parametrize("name", ["digits", "pictures", "walks", "reviews"])
def test_a_domain_of_the_docs_is_prepared_pretrained_on_and_evaluated(name, home, tmp_path, monkeypatch):
    page = (ROOT / "docs" / "adding-a-domain.md").read_text(encoding="utf-8")
    codes = dict(re.findall(r"\*\*, `(\w+)\.py`.*?```python\n(.*?)```", page, re.DOTALL))
    assert set(codes) == {"digits", "pictures", "walks", "reviews"}
    assert codes[name].count("\n") <= 30
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    Path(f"{name}.py").write_text(codes[name])
    write_data_of(name, tmp_path)
    run = dabs.pretrain("shed", f"{name}.py:LITE", steps=2)
    (result,) = dabs.evaluate(run, protocols=["knn"], domain=f"{name}.py:LITE")
    assert result.score > result.metric.chance


@pytest.mark.slow
@pytest.mark.parametrize("name", EXAMPLES)
def test_an_algorithm_of_the_docs_keeps_every_promise(name, tmp_path):
    if name == "simclr":
        pytest.importorskip("lightly", reason="pip install 'dabs[lightly]'")
    findings = run_checks(find_algorithm(example(name, tmp_path)))
    assert [str(finding) for finding in findings if finding.outcome == "failed"] == []


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_algorithm_of_the_docs_trains_and_is_evaluated(name, toy, tmp_path):
    if name == "simclr":
        pytest.importorskip("lightly", reason="pip install 'dabs[lightly]'")
    config = PretrainConfig(algorithm=example(name, tmp_path), domain="toy", steps=60)
    folder = pretrain(config, tmp_path / "run", logger="none")
    losses = [float(row["loss"]) for row in read_metrics(folder)]
    assert sum(losses[-10:]) < 0.95 * sum(losses[:10])
    assert len(list(evaluate(folder, (), ("knn",)))) == 3


def test_the_python_example_of_the_readme_runs(toy, tmp_path, monkeypatch, capsys):
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert '"sensor", ' in code
    monkeypatch.chdir(tmp_path)
    exec(compile(code.replace('"sensor", ', '"toy", steps=2, '), "README.md", "exec"), {})
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()[:3]] == [task.name for task in toy.tasks]


def test_the_first_command_of_the_site_page_finds_its_folders():
    page = (ROOT / "docs" / "site.md").read_text(encoding="utf-8")
    command = re.search(r"dabs leaderboard build --results (.*?) --out site/", page)
    assert command
    assert load_entries(*(ROOT / folder for folder in command[1].split()))


def test_the_readme_is_short_and_its_tree_names_folders():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert text.count("\n") <= 160
    tree = re.search(r"## What is where\n\n```\n(.*?)```", text, re.DOTALL)
    assert tree
    assert tree[1].count("\n") <= 20
    parent = ROOT
    for line in tree[1].splitlines():
        *folders, phrase = re.split(r" {2,}", line.strip())
        if not line.startswith(" "):
            parent = ROOT / folders[0]
        for folder in folders:
            assert ((ROOT if line[0] != " " else parent) / folder).is_dir(), line
        assert len(phrase) < 45, line


def test_the_figures_are_made_from_the_committed_results(tmp_path):
    command = [sys.executable, ROOT / "docs" / "make_figure.py", "--out", tmp_path]
    subprocess.run(command, check=True, capture_output=True, cwd=ROOT)
    for name in ("flops-light", "flops-dark", "budget", "results"):
        committed, made = (folder / f"{name}.svg" for folder in (ROOT / "docs" / "figures", tmp_path))
        assert committed.stat().st_size < 60_000
        assert committed.read_bytes() == made.read_bytes(), "run docs/make_figure.py"


@each_page
def test_links_lead_somewhere(page):
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", text):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"
    for target in re.findall(r'(?:src|srcset|href)="(?!https?:)([^"]+)"', text):
        assert (page.parent / target).exists(), f"{page.name} shows {target}"
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#]*)#([^)]+)\)", text):
        other = page.parent / target if target else page
        assert anchor in anchors_of(other), f"{page.name} links to {target}#{anchor}"


def anchors_of(page: Path) -> set[str]:
    """The anchors that GitHub makes of a page's headings."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@each_page
def test_the_files_that_a_page_names_exist(page):
    text = page.read_text(encoding="utf-8")
    for path in re.findall(rf"(?<![\w/.:~-])((?:{'|'.join(map(re.escape, TOP))})/[\w./-]*)", text):
        parts = path.rstrip(".").split("/")
        given = list(takewhile(lambda part: not is_invented(part), parts))
        assert ROOT.joinpath(*given).exists(), f"{page.name} names {path}"
    names = {path.name for folder in TOP for path in (ROOT / folder).rglob("*.py")} | {"setup.py"}
    for name in re.findall(r"(?<![\w/.-])(\w+\.py)\b", text):
        assert name in names or is_invented(name), f"{page.name} names {name}"


def is_invented(name: str) -> bool:
    """Whether a name of a file or folder stands for one that the reader makes."""
    return bool(name) and INVENTED.fullmatch(name.split(".")[0]) is not None


@each_page
def test_the_python_names_of_a_page_exist(page):
    text = page.read_text(encoding="utf-8")
    text = re.sub(r"`[^`]*`\*? →", "→", text)  # the changelog names what something was called before
    for name in re.findall(r"(?<![\w./-])dabs(?:\.[A-Za-z_]\w*)+", text):
        assert is_defined(name), f"{page.name} names {name}"


def is_defined(name: str) -> bool:
    """Whether a dotted name is a module, or something at the top of a module or class; nothing is imported."""
    parts = name.split(".")
    if parts[0] == "dabs" and parts[1:] and parts[1] in dabs.__all__:
        return len(parts) == 2 or is_defined_in_files(name)
    return is_defined_in_files(name)


def is_defined_in_files(name: str) -> bool:
    """As `is_defined`, without the names that `dabs` loads when they are used."""
    parts = name.split(".")
    start = 2 if len(parts) > 1 and parts[1] in ("algorithms", "domains", "leaderboard") else 1
    place, rest = ROOT / parts[start - 1], parts[start:]
    while rest and (place / rest[0]).is_dir():
        place, rest = place / rest[0], rest[1:]
    if rest and (place / f"{rest[0]}.py").is_file():
        place, rest = place / f"{rest[0]}.py", rest[1:]
    elif rest or (place / "__init__.py").is_file():
        place = place / "__init__.py"
    if not place.is_file():
        return False
    body = ast.parse(place.read_text(encoding="utf-8")).body
    for part in rest:
        found = [node for node in body if part in names_of(node)]
        if not found:
            return False
        body = getattr(found[0], "body", [])
    return True


def names_of(node: ast.stmt) -> set[str]:
    """The names that a statement defines."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return {node.name}
    if isinstance(node, ast.Import | ast.ImportFrom):
        return {alias.asname or alias.name for alias in node.names}
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return {name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)}


@pytest.mark.parametrize("name", ["dabs.nothing", "dabs.encoder.Decoder", "dabs.results.table.Table", "dabs.domains.x"])
def test_a_name_that_does_not_exist_is_found_out(name):
    assert not is_defined(name)


@pytest.mark.parametrize(
    "name",
    ["dabs.specs", "dabs.encoder.Encoder.embed", "dabs.config.PROTOCOLS", "dabs.results.frame", "dabs.domains.sensor"],
)
def test_a_name_that_exists_is_found(name):
    assert is_defined(name)
