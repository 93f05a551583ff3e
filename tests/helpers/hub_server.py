"""A local Hugging Face hub that can be written to: accounts, repositories, uploads, commits, and faults on demand."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatch
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from tests.helpers.paper.hub import HubHandler

TOKENS = {"hf_alice": "alice", "hf_bob": "bob", "hf_reader": ""}  # token -> whose repositories it may write to
LFS = ("*.safetensors", "*.npz")  # what the hub does not take as part of a commit
REPO = r"([\w.-]+/[\w.-]+)"


@dataclass
class WritableHub:
    """What the hub holds, what it was asked, and how it fails.

    Attributes:
        commits: for each model repository, the files of each commit, in order; a new repository has one commit.
        private: repositories that only their owner may see.
        others: names that are taken by something other than a model.
        objects: what was uploaded outside a commit, by sha256.
        messages: of the commits that clients made, in order.
        asked: method and path of every request.
        fault: "cut upload", "cut commit", "cut tree" or "commit 412": what goes wrong; empty for nothing.
        url: its address, for HF_ENDPOINT.
    """

    commits: dict[str, dict[str, dict[str, bytes]]] = field(default_factory=dict)
    private: set[str] = field(default_factory=set)
    others: set[str] = field(default_factory=set)
    objects: dict[str, bytes] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    fault: str = ""
    url: str = ""

    def create(self, repo: str, files: dict[str, bytes] | None = None) -> None:
        """Make a repository with one commit."""
        self.commits[repo] = {}
        self.commit(repo, {".gitattributes": b"*.npz filter=lfs\n", **(files or {})})

    def commit(self, repo: str, files: dict[str, bytes]) -> str:
        """Make these files the newest commit of a repository and return its name."""
        before = len(self.commits[repo])
        name = hashlib.sha1(repr((repo, before, sorted(files.items()))).encode()).hexdigest()
        self.commits[repo][name] = files
        return name

    def head(self, repo: str) -> str:
        """Return the newest commit of a repository."""
        return list(self.commits[repo])[-1]

    def files(self, repo: str, commit: str = "") -> dict[str, bytes]:
        """Return the files of a commit, by default of the newest."""
        return self.commits[repo][commit or self.head(repo)]


@contextmanager
def writable_hub(home: Path) -> Iterator[WritableHub]:
    """Run a hub that the client in this process uses, with the cache HOME/hub and alice's token, until the block ends.

    The client reads its environment variables when it is imported, so its constants are replaced.
    """
    import huggingface_hub.utils._http as http
    from huggingface_hub import constants

    hub = WritableHub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (WritableHubHandler,), {"writable": hub}))
    server.daemon_threads = True
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_TOKEN", "hf_alice")
        patch.setattr(constants, "ENDPOINT", hub.url)
        template = f"{hub.url}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        patch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        patch.setattr(constants, "HF_HUB_CACHE", str(home / "hub"))
        patch.setattr(constants, "HF_TOKEN_PATH", str(home / "token"))
        patch.setattr(constants, "HF_HUB_DISABLE_XET", True)  # this server has the older protocol for large files
        patch.setattr(http.time, "sleep", lambda seconds: None)  # between the client's attempts
        yield hub
    server.shutdown()
    server.server_close()


class WritableHubHandler(HubHandler):
    """Answers the requests with which the hub's client reads and writes model repositories."""

    writable: WritableHub

    def answer(self, *, body: bool) -> None:
        """Send the description of a repository, its tree, or a file of it."""
        path = self.note()
        info = re.fullmatch(rf"/api/models/{REPO}(?:/(revision|tree)/(.+))?", path)
        file = re.fullmatch(rf"/{REPO}/resolve/([^/]+)/(.+)", path)
        found = info or file
        if not self.knows_token() or found is None:
            return self.send_error_code(401 if found else 404, message="Invalid credentials in Authorization header")
        repo, revision = found[1], (file[2] if file else info[3] if info else "") or "main"
        if not self.may_see(repo):
            return self.send_error_code(404 if self.account() is not None else 401, "RepoNotFound")
        commit = self.writable.head(repo) if revision == "main" else revision
        if commit not in self.writable.commits[repo]:
            return self.send_error_code(404, "RevisionNotFound")
        files = self.writable.files(repo, commit)
        if info:
            if self.writable.fault == "cut tree" and info[2] == "tree":
                return self.cut()
            return self.send_listing(files, repo, info[2] or "", "", commit)
        if file and file[3] in files:
            return self.send_file(files[file[3]], body=body, commit=commit)
        return self.send_error_code(404, "EntryNotFound")

    def do_POST(self) -> None:
        """Check a card, create a repository, say how files are to be uploaded, or commit."""
        path, content = self.note(), self.rfile.read(int(self.headers.get("Content-Length", "0")))
        if not self.knows_token():
            return self.send_error_code(401, message="Invalid credentials in Authorization header")
        if path == "/api/validate-yaml":
            return self.send(json.dumps({"errors": [], "warnings": []}).encode())
        if path == "/api/repos/create":
            return self.create(json.loads(content))
        found = re.fullmatch(rf"/api/models/{REPO}/(preupload|commit)/main", path)
        batch = re.fullmatch(rf"/{REPO}\.git/info/lfs/objects/batch", path)
        repo = (found or batch or [""] * 2)[1]
        if not self.may_see(repo):
            return self.send_error_code(404, "RepoNotFound")
        if self.account() != repo.partition("/")[0]:
            return self.send_error_code(403, message="you have no write access")
        if batch:
            return self.send(json.dumps({"objects": self.places(json.loads(content)["objects"])}).encode())
        if found and found[2] == "preupload":
            return self.send(json.dumps({"files": self.modes(json.loads(content)["files"])}).encode())
        return self.take_commit(repo, [json.loads(line) for line in content.splitlines()])

    def do_PUT(self) -> None:
        """Take a large file."""
        path = self.note()
        if self.writable.fault == "cut upload":
            return self.cut()
        content = self.rfile.read(int(self.headers["Content-Length"]))
        assert hashlib.sha256(content).hexdigest() == path.rpartition("/")[2]
        self.writable.objects[path.rpartition("/")[2]] = content
        return self.send(b"{}")

    def note(self) -> str:
        """Record the request and return its path."""
        path = urlsplit(unquote(self.path)).path
        self.writable.asked.append(f"{self.command} {path}")
        return path

    def account(self) -> str | None:
        """Return whose token was sent; empty for one that may only read, None without a token."""
        return TOKENS.get(self.headers.get("Authorization", "").removeprefix("Bearer "))

    def knows_token(self) -> bool:
        """Whether there is no token, or one that the hub has issued."""
        return "Authorization" not in self.headers or self.account() is not None

    def may_see(self, repo: str) -> bool:
        """Whether a repository exists and its visitor may know."""
        hidden = repo in self.writable.private and self.account() != repo.partition("/")[0]
        return repo in self.writable.commits and not hidden

    def create(self, asked: dict[str, Any]) -> None:
        """Create a repository."""
        repo = f"{asked['organization']}/{asked['name']}"
        if self.account() != asked["organization"]:
            return self.send_error_code(403, message="you have no write access")
        if repo in self.writable.commits or repo in self.writable.others:
            return self.send_error_code(409, message="You already created this repo")
        self.writable.create(repo)
        if asked.get("visibility") == "private" or asked.get("private"):
            self.writable.private.add(repo)
        return self.send(json.dumps({"url": f"{self.writable.url}/{repo}"}).encode())

    def modes(self, files: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Say which files are to be uploaded outside the commit."""
        large = {one["path"]: any(fnmatch(one["path"], pattern) for pattern in LFS) for one in files}
        return [
            {"path": path, "uploadMode": "lfs" if lfs else "regular", "shouldIgnore": False, "oid": None}
            for path, lfs in large.items()
        ]

    def places(self, objects: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Say where to upload large files that are not there yet."""
        return [
            {**one, "actions": {"upload": {"href": f"{self.writable.url}/upload/{one['oid']}"}}}
            if one["oid"] not in self.writable.objects
            else one
            for one in objects
        ]

    def take_commit(self, repo: str, lines: list[dict[str, Any]]) -> None:
        """Make a commit of the files in the request and of those uploaded before."""
        if self.writable.fault == "cut commit":
            return self.cut()
        files, (header, *changes) = dict(self.writable.files(repo)), lines
        stale = header["value"].get("parentCommit") not in (None, self.writable.head(repo))
        if stale or self.writable.fault == "commit 412":
            return self.send_error_code(412, message="A commit has happened since")
        for line in changes:
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                files[value["path"]] = self.writable.objects[value["oid"]]
            else:
                assert line["key"] == "deletedFile", line
                del files[value["path"]]
        self.writable.messages.append(header["value"]["summary"])
        commit = self.writable.commit(repo, files)
        url = f"{self.writable.url}/{repo}/commit/{commit}"
        return self.send(json.dumps({"commitUrl": url, "commitOid": commit}).encode())

    def cut(self) -> None:
        """Close the connection in the middle of a request."""
        self.close_connection = True
        self.connection.close()
