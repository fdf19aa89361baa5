import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit
from urllib.request import urlretrieve

RETRIEVE, USER, PASSWORD = "http://127.0.0.1:8080/RetrieveMMS", "acme", "inb0und"


def fetch(id_):
    folder = Path("mms", id_)
    folder.mkdir(parents=True, exist_ok=True)
    query = urlencode({"user": USER, "pass": PASSWORD, "id": id_})
    urlretrieve(f"{RETRIEVE}?{query}", folder / "mms.zip")
    with zipfile.ZipFile(folder / "mms.zip") as content:
        content.extractall(folder)
    print("unpacked:", *sorted(each.name for each in folder.iterdir()), flush=True)


class Receiver(BaseHTTPRequestHandler):
    def do_GET(self):
        fields = parse_qs(urlsplit(self.path).query, keep_blank_values=True)
        if fields["type"] == ["2"]:
            print(f"MMS from {fields['from'][0]}: {fields.get('subject', [''])[0]}", flush=True)
            threading.Thread(target=fetch, args=fields["id"]).start()
        else:
            print(f"SMS from {fields['from'][0]}: {fields['message'][0]}", flush=True)
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"OK")

    def log_message(self, *args):
        pass


ThreadingHTTPServer(("127.0.0.1", 8081), Receiver).serve_forever()
