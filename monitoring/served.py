"""The reports as a browser reads them: a list, and each file, from the folder that they lie in."""

import gzip
import os
from collections.abc import Callable, Iterable
from html import escape
from pathlib import Path
from typing import Any

from monitoring import report_files

PREFIX = "/reports/"
_HEADERS = (
    ("Content-Type", "text/html; charset=utf-8"),
    # A report is a page with its scripts in it: it may run them, and reach nothing.
    (
        "Content-Security-Policy",
        "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval';"
        " style-src 'unsafe-inline'; img-src data: blob:; font-src data:;"
        " frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    ),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cache-Control", "no-store"),
)
_NONE = b"<p>There are no reports yet.</p>"
StartResponse = Callable[[str, list[tuple[str, str]]], object]


class Reports:
    """A WSGI application for what is below PREFIX."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer with the list, a report, or 404."""
        path = str(environ["PATH_INFO"]).removeprefix(PREFIX)
        if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            return _refuse(start_response, "405 Method Not Allowed")
        body = self._read(path) if path else self._list()
        if body is None:
            return _refuse(start_response, "404 Not Found")
        headers = list(_HEADERS)
        if "gzip" in environ.get("HTTP_ACCEPT_ENCODING", ""):  # a slow client has little time
            body = gzip.compress(body, 5)
            headers.append(("Content-Encoding", "gzip"))
        start_response("200 OK", [*headers, ("Content-Length", str(len(body)))])
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]

    def _list(self) -> bytes:
        links = [
            f'<li><a href="{escape(report.path)}">{escape(report.path)}</a>'
            for report in report_files.kept(self._folder)
        ]
        return "\n".join(["<!DOCTYPE html><ul>", *links, "</ul>"]).encode() if links else _NONE

    def _read(self, path: str) -> bytes | None:
        """None for what is no report, or a link to something else."""
        if not (report := report_files.parse(path)):
            return None
        try:
            file = os.open(self._folder / report.path, os.O_RDONLY | os.O_NOFOLLOW)
        except OSError:
            return None
        with open(file, "rb") as stream:  # noqa: PTH123
            return stream.read()


def _refuse(start_response: StartResponse, status: str) -> Iterable[bytes]:
    start_response(status, [("Content-Type", "text/plain")])
    return [b"the reports are listed at /reports/\n"]
