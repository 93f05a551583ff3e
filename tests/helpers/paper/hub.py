"""The Hugging Face hub on loopback, as far as its client needs it: revisions, listings, and files with ranges."""

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
    """What the hub holds.

    Attributes:
        files: "datasets/OWNER/NAME" or "OWNER/NAME" (a model) -> path -> content.
        fetched: every file that was downloaded, in order.
        url: for HF_ENDPOINT.
    """

    files: dict[str, dict[str, bytes]] = field(default_factory=dict)
    fetched: list[str] = field(default_factory=list)
    url: str = ""


def serve_hub(hub: Hub) -> ThreadingHTTPServer:
    """A running server; `hub.url` is where."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *words: object) -> None:
            pass

        def do_HEAD(self) -> None:
            self.answer(body=False)

        def do_GET(self) -> None:
            self.answer(body=True)

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            api = re.fullmatch(r"/api/(?:models/)?(.+)/paths-info/[^/]+", urlsplit(unquote(self.path)).path)
            files = hub.files.get(api[1], {}) if api else {}
            known = self.entries(files)
            self.send(json.dumps([known[path] for path in asked["paths"] if path in known]).encode())

        def answer(self, *, body: bool) -> None:
            path = urlsplit(unquote(self.path)).path
            api = re.fullmatch(r"/api/(?:models/)?(.+?)(?:/(revision|tree)/([^/]+)(?:/(.*))?)?", path)
            file = re.fullmatch(r"/(.+)/resolve/[^/]+/(.+)", path)
            if api and api[1] in hub.files:
                self.listing(hub.files[api[1]], api[1], api[2], api[4] or "")
            elif file and file[2] in hub.files.get(file[1], {}):
                if body:
                    hub.fetched.append(file[2])
                self.file(hub.files[file[1]][file[2]], body=body)
            else:
                self.send_response(404)
                self.send_header("X-Error-Code", "EntryNotFound" if file else "RepoNotFound")
                self.send_header("Content-Length", "0")
                self.end_headers()

        def entries(self, files: dict[str, bytes]) -> dict[str, dict[str, Any]]:
            """Every file and folder by its path."""
            found: dict[str, dict[str, Any]] = {}
            for path, content in files.items():
                for folder in list(PurePosixPath(path).parents)[:-1]:
                    found[str(folder)] = {"type": "directory", "path": str(folder), "size": 0, "oid": "0" * 40}
                oid = hashlib.sha1(content).hexdigest()
                found[path] = {"type": "file", "path": path, "size": len(content), "oid": oid}
            return found

        def listing(self, files: dict[str, bytes], repo: str, kind: str, below: str) -> None:
            if kind == "tree":
                known = self.entries(files)
                every = "recursive=true" in urlsplit(self.path).query.lower()
                inside = [path for path in known if path.startswith(f"{below}/" if below else "")]
                here = [path for path in inside if every or str(PurePosixPath(path).parent) == (below or ".")]
                value: Any = [known[path] for path in here]
            else:
                siblings = [{"rfilename": name} for name in files]
                value = {"id": repo.removeprefix("datasets/"), "sha": COMMIT, "siblings": siblings, "private": False}
            self.send(json.dumps(value).encode())

        def file(self, content: bytes, *, body: bool) -> None:
            start, end = 0, len(content) - 1
            wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
            if wanted:
                start, end = int(wanted[1]), min(int(wanted[2] or end), end)
            self.send_response(206 if wanted else 200)
            if wanted:
                self.send_header("Content-Range", f"bytes {start}-{end}/{len(content)}")
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("ETag", f'"{hashlib.sha1(content).hexdigest()}"')
            self.send_header("Accept-Ranges", "bytes")
            self.send_header("Content-Length", str(end + 1 - start))
            self.end_headers()
            if body:
                self.wfile.write(content[start : end + 1])

        def send(self, content: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    return server
