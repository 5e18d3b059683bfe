"""The archive in a store that speaks S3, by s3fs (fsspec)."""

from __future__ import annotations

import base64
import errno
import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final

from invoiceapp.config import ObjectAccess
from invoiceapp.domain.findings import Text

from .base import NAME, place

#: Tries of one request, and seconds of one of them; a second or two lie in between. Then whoever asked tries later.
TRIES: Final = 3
CONNECT_SECONDS, READ_SECONDS = 5, 30
_PAUSE_SECONDS = 0.2
_PAGE = 1000


class ObjectStore:
    """Objects under a prefix of a bucket. One instance belongs to one process: its loop does not live on after a fork."""

    advice = Text(
        "Den, der driver serveren, skal se efter, at lageret svarer, og at nøglen må skrive der (ARCHIVE_URL)",
        "Whoever runs the server must see that the store answers and that the key may write there (ARCHIVE_URL)",
    )

    def __init__(self, bucket: str, prefix: str, access: ObjectAccess) -> None:
        # Half a second of imports that an archive in a folder does without.
        from s3fs import S3FileSystem

        self._bucket, self._prefix = bucket, f"{prefix}/" if prefix else ""
        self._files = S3FileSystem(
            key=access.key_id or None,
            secret=access.secret or None,
            endpoint_url=access.endpoint or None,
            client_kwargs={"region_name": access.region} if access.region else {},
            config_kwargs={
                "connect_timeout": CONNECT_SECONDS, "read_timeout": READ_SECONDS,
                "retries": {"total_max_attempts": TRIES, "mode": "standard"},
                "s3": {"addressing_style": "path" if access.path_style else "auto"},
                # We give a stronger one; older stores take no other.
                "request_checksum_calculation": "when_required", "response_checksum_validation": "when_required",
            },
            use_listings_cache=False, skip_instance_cache=True, max_concurrency=1,
        )  # fmt: skip
        # Else it would repeat what has been repeated.
        self._files.retries = 1

    @property
    def url(self) -> str:
        """See ``Store``."""
        return f"s3://{self._bucket}/{self._prefix}".rstrip("/")

    def _ask(self, method: str, **values: Any) -> Any:
        with _plain_errors():
            return self._files.call_s3(method, Bucket=self._bucket, **values)

    def _key(self, name: str) -> str:
        return self._prefix + place(name)

    def put(self, name: str, content: bytes, *, is_new: bool) -> None:
        """See ``Store``. The store compares the checksum before it says yes."""
        checksum = base64.b64encode(hashlib.sha256(content).digest()).decode("ascii")
        request = {"Key": self._key(name), "Body": content, "ChecksumSHA256": checksum}
        if not is_new or not self._knows_put_first(name, request):
            self._ask("put_object", **request)

    def _knows_put_first(self, name: str, request: dict[str, Any], more: int = TRIES - 1) -> bool:
        """Put it unless somebody was faster, with the same content: whoever loads it compares. False: nothing was done."""
        try:
            self._ask("put_object", **request, IfNoneMatch="*")
        except FileExistsError:
            return True
        except OSError as error:
            if error.errno == errno.ENOSYS:
                # A store that knows no conditions: what is overwritten can only be the same content.
                return False
            if error.errno != errno.EAGAIN or not more:
                raise
        else:
            return True
        # Two were in each other's way at once: ours was not kept, and perhaps theirs neither.
        if self.get(name) is not None:
            return True
        time.sleep(_PAUSE_SECONDS)
        return self._knows_put_first(name, request, more - 1)

    def get(self, name: str) -> bytes | None:
        """See ``Store``."""
        try:
            with _plain_errors():
                content: bytes = self._files.cat_file(f"{self._bucket}/{self._key(name)}")
        except FileNotFoundError:
            return None
        return content

    def require(self) -> None:
        """See ``Store``. A bucket that is not there has failed before."""

    def refresh(self, name: str, content: bytes) -> None:
        """See ``Store``. Its time is set by nothing but writing it."""
        self.put(name, content, is_new=False)

    def changed_at(self, name: str) -> datetime | None:
        """See ``Store``."""
        try:
            found: datetime = self._ask("head_object", Key=self._key(name))["LastModified"]
        except FileNotFoundError:
            return None
        return found

    def remove(self, name: str) -> None:
        """See ``Store``."""
        self._ask("delete_object", Key=self._key(name))

    def names(self, after: str, upto: str) -> Iterator[str]:
        """See ``Store``."""
        last = self._key(after) if after else ""
        while True:
            start = {"StartAfter": last} if last else {}
            page = self._ask("list_objects_v2", Prefix=self._prefix, MaxKeys=_PAGE, **start)
            for found in page.get("Contents", ()):
                last = found["Key"]
                name = last.rpartition("/")[2]
                if name > upto and NAME.fullmatch(name):
                    return
                if NAME.fullmatch(name) and last == self._key(name):
                    yield name
            if not page.get("IsTruncated"):
                return


@contextmanager
def _plain_errors() -> Iterator[None]:
    """Every failure becomes an ``OSError`` with a short reason: the store's own code, or the kind of error."""
    from botocore.exceptions import BotoCoreError, ClientError
    from fsspec.exceptions import FSTimeoutError

    try:
        yield
    except (OSError, ClientError, BotoCoreError, FSTimeoutError) as error:
        raise _as_os_error(error) from error


#: What is not there, by the words of a GET and by the bare status of a HEAD.
_ABSENT = frozenset({"NoSuchKey", "404", "NotFound"})
_TAKEN, _IN_THE_WAY = "PreconditionFailed", "ConditionalRequestConflict"


def _as_os_error(error: BaseException) -> OSError:
    answer = getattr(error, "response", None) or getattr(error.__cause__, "response", None)
    code = str(answer.get("Error", {}).get("Code", "")) if isinstance(answer, dict) else ""
    reason = code or type(error.__cause__ or error).__name__
    if code in _ABSENT:
        return FileNotFoundError(errno.ENOENT, reason)
    if code == _TAKEN:
        return FileExistsError(errno.EEXIST, reason)
    return OSError({"NotImplemented": errno.ENOSYS, _IN_THE_WAY: errno.EAGAIN}.get(code, errno.EIO), reason)
