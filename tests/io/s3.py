"""An S3 server on loopback (moto), which records its requests and can be made to fail."""

from __future__ import annotations

import contextlib
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import fsspec
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server


class Request(NamedTuple):
    """A request: its method, the key within the bucket, and the status it got."""

    method: str
    key: str
    status: int


class S3:
    """The running server: its buckets, recorded requests and injected faults.

    requests: every request so far; fault: (method, key) → a status to fail with, or 0.
    """

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.fault: Callable[[str, str], int] = lambda method, key: 0
        self._app = DomainDispatcherApplication(create_backend_app)
        self._server = make_server("127.0.0.1", 0, self._answer, threaded=True, request_handler=Quiet)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.environment = {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self._server.server_port}",
            "AWS_ACCESS_KEY_ID": "tests",
            "AWS_SECRET_ACCESS_KEY": "tests",
            "AWS_DEFAULT_REGION": "us-east-1",
        }

    def bucket(self) -> str:
        """The URL of a new, empty bucket; earlier requests are forgotten."""
        name = f"bucket-{uuid.uuid4().hex}"
        fsspec.filesystem("s3").mkdir(name)
        self.requests.clear()
        return f"s3://{name}"

    def put(self) -> list[str]:
        """The keys put so far, in order."""
        return [a.key for a in self.requests if a.method == "PUT" and a.status == 200]

    def files(self, url: str) -> dict[str, bytes]:
        """Every object below a URL, by its name there."""
        fs, root = fsspec.core.url_to_fs(url)
        fs.invalidate_cache()
        return {path[len(root) + 1 :]: fs.cat_file(path) for path in fs.find(root)}

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _answer(self, env: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        method, (_, _, key) = env["REQUEST_METHOD"], env["PATH_INFO"].lstrip("/").partition("/")
        status = self.fault(method, key)
        if status:
            self.requests.append(Request(method, key, status))
            env["wsgi.input"].read(int(env.get("CONTENT_LENGTH") or 0))
            start(f"{status} {CODES[status]}", [("Content-Type", "application/xml")])
            return [f"<Error><Code>{CODES[status]}</Code><Message>{CODES[status]} by a test</Message></Error>".encode()]

        def started(line: str, headers: list[tuple[str, str]], *more: Any) -> Any:
            self.requests.append(Request(method, key, int(line.split()[0])))
            return start(line, headers, *more)

        return self._app(env, started)


CODES = {403: "AccessDenied", 503: "SlowDown", 507: "InsufficientStorage"}


class Quiet(WSGIRequestHandler):
    """A request handler that logs nothing."""

    def log(self, type: str, message: str, *args: Any) -> None:
        """Log nothing."""


@contextlib.contextmanager
def serving() -> Iterator[S3]:
    """A context with a running server."""
    fsspec.get_filesystem_class("s3").clear_instance_cache()  # those of a server before this one
    server = S3()
    try:
        yield server
    finally:
        server.close()
