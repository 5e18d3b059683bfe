"""The month-end proof: a period's approved documents in the accounting system against what became of them here.

``listing`` lists what the accounting system has, ``noting`` and ``history`` tell our side, ``reckoning`` (pure) puts each
document into one group, ``files`` writes it down, ``verifying`` does it all again later (docs/decisions/0035).
"""
