"""For customers: read what Homing pushes, check that it is genuine, answer it rightly.

Needs nothing but the standard library. A receiver of MX pushes, whole::

    from http.server import BaseHTTPRequestHandler, HTTPServer
    from homing.receiver import ANSWER, ReportPush, parse_push

    class Receiver(BaseHTTPRequestHandler):
        def do_GET(self):
            push = parse_push(self.path)
            if isinstance(push, ReportPush):
                print(push.submission, push.status)       # store it, and drop repeats by push.id
            else:
                print(push.sender, push.text)
            self.send_response(200)                       # only when it is stored
            self.send_header("Content-Length", str(len(ANSWER)))
            self.end_headers()
            self.wfile.write(ANSWER)

    HTTPServer(("127.0.0.1", 8081), Receiver).serve_forever()

For json pushes, ``verify(headers, body, secrets)`` gives the event, or raises ``NotGenuine``.
"""

from homing.receiver.mx import ANSWER, MessagePush, NotAPush, ReportPush, parse_push
from homing.receiver.webhook import NotGenuine, verify

__all__ = [
    "ANSWER",
    "MessagePush",
    "NotAPush",
    "NotGenuine",
    "ReportPush",
    "parse_push",
    "verify",
]
