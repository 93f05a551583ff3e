"""A program in a sandbox reaches no network, process, variable or file that it was not given."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import pytest

from dabs.errors import DabsError
from dabs.utils import sandbox as module
from dabs.utils.sandbox import ISOLATIONS, NOTHING, Isolation, Sandbox, find_isolation, python_command, python_folders

PROBE = """
import json, os, socket, sys
home, data, out, other, port, parent = sys.argv[1:]

def try_to(what):
    try:
        return what()
    except OSError as error:
        return type(error).__name__

found = {
    "connect": try_to(lambda: socket.create_connection(("127.0.0.1", int(port)), timeout=2) and "connected"),
    "home": try_to(lambda: open(f"{home}/key").read()),
    "data": try_to(lambda: open(f"{data}/rows").read()),
    "write data": try_to(lambda: open(f"{data}/rows", "a").close() or "written"),
    "replace data": try_to(lambda: os.rename(f"{data}/rows", f"{data}/other") or "renamed"),
    "write root": try_to(lambda: open("/made-in-sandbox", "w").close() or "written") if other == "/tmp" else "",
    "write elsewhere": try_to(lambda: open(f"{other}/made-in-sandbox", "w").close() or "written"),
    "processes": sum(name.isdigit() for name in os.listdir("/proc")),
    "parent": try_to(lambda: os.kill(int(parent), 0) or "seen"),
    "environment": "SECRET" in os.environ,
    "capabilities": [line.split()[1] for line in open("/proc/self/status") if line.startswith("CapEff")][0],
}
json.dump(found, open(f"{out}/found.json", "w"))
"""


def works(isolation: Isolation) -> bool:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "ISOLATIONS", (isolation,))
        find_isolation.cache_clear()
        found = find_isolation()
    find_isolation.cache_clear()
    return found is isolation


def isolation_or_skip(tool: str) -> Isolation:
    isolation = next(one for one in ISOLATIONS if one.tool == tool)
    if not works(isolation):
        pytest.skip(f"{tool} is not installed, or this machine does not let it make namespaces")
    return isolation


def probe(isolation: Isolation, folder: Path, monkeypatch: pytest.MonkeyPatch, other: str = "") -> dict[str, object]:
    """Run `PROBE` in a sandbox that is given DATA to read and OUT to write, but not OTHER."""
    home, data, out = (folder / name for name in ("home", "data", "out"))
    for path in (home, data, out):
        path.mkdir()
    (home / "key").write_text("secret")
    (data / "rows").write_text("rows")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("SECRET", "token")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        own = Sandbox(isolation=isolation, read=[*python_folders(), data], write=[out])
        words = [home, data, out, other or folder, port, os.getpid()]
        own.run(python_command("-c", PROBE, *map(str, words)))
    found: dict[str, object] = json.loads((out / "found.json").read_text())
    return found


def test_bubblewrap_isolates_everything(tmp_path, monkeypatch):
    found = probe(isolation_or_skip("bwrap"), tmp_path, monkeypatch, "/tmp")
    assert found.pop("processes") <= 3
    assert found == {
        "connect": "ConnectionRefusedError",  # on a loopback device of its own
        "home": "FileNotFoundError",
        "data": "rows",
        "write data": "OSError",  # a read-only file system
        "replace data": "OSError",
        "write root": "OSError",
        "write elsewhere": "written",  # to a private /tmp
        "parent": "ProcessLookupError",
        "environment": False,
        "capabilities": "0" * 16,
    }
    assert not Path("/tmp/made-in-sandbox").exists()
    assert (tmp_path / "data" / "rows").read_text() == "rows"


def test_unshare_isolates_network_processes_and_environment_but_no_files(tmp_path, monkeypatch):
    found = probe(isolation_or_skip("unshare"), tmp_path, monkeypatch)
    assert found["processes"] <= 3
    assert found["connect"] in ("ConnectionRefusedError", "OSError")
    assert (found["parent"], found["environment"]) == ("ProcessLookupError", False)
    assert (found["home"], found["write elsewhere"]) == ("secret", "written")  # which is why it is not complete


def test_the_probe_finds_everything_without_a_sandbox(tmp_path, monkeypatch):
    found = probe(NOTHING, tmp_path, monkeypatch)
    assert (found["connect"], found["home"], found["parent"]) == ("connected", "secret", "seen")
    assert (found["write data"], found["replace data"], found["environment"]) == ("written", "renamed", True)


@pytest.mark.parametrize("tool", ["bwrap", "unshare", ""])
def test_a_failure_is_reported_with_the_end_of_the_output(tool):
    own = Sandbox(isolation=isolation_or_skip(tool) if tool else NOTHING)
    script = "seq 100000; printf 'no more \\033[31mmoney\\n' >&2; exit 7"
    with pytest.raises(DabsError, match=r"ended with exit code 7: no more \\u001b\[31mmoney"):
        own.run(["/bin/sh", "-c", script])


def test_hidden_folders_are_empty(tmp_path):
    isolation = isolation_or_skip("bwrap")
    (tmp_path / "package" / "labels").mkdir(parents=True)
    (tmp_path / "package" / "labels" / "test").write_text("0 1 0")
    (tmp_path / "package" / "code").write_text("pass")
    own = Sandbox(isolation=isolation, read=[tmp_path / "package"], hidden=[tmp_path / "package" / "labels"])
    own.run(["/bin/sh", "-c", f'test -f {tmp_path}/package/code -a -z "$(ls {tmp_path}/package/labels)"'])


def test_a_tool_that_does_not_work_is_not_used(tmp_path, monkeypatch):
    """As in a container that forbids namespaces: the tool is there, but fails."""
    for tool in ("bwrap", "unshare"):
        (tmp_path / tool).write_text("#!/bin/sh\nexit 1\n")
        (tmp_path / tool).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    find_isolation.cache_clear()
    try:
        assert find_isolation() is NOTHING
    finally:
        find_isolation.cache_clear()
    assert [isolation.complete for isolation in (*ISOLATIONS, NOTHING)] == [True, False, False]
