"""Where accidents happen: a domain, a server, commands, and the files they leave.

Commands run in forks of one process that has imported everything: a fork starts at once, and can be killed like any
process. Two things differ from the command line: the checkout counts as clean, which submissions require, and the rules
of the suite know only the domain of `domain.py`.
"""

from __future__ import annotations

import csv
import io
import json
import os
import random
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

STEPS, EVERY = 40, 5  # steps of a run, and between its checkpoints
GRACE = 30.0  # seconds between SIGTERM and SIGKILL that schedulers allow
LIMIT = 120.0  # seconds after which a command counts as hanging
URL = "FAULTS_URL"
FileContents = dict[str, bytes]


@dataclass
class Tally:
    """The outcomes of one kind of accident."""

    accident: str
    tried: int = 0
    survived: int = 0  # run again, the command wrote what an undisturbed one writes
    lost: int = 0  # bytes of files that are missing or different afterwards
    wrong: int = 0  # tries with half-written files, wrong numbers, a wrong exit code or no clear message
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def judge(self, problems: list[str], lost: int) -> None:
        """Add one try."""
        self.tried += 1
        self.lost += lost
        self.wrong += bool(problems)
        self.survived += not problems
        self.notes += [text for text in problems if text not in self.notes]


@dataclass
class Child:
    """A running command."""

    pid: int
    log: Path
    begun: float = field(default_factory=time.perf_counter)

    def wait(self, seconds: float = LIMIT) -> int:
        """Return its exit code, or minus the signal that ended it."""
        deadline = time.perf_counter() + seconds
        while time.perf_counter() < deadline:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.002)
        self.kill(signal.SIGKILL)
        os.waitpid(self.pid, 0)
        return 1000  # it hung

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)

    @property
    def text(self) -> str:
        """Return what it printed, on one line."""
        return " ".join(self.log.read_text(errors="replace").split())


class Stage:
    """Where accidents happen.

    Args:
        folder: holds everything; the caller removes it.
        seed: draws the moments at which accidents happen.
    """

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder, self.random, self.count = folder, random.Random(seed), 0
        self.home = folder / "home"
        plugin = folder / "plugin"
        about = plugin / "accident_plugin-1.0.dist-info"
        about.mkdir(parents=True)
        (folder / "logs").mkdir()
        shutil.copy(Path(__file__).with_name("domain.py"), plugin / "accident_plugin.py")
        (about / "METADATA").write_text("Metadata-Version: 2.1\nName: accident-plugin\nVersion: 1.0\n")
        (about / "entry_points.txt").write_text("[dabs.domains]\naccident = accident_plugin\n")
        sys.path.insert(0, str(plugin))
        root = str(Path(__file__).parents[2])
        os.environ["PYTHONPATH"] = os.pathsep.join([str(plugin), root, os.environ.get("PYTHONPATH", "")])
        os.environ["DABS_HOME"] = str(self.home)
        self.cuts = folder / "cuts"  # how many more connections the server cuts
        self.server, os.environ[URL] = serve(self.cuts)
        import_all()

    def start(self, *words: str, before: Callable[[], Any] = lambda: None, **environment: str) -> Child:
        """Start `dabs WORDS` in a process that first calls `before`."""
        self.count += 1
        log = self.folder / "logs" / f"{self.count:05d}.log"
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid:
            return Child(pid, log)
        code = 70
        try:
            number = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(number, 1)
            os.dup2(number, 2)
            os.environ.update(environment)
            before()
            from dabs.cli import main

            main(list(words))
        except SystemExit as ended:
            code = int(ended.code or 0)
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def run(self, *words: str, **more: Any) -> tuple[int, str]:
        """Run a command to its end; return its exit code and what it printed."""
        child = self.start(*words, **more)
        return child.wait(), child.text

    def require(self, *words: str, **more: Any) -> None:
        """Run a command that must succeed, because the accidents build on it."""
        code, text = self.run(*words, **more)
        if code:
            raise SystemExit(f"without any accident, `dabs {' '.join(words)}` exits with {code}: {text}")

    def close(self) -> None:
        """Stop the server."""
        os.kill(self.server, signal.SIGKILL)
        os.waitpid(self.server, 0)


