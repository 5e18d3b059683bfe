"""NemHandelsregisteret: companies and their participants."""

from __future__ import annotations

from typing import Any

from flask import Flask, Response, abort, jsonify, request

from invoiceapp.domain.identifiers import CVR, GLN, P_NUMBER, SE, Participant
from invoiceapp.domain.network import Network

from .population import Condition, Listing, Population
from .switches import RegisterSwitch

PREFIX = "/nemhandel-api"
_KEY_TYPES = {GLN: "GLN", CVR: "DK:CVR", P_NUMBER: "DK:P", SE: "DK:SE"}
_NETWORK_TYPES = {Network.PEPPOL: 3, Network.NEMHANDEL: 4}


class _Register:
    def __init__(self, population: Population, switch: RegisterSwitch) -> None:
        self._population = population
        self._switch = switch

    def company(self, cvr: str) -> Response:
        """``GET /search/lookup/{cvr}``."""
        listings = self._population.of_company(cvr)
        if cvr not in self._population.companies and not listings:
            abort(404)
        return jsonify(self._company(cvr, listings))

    def receiver(self) -> Response:
        """``GET /search/networkLookup?receiverId=0088:…``."""
        scheme, _, value = request.args.get("receiverId", "").partition(":")
        listing = self._population.get(Participant.of(scheme, value))
        if listing is None or scheme not in _KEY_TYPES:
            return jsonify({"modtagere": []})
        return jsonify(self._company(listing.company, [listing]))

    def _company(self, cvr: str | None, listings: list[Listing]) -> dict[str, Any]:
        if any(one.condition is Condition.FAILING for one in listings):
            abort(500)
        return {
            "cvrNummer": cvr,
            "virksomhedsForm": "Anpartsselskab",
            "binavne": [],
            "virksomhedsNavnFormel": self._population.companies.get(cvr or ""),
            "adresse": {"fritekst": None, "vejnavn": "Demovej", "husnummerFra": "1", "postnummer": "4990", "landekode": "DK"},
            "modtagere": [
                {"participant": self._participant(one)} for one in listings if one.participant.scheme in _KEY_TYPES
            ]
            or None,
            "kontaktperson": None,
            "status": "NORMAL",
        }  # fmt: skip

    def _participant(self, listing: Listing) -> dict[str, Any]:
        participant = {
            "Key": listing.participant.value.removeprefix("DK"),
            "KeyType": _KEY_TYPES[listing.participant.scheme],
            "UnitName": listing.name,
            "UnitCVR": listing.company,
            "lastModifiedString": "01-10-2026 12:00:00",
            "ParticipantBindings": self._bindings(listing),
        }
        if self._switch.is_older:
            return participant
        return participant | {
            "IsPeppolEnabled": bool(listing.on(Network.PEPPOL)),
            "IsNhAs4Enabled": bool(listing.on(Network.NEMHANDEL)),
        }

    def _bindings(self, listing: Listing) -> list[dict[str, Any]]:
        role, profile, name = ("role", "profile", "name") if self._switch.is_older else ("Role", "Profile", "Name")
        # One binding for all kinds of document of a profile.
        distinct = dict.fromkeys((one.network, one.role, one.profile) for one in listing.offers)
        return [
            {
                "NetworkTypeId": _NETWORK_TYPES[network],
                role: {name: role_name},
                profile: {name: profile_name},
                "OwnerService": {"NetworkTypeId": _NETWORK_TYPES[network], "DisplayName": "Nordlys Adgangspunkt ApS"},
            }
            for network, role_name, profile_name in distinct
        ]


def create_register(population: Population, switch: RegisterSwitch) -> Flask:
    """The register as a WSGI app."""
    app, register = Flask(__name__, static_folder=None), _Register(population, switch)
    app.before_request(switch.refusal)
    app.add_url_rule(f"{PREFIX}/search/lookup/<cvr>", "company", register.company)
    app.add_url_rule(f"{PREFIX}/search/networkLookup", "receiver", register.receiver)
    return app
