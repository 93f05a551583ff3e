"""Try random sequences of commands, damages and kills. Expected: no wrong number, no lost work, no dead end.

    python benchmarks/sequences.py --sequences 30 --length 6 --seeds 1    # as in the tests
    python benchmarks/sequences.py                                        # 500, for an hour

Hypothesis draws the sequences and shrinks one that breaks a rule. The commands are `pretrain`, `eval`, `run`,
`compare`, `submit` and those of `leaderboard`; in between, files of the runs are deleted, cut, changed or edited, and
commands are killed as they change a file. After each command: no number is shown that an undisturbed grid does not
have, every intact result is shown, no finished work is lost, and every error is a paragraph with a way out. At the end
of a sequence, doing what the errors say must lead to the complete grid. The exit code is 1 if anything is wrong.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = "1"
sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

from accidents.sequences import ROWS, Reference, Sequence, make_reference  # noqa: E402
from accidents.stage import Stage  # noqa: E402
from hypothesis import HealthCheck, Phase, Verbosity, seed, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test  # noqa: E402

DAMAGES = ("delete", "cut", "byte", "score", "version", "newer")
AUTHOR = ("--name", "mine", "--authors", "A. Stranger", "--url", "https://example.org/idea")


def machine(stage: Stage, reference: Reference, done: list[int]) -> type[RuleBasedStateMachine]:
    """Return the state machine whose sequences run on a stage; the length of each sequence is added to `done`."""

    class Commands(RuleBasedStateMachine):
        """One sequence."""

        def __init__(self) -> None:
            super().__init__()
            self.sequence = Sequence(stage, reference)
            self.runs = str(self.sequence.runs)

        @rule(row=st.sampled_from(ROWS), number=st.integers(0, reference.seeds - 1))
        def pretrain(self, row: str, number: int) -> None:
            self.sequence.pretrain(row, number)

        @rule(row=st.sampled_from(ROWS), number=st.integers(0, reference.seeds - 1))
        def evaluate(self, row: str, number: int) -> None:
            self.sequence.command("eval", str(self.sequence.run_folder(row, number)), "--protocol", "knn")

        @rule()
        def run(self) -> None:
            self.sequence.command(*self.sequence.grid)

        @rule(action=st.sampled_from(("show", "report")))
        def show(self, action: str) -> None:
            report = str(self.sequence.folder / "report.html")
            words = ("show", "--protocol", "knn") if action == "show" else ("build", "--out", report)
            self.sequence.command("leaderboard", *words, "--results", self.runs)

        @rule()
        def compare(self) -> None:
            self.sequence.command("compare", f"{self.runs}/lite:shed", f"{self.runs}/lite:none", "--protocol", "knn")

        @rule()
        def submit(self) -> None:
            shed = str(self.sequence.runs / "lite" / "shed")
            self.sequence.command("submit", shed, *AUTHOR, "--out", str(self.sequence.folder / "submissions"))

        @rule(kind=st.sampled_from(DAMAGES), place=st.integers(0, 9999))
        def damage(self, kind: str, place: int) -> None:
            self.sequence.damage(kind, place)

        @rule(change=st.integers(1, 60))
        def kill_the_next(self, change: int) -> None:
            self.sequence.killed_at = change

        def teardown(self) -> None:
            done.append(len(self.sequence.history))
            if sys.exc_info()[0] is None:
                self.sequence.finish()

    return Commands


def main() -> int:
    """Try the sequences; return 1 if one breaks a rule."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sequences", type=int, default=500)
    parser.add_argument("--length", type=int, default=12, help="the most steps of a sequence")
    parser.add_argument("--seeds", type=int, default=2, help="pretraining seeds of the grid")
    parser.add_argument("--seed", type=int, default=0, help="draws the sequences")
    options = parser.parse_args()
    begun, folder = time.perf_counter(), Path(tempfile.mkdtemp(prefix="dabs-sequences-"))
    stage, done = Stage(folder, options.seed), list[int]()
    try:
        commands = seed(options.seed)(machine(stage, make_reference(stage, options.seeds), done))
        run_state_machine_as_test(
            commands,
            settings=settings(
                max_examples=options.sequences,
                stateful_step_count=options.length,
                deadline=None,
                database=None,
                print_blob=False,
                verbosity=Verbosity.quiet,
                phases=[Phase.generate, Phase.shrink],
                suppress_health_check=list(HealthCheck),
            ),
        )
    except AssertionError as error:
        print(error)
        return 1
    finally:
        stage.close()
        shutil.rmtree(folder, ignore_errors=True)
    seconds = time.perf_counter() - begun
    print(f"{len(done)} sequences, {sum(done)} commands, damages and kills, {seconds:.0f} s: nothing wrong")
    return 0


if __name__ == "__main__":
    sys.exit(main())