def import_all() -> None:
    """Import what the commands import; let the checkout count as clean and the suite as one domain."""
    import datasets  # noqa: F401
    import sklearn.linear_model
    import sklearn.neighbors  # noqa: F401
    import torch._dynamo  # noqa: F401

    import dabs.cli.data
    import dabs.cli.eval
    import dabs.cli.pretrain
    import dabs.evaluation.evaluate
    import dabs.leaderboard.cli.leaderboard
    import dabs.leaderboard.cli.submit
    import dabs.leaderboard.cli.suite_rules
    import dabs.leaderboard.site.build
    import dabs.leaderboard.site.report
    import dabs.leaderboard.submit.consistency
    import dabs.training.pretrain
    import dabs.training.run_folder

    dabs.utils.environment.git_state = lambda: {"git_commit": "a" * 40, "git_dirty": False}
    dabs.utils.environment.environment()
    rules_of = dabs.leaderboard.cli.suite_rules.build_rules

    def rules(suite: str) -> Any:
        found = rules_of(suite, ("accident",))
        return replace(found, budgets={"accident": {**found.budgets["accident"], "steps": STEPS}})

    dabs.leaderboard.cli.suite_rules.build_rules = rules


def serve(cuts: Path) -> tuple[int, str]:
    """Serve the domain's file on this machine, in a process of its own.

    Args:
        cuts: a file with the number of connections to cut, each after a third of what it asks for.

    Returns:
        The process's id and the file's URL.
    """
    from accident_plugin import CONTENT

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            start = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").rstrip("-"))
            self.send_response(206 if start else 200)
            self.send_header("ETag", '"one"')
            self.send_header("Content-Length", str(len(CONTENT) - start))
            self.end_headers()
            left = int(cuts.read_text()) if cuts.exists() else 0
            end = start + (len(CONTENT) - start) // 3 if left else len(CONTENT)
            self.wfile.write(CONTENT[start:end])
            if left:
                cuts.write_text(str(left - 1))

        def log_message(self, *arguments: Any) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Handler)
    pid = os.fork()
    if not pid:
        try:
            server.serve_forever()
        finally:
            os._exit(0)
    url = f"http://127.0.0.1:{server.server_port}/noise.bin"
    server.server_close()
    return pid, url


def file_contents(folder: Path, *, environment: bool = True) -> FileContents:
    """Return the content of every file below a folder (or of one file), without what differs between repetitions.

    Timings, peak memory, the date of a submission, and locks are left out.
    """
    found = {}
    for path in [folder] if folder.is_file() else sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        if path.is_file() and not any(part.startswith(".") or part == "tensorboard" for part in inside.parts):
            found[str(inside)] = repeatable_content(path, environment)
    return found


def repeatable_content(path: Path, environment: bool) -> bytes:
    """Return a file's content without what differs between repetitions; the whole of a file that an accident broke."""
    content = path.read_bytes()
    dropped = {"wall_seconds", "waited_seconds", "peak_memory_bytes", "created"} | (
        set() if environment else {"environment"}
    )
    try:
        if path.name == "metrics.csv":
            rows = list(csv.DictReader(io.StringIO(content.decode())))
            return json.dumps([{k: v for k, v in row.items() if k != "examples_per_second"} for row in rows]).encode()
        if path.name in ("run.json", "submission.json"):
            value = json.loads(content)
        elif path.name.endswith(".result.json"):
            from dabs.results.files import reproducible_part

            value = reproducible_part(json.loads(content))
        else:
            return content
        return json.dumps({k: v for k, v in value.items() if k not in dropped}, sort_keys=True).encode()
    except (ValueError, LookupError, AttributeError, TypeError):
        return content


def differences(found: FileContents, wanted: FileContents) -> tuple[list[str], int]:
    """Return what differs, as one text each, and how many bytes of the wanted files are missing or different."""
    wrong = [name for name in wanted if found.get(name) != wanted[name]]
    more = [f"{name} was not there in an undisturbed run" for name in found.keys() - wanted.keys()]
    lost = sum(len(wanted[name]) for name in wrong)
    return [f"{name} is {'different' if name in found else 'missing'}" for name in wrong] + more, lost


def leftovers(folder: Path) -> list[str]:
    """Return the temporary files and folders that nothing will remove."""
    return [f"{path.name} was left behind" for path in folder.rglob(".*") if path.name.endswith(".tmp")]
