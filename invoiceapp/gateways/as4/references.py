"""``ds:Reference``: one thing that a signature covers, and its digest."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from typing import Any, Self

from lxml import etree

from . import markup
from .errors import FailedAuthentication
from .markup import Element
from .names import ATTACHMENT_CONTENT, DS, EXC_C14N, SHA256, q


@dataclass(frozen=True, slots=True)
class Reference:
    """SHA-256 of an element (``#id``) by exclusive C14N, or of an attachment (``cid:…``) as it is."""

    uri: str
    digest: bytes
    inclusive: tuple[str, ...] = ()
    """Prefixes of ``ec:InclusiveNamespaces``"""

    @classmethod
    def to_element(cls, name: str, element: Element) -> Self:
        """Of an element with the id ``name``."""
        return cls(f"#{name}", hashlib.sha256(markup.canonical(element)).digest())

    @classmethod
    def to_attachment(cls, name: str, content: bytes) -> Self:
        """Of an attachment with the Content-ID ``name``."""
        return cls(f"cid:{name}", hashlib.sha256(content).digest())

    @property
    def is_attachment(self) -> bool:
        """Else an element."""
        return self.uri.startswith("cid:")

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready: ``uri`` and ``sha256`` (hexadecimal)."""
        return {"uri": self.uri, "sha256": self.digest.hex()}

    def write(self, parent: Element) -> None:
        """Append it as XML."""
        reference = etree.SubElement(parent, q(DS, "Reference"), URI=self.uri)
        algorithm = ATTACHMENT_CONTENT if self.is_attachment else EXC_C14N
        transform = etree.SubElement(
            etree.SubElement(reference, q(DS, "Transforms")), q(DS, "Transform"), Algorithm=algorithm
        )
        if self.inclusive:
            etree.SubElement(
                transform, q(EXC_C14N, "InclusiveNamespaces"), {"PrefixList": " ".join(self.inclusive)},
                nsmap={"ec": EXC_C14N},
            )  # fmt: skip
        etree.SubElement(reference, q(DS, "DigestMethod"), Algorithm=SHA256)
        etree.SubElement(reference, q(DS, "DigestValue")).text = base64.b64encode(self.digest).decode("ascii")

    @classmethod
    def parse(cls, reference: Element) -> Self:
        """Of XML: exactly one transform, the one that belongs to its kind, and SHA-256. Raises ``FailedAuthentication``."""
        fault = FailedAuthentication
        uri = reference.get("URI") or ""
        transforms = markup.only(reference, q(DS, "Transforms"), fault)
        transform = markup.only(transforms, q(DS, "Transform"), fault)
        wanted = ATTACHMENT_CONTENT if uri.startswith("cid:") else EXC_C14N
        method = markup.only(reference, q(DS, "DigestMethod"), fault).get("Algorithm")
        if transform.get("Algorithm") != wanted or method != SHA256:
            raise FailedAuthentication("a reference by another algorithm")
        digest = markup.octets(markup.only(reference, q(DS, "DigestValue"), fault), fault)
        return cls(uri, digest, markup.prefix_list(transform))

    @classmethod
    def only_in(cls, parent: Element) -> Self:
        """The one reference in ``parent``. Raises ``EbmsFault``."""
        return cls.parse(markup.only(parent, q(DS, "Reference"), FailedAuthentication))
