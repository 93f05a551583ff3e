"""Every help text: in words, with examples that work, within the width of the terminal."""

from __future__ import annotations

import re
import shlex

import pytest

from dabs.cli import VERBS, pretrain, verb_module
from dabs.cli.completion import commands_of
from dabs.cli.options import Command, choose
from dabs.registry import algorithm_names
from tests.dabs.cli.test_verbs import call

COMMANDS: dict[str, tuple[Command, ...]] = {verb: commands_of(verb_module(verb)) for verb in VERBS}
PAGES = [  # the words before --help
    (),
    *((verb,) for verb in VERBS),
    *(tuple(command.words.split()) for commands in COMMANDS.values() for command in commands if command.action),
    *(("pretrain", name) for name in algorithm_names()),
]
FORBIDDEN = (
    r"\bSTR\b",  # tyro's names of types
    r"\bINT\b",
    r"\bFLOAT\b",
    r"\{None",
    r"default: None",
    r"\[\[",
    r"\(default: \)",
    r"\(default: ''\)",
    r"\(default: False\)",
    "options options",
    "─ training options",
    "hyper[-_]parameters options",
    r"│ {20,}│$",  # an empty line in a box
    r"^│ --\S+(?: \{[^}]*\}| [A-Z=]+)?(?: \.\.\.)? +│\n(?:│ +\(|│ --|╰)",  # an option without a word about it
    r"^│ \[?[A-Z]+(?: \.\.\.)?\]? {2,}[a-z_-]+ *(?:\(|│)",  # an argument that is only named
)


def help_of(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> str:
    assert call(*words, "--help") == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("columns", [80, 120])
@pytest.mark.parametrize("words", PAGES, ids=" ".join)
def test_help_is_in_words_and_ends_with_examples(words, columns, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(columns))
    page = help_of(words, capsys)
    found = [fragment for fragment in FORBIDDEN if re.search(fragment, page, re.MULTILINE)]
    assert found == []
    usage, *rest = page.splitlines()
    assert usage.startswith(" ".join(("usage: dabs", *words[:1])))
    examples = rest[rest.index("examples:") + 1 :]
    assert len(examples) >= 4
    assert all(line.startswith("  ") for line in examples)
    assert max(map(len, page.splitlines())) <= columns
    assert ("╭─ options ─" in page) == (len(words) > 0 and words not in (("data",), ("leaderboard",)))


@pytest.mark.parametrize("command", [c for commands in COMMANDS.values() for c in commands], ids=lambda c: c.words)
def test_the_examples_of_a_command_are_parsed(command, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    call("new", "my_idea")
    assert 2 <= len(command.examples) <= 4
    shown = re.sub(r" \\\n +", " ", help_of(tuple(command.words.split()), capsys))
    for about, example in command.examples:
        assert f"  # {about}\n  {example}\n" in shown, "as it is shown, apart from the wrapping of long lines"
        program, verb, *words = shlex.split(example)
        assert (program, verb) == ("dabs", command.words.split()[0])
        if len(COMMANDS[verb]) > 1:
            chosen, words = choose(verb, "", COMMANDS[verb], words)
            assert chosen == command
        if "--help" in words:
            continue
        if verb == "pretrain" and "--config" in words:
            with pytest.raises(Exception, match="runs/lite/shed/sensor/seed7"):  # parsed, then not found
                pretrain.parse(words)
        elif verb == "pretrain":
            config, _, _ = pretrain.parse(words)
            assert config.domain == words[1]
        else:
            assert isinstance(command.parse(words), command.options)


def test_an_option_that_does_not_exist_is_found_out(capsys):
    (command,) = COMMANDS["eval"]
    with pytest.raises(SystemExit):
        command.parse(["run", "--task", "exercise"])
    assert "--tasks TASK ..." in capsys.readouterr().err


def test_the_help_of_a_verb_with_actions_has_a_line_for_each(capsys):
    for verb in ("data", "leaderboard"):
        page = help_of((verb,), capsys)
        for command in COMMANDS[verb]:
            assert re.search(rf"^  {command.action} +{command.summary.split()[0]} ", page, re.MULTILINE)
