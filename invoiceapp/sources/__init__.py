"""The systems that documents are read from. One folder each; see ``base.py`` for the contract."""
