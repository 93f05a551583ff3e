"""A local Hugging Face hub: revisions, listings, and files with ranges."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class Hub:
    """What the hub holds, and what was downloaded from it.

    Attributes:
        files: the content of each path of each repository; a repository is "datasets/OWNER/NAME", or "OWNER/NAME" for
            a model.
        fetched: the path of every downloaded file, in order.
        url: its address, for HF_ENDPOINT.
    """

    files: dict[str, dict[str, bytes]] = field(default_factory=dict)
    fetched: list[str] = field(default_factory=list)
    url: str = ""


def serve_hub(hub: Hub) -> ThreadingHTTPServer:
    """Start a server and set `hub.url`; the caller shuts it down."""
    handler = type("Handler", (HubHandler,), {"hub": hub})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    return server


class HubHandler(BaseHTTPRequestHandler):
    """Answers the requests of the hub's client."""

    hub: Hub

    def log_message(self, *words: object) -> None:
        """Log nothing."""

    def do_HEAD(self) -> None:
        """Answer a request without sending the file."""
        self.answer(body=False)

    def do_GET(self) -> None:
        """Answer a request for a listing or a file."""
        self.answer(body=True)

    def do_POST(self) -> None:
        """Answer a request for information about some paths."""
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        api = re.fullmatch(r"/api/(?:models/)?(.+)/paths-info/[^/]+", urlsplit(unquote(self.path)).path)
        files = self.hub.files.get(api[1], {}) if api else {}
        known = entries_of(files)
        self.send(json.dumps([known[path] for path in asked["paths"] if path in known]).encode())

    def answer(self, *, body: bool) -> None:
        """Send a listing, a file, or the hub's own 404."""
        path = urlsplit(unquote(self.path)).path
        api = re.fullmatch(r"/api/(?:models/)?(.+?)(?:/(revision|tree)/([^/]+)(?:/(.*))?)?", path)
        file = re.fullmatch(r"/(.+)/resolve/[^/]+/(.+)", path)
        if api and api[1] in self.hub.files:
            self.send_listing(self.hub.files[api[1]], api[1], api[2], api[4] or "")
        elif file and file[2] in self.hub.files.get(file[1], {}):
            if body:
                self.hub.fetched.append(file[2])
            self.send_file(self.hub.files[file[1]][file[2]], body=body)
        else:
            self.send_error_code(404, "EntryNotFound" if file else "RepoNotFound")

    def send_error_code(self, status: int, code: str = "", message: str = "") -> None:
        """Send an error as the hub does: with a word for its kind, or a message."""
        self.send_response(status)
        for name, value in (("X-Error-Code", code), ("X-Error-Message", message)):
            if value:
                self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def send_listing(self, files: dict[str, bytes], repo: str, kind: str, below: str, commit: str = COMMIT) -> None:
        """Send the tree below a folder, or the description of a repository."""
        if kind == "tree":
            known = entries_of(files)
            recursive = "recursive=true" in urlsplit(self.path).query.lower()
            inside = [path for path in known if path.startswith(f"{below}/" if below else "")]
            here = [path for path in inside if recursive or str(PurePosixPath(path).parent) == (below or ".")]
            value: Any = [known[path] for path in here]
        else:
            siblings = [{"rfilename": name} for name in files]
            value = {"id": repo.removeprefix("datasets/"), "sha": commit, "siblings": siblings, "private": False}
        self.send(json.dumps(value).encode())

    def send_file(self, content: bytes, *, body: bool, commit: str = COMMIT) -> None:
        """Send a file or the requested range of it; only the headers without `body`."""
        start, end = 0, len(content) - 1
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if wanted:
            start, end = int(wanted[1]), min(int(wanted[2] or end), end)
        self.send_response(206 if wanted else 200)
        if wanted:
            self.send_header("Content-Range", f"bytes {start}-{end}/{len(content)}")
        self.send_header("X-Repo-Commit", commit)
        self.send_header("ETag", f'"{hashlib.sha1(content).hexdigest()}"')
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(end + 1 - start))
        self.end_headers()
        if body:
            self.wfile.write(content[start : end + 1])

    def send(self, content: bytes) -> None:
        """Send JSON."""
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


def entries_of(files: dict[str, bytes]) -> dict[str, dict[str, Any]]:
    """Return the hub's description of every file and folder, by its path."""
    found: dict[str, dict[str, Any]] = {}
    for path, content in files.items():
        for folder in list(PurePosixPath(path).parents)[:-1]:
            found[str(folder)] = {"type": "directory", "path": str(folder), "size": 0, "oid": "0" * 40}
        oid = hashlib.sha1(content).hexdigest()
        found[path] = {"type": "file", "path": path, "size": len(content), "oid": oid}
    return found
