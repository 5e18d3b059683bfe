"""Billy (Danish accounting): reads customers and approved documents over its REST API v2."""

from .source import BillySource

SOURCE = BillySource

__all__ = ["SOURCE", "BillySource"]
