"""Import paths of version 0.1 that still work."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

from dabs.utils.moved import MOVED


@pytest.mark.parametrize("old", MOVED)
def test_an_old_path_warns_and_has_the_attributes_of_the_new_one(old, monkeypatch):
    monkeypatch.delitem(sys.modules, old, raising=False)
    with pytest.warns(DeprecationWarning, match=MOVED[old]):
        found = importlib.import_module(old)
    new = importlib.import_module(MOVED[old])
    assert found is not new
    for name in (name for name in vars(new) if not name.startswith("_")):
        assert getattr(found, name) is getattr(new, name)
    with pytest.raises(AttributeError):
        _ = found.no_such_name


def test_the_readme_of_version_0_1_still_imports():
    code = (
        "from dabs.pretrain import pretrain\nfrom dabs.evaluate import evaluate\nfrom dabs.run import PretrainConfig\n"
        "from dabs.results import frame\nprint(pretrain.__module__, evaluate.__module__, PretrainConfig.__module__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.split() == ["dabs.training.pretrain", "dabs.evaluation.evaluate", "dabs.config"], done.stderr


def test_a_path_that_never_existed_is_not_found():
    with pytest.raises(ModuleNotFoundError, match=r"dabs\.nothing"):
        importlib.import_module("dabs.nothing")
