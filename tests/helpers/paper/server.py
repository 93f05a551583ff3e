"""A local HTTP server with range requests, and with faults on demand."""

from __future__ import annotations

import hashlib
import threading
from collections import defaultdict
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Served:
    """What a server serves, how it misbehaves, and what was requested. Dictionaries are by path.

    Attributes:
        files: the content of each file.
        cut_after: bytes after which the connection is cut, one entry per request; then the whole file is sent.
        status: statuses of the first responses, before the file is sent.
        retry_after: the Retry-After header of those responses.
        ranges: whether range requests are honoured.
        content_range: what a path's 206 responses say instead of their Content-Range; "" leaves the header out.
        at_most: the maximum number of bytes in a 206 response, 0 for all.
        refuse: paths whose range requests are answered with 416.
        encoding: the Content-Encoding to claim.
        hold: while set, responses stop halfway.
        halfway: set by the server when a response has stopped halfway.
        released: ends the responses that have stopped.
        seen: the Range header of every request, "" if it had none.
        at_once: the maximum number of concurrent responses.
        open: the current number of responses.
        lock: guards `open`.
        url: the server's address.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    cut_after: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    status: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    retry_after: str = ""
    ranges: bool = True
    content_range: dict[str, str] = field(default_factory=dict)
    at_most: int = 0
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
    """Start a server and set `served.url`; the caller shuts it down."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (FaultyHandler,), {"served": served}))
    server.daemon_threads = True
    served.url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    return server


class FaultyHandler(BaseHTTPRequestHandler):
    """Answers requests as `served` says."""

    served: Served

    def log_message(self, *words: object) -> None:
        """Log nothing."""

    def do_GET(self) -> None:
        """Note the request, and send a status or the file."""
        served, path, wanted = self.served, self.path.partition("?")[0], self.headers.get("Range", "")
        served.seen[path].append(wanted)
        if served.status[path]:
            self.refuse(served.status[path].pop(0))
            return
        if path not in served.files:
            self.send_error(404)
            return
        with served.lock:
            served.open += 1
            served.at_once = max(served.at_once, served.open)
        try:
            self.send_file(path, wanted)
        finally:
            with served.lock:
                served.open -= 1

    def refuse(self, status: int) -> None:
        """Send a status without a file."""
        self.send_response(status)
        if self.served.retry_after:
            self.send_header("Retry-After", self.served.retry_after)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def send_file(self, path: str, wanted: str) -> None:
        """Send a file, or the rest of it from the `wanted` range on, with the faults that are set."""
        served, content = self.served, self.served.files[path]
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
        end = min(start + served.at_most, len(content)) if start and served.at_most else len(content)
        self.send_response(206 if start else 200)
        if start:
            said = served.content_range.get(path, f"bytes {start}-{end - 1}/{len(content)}")
            if said:
                self.send_header("Content-Range", said)
        self.send_header("Content-Length", str(end - start))
        self.send_header("ETag", tag)
        if path in served.encoding:
            self.send_header("Content-Encoding", served.encoding[path])
        self.end_headers()
        body = content[start:end]
        if served.hold.is_set():
            self.wfile.write(body[: len(body) // 2])
            self.wfile.flush()
            served.halfway.set()
            served.released.wait(20)
            return  # the connection ends halfway
        if served.cut_after[path]:
            body = body[: served.cut_after[path].pop(0)]
        self.wfile.write(body)
