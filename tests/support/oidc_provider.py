"""An identity provider on loopback: discovery, keys and tokens that are really signed. What it says can be bent."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from joserfc import jws, jwt
from joserfc.jwk import RSAKey

CLIENT, SECRET = "invoiceapp", "client-secret-of-tests"


def _b64(content: bytes) -> str:
    return urlsafe_b64encode(content).rstrip(b"=").decode()


class Provider:
    """``claims`` go into every id token; ``bend`` may change them, and ``sign`` how they are signed."""

    def __init__(self, key: RSAKey) -> None:
        self.key = key
        self.claims: dict[str, Any] = {"sub": "248289761001", "email": "ejer@example.com", "email_verified": True}
        self.bend: Callable[[dict[str, Any]], dict[str, Any]] = lambda claims: claims
        self.sign: Callable[[dict[str, Any]], str] = self.signed
        self.metadata: dict[str, Any] = {}
        self.codes: dict[str, dict[str, str]] = {}
        self.asked: list[str] = []
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                provider._get(self)

            def do_POST(self) -> None:
                provider._post(self)

            def log_message(self, *_arguments: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.issuer = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def authorize(self, address: str) -> dict[str, str]:
        """The person signs in there: what the browser brings back."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        assert asked["response_type"] == "code"
        assert asked["code_challenge_method"] == "S256"
        code = f"code-{len(self.codes)}"
        self.codes[code] = asked
        return {"code": code, "state": asked["state"]}

    def signed(self, claims: dict[str, Any]) -> str:
        return jwt.encode({"alg": "RS256", "kid": self.key.kid or ""}, claims, self.key)

    def unsigned(self, claims: dict[str, Any]) -> str:
        return f"{_b64(json.dumps({'alg': 'none'}).encode())}.{_b64(json.dumps(claims).encode())}."

    def signed_with_public_key(self, claims: dict[str, Any]) -> str:
        """The public key taken for a shared secret (HS256)."""
        import hmac

        head = f"{_b64(json.dumps({'alg': 'HS256', 'kid': self.key.kid}).encode())}.{_b64(json.dumps(claims).encode())}"
        return f"{head}.{_b64(hmac.new(self.key.as_pem(private=False), head.encode(), hashlib.sha256).digest())}"

    def signed_by_another(self, claims: dict[str, Any]) -> str:
        other = RSAKey.generate_key(2048)
        return jws.serialize_compact({"alg": "RS256", "kid": self.key.kid or ""}, json.dumps(claims).encode(), other)

    def _get(self, handler: Any) -> None:
        self.asked.append(handler.path)
        if handler.path == "/jwks":
            self._answer(handler, {"keys": [self.key.as_dict(private=False) | {"use": "sig"}]})
        elif handler.path == "/.well-known/openid-configuration":
            parts = {"authorization_endpoint": "/authorize", "token_endpoint": "/token", "jwks_uri": "/jwks"}
            found = {"issuer": self.issuer} | {name: self.issuer + path for name, path in parts.items()}
            self._answer(handler, found | self.metadata)
        else:
            self._answer(handler, {}, 404)

    def _post(self, handler: Any) -> None:
        length = int(handler.headers["Content-Length"])
        form = {name: values[0] for name, values in parse_qs(handler.rfile.read(length).decode()).items()}
        pair = b64decode(handler.headers.get("Authorization", "Basic Og==").removeprefix("Basic ")).decode()
        asked = self.codes.pop(form.get("code", ""), None)
        if asked is None or pair != f"{CLIENT}:{SECRET}" or form["redirect_uri"] != asked["redirect_uri"]:
            self._answer(handler, {"error": "invalid_grant"}, 400)
            return
        if _b64(hashlib.sha256(form["code_verifier"].encode()).digest()) != asked["code_challenge"]:
            self._answer(handler, {"error": "invalid_grant"}, 400)
            return
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": CLIENT,
            "iat": now,
            "exp": now + 300,
            "nonce": asked["nonce"],
            "auth_time": now,
        }
        token = self.sign(self.bend(claims | self.claims))
        self._answer(handler, {"access_token": "opaque", "token_type": "Bearer", "id_token": token})

    def _answer(self, handler: Any, members: dict[str, Any], status: int = 200) -> None:
        content = json.dumps(members).encode()
        handler.send_response(status)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)
