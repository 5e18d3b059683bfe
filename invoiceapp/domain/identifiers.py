"""Company, address and payment identifiers, their forms and check digits.

Each kind has ``is_valid_*``; ``Participant`` is an electronic address (BT-34,
BT-49): a scheme of the EAS code list and a value in that scheme's form.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_CVR_WEIGHTS = (2, 7, 6, 5, 4, 3, 2, 1)

GLN = "0088"
CVR = "0184"
SE = "0198"
P_NUMBER = "0096"
SWEDISH = "0007"
NORWEGIAN = "0192"

#: EAS schemes that a Danish user meets, by name. The full list is in the rule packs.
SCHEME_NAMES = {
    GLN: "GLN/EAN",
    CVR: "CVR",
    SE: "SE",
    P_NUMBER: "P-nummer",
    SWEDISH: "SE organisationsnummer",
    NORWEGIAN: "NO organisasjonsnummer",
    "0204": "DE Leitweg-ID",
    "0208": "BE ondernemingsnummer",
    "9930": "DE USt-IdNr.",
}


def digits(text: str) -> str:
    """The digits of ``text``, without the blanks, dots and dashes people type."""
    return re.sub(r"[\s.\-]", "", text)


def is_valid_cvr(text: str) -> bool:
    """Danish company number: 8 digits, modulus 11 with weights 2 7 6 5 4 3 2 1."""
    if not re.fullmatch(r"[1-9][0-9]{7}", text):
        return False
    return sum(w * int(c) for w, c in zip(_CVR_WEIGHTS, text, strict=True)) % 11 == 0


def cvr_from(text: str | None) -> str | None:
    """The 8 digits of a CVR number written as ``12345674``, ``DK 12 34 56 74`` …, or None.

    Only the form is asked for; the check digit is a warning elsewhere, because
    a registered company is right even where the arithmetic is not.
    """
    if not text:
        return None
    bare = digits(text).upper().removeprefix("DK")
    return bare if re.fullmatch(r"[0-9]{8}", bare) else None


def is_valid_se(text: str) -> bool:
    """Danish VAT registration (SE number) as an address: ``DK`` and 8 digits (PEPPOL-COMMON-R053)."""
    return re.fullmatch(r"DK[0-9]{8}", text) is not None


def is_valid_p_number(text: str) -> bool:
    """Danish production unit: 10 digits (PEPPOL-COMMON-R052)."""
    return re.fullmatch(r"[0-9]{10}", text) is not None


def _mod10_weighted(body: str) -> int:
    """GS1 check digit: weights 3, 1 from the right."""
    return -sum(int(c) * (3 if i % 2 == 0 else 1) for i, c in enumerate(reversed(body))) % 10


def is_valid_gln(text: str) -> bool:
    """GLN (Danish EAN location number): 13 digits with GS1 check digit (PEPPOL-COMMON-R040)."""
    return re.fullmatch(r"[0-9]{13}", text) is not None and int(text[-1]) == _mod10_weighted(text[:-1])


def is_valid_gtin(text: str) -> bool:
    """Trade item number: 8, 12, 13 or 14 digits with GS1 check digit."""
    return re.fullmatch(r"[0-9]{8}|[0-9]{12,14}", text) is not None and int(text[-1]) == _mod10_weighted(text[:-1])


def is_valid_iban(text: str) -> bool:
    """ISO 13616: country, two check digits, modulus 97."""
    bare = digits(text).upper()
    if not re.fullmatch(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{10,30}", bare):
        return False
    moved = bare[4:] + bare[:4]
    return int("".join(str(int(c, 36)) for c in moved)) % 97 == 1


def luhn_digit(body: str) -> int:
    """Modulus-10 check digit with weights 2, 1 from the right and digit sums (FIK, ISO 7812)."""
    doubled = (int(c) * (2 if i % 2 == 0 else 1) for i, c in enumerate(reversed(body)))
    return -sum(n // 10 + n % 10 for n in doubled) % 10


def is_valid_fik71(reference: str) -> bool:
    """FIK card type 71 reference: 15 digits, the last one a modulus-10 check digit."""
    return re.fullmatch(r"[0-9]{15}", reference) is not None and int(reference[-1]) == luhn_digit(reference[:-1])


def fik71_reference(number: str) -> str | None:
    """The 15-digit reference that stands for an invoice number, or None where it has more than 14 digits."""
    bare = re.sub(r"[^0-9]", "", number)
    if not bare or len(bare) > 14:
        return None
    body = bare.rjust(14, "0")
    return body + str(luhn_digit(body))


def is_valid_swedish(text: str) -> bool:
    """Swedish organisation number: 10 digits, modulus 10 (PEPPOL-COMMON-R049)."""
    return re.fullmatch(r"[0-9]{10}", text) is not None and int(text[-1]) == luhn_digit(text[:-1])


def is_valid_norwegian(text: str) -> bool:
    """Norwegian organisation number: 9 digits, modulus 11 (PEPPOL-COMMON-R041)."""
    if not re.fullmatch(r"[0-9]{9}", text):
        return False
    return sum(w * int(c) for w, c in zip((3, 2, 7, 6, 5, 4, 3, 2, 1), text, strict=True)) % 11 == 0


#: EAS schemes in which a company is addressed by its VAT number, by country.
VAT_SCHEMES = {
    "AT": "9914", "BE": "9925", "BG": "9926", "CY": "9928", "CZ": "9929", "DE": "9930", "EE": "9931",
    "ES": "9920", "FI": "0213", "FR": "9957", "GB": "9932", "GR": "9933", "HR": "9934", "HU": "9910",
    "IE": "9935", "IT": "0211", "LT": "9937", "LU": "9938", "LV": "9939", "MT": "9943", "NL": "9944",
    "PL": "9945", "PT": "9946", "RO": "9947", "SI": "9949", "SK": "9950",
}  # fmt: skip

#: Member states of the European Union (ISO 3166-1); Greece's VAT numbers begin with EL.
EU_COUNTRIES = frozenset(
    [
        "AT",
        "BE",
        "BG",
        "CY",
        "CZ",
        "DE",
        "DK",
        "EE",
        "ES",
        "FI",
        "FR",
        "GR",
        "HR",
        "HU",
        "IE",
        "IT",
        "LT",
        "LU",
        "LV",
        "MT",
        "NL",
        "PL",
        "PT",
        "RO",
        "SE",
        "SI",
        "SK",
    ]
)

_FORMS = {
    GLN: is_valid_gln,
    SE: is_valid_se,
    P_NUMBER: is_valid_p_number,
    SWEDISH: is_valid_swedish,
    NORWEGIAN: is_valid_norwegian,
}


@dataclass(frozen=True, slots=True)
class Participant:
    """An electronic address: EAS scheme and value, e.g. ``0184:12345674`` (BT-34, BT-49)."""

    scheme: str
    value: str

    def __str__(self) -> str:
        return f"{self.scheme}:{self.value}"

    @property
    def is_well_formed(self) -> bool:
        """Whether the value has its scheme's form. Other schemes only need to look like one of the EAS list."""
        if self.scheme == CVR:
            # Form only, see cvr_from.
            return re.fullmatch(r"[0-9]{8}", self.value) is not None
        check = _FORMS.get(self.scheme)
        if check is not None:
            return check(self.value)
        return re.fullmatch(r"[0-9]{4}|A[NQSU]|EM", self.scheme) is not None and bool(self.value.strip())

    @classmethod
    def of(cls, scheme: str, value: str) -> Participant:
        """Tidy what a person typed: blanks out, ``DK`` before a CVR number out, before an SE number in."""
        bare = digits(value).upper() if scheme in (GLN, CVR, SE, P_NUMBER) else value.strip()
        if scheme == CVR:
            bare = bare.removeprefix("DK")
        if scheme == SE and re.fullmatch(r"[0-9]{8}", bare):
            bare = "DK" + bare
        return cls(scheme.strip(), bare)
