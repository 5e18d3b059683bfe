"""Where receivers are looked up: a gateway's declared fields (``gateways/lookup_fields.py``) as settings of the look-up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from invoiceapp.discovery.base import Settings
from invoiceapp.domain.network import AS4_PROFILE, REGISTERS, Network
from invoiceapp.models import Gateway
from invoiceapp.services.configuration.versions import version

_DNS = 53


def of_gateway(gateway: Gateway) -> Settings:
    """As its fields say. None of them is a secret."""
    return of_config(gateway.config)


def of_config(config: Mapping[str, Any]) -> Settings:
    """Of stored values."""
    anchors = {network: str(pem) for network in Network if (pem := config.get(f"{network.value}_anchors"))}
    profiles = {network: str(config.get(f"{network.value}_profile") or AS4_PROFILE) for network in Network}
    known = REGISTERS.get(str(config.get("lookup") or "live"))
    if known is not None:
        return Settings(known.zones, (), known.register_url, known.directory_url, anchors, profiles)
    return Settings(
        zones={network: str(zone) for network in Network if (zone := config.get(f"{network.value}_zone"))},
        name_servers=_name_servers(str(config.get("name_server") or "")),
        register_url=str(config.get("register_url") or "").rstrip("/"),
        directory_url=str(config.get("directory_url") or "").rstrip("/"),
        anchors=anchors,
        profiles=profiles,
        ca=str(config["lookup_ca"]) if config.get("lookup_ca") else None,
    )


def _name_servers(text: str) -> tuple[tuple[str, int], ...]:
    """``192.0.2.1``, ``192.0.2.1:5353``, ``2001:db8::1``, ``[2001:db8::1]:5353``."""
    if not text:
        return ()
    host, separator, port = text.rpartition(":")
    has_port = bool(separator) and port.isdecimal() and (":" not in host or host.startswith("["))
    if not has_port:
        host, port = text, str(_DNS)
    return ((host.strip("[]"), int(port)),)


def fingerprint(settings: Settings) -> str:
    """Tells one place to ask from another: what a test network said counts only there."""
    zones = {network.value: zone for network, zone in settings.zones.items()}
    profiles = {network.value: profile for network, profile in settings.profiles.items()}
    return version([zones, settings.name_servers, settings.register_url, settings.directory_url, profiles])
