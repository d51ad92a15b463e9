# SPDX-License-Identifier: Apache-2.0
"""An OpenAI-compatible HTTP server for tests that gives scripted replies."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Dripping:
    """A reply that never ends: what begins it, and what follows every `gap_s`."""

    begin: bytes
    drop: bytes
    gap_s: float
    ended: threading.Event = field(default_factory=threading.Event)

    def onto(self, handler):
        handler.close_connection = True
        try:
            handler.wfile.write(self.begin)
            while True:
                handler.wfile.write(self.drop)
                handler.wfile.flush()
                self.ended.wait(self.gap_s)
        except OSError:
            self.ended.set()


class ScriptedServer:
    """Gives the scripted replies in order.

    Each is (status, body, headers), a chat reply, None to hang up, or a `Dripping` that ends when the client hangs up.
    """

    def __init__(self):
        self.script, self.requests, self.headers, self.addresses = [], [], [], []
        owner = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                length = int(self.headers["Content-Length"])
                owner.requests.append(json.loads(self.rfile.read(length)))
                owner.headers.append(dict(self.headers))
                owner.addresses.append(self.client_address)
                reply = owner.script.pop(0)
                if reply is None:
                    self.close_connection = True
                    return
                if isinstance(reply, Dripping):
                    reply.onto(self)
                    return
                status, body, headers = reply
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True)
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/v1"

    def says(self, content, finish="stop", refusal=None):
        text = content if isinstance(content, str) or content is None else json.dumps(content)
        message = {"role": "assistant", "content": text, "refusal": refusal}
        usage = {"prompt_tokens": 11, "completion_tokens": 7}
        body = {"choices": [{"message": message, "finish_reason": finish}], "usage": usage}
        self.script.append((200, json.dumps(body).encode(), {}))

    def fails(self, status, body=b"no", **headers):
        self.script.append((status, body, headers))

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(5.0)
