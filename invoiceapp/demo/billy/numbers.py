"""Invented company, location and account numbers whose check digits are right.

They lie where no real number is given out today: CVR numbers from 90 million
up, GLNs under 579899, bank registration number 9999.
"""

from __future__ import annotations

from itertools import count

from invoiceapp.domain.identifiers import is_valid_cvr, is_valid_gln, is_valid_iban


def cvr(serial: int) -> str:
    """The first valid CVR number from ``90000000 + 37 * serial`` on."""
    return next(str(n) for n in count(90_000_000 + 37 * serial) if is_valid_cvr(str(n)))


def gln(serial: int) -> str:
    """A valid GLN for a serial number of up to 6 digits."""
    body = f"579899{serial:06d}"
    return next(body + digit for digit in "0123456789" if is_valid_gln(body + digit))


def danish_iban(registration_no: str, account_no: str) -> str:
    """IBAN of a Danish account: 4-digit registration number and 10-digit account number."""
    candidates = (f"DK{check:02d}{registration_no}{account_no}" for check in range(2, 99))
    return next(iban for iban in candidates if is_valid_iban(iban))
