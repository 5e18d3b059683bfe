"""Whom to believe: certificate chains, revocation, XML signatures. Below all rooms that talk to partners."""
