"""Shell completion: what bash offers after the script is read, for verbs, actions, options and values."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from dabs.cli import VERBS
from tests.dabs.cli.test_verbs import OPTIONS, call

BASH = shutil.which("bash")


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("completion") / "dabs.bash"
    with pytest.MonkeyPatch.context() as patch:
        lines: list[str] = []
        patch.setattr("builtins.print", lambda text: lines.append(text))
        call("--print-completion", "bash")
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def offered(script: Path, *words: str) -> set[str]:
    """What bash offers for the last of some words, as after a press of the tab key."""
    assert BASH
    steps = f'source {script}; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _dabs; printf "%s\\n" "${{COMPREPLY[@]}}"'
    done = subprocess.run([BASH, "-c", steps, "bash", "dabs", *words], capture_output=True, text=True, check=True)
    assert not done.stderr
    return set(done.stdout.split())


needs_bash = pytest.mark.skipif(not BASH, reason="bash is not installed")


@needs_bash
def test_bash_registers_the_script(script):
    assert BASH
    done = subprocess.run(
        [BASH, "-c", f"source {script}; complete -p dabs"], capture_output=True, text=True, check=True
    )
    assert done.stdout.split()[-3:] == ["-F", "_dabs", "dabs"]


@needs_bash
def test_verbs_and_actions_are_offered(script):
    assert offered(script, "") == {*VERBS, "-h", "--help"}
    assert offered(script, "le") == {"leaderboard"}
    assert offered(script, "data", "") == {"prepare", "status", "verify", "-h", "--help"}


@needs_bash
@pytest.mark.parametrize(
    "words", [words for words in OPTIONS if words[0] != "pretrain" or len(words) == 1], ids=" ".join
)
def test_the_options_of_each_command_are_offered(script, words):
    assert offered(script, *words, "--") == OPTIONS[words] | {"--help"}


@needs_bash
def test_values_are_offered_and_file_names_left_to_bash(script):
    assert offered(script, "list", "--suite", "") == {"lite", "open", "paper", "paper32"}
    assert offered(script, "eval", "runs/x", "--protocol", "kn") == {"knn"}
    assert offered(script, "pretrain", "shed", "sensor", "--lo") == {"--logger"}
    assert offered(script, "eval", "ru") == set()


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_have_a_script(shell, capsys):
    assert call("--print-completion", shell) == 0
    out = capsys.readouterr().out
    assert "leaderboard" in out
    assert "--corruption-rate" not in out


@pytest.mark.parametrize("words", [(), ("tcsh",), ("--help",)])
def test_a_shell_without_a_script_is_refused(words, capsys):
    assert call("--print-completion", *words) == 2
    assert "bash, zsh, fish" in capsys.readouterr().err
