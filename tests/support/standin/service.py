"""A service that does what a test tells it by HTTP: answers, shows its environment, leaves a helper behind, crashes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/crash":
            print("a stand-in was told to crash", flush=True)
            os._exit(7)
        answer: object = {"ok": True}
        if self.path == "/environment":
            answer = dict(os.environ)
        elif self.path == "/helper":
            # In a session of its own, as the worst case: neither its parent's group nor its end reaches it.
            answer = {"pid": subprocess.Popen(["sleep", "600"], start_new_session=True).pid}
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_request(self, *_: object) -> None:
        """Keep requests out of the log."""


def main() -> None:
    server = ThreadingHTTPServer((os.environ["ANTIPHON_HOST"], int(os.environ["ANTIPHON_PORT"])), Handler)
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))  # an exception would be lost where it came in a callback
    print("a stand-in serves", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
