"""EDIFACT as a partner writes it: an invoice's envelope, and CONTRL and APERAK about it."""

OURS, THEIRS = "5790000000005", "5798009811578"


def invoic(reference: str = "17", sender: str = OURS, receiver: str = THEIRS, number: str = "1001") -> bytes:
    """An interchange with one INVOIC, as far as envelopes go."""
    return (
        f"UNA:+.? 'UNB+UNOC:3+{sender}:14+{receiver}:14+261102:1015+{reference}'UNH+1+INVOIC:D:96A:UN:EAN008'"
        f"BGM+380+{number}+9'UNT+3+1'UNZ+1+{reference}'"
    ).encode("latin-1")


def answer(*messages: str, sender: str = THEIRS, receiver: str = OURS, reference: str = "8841") -> bytes:
    """An interchange from the partner to us; messages without UNH and UNT."""
    body = "".join(f"UNH+{place}+{message}UNT+9+{place}'" for place, message in enumerate(messages, 1))
    return (
        f"UNA:+.? 'UNB+UNOC:3+{sender}:14+{receiver}:14+261102:1115+{reference}'{body}UNZ+{len(messages)}+{reference}'"
    ).encode("latin-1")


def contrl(interchange: str = "17", action: str = "7", error: str = "") -> str:
    """What a CONTRL says of an interchange: action 7 takes it, 4 rejects it, 8 has received it."""
    reported = f"+{error}" if error else ""
    return f"CONTRL:2:2:UN:EAN002'UCI+{interchange}+{OURS}:14+{THEIRS}:14+{action}{reported}'"


def aperak(document: str = "1001", name: str = "312", error: str = "") -> str:
    """What an APERAK says of an invoice: name 312 takes it, 313 rejects it."""
    told = f"ERC+12'FTX+AAO+++{error}'" if error else ""
    return f"APERAK:D:96A:UN:EAN003'BGM+{name}+1+9'RFF+IV:{document}'{told}"
