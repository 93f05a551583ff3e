"""An HTTP server on loopback for the download tests: range requests, and faults on demand."""

from __future__ import annotations

import hashlib
import threading
from collections import defaultdict
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Served:
    """What a server serves and how it misbehaves.

    Attributes:
        files: path -> content.
        cut_after: path -> bytes after which the connection is cut, one entry a request; none left: the whole file.
        status: path -> answers before the file is served.
        ranges: whether range requests are heeded.
        refuse: paths whose range requests are answered by 416.
        encoding: path -> a Content-Encoding that is claimed.
        hold: while set, answers stop after their first half until `released`.
        seen: path -> the Range header of every request, "" where there was none.
        at_once: the most answers that were open at one time.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    cut_after: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    status: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    ranges: bool = True
    refuse: set[str] = field(default_factory=set)
    encoding: dict[str, str] = field(default_factory=dict)
    hold: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)
    halfway: threading.Event = field(default_factory=threading.Event)
    seen: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    at_once: int = 0
    open: int = 0
    lock: Any = field(default_factory=threading.Lock)
    url: str = ""


def serve(served: Served) -> ThreadingHTTPServer:
    """A running server; `served.url` is where. Shut it down at the end."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *words: object) -> None:
            pass

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            wanted = self.headers.get("Range", "")
            served.seen[path].append(wanted)
            if served.status[path]:
                self.send_error(served.status[path].pop(0))
                return
            if path not in served.files:
                self.send_error(404)
                return
            with served.lock:
                served.open += 1
                served.at_once = max(served.at_once, served.open)
            try:
                self.answer(path, wanted)
            finally:
                with served.lock:
                    served.open -= 1

        def answer(self, path: str, wanted: str) -> None:
            content = served.files[path]
            if wanted and path in served.refuse:
                self.send_error(416)
                return
            tag = f'"{hashlib.md5(content).hexdigest()}"'
            start = 0
            if wanted and served.ranges and self.headers.get("If-Range") == tag:
                start = int(wanted.removeprefix("bytes=").rstrip("-"))
                if start >= len(content):
                    self.send_error(416)
                    return
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
            self.send_header("Content-Length", str(len(content) - start))
            self.send_header("ETag", tag)
            if path in served.encoding:
                self.send_header("Content-Encoding", served.encoding[path])
            self.end_headers()
            body = content[start:]
            if served.hold.is_set():
                self.wfile.write(body[: len(body) // 2])
                self.wfile.flush()
                served.halfway.set()
                served.released.wait(20)
                return  # the connection ends in the middle
            if served.cut_after[path]:
                body = body[: served.cut_after[path].pop(0)]
            self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    served.url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    return server
