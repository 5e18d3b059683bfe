"""A guard for tests: this machine only."""

from invoiceapp.outbound.guard import Guard, networks

LOOPBACK = Guard(networks(["127.0.0.0/8", "::1"]))
