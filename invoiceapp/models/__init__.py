"""Tables, one file per aggregate."""

from .adaptor import Adaptor, Customer, Environment, ExportRule, Gateway, NewCustomers, Readiness
from .base import Base, db
from .change import SettingsChange
from .delivery import Attempt, Delivery, Event, Receipt
from .document import Document, Rendition, Stage
from .incoming import IncomingMessage, IncomingState
from .interchange import InterchangeSequence, NumberedInterchange
from .job import ACTIVE_JOBS, Job, JobState
from .people import Membership, Role, Subscription, User
from .preflight import PreflightResult
from .run import ACTIVE_RUNS, Run, RunState
from .slot import HostSlot
from .types import cut, dump_json, load_json, new_id, utcnow

__all__ = [
    "ACTIVE_JOBS", "ACTIVE_RUNS", "Adaptor", "Attempt", "Base", "Customer", "Delivery", "Document", "Environment", "Event",
    "ExportRule", "Gateway", "HostSlot", "IncomingMessage", "IncomingState", "InterchangeSequence", "Job", "JobState", "Membership", "NewCustomers", "NumberedInterchange",
    "PreflightResult", "Readiness", "Receipt", "Rendition", "Role", "Run", "RunState", "SettingsChange", "Stage",
    "Subscription", "User", "cut", "db", "dump_json", "load_json", "new_id", "utcnow",
]  # fmt: skip
