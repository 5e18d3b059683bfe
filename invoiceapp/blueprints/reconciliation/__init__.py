"""The nightly comparison with the source, and what a person says of a change that it found."""

from .views import blueprint

__all__ = ["blueprint"]
