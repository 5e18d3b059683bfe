"""How this program opens connections: through a guard, within a deadline, encrypted and verified."""
