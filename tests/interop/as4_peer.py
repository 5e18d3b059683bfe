"""An AS4 access point made of the package ``as4``, run by the Python of a virtual environment of its own.

``python as4_peer.py <folder>``: the folder holds key.pem, certificate.pem and trusted.pem; what is received goes into
inbox/. It prints a line of JSON with its port, then one for each line of JSON that it reads: ``do`` is "mood" or "send".
"""

import json
import re
import sys
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from as4 import AS4LocalPrivateKey, AS4References, ParticipantNotServicedError, ReceiptVerificationError
from as4.peppol import (
    build_peppol_message,
    create_peppol_external_party,
    create_peppol_internal_party,
    parse_peppol_message,
    parse_peppol_receipt,
    peppol_security_policy,
)
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

folder = Path(sys.argv[1])
inbox = folder / "inbox"
root, *intermediates = x509.load_pem_x509_certificates((folder / "trusted.pem").read_bytes())
policy = peppol_security_policy(root, intermediates=intermediates)
mood = "WILLING"


def name_of(certificate):
    (name,) = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return name.value


certificate = x509.load_pem_x509_certificate((folder / "certificate.pem").read_bytes())
key = load_pem_private_key((folder / "key.pem").read_bytes(), None)
us = create_peppol_internal_party(name_of(certificate), certificate, AS4LocalPrivateKey(key))


def accept(participant):
    if mood == "NOT_SERVICED":
        raise ParticipantNotServicedError(participant)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        received = parse_peppol_message(dict(self.headers.items()), body, us, accept, policy)
        headers, answer = received.build_signal()
        if received.successful:
            self.keep(received.message)
        self.send_response(200)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def keep(self, message):
        (document,) = message.decrypted_data.values()
        user_message = message.soap_envelope.header.messaging.user_message
        facts = {
            "message_id": message.message_id,
            "from": user_message.party_info.party_from.party_id.value,
            "to": user_message.party_info.party_to.party_id.value,
            "sender": f"iso6523-actorid-upis::{message.sender}",
            "receiver": f"iso6523-actorid-upis::{message.recipient}",
            "document": f"{message.document_type_identifier_scheme}::{message.document_type_identifier_value}",
            "process": f"cenbii-procid-ubl::{message.process_identifier}",
        }
        name = re.sub(r"[^A-Za-z0-9@.-]", "_", message.message_id)
        (inbox / f"{name}.xml").write_bytes(document)
        (inbox / f"{name}.json").write_text(json.dumps(facts))

    def log_message(self, *_):
        pass


def bare(identifier):
    return identifier.partition("::")[2]


def send(command):
    theirs = x509.load_pem_x509_certificate(command["certificate"].encode())
    message = build_peppol_message(
        Path(command["document"]).read_bytes(),
        local_party=us,
        remote_party=create_peppol_external_party(name_of(theirs), theirs),
        sender=bare(command["sender"]),
        recipient=bare(command["receiver"]),
        document_type_identifier_scheme="busdox-docid-qns",
        document_type_identifier_value=bare(command["document_id"]),
        process_identifier=bare(command["process"]),
        sender_country_id="DK",
        references=AS4References(message_id=command["message_id"]),
    )
    body, boundary = message.get_request_data()
    request = urllib.request.Request(command["url"], body, message.get_http_headers(boundary))
    with urllib.request.urlopen(request, timeout=20) as response:
        receipt = parse_peppol_receipt(response.read(), theirs)
    errors = [{"code": one.error_code, "detail": one.error_detail and one.error_detail.value} for one in receipt.errors]
    try:
        receipt.verify_non_repudiation(message.signed_references)
        references = "ours"
    except ReceiptVerificationError as error:
        references = str(error)
    return {"receipt": receipt.success, "signed": True, "references": references, "errors": errors}


def do(command):
    global mood
    if command["do"] == "mood":
        mood = command["mood"]
        return {}
    return send(command)


inbox.mkdir()
server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(json.dumps({"port": server.server_port}), flush=True)
for line in sys.stdin:
    try:
        answer = do(json.loads(line))
    except Exception as error:
        answer = {"failed": repr(error)}
    print(json.dumps(answer), flush=True)
