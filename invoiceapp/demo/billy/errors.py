"""Billy's error envelope."""

from __future__ import annotations

from typing import Any

from flask import Response
from werkzeug.exceptions import HTTPException

from .records import dumps

_HELP_URL = "https://www.billy.dk/support/"


def json_response(body: dict[str, Any], status: int = 200) -> Response:
    """A JSON answer."""
    return Response(dumps(body), status, mimetype="application/json")


class ApiError(Exception):
    """An answer other than 200; ``extra`` goes next to the message in the envelope."""

    def __init__(self, status: int, code: str, message: str, **extra: Any) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.extra = extra

    def response(self) -> Response:
        """The error in Billy's envelope."""
        body = {
            "meta": {"statusCode": self.status, "success": False},
            "errorMessage": str(self),
            "errorCode": self.code,
            "helpUrl": _HELP_URL,
            **self.extra,
        }
        return json_response(body, self.status)


def not_found(singular: str, key: str) -> ApiError:
    """No such record."""
    return ApiError(404, "RECORD_NOT_FOUND", f"No `{singular}` record with id `{key}` was found.")


def of_routing(error: HTTPException) -> Response:
    """The answer to an unknown path (404) or a method that the resource lacks (405)."""
    if error.code == 405:
        return ApiError(405, "METHOD_NOT_ALLOWED", "The method is not allowed for this resource.").response()
    return ApiError(404, "UNKNOWN_RESOURCE", "The resource was not found.").response()
