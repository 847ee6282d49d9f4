"""A server on 127.0.0.1 that speaks as much of the OpenAI chat API as a reflection LM needs."""

from __future__ import annotations

import contextlib
import http.server
import json
import threading


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        state = self.server.state
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        state.requests.append({"path": self.path, "key": self.headers["authorization"], **body})
        if state.hold is not None:
            state.hold.wait(timeout=10)
        payload = state.payload(body)
        with contextlib.suppress(BrokenPipeError):
            self.send_response(state.status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload)

    def log_message(self, *arguments):
        pass


class State:
    """What the server answers, to be set by a test, and the requests it got."""

    def __init__(self):
        self.requests = []
        self.answers = ["```\nnew\n```"]  # in turn, the last one for ever
        self.finish_reason = "stop"
        self.usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
        self.status = 200
        self.raw = None  # bytes instead of an answer
        self.hold = None  # an event to wait for before answering
        self.url = ""

    def payload(self, body):
        if self.raw is not None:
            return self.raw
        text = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        message = {"role": "assistant", "content": text}
        choice = {"index": 0, "finish_reason": self.finish_reason, "message": message}
        frame = {"id": "x", "object": "chat.completion", "created": 1, "model": body["model"]}
        return json.dumps({**frame, "choices": [choice], "usage": self.usage}).encode()


@contextlib.contextmanager
def serve():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.state = State()
    server.state.url = f"http://127.0.0.1:{server.server_port}/v1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server.state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
