"""Run a program in a sandbox: bubblewrap, or `unshare` where that is missing.

Bubblewrap builds a file system in which only named files exist, at their own paths. `unshare` of util-linux takes away
the network and the sight of other processes, but leaves all files where they are.
"""

from __future__ import annotations

import json
import os
import shutil
import site
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from dabs.errors import DabsError

SYSTEM = (
    *("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64"),
    *("/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/alternatives", "/etc/localtime"),
    "/sys/devices/system/cpu",  # from which maths libraries learn how many cores there are
)
#: What a program sees of this process's environment: what changes the numbers of a run, or where packages are found.
VARIABLES = (
    *("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_CBWR", "ATEN_CPU_CAPABILITY"),
    "PYTHONPATH",
)
KEPT_OUTPUT = 4000  # bytes of a program's output, from its end
PROBE_SECONDS = 20


@dataclass(frozen=True, kw_only=True)
class Isolation:
    """What a sandbox isolates.

    Attributes:
        tool: "bwrap", "unshare", or "" for no sandbox.
        kept_out: what a program in it cannot reach.
        let_in: what it can reach all the same.
    """

    tool: str
    kept_out: str
    let_in: str

    @property
    def complete(self) -> bool:
        """Whether a program in the sandbox reaches no file, process or network that it was not given."""
        return self.tool == "bwrap"


UNLIMITED = "processor time, memory and disk space are not limited, and the kernel is this machine's"
ISOLATIONS = (
    Isolation(
        tool="bwrap",
        kept_out=(
            "no network, no other processes, no variables of your environment, no GPU. It sees Python, its packages "
            "and what it is given, all read-only, and writes to its own folder and a private /tmp; your home and all "
            "other files are not there"
        ),
        let_in=UNLIMITED,
    ),
    Isolation(
        tool="unshare",
        kept_out="no network, no other processes, no variables of your environment",
        let_in=f"it can read and change every file that you can, labels and keys among them; {UNLIMITED}",
    ),
)
NOTHING = Isolation(
    tool="", kept_out="nothing", let_in="it has all your rights: files, network, processes, environment"
)


@lru_cache(maxsize=1)
def find_isolation() -> Isolation:
    """Return the most complete isolation that works here; each is tried out, since a container may forbid it."""
    for isolation in ISOLATIONS:
        if shutil.which(isolation.tool):
            words = Sandbox(isolation=isolation).command(["/bin/sh", "-c", "exit 0"])
            try:
                done = subprocess.run(words, capture_output=True, timeout=PROBE_SECONDS)
            except (OSError, subprocess.TimeoutExpired):
                continue
            if done.returncode == 0:
                return isolation
    return NOTHING


@dataclass(frozen=True, kw_only=True)
class Sandbox:
    """What a program in a sandbox is given. Files have the same paths inside and outside.

    Attributes:
        isolation: from `find_isolation`.
        read: files and folders that it may read.
        write: folders that it may also change.
        hidden: folders inside those of `read` that are empty for it.
        variables: of its environment, besides those of `VARIABLES`.
    """

    isolation: Isolation
    read: Sequence[Path] = ()
    write: Sequence[Path] = ()
    hidden: Sequence[Path] = ()
    variables: Mapping[str, str] = field(default_factory=dict)

    def command(self, words: Sequence[str]) -> list[str]:
        """Return the command that runs a program in the sandbox."""
        return [*getattr(self, f"_{self.isolation.tool or 'nothing'}")(), *words]

    def environment(self) -> dict[str, str]:
        """Return the whole environment of the program."""
        given = {name: os.environ[name] for name in VARIABLES if name in os.environ}
        own = {"PATH": "/usr/bin:/bin", "HOME": "/tmp", "TMPDIR": "/tmp", "LANG": "C.UTF-8"}  # noqa: S108 (its own /tmp)
        own |= {"USER": "sandbox", "LOGNAME": "sandbox"}  # torch asks for a name, and no list of users is there
        own["PYTHONUSERBASE"] = site.getuserbase()  # where `pip install --user` puts packages, whatever HOME is
        return own | given | dict(self.variables)

    def run(self, words: Sequence[str]) -> None:
        """Run a program to its end; it is killed if this process stops before it.

        Raises:
            DabsError: the program failed; the message has the end of its output.
        """
        environment = self.environment() if self.isolation.tool else {**os.environ, **self.variables}
        output, end_of_program = os.pipe()
        with open(output, "rb", buffering=0) as said, open(end_of_program, "wb") as out:
            process = subprocess.Popen(
                self.command(words), stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=environment, cwd="/"
            )
            out.close()
            end = b""
            try:
                while chunk := said.read(1 << 16):
                    end = (end + chunk)[-KEPT_OUTPUT:]
                code = process.wait()
            finally:
                process.kill()
                process.wait()
        if code:
            lines = end.decode("utf-8", "replace").strip().splitlines() or ["it said nothing"]
            raise DabsError(f"what ran in the sandbox ended with exit code {code}: {lines[-1].strip()}")

    def _bwrap(self) -> list[str]:
        words = [_found("bwrap"), "--unshare-all", "--unshare-user", "--cap-drop", "ALL"]
        words += ["--new-session", "--die-with-parent"]
        for place in SYSTEM:
            words += ["--ro-bind-try", place, place]
        words += ["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp"]  # noqa: S108 (its own /tmp)
        for path in self.read:
            words += ["--ro-bind", str(path), str(path)]
        for path in self.hidden:
            words += ["--tmpfs", str(path), "--remount-ro", str(path)]
        for path in self.write:
            words += ["--bind", str(path), str(path)]
        return [*words, "--remount-ro", "/", "--chdir", "/", "--"]

    def _unshare(self) -> list[str]:
        spaces = ["--net", "--pid", "--ipc", "--uts", "--mount", "--mount-proc"]
        return [_found("unshare"), "--user", "--map-root-user", *spaces, "--fork", "--kill-child", "--"]

    def _nothing(self) -> list[str]:
        return []


def _found(tool: str) -> str:
    return shutil.which(tool) or tool


def python_command(*words: str) -> list[str]:
    """Return the command that runs this Python with some arguments, without the current folder on its path."""
    return [sys.executable, "-P", *words]


def python_folders() -> list[Path]:
    """Return the folders that this Python and its packages need: its own, and those it imports from.

    A new process is asked, because the path of this one may hold the folder that a script was started in.
    """
    code = "import json, sys; print(json.dumps(sys.path))"
    done = subprocess.run(python_command("-c", code), capture_output=True, text=True, check=True, cwd="/")
    own = (sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix)
    given = [Path(name) for name in (*own, *json.loads(done.stdout.splitlines()[-1])) if name]
    return [path for path in dict.fromkeys(given) if path.exists() and path != Path(path.anchor)]
