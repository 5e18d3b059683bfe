"""What a user fills in for a Dropbox gateway."""

from __future__ import annotations

from invoiceapp.domain.fields import Field, FieldType
from invoiceapp.domain.findings import Text
from invoiceapp.gateways.common_fields import CONNECTIONS
from invoiceapp.gateways.file_drop import EXISTING, FILENAME, WITH_PDF

API_URL = "https://api.dropboxapi.com"
CONTENT_URL = "https://content.dropboxapi.com"
AUTHORIZE_URL = "https://www.dropbox.com/oauth2/authorize"

#: What may stand in braces in the folder.
FOLDER_TOKENS = ("year", "month", "customer", "type")
#: Names that every system takes which shares the Dropbox; no step upwards.
FOLDER_PATTERN = r"(?!(?:.*/)?\s*\.{1,2}\s*(?:/|$))(?:[^\\{}<>:\"|?*]|\{(?:" + "|".join(FOLDER_TOKENS) + r")\}){1,200}"

_ADVANCED = Text("Dropbox' adresser", "The addresses of Dropbox")
_ADDRESS_HELP = Text(
    "Lad den stå. Den ændres kun for at prøve mod en efterligning af Dropbox.",
    "Leave it as it is. It is changed only to try a stand-in of Dropbox.",
)

FIELDS = (
    Field(
        "app_key",
        Text("App key", "App key"),
        required=True,
        pattern=r"[A-Za-z0-9_-]{1,100}",
        help=Text(
            "Står på appens side på dropbox.com/developers/apps. Kun bogstaver (uden æ, ø, å), tal, - og _.",
            "Stands on the page of the app at dropbox.com/developers/apps. Unaccented letters, digits, - and _ only.",
        ),
    ),
    Field(
        "app_secret",
        Text("App secret", "App secret"),
        secret=True,
        help=Text("Kan være tom: forbindelsen er sikret uden.", "May be empty: the connection is safe without it."),
    ),
    Field(
        "refresh_token",
        Text("Adgang (refresh token)", "Access (refresh token)"),
        secret=True,
        help=Text(
            "Udfyldes af sig selv, når du forbinder. Indsæt kun noget her, hvis du har fået det på anden vis.",
            "Filled in by itself when you connect. Paste something only if you got it in another way.",
        ),
    ),
    Field(
        "folder",
        Text("Mappe", "Folder"),
        default="/",
        pattern=FOLDER_PATTERN,
        help=Text(
            "F.eks. /Fakturaer/{year}/{customer}. Kan rumme {year}, {month}, {customer} og {type}; mapper, der mangler, laves. "
            "Ikke »..« og ikke tegnene \\ < > : \" | ? *. Tom: øverst.",
            "For example /Invoices/{year}/{customer}. May hold {year}, {month}, {customer} and {type}; missing folders are "
            "made. No “..” and none of \\ < > : \" | ? *. Empty: at the top.",
        ),
    ),
    FILENAME,
    EXISTING,
    WITH_PDF,
    CONNECTIONS,
    Field(
        "api_url", Text("API", "API"), FieldType.URL, default=API_URL, is_address=True, group=_ADVANCED, help=_ADDRESS_HELP
    ),
    Field(
        "content_url", Text("Filer", "Files"), FieldType.URL, default=CONTENT_URL, is_address=True, group=_ADVANCED,
        help=_ADDRESS_HELP,
    ),
    Field(
        "authorize_url", Text("Siden, hvor adgang gives", "The page where access is given"), FieldType.URL,
        default=AUTHORIZE_URL, is_address=True, group=_ADVANCED, help=_ADDRESS_HELP,
    ),
)  # fmt: skip
