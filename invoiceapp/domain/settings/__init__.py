"""What a user may set for the supplier, the customers and the documents.

The dataclasses hold *effective* values (after overrides are resolved); their
declared fields (``fields_of``) make the forms. An empty value means "what the
source says".
"""

from .customer import CustomerSettings
from .effective import GROUPS, Settings, VatChoice, camel, fields_of
from .gateway import GatewaySettings
from .general import GeneralSettings
from .reading import SettingsInvalid, settings_from
from .supplier import SupplierSettings

__all__ = [
    "GROUPS", "CustomerSettings", "GatewaySettings", "GeneralSettings", "Settings", "SettingsInvalid", "SupplierSettings",
    "VatChoice", "camel", "fields_of", "settings_from",
]  # fmt: skip
