"""A server of files on this machine, that can break off, ignore ranges, change them, or send another one."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from geoloc_cli.models.fetch import Remote


@dataclass
class Server:
    """What is served and how; `asked` are the Range headers of the requests so far, None where there was none.

    files: by the last part of the path, in place of `data`.
    breaks: how many bytes of the body are sent before the connection is closed, request by request; None is all.
    statuses: what is answered instead, request by request; 0 is the file.
    """

    data: bytes = b""
    files: dict[str, bytes] = field(default_factory=dict)
    etag: str = '"one"'
    modified: str = ""
    ranges: bool = True
    length: bool = True
    breaks: list[int | None] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    redirect: str = ""
    range_start: int | None = None
    asked: list[str | None] = field(default_factory=list)
    port: int = 0

    def remote(self, **changes: object) -> Remote:
        """The file as it is asked for; its host is this machine, and plain http will do."""
        url = f"http://127.0.0.1:{self.port}/w.pth?token=secret"
        return Remote(**{"url": url, "owner": "the model 'm'", "schemes": ("http",), **changes})  # type: ignore[arg-type]


@contextmanager
def serving(server: Server) -> Iterator[Server]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            given = self.headers.get("Range")
            data = server.files.get(self.path.rpartition("/")[2], server.data)
            server.asked.append(given)
            status = server.statuses.pop(0) if server.statuses else 0
            if status:
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            if server.redirect:
                self.send_response(302)
                self.send_header("Location", server.redirect)
                self.end_headers()
                return
            unchanged = self.headers.get("If-Range") in (server.etag, server.modified)
            start = int(given[len("bytes=") : -1]) if given and server.ranges and unchanged else 0
            if given and start >= len(data) and start:
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(data)}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            body = data[start:]
            self.send_response(206 if start else 200)
            if start:
                told = start if server.range_start is None else server.range_start
                self.send_header("Content-Range", f"bytes {told}-{len(data) - 1}/{len(data)}")
            for name, value in (("ETag", server.etag), ("Last-Modified", server.modified)):
                if value:
                    self.send_header(name, value)
            if server.length:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            cut = server.breaks.pop(0) if server.breaks else None
            self.wfile.write(body if cut is None else body[:cut])
            self.close_connection = True

    made = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.port = made.server_address[1]
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        made.shutdown()
        made.server_close()
        thread.join()
