"""How a message that came in is not what the profile wants, by the codes of ebMS 3.0 (section 6.7) and AS4."""

from __future__ import annotations


class EbmsFault(ValueError):
    """A message that cannot be taken. ``code`` and ``name`` go back to whoever sent it; ``detail`` holds no secret."""

    code = "EBMS:0004"
    name = "Other"
    category = "Content"

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class ValueNotRecognized(EbmsFault):
    """Well-formed, and not what the profile allows."""

    code, name = "EBMS:0001", "ValueNotRecognized"


class InvalidHeader(EbmsFault):
    """The eb:Messaging header is not as it should be."""

    code, name, category = "EBMS:0009", "InvalidHeader", "Unpackaging"


class MimeInconsistency(EbmsFault):
    """The MIME parts do not fit to each other or to the header."""

    code, name, category = "EBMS:0007", "MimeInconsistency", "Unpackaging"


class FailedAuthentication(EbmsFault):
    """The signature is missing, wrong, incomplete, or by somebody who is not trusted."""

    code, name, category = "EBMS:0101", "FailedAuthentication", "Processing"


class FailedDecryption(EbmsFault):
    """Not encrypted for us, or changed afterwards."""

    code, name, category = "EBMS:0102", "FailedDecryption", "Processing"


class PolicyNoncompliance(EbmsFault):
    """Not signed or not encrypted as agreed."""

    code, name, category = "EBMS:0103", "PolicyNoncompliance", "Processing"


class DecompressionFailure(EbmsFault):
    """No gzip, or more than may come out of it."""

    code, name, category = "EBMS:0303", "DecompressionFailure", "Communication"


class NotServiced(EbmsFault):
    """No receiver of that kind of document here (Peppol AS4 profile, section on errors)."""

    def __init__(self, detail: str = "") -> None:
        super().__init__(f"{NOT_SERVICED} {detail}".strip())


class Duplicate(EbmsFault):
    """A MessageId that was taken before (phase4 since 4.5)."""

    code, name, category = "EBMS:4001", "DuplicateDetected", "Processing"


NOT_SERVICED = "PEPPOL:NOT_SERVICED"
