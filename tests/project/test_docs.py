"""The documentation is true: its code runs, and the files, names and links in it exist."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from itertools import takewhile
from pathlib import Path

import pytest

from dabs.config import PretrainConfig
from dabs.evaluation.evaluate import evaluate
from dabs.results.entries import load_entries
from dabs.training.log import read_metrics
from dabs.training.pretrain import pretrain
from tests.helpers.places import ROOT

FOLDERS_OF_PAGES = ("", "docs", "benchmarks", "leaderboard/submissions")
PAGES = [page for folder in FOLDERS_OF_PAGES for page in (ROOT / folder).glob("*.md")]
TOP = ("dabs", "algorithms", "domains", "leaderboard", "benchmarks", "docs", "tests", ".ci")
# what a reader has not yet: the examples of the pages
INVENTED = re.compile(r"[A-Z_]+|my_idea|test_my_idea|denoise|mine|theirs|my-idea|my-view")
each_page = pytest.mark.parametrize("page", sorted(PAGES), ids=lambda p: p.relative_to(ROOT).as_posix())


def test_the_algorithm_of_the_docs_trains_and_is_evaluated(toy, tmp_path):
    page = (ROOT / "docs" / "adding-an-algorithm.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (tmp_path / "denoise.py").write_text(code)
    config = PretrainConfig(
        algorithm=f"{tmp_path / 'denoise.py'}:Denoise", domain="toy", steps=60, options={"noise": 0.3}
    )
    folder = pretrain(config, tmp_path / "run", logger="none")
    losses = [float(row["loss"]) for row in read_metrics(folder)]
    assert sum(losses[-10:]) < 0.9 * sum(losses[:10])
    assert len(list(evaluate(folder, (), ("knn",)))) == 3


def test_the_python_example_of_the_readme_runs(toy, tmp_path, monkeypatch, capsys):
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert 'domain="sensor", ' in code
    monkeypatch.chdir(tmp_path)
    exec(compile(code.replace('domain="sensor", ', 'domain="toy", steps=2, '), "README.md", "exec"), {})
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


def test_the_figure_is_made_from_the_committed_results(tmp_path):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    command = [sys.executable, ROOT / "docs" / "make_figure.py", "--out", tmp_path]
    subprocess.run(command, check=True, capture_output=True, cwd=ROOT)
    for theme in ("light", "dark"):
        committed, made = (folder / f"results-{theme}.svg" for folder in (ROOT / "docs" / "figures", tmp_path))
        old, new = committed.read_text(encoding="utf-8"), made.read_text(encoding="utf-8")
        assert committed.stat().st_size < 60_000
        assert numbers_in(old) == numbers_in(new), f"{committed} shows other results: run docs/make_figure.py"
        if maker_of(old) != maker_of(new):
            pytest.skip(f"the bytes are those of {maker_of(old)}, not of {maker_of(new)}")
        assert committed.read_bytes() == made.read_bytes(), "run docs/make_figure.py"


def numbers_in(svg: str) -> str:
    """What the figure says of itself: every score in it."""
    found = re.search(r"<dc:description>(.*?)</dc:description>", svg, re.DOTALL)
    assert found
    assert "sensor: none" in found[1]
    return found[1]


def maker_of(svg: str) -> str:
    """The version of matplotlib that wrote a figure."""
    found = re.search(r"Matplotlib v[\w.]+", svg)
    assert found
    return found[0]


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
