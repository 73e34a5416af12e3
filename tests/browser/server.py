"""A small web server on 127.0.0.1 that answers ranges, as a browser needs them to seek."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

__all__ = ["serve"]

_TYPES = {".mp4": "video/mp4", ".html": "text/html; charset=utf-8"}


@contextmanager
def serve(*folders: Path) -> Iterator[str]:
    """Serve the files of `folders` (not of folders inside them) while the context lasts; yields the address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            name = self.path.partition("?")[0].removeprefix("/")
            found = next(
                (folder / name for folder in folders if name in {each.name for each in folder.iterdir()}), None
            )
            if found is None:
                self.send_error(404)
                return
            size = found.stat().st_size
            wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
            begin = int(wanted[1]) if wanted else 0
            end = min(int(wanted[2]) + 1 if wanted and wanted[2] else size, size)
            self.send_response(206 if wanted else 200)
            if wanted:
                self.send_header("Content-Range", f"bytes {begin}-{end - 1}/{size}")
            self.send_header("Accept-Ranges", "bytes")
            self.send_header("Content-Type", _TYPES[found.suffix])
            self.send_header("Content-Length", str(end - begin))
            self.end_headers()
            try:
                self.wfile.write(found.read_bytes()[begin:end])
            except ConnectionError:
                self.close_connection = True  # a player that seeks hangs up

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
