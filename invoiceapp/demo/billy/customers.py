"""The demo company's customers: public bodies, chains, companies, people, foreigners and the difficult ones.

A customer's key is its ``contactNo``; groups are told apart by the key's first letter.
"""

from __future__ import annotations

import re
from typing import Any

from . import numbers
from .catalogue import ORGANIZATION_ID
from .records import Record, record_id

_PUBLIC = (
    ("Fjordby Kommune", "Rådhustorvet 1", "4990", "Fjordby"),
    ("Klitby Kommune", "Strandvejen 100", "7985", "Klitby"),
    ("Nørrestrand Kommune", "Torvet 4", "6995", "Nørrestrand"),
    ("Bakkedal Kommune", "Rådhusgade 12", "8995", "Bakkedal"),
    ("Sundhøj Kommune", "Kommuneplads 2", "5995", "Sundhøj"),
    ("Ådalens Kommune", "Å-vej 7", "3995", "Ådal"),
    ("Østermarken Kommune", "Østergade 55", "4895", "Østermarken"),
    ("Skovbrynet Kommune", "Egeallé 3", "2995", "Skovbrynet"),
    ("Mølleå Kommune", "Møllevej 18", "3495", "Mølleå"),
    ("Lyngheden Kommune", "Hedevej 210", "7395", "Lyngheden"),
    ("Fjordby Kommune, Skoleafdelingen", "Rådhustorvet 1", "4990", "Fjordby"),
    ("Klitby Bibliotek", "Bogtorvet 9", "7985", "Klitby"),
    ("Plejecenter Solbakken", "Solbakken 1", "8995", "Bakkedal"),
    ("Bakkedal Skole", "Skolevej 20", "8995", "Bakkedal"),
    ("Region Nordkysten", "Regionsvej 1", "9395", "Nordkyst"),
    ("Region Nordkysten, Fjordby Sygehus", "Sygehusvej 10", "4990", "Fjordby"),
    ("Region Sydhavet", "Regionsallé 30", "4795", "Sydhavn"),
    ("Region Sydhavet, Indkøb og Logistik", "Regionsallé 30", "4795", "Sydhavn"),
    ("Styrelsen for Fyr og Vagere", "Havnegade 8", "1095", "København K"),
    ("Styrelsen for Nordlysforskning", "Polarpladsen 2", "1095", "København K"),
    ("Det Arktiske Råd, Sekretariatet", "Isvej 4", "1095", "København K"),
    ("Nationalt Center for Måleenheder", "Metervej 100", "2895", "Målby"),
    ("Fjordby Gymnasium", "Gymnasievej 6", "4990", "Fjordby"),
    ("Erhvervsskolen Vesterhav", "Skipperallé 14", "6795", "Vesterhav"),
    ("Universitetet i Sundhøj", "Campusvej 1", "5995", "Sundhøj"),
)
_CHAINS = (
    ("Grønt & Godt A/S", "Torvehallen 2", "8295", "Aarhus"),
    ("Grønt & Godt A/S, butik 114", "Storcenter 114", "2695", "Høje Bro"),
    ("Byg & Bolig Danmark A/S", "Tømmervej 77", "2495", "Vallby"),
    ("Havnens Hoteller A/S", "Kajen 12", "1295", "København K"),
    ("Kantinegruppen Nord A/S", "Grydevej 5", "9295", "Nordby"),
    ("Tandklinikkerne Smil A/S", "Smilegade 28", "5195", "Odense"),
    ("Fitness Fjord A/S", "Vægtvej 90", "4990", "Fjordby"),
    ("Dansk Dyrefoder Grossist A/S", "Siloen 3", "7195", "Foderup"),
)
_COMPANIES = (
    ("Arkitektfirmaet Lysning ApS", "Tegnestuen 4", "8095", "Aarhus C"),
    ("Bager Bjørk ApS", "Melgade 19", "5995", "Sundhøj"),
    ("Cykelhjørnet v/Karen Kæde", "Pedalgade 2", "2195", "København N"),
    ("Dansk Dokument Service ApS", "Arkivvej 11", "2695", "Høje Bro"),
    ("Elektriker Strøm & Søn ApS", "Ampereallé 16", "6095", "Kolby"),
    ("Fotograf Fokus", "Linsevej 8", "8295", "Aarhus"),
    ("Gartneriet Grønne Fingre I/S", "Drivhusvej 42", "5795", "Gartnerby"),
    ("Havneservice Vest ApS", "Kaj 3", "6795", "Vesterhav"),
    ("Ingeniørerne Bro & Bue A/S", "Pylonvej 1", "4295", "Brosund"),
    ("Juristhuset Paragraf P/S", "Lovgade 5", "1195", "København K"),
    ("Klinik for Fodterapi ApS", "Hælvej 10", "3095", "Tåby"),
    ("Lagerhotel Danmark ApS", "Reolvej 200", "7195", "Foderup"),
    ("Malerfirmaet Pensel ApS", "Farvevej 23", "9095", "Aalby"),
    ("Netbutikken Uldgarn ApS", "Strikkevej 4", "8795", "Uldsted"),
    ("Oliemøllen A/S", "Rapsvej 33", "4695", "Oliby"),
    ("Privatskolen Ugleboet S/I", "Uglevej 12", "3495", "Mølleå"),
    ("Revisor Rettidig ApS", "Balancevej 1", "2895", "Målby"),
    ("Smedjen i Skovbrynet ApS", "Ambolten 6", "2995", "Skovbrynet"),
)
_PEOPLE = (
    ("Anna Ørsted Madsen", "Birkevej 3", "8095", "Aarhus C"),
    ("Mikkel Lund", "Granvej 17, st. tv.", "5195", "Odense"),
    ("Søren Åkjær", "Engvej 8", "4990", "Fjordby"),
    ("Zainab Ali", "Kirsebærhaven 21", "2195", "København N"),
)
_FOREIGN = (
    ("Norrsken Kontor AB", "Sveavägen 999", "111 99", "Stockholm", "SE", "SE559999001601"),
    ("Malmö Papper AB", "Hamngatan 900", "211 99", "Malmö", "SE", "SE559999002401"),
    ("Nordlicht Büro GmbH", "Hafenstraße 999", "20999", "Hamburg", "DE", "DE999999999"),
    ("Kiel Service GmbH", "Fördeweg 900", "24999", "Kiel", "DE", "DE999999980"),
    ("Noorderlicht Kantoor B.V.", "Grachtweg 999", "1099 ZZ", "Amsterdam", "NL", "NL999999999B01"),
    ("Nordlys Norge AS", "Fjordgata 999", "0199", "Oslo", "NO", "999999972MVA"),
    ("Bergen Kontordrift AS", "Bryggen 900", "5099", "Bergen", "NO", "999999972MVA"),
    ("Northern Lights Office Ltd", "999 Aurora Street", "EC9Z 9ZZ", "London", "GB", "GB999999999"),
    ("Aurora Supplies Inc.", "999 Aurora Avenue", "99999", "Fairbanks", "US", "99-9999999"),
    ("Polar Consulting LLC", "900 Ice Road", "99998", "Anchorage", "US", "99-9999998"),
)
_FIRST_NAMES = ("Bente", "Carsten", "Dorthe", "Emil", "Freja", "Gitte", "Henrik", "Inge", "Jens", "Kirsten", "Lars")
_LAST_NAMES = ("Holm", "Krogh", "Lind", "Møller", "Nygaard", "Overgaard", "Poulsen", "Riis", "Skov", "Østergaard")

