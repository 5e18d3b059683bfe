"""Roles, levels and reasons in words."""

from __future__ import annotations

from invoiceapp.domain.findings import Text
from invoiceapp.domain.permissions import Level, Reason, Role

ROLES: dict[Role, Text] = {
    Role.OWNER: Text("Ejer", "Owner"),
    Role.ADMIN: Text("Administrator", "Administrator"),
    Role.MEMBER: Text("Medarbejder", "Member"),
    Role.AUDITOR: Text("Revisor (læser alt)", "Auditor (reads everything)"),
}
ROLE_HINTS: dict[Role, Text] = {
    Role.OWNER: Text("Kan alt, også udpege og fjerne ejere.", "May do everything, also appoint and remove owners."),
    Role.ADMIN: Text(
        "Inviterer medarbejdere og revisorer, laver grupper, adaptorer og gateways.",
        "Invites members and auditors, makes groups, adaptors and gateways.",
    ),
    Role.MEMBER: Text("Ser og bruger det, der er delt med personen.", "Sees and uses what is shared with the person."),
    Role.AUDITOR: Text(
        "Ser alt og ændrer intet, til og med en dato.", "Sees everything and changes nothing, until a date."
    ),
}
LEVELS: dict[Level, Text] = {
    Level.VIEWER: Text("Læser", "Viewer"),
    Level.OPERATOR: Text("Operatør", "Operator"),
    Level.EDITOR: Text("Redaktør", "Editor"),
    Level.MANAGER: Text("Bestyrer", "Manager"),
}
LEVEL_HINTS: dict[Level, Text] = {
    Level.VIEWER: Text("ser det, og ændrer intet", "sees it, and changes nothing"),
    Level.OPERATOR: Text(
        "som læser, og må køre, eksportere, sende igen og klare problemer",
        "as viewer, and may run, export, send again and handle problems",
    ),
    Level.EDITOR: Text(
        "som operatør, og må ændre indstillinger, kunder og tidsplan",
        "as operator, and may change settings, customers and schedule",
    ),
    Level.MANAGER: Text(
        "som redaktør, og må dele, skifte adgangskoder og nøgler, og slette",
        "as editor, and may share, change passwords and keys, and delete",
    ),
}
REASONS: dict[Reason, Text] = {
    Reason.OWNER: Text("Ejer af abonnementet", "Owner of the subscription"),
    Reason.CREATOR: Text("Har oprettet den", "Has made it"),
    Reason.AUDITOR: Text("Revisor: ser alt", "Auditor: sees everything"),
    Reason.EVERYBODY: Text("Delt med alle brugere", "Shared with all users"),
    Reason.ADMINS: Text("Delt med administratorer", "Shared with administrators"),
    Reason.GROUP: Text("Medlem af en gruppe, den er delt med", "Member of a group that it is shared with"),
    Reason.USER: Text("Delt med personen", "Shared with the person"),
}
