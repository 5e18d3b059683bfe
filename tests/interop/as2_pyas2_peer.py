"""An AS2 partner made of pyas2lib, run by the Python of a virtual environment of its own.

``python as2_pyas2_peer.py <settings.json>``; prints its port, then one JSON line for each message.
"""

import json
import sys
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from pyas2lib.as2 import Message, Organization, Partner

settings = json.loads(Path(sys.argv[1]).read_text())
known = set()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        head = "".join(f"{name}: {value}\r\n" for name, value in self.headers.items())
        us = Organization(
            as2_name=settings["us"],
            sign_key=Path(settings["our_pem"]).read_bytes(),
            sign_key_pass=None,
            decrypt_key=Path(settings["our_pem"]).read_bytes(),
            decrypt_key_pass=None,
        )
        them = Partner(
            as2_name=settings["them"],
            verify_cert=Path(settings["their_certificate"]).read_bytes(),
            validate_certs=False,
            **settings.get("demands", {}),
        )
        message = Message()
        status, (error, _), mdn = message.parse(
            head.encode() + b"\r\n" + body, lambda _: us, lambda _: them, lambda identifier, _: identifier in known
        )
        known.add(message.message_id)
        content = message.payload.get_payload(decode=True) or b""
        report = {
            "status": status,
            "error": repr(error),
            "signed": message.signed,
            "encrypted": message.encrypted,
            "compressed": message.compressed,
            "content": content.decode("latin-1"),
        }
        print(json.dumps(report), flush=True)
        if mdn is not None and mdn.mdn_mode == "ASYNC":
            self._answer(b"", {})
            threading.Thread(target=_post, args=(mdn,)).start()
        else:
            self._answer(mdn.content, mdn.headers) if mdn is not None else self._answer(b"", {})

    def _answer(self, body, headers):
        self.send_response(200)
        for name, value in headers.items():
            self.send_header(name, value.replace("\n", ""))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def _post(mdn):
    headers = {name: value.replace("\n", "") for name, value in mdn.headers.items()}
    request = urllib.request.Request(mdn.mdn_url, data=mdn.content, headers=headers)
    urllib.request.urlopen(request, timeout=10).close()


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