_LONG_NAME = "Andelsselskabet for Fælles Indkøb af Kontorartikler, Rengøring og Kantinedrift i Nordlige Kystkommuner "
_CITY_ID = record_id("city", "Sundhøj")
_ZIPCODE_ID = record_id("zipcode", "5995")


def contact_id(key: str) -> str:
    """Record id of a customer by its ``contactNo``."""
    return record_id("contact", key)


def _contact(key: str, name: str, street: str, zipcode: str, city: str, **properties: Any) -> Record:
    return {
        "id": contact_id(key),
        "type": "company",
        "organizationId": ORGANIZATION_ID,
        "createdTime": "2024-03-01T10:00:00",
        "name": name,
        "countryId": "DK",
        "street": street,
        "cityId": None,
        "cityText": city,
        "stateId": None,
        "stateText": "",
        "zipcodeId": None,
        "zipcodeText": zipcode,
        "contactNo": key,
        "phone": "",
        "fax": "",
        "currencyId": None,
        "registrationNo": "",
        "ean": "",
        "localeId": None,
        "isCustomer": True,
        "isSupplier": False,
        "paymentTermsMode": None,
        "paymentTermsDays": None,
        "accessCode": record_id("accessCode", key)[:8],
        "emailAttachmentDeliveryMode": None,
        "isArchived": False,
        "isSalesTaxExempt": False,
        "defaultExpenseProductDescription": None,
        "defaultExpenseAccountId": None,
        "defaultTaxRateId": None,
        "externalId": None,
    } | properties


def _ordinary() -> list[Record]:
    """Everyone who gives no trouble."""
    public = [
        _contact(f"O{i:02d}", *row, registrationNo=numbers.cvr(100 + i), ean=numbers.gln(100 + i))
        for i, row in enumerate(_PUBLIC, start=1)
    ]
    chains = [
        _contact(f"K{i:02d}", *row, registrationNo=numbers.cvr(200 + i), ean=numbers.gln(200 + i))
        for i, row in enumerate(_CHAINS, start=1)
    ]
    companies = [
        _contact(f"V{i:02d}", *row, registrationNo=numbers.cvr(300 + i)) for i, row in enumerate(_COMPANIES, start=1)
    ]
    people = [_contact(f"P{i:02d}", *row, type="person") for i, row in enumerate(_PEOPLE, start=1)]
    foreign = [
        _contact(f"U{i:02d}", *row[:4], countryId=row[4], registrationNo=row[5])
        for i, row in enumerate(_FOREIGN, start=1)
    ]
    return public + chains + companies + people + foreign


