"""How bytes travel. One folder a kind; see ``base.py`` for the contract."""
