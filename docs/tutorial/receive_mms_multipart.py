import zipfile
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        head = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
        body = self.rfile.read(int(self.headers["Content-Length"]))
        parts = BytesParser().parsebytes(head + body).get_payload()
        fields = {
            part.get_param("name", header="Content-Disposition"): part.get_payload(decode=True)
            for part in parts
        }
        if "mms.zip" in fields:
            folder = Path("mms", fields["id"].decode())
            folder.mkdir(parents=True, exist_ok=True)
            with zipfile.ZipFile(BytesIO(fields["mms.zip"])) as content:
                content.extractall(folder)
            names = " ".join(sorted(each.name for each in folder.iterdir()))
            print(f"MMS from {fields['from'].decode()}: {names}", flush=True)
        else:
            print(f"SMS from {fields['from'].decode()}: {fields['message'].decode()}", flush=True)
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"OK")

    def log_message(self, *args):
        pass


ThreadingHTTPServer(("127.0.0.1", 8082), Receiver).serve_forever()
