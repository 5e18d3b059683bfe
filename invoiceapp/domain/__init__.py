"""What an e-invoice is and what may happen to it. Standard library only.

Nothing here knows Flask, SQL, HTTP, XML, the clock or the environment; every
other package may import this one and this one imports none of them.
"""
