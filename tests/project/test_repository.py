"""The files around the code: workflow, issue forms, pull-request template, Dockerfile, and what a release checks."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from dabs import __version__
from dabs.cli import VERBS
from tests.helpers.places import ROOT

GITHUB = ROOT / ".github"
FORMS = sorted(path for path in (GITHUB / "ISSUE_TEMPLATE").glob("*.yml") if path.name != "config.yml")
KINDS = {"markdown", "input", "textarea", "dropdown", "checkboxes"}
TEXTS = [*FORMS, GITHUB / "pull_request_template.md", ROOT / "docs" / "releasing.md", ROOT / "Dockerfile"]
TARGETS = set(re.findall(r"^([\w/$()-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_an_issue_form_is_what_github_accepts(path):
    form = load(path)
    assert set(form) <= {"name", "description", "title", "labels", "body"}
    assert all(isinstance(form[key], str) and form[key] for key in ("name", "description", "title"))
    assert all(isinstance(label, str) for label in form["labels"])
    questions = [element for element in form["body"] if element["type"] != "markdown"]
    for element in form["body"]:
        assert element["type"] in KINDS
        assert element["attributes"]["value" if element["type"] == "markdown" else "label"]
    ids = [element["id"] for element in questions]
    assert len(set(ids)) == len(ids) > 0
    assert any(element.get("validations", {}).get("required") is True for element in questions)
    for element in questions:
        if element["type"] == "dropdown":
            options = element["attributes"]["options"]
            assert all(isinstance(option, str) for option in options), "yes and no need quotation marks"
            assert len(set(options)) == len(options) > 1


def test_there_is_a_form_for_each_kind_of_issue():
    assert [path.stem for path in FORMS] == ["bug", "new-algorithm", "refutation"]
    assert load(GITHUB / "ISSUE_TEMPLATE" / "config.yml") == {"blank_issues_enabled": True}


def test_the_workflow_runs_the_script_of_ci_with_few_rights():
    workflow = load(GITHUB / "workflows" / "ci.yml")
    assert workflow["permissions"] == {"contents": "read"}
    assert set(workflow[True]) == {"push", "pull_request"}  # YAML 1.1 reads the word `on` as true
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    assert any(step.get("run") == ".ci/run" for step in steps)
    for job in workflow["jobs"].values():
        assert job["timeout-minutes"] <= 90
    for step in steps:
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", step.get("uses", "a/b@" + "0" * 40)), "pinned to a commit"
    mode = subprocess.run(["git", "-C", ROOT, "ls-files", "-s", ".ci/run"], capture_output=True, text=True).stdout
    assert not mode or mode.startswith("100755")


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)
def test_the_commands_and_files_that_a_text_names_exist(path):
    text = path.read_text(encoding="utf-8")
    for verb in re.findall(r"`(?:\.venv/bin/)?dabs ([a-z]+)", text):
        assert verb in VERBS
    for target in re.findall(r"(?<=[`\d] )make ([a-z-]+)|`make ([a-z-]+)`", text):
        assert set(target) & TARGETS, target
    for name in re.findall(r"(?<![\w/.])((?:docs|leaderboard|tests|dabs|\.ci)/[\w/.-]*\w)", text):
        assert (ROOT / name.partition("NAME")[0]).exists(), name


def test_the_dockerfile_runs_both_commands_of_the_readme_without_root():
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert any(re.fullmatch(r"ARG TORCH_INDEX=https://\S+/cpu", line) for line in lines)
    assert lines[-1] == 'CMD ["make", "run"]'
    assert "dabs make test" in text
    assert re.search(r"^USER [1-9]\d*$", text, re.MULTILINE)
    assert lines.index("USER 1000") < lines.index("COPY --chown=dabs:dabs . .")
    (image,) = re.findall(r"^FROM (\S+)$", text, re.MULTILINE)
    assert re.fullmatch(r"python:3\.\d+\.\d+-slim-bookworm", image)


def test_the_image_leaves_out_what_is_made_here_and_nothing_else():
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    patterns = [line.removeprefix("**/").rstrip("/") for line in ignored if line and not line.startswith("#")]
    assert {".venv", "runs", "build", "__pycache__"} <= set(patterns)
    listed = subprocess.run(["git", "-C", ROOT, "ls-files", "-z"], capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git checkout")
    tops = {name.partition("/")[0] for name in listed.stdout.split("\0") if name}
    assert not tops & set(patterns)


def test_the_version_is_the_same_everywhere():
    assert load(ROOT / "CITATION.cff")["version"] == __version__
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(r"^## Unreleased$|^## " + re.escape(__version__), changelog, re.MULTILINE)


def test_lite_needs_neither_tensorboard_nor_wandb():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = {re.split(r"[^a-z0-9-]", line)[0] for line in project["dependencies"]}
    assert not names & {"tensorboard", "wandb"}
    assert {"tensorboard", "wandb"} <= set(project["optional-dependencies"])
