from support.networks import network_registers, networks

__all__ = ["network_registers", "networks"]
