"""Billy's free-text product units -> UN/ECE Recommendation 20 codes.

Only codes that stand in both the Peppol and the OIOUBL list (UN/ECE 66411:2001)
are used, because one document may go out in either format.
"""

from __future__ import annotations

DEFAULT_UNIT = "EA"

_NAMES = {
    "EA": "ea each piece pieces pcs pc stk stk. styk stykker unit units enhed enheder",
    "HUR": "hour hours hr hrs h time timer t",
    "DAY": "day days dag dage",
    "WEE": "week weeks uge uger",
    "MON": "month months måned måneder md mdr mdr. md.",
    "ANN": "year years år",
    "MIN": "minute minutes minut minutter min min.",
    "KGM": "kg kilo kilogram kilograms",
    "GRM": "g gram grams",
    "TNE": "ton tons tonne tonnes",
    "LTR": "l liter litre liters litres ltr",
    "MLT": "ml milliliter",
    "MTR": "m meter metre meters metres",
    "CMT": "cm centimeter",
    "MTK": "m2 m² kvm kvadratmeter",
    "MTQ": "m3 m³ kubikmeter",
    "SET": "set sets sæt",
    "PR": "par pair pairs",
    "KWH": "kwh",
    "LS": "ls fastpris",
}
_CODES = {name: code for code, names in _NAMES.items() for name in names.split()} | {
    "lump sum": "LS",
    "fast pris": "LS",
}


def unit_code(text: object) -> str:
    """The code of a unit as Billy's users write it; ``EA`` where it is empty or unknown."""
    if not isinstance(text, str):
        return DEFAULT_UNIT
    name = text.strip()
    return _CODES.get(name.lower()) or (name if name in _NAMES else DEFAULT_UNIT)
