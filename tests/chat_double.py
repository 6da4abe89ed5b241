"""A chat completions server on this machine, which answers as a test says and remembers what it was asked."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def completion(text: str | None, *, model: str = "gpt-x", tokens: int = 3, reason: str = "stop") -> dict:
    """What a server says in answer to a request."""
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": reason}
    return {"id": "1", "model": model, "choices": [choice], "usage": {"completion_tokens": tokens}}


def echo(request: dict) -> tuple[int, dict, dict]:
    """The last message in capitals."""
    return 200, {}, completion(request["messages"][-1]["content"].upper())


class ChatDouble:
    """What a test knows of its server.

    Attributes:
        url: What a study would name.
        answer: From the request's JSON to status, headers, and body (bytes as they are, else JSON).
        requests: JSON of each request, in the order of arrival.
        headers: Headers of each request; names in lower case.
        busiest: Most requests that were answered at once.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.answer: Callable[[dict], tuple[int, dict, object]] = echo
        self.requests: list[dict] = []
        self.headers: list[dict] = []
        self.busiest = 0


@contextmanager
def chat_double() -> Iterator[ChatDouble]:
    """Serve on a free port until the block ends."""
    lock, at_once = threading.Lock(), 0

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            nonlocal at_once
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with lock:
                at_once += 1
                double.busiest = max(double.busiest, at_once)
                double.requests.append(request)
                double.headers.append({name.lower(): value for name, value in self.headers.items()})
            status, headers, body = double.answer(request) if self.path == "/v1/chat/completions" else (404, {}, {})
            content = body if isinstance(body, bytes) else json.dumps(body).encode()
            with lock:
                at_once -= 1
            self.send_response(status)
            for name, value in ({"Content-Length": str(len(content))} | headers).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    double = ChatDouble(f"http://127.0.0.1:{server.server_port}/v1")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield double
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