def _difficult() -> list[Record]:
    """One customer for each thing that real address books get wrong."""
    good_gln = numbers.gln(901)
    wrong_digit = good_gln[:-1] + str((int(good_gln[-1]) + 1) % 10)
    shared_cvr = numbers.cvr(950)
    return [
        _contact("X01", "Institutionen uden EAN", "Glemt Vej 1", "4990", "Fjordby", registrationNo=numbers.cvr(901)),
        _contact(
            "X02", "Fejlby Kommune", "Rådhuset", "4995", "Fejlby", registrationNo=numbers.cvr(902), ean=wrong_digit
        ),
        _contact(
            "X03", "Kortby Kommune", "Torvet 1", "4996", "Kortby", registrationNo=numbers.cvr(903), ean=good_gln[:12]
        ),
        _contact(
            "X04", "Landløs Handel ApS", "Vejen 1", "8095", "Aarhus C", registrationNo=numbers.cvr(904), countryId=None
        ),
        _contact(
            "X05",
            "Byen er et Id ApS",
            "Opslagsvej 5",
            "",
            "",
            registrationNo=numbers.cvr(905),
            cityId=_CITY_ID,
            cityText=None,
            zipcodeId=_ZIPCODE_ID,
            zipcodeText=None,
        ),
        _contact(
            "X06",
            "Lukket og Slukket ApS",
            "Natvej 1",
            "2195",
            "København N",
            registrationNo=numbers.cvr(906),
            isArchived=True,
        ),
        _contact(
            "X07",
            "Blåbærgrød & Æbleskiver 🫐 ApS",
            "Smørrebrødsgade 4",
            "5995",
            "Sundhøj",
            registrationNo=numbers.cvr(907),
        ),
        _contact(
            "X08",
            (_LONG_NAME * 2)[:199] + "X",
            "Langvej 200",
            "9095",
            "Aalby",
            registrationNo=numbers.cvr(908),
            ean=numbers.gln(908),
        ),
        _contact(
            "X09", "\"Tegn\" & 'Gåseøjne' <A/S>", "Udråb 1 & 2", "8295", "Aarhus", registrationNo=numbers.cvr(909)
        ),
        _contact("X10", "Tvillingerne Afdeling Øst ApS", "Ens Vej 1", "4895", "Østermarken", registrationNo=shared_cvr),
        _contact(
            "X11", "Tvillingerne Afdeling Vest ApS", "Ens Vej 2", "6795", "Vesterhav", registrationNo=f"DK {shared_cvr}"
        ),
        _contact(
            "X12",
            "Papirleverandøren A/S",
            "Rullevej 1",
            "7195",
            "Foderup",
            registrationNo=numbers.cvr(912),
            isCustomer=False,
            isSupplier=True,
        ),
        # Never billed yet, so that no document changes.
        _contact(
            "X13",
            "Zenne Kantoor BV",
            "Zennestraat 999",
            "1099",
            "Brussel",
            countryId="BE",
            registrationNo="BE0999999922",
        ),
    ]


def contacts() -> list[Record]:
    """All contacts, ordinary ones first."""
    return _ordinary() + _difficult()


def _person(number: int, contact: Record) -> Record:
    name = f"{_FIRST_NAMES[number % len(_FIRST_NAMES)]} {_LAST_NAMES[number % len(_LAST_NAMES)]}"
    # Every ninth bookkeeper never asked for an e-mail address.
    email = f"{contact['contactNo'].lower()}.{re.sub('[^a-z]', '', name.lower())}@kunde.example"
    return {
        "id": record_id("contactPerson", contact["contactNo"]),
        "contactId": contact["id"],
        "isPrimary": True,
        "name": name,
        "email": None if number % 9 == 4 else email,
    }


def contact_persons() -> list[Record]:
    """One person for most contacts; people and every eighth company have none."""
    return [
        _person(number, contact)
        for number, contact in enumerate(contacts())
        if contact["type"] == "company" and number % 8 != 7
    ]


def cities() -> list[Record]:
    """The city that a contact knows by id only."""
    return [{"id": _CITY_ID, "name": "Sundhøj", "countryId": "DK", "county": None, "stateId": None}]


def zipcodes() -> list[Record]:
    """The postal code that belongs to it."""
    return [{"id": _ZIPCODE_ID, "zipcode": "5995", "cityId": _CITY_ID, "countryId": "DK", "stateId": None}]
