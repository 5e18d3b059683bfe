"""Tables, one file per aggregate."""

from .adaptor import Adaptor, Customer, ExportRule, Gateway
from .base import Base, db
from .delivery import Attempt, Delivery, Event, Receipt
from .document import Document, Rendition, Stage
from .interchange import InterchangeSequence, NumberedInterchange
from .people import Membership, Role, Subscription, User
from .run import ACTIVE_RUNS, Run, RunState
from .types import cut, dump_json, load_json, new_id, utcnow

__all__ = [
    "ACTIVE_RUNS", "Adaptor", "Attempt", "Base", "Customer", "Delivery", "Document", "Event", "ExportRule", "Gateway",
    "InterchangeSequence", "Membership", "NumberedInterchange", "Receipt", "Rendition", "Role", "Run", "RunState", "Stage", "Subscription", "User", "cut", "db",
    "dump_json", "load_json", "new_id", "utcnow",
]  # fmt: skip
