"""For machines that look after this one: load balancers, orchestrators, Prometheus."""

from .views import blueprint

__all__ = ["blueprint"]
