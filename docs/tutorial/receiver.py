from http.server import BaseHTTPRequestHandler, HTTPServer

from homing.receiver import ANSWER, ReportPush, parse_push


class Receiver(BaseHTTPRequestHandler):
    def do_GET(self):
        push = parse_push(self.path)
        if isinstance(push, ReportPush):
            print(f"report {push.id}: {push.submission} to {push.recipient} is {push.status}", flush=True)
        else:
            print(f"message {push.id}: {push.sender} says {push.text!r}", flush=True)
        self.send_response(200)
        self.send_header("Content-Length", str(len(ANSWER)))
        self.end_headers()
        self.wfile.write(ANSWER)

    def log_message(self, *args):
        pass


HTTPServer(("127.0.0.1", 8081), Receiver).serve_forever()
