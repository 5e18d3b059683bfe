"""UBL documents -> the model: the reverse of the writers beside this package."""

from .oioubl import read_oioubl
from .peppol import read_peppol

__all__ = ["read_oioubl", "read_peppol"]
