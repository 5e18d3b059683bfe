"""What receivers answer to an invoice: the four kinds of UBL ApplicationResponse, read by one reader.

OIOUBL ApplicationResponse 2.1, Peppol Invoice Response (T111), Message Level Response (T71) and Message Level Status.
"""

from .reader import LARGEST, is_response, read_response, uuid_of
from .values import BusinessResponse, By, Kind, LineNote, Reason, Says
from .words import explained

__all__ = [
    "LARGEST",
    "BusinessResponse",
    "By",
    "Kind",
    "LineNote",
    "Reason",
    "Says",
    "explained",
    "is_response",
    "read_response",
    "uuid_of",
]
