"""Tables, one file per aggregate."""

from invoiceapp.domain.permissions import Role

from .adaptor import Adaptor, Customer, Environment, ExportRule, Gateway, NewCustomers, Readiness
from .api_token import ApiToken, TokenScope
from .approval import Approval, ApprovalState, ApprovalWait, ValueAuthor
from .archive import ArchiveCheck, Damage, DamagedFile
from .audit import AuditChain, AuditEntry
from .base import Base, db
from .change import SettingsChange
from .delivery import Attempt, Delivery, Event, Receipt
from .document import Document, Rendition, Stage, number_key
from .found import FoundDocument, FoundGroup, FoundOutcome
from .identity import Identity
from .incoming import IncomingMessage, IncomingState
from .interchange import InterchangeSequence, NumberedInterchange
from .job import ACTIVE_JOBS, Job, JobState
from .keeping import DiscardedFile, HoldScope, LegalHold, Restoration, Retention
from .listing import Tally
from .movement import StatusChange
from .notification import (
    Mail,
    MailState,
    Notice,
    NoticeKind,
    Preference,
    Recipient,
    Telling,
    Watch,
    Webhook,
    WebhookCall,
)
from .passkey import Passkey
from .people import Group, GroupMember, Invitation, Membership, Shared, Subscription, User
from .preflight import PreflightResult
from .problem import Problem, ProblemDocument
from .proof import MonthEndProof, ProofState
from .reach import Lookup, Match, MatchState, Receiver
from .reconciliation import Reconciliation, ReconciliationState
from .run import ACTIVE_RUNS, Run, RunState
from .schedule import Outcome, Schedule, ScheduleRun
from .sent_number import SentNumber
from .session import Ending, SignInFailure, SignInKind, SignInSession
from .setting_template import SettingTemplate
from .signing_key import SigningKey
from .slot import HostSlot
from .types import cut, dump_json, load_json, new_id, utcnow, when_asked

__all__ = [
    "ACTIVE_JOBS",
    "ACTIVE_RUNS",
    "Adaptor",
    "ApiToken",
    "Approval",
    "ApprovalState",
    "ApprovalWait",
    "ArchiveCheck",
    "Attempt",
    "AuditChain",
    "AuditEntry",
    "Base",
    "Customer",
    "Damage",
    "DamagedFile",
    "Delivery",
    "DiscardedFile",
    "Document",
    "Ending",
    "Environment",
    "Event",
    "ExportRule",
    "FoundDocument",
    "FoundGroup",
    "FoundOutcome",
    "Gateway",
    "Group",
    "GroupMember",
    "HoldScope",
    "HostSlot",
    "Identity",
    "IncomingMessage",
    "IncomingState",
    "InterchangeSequence",
    "Invitation",
    "Job",
    "JobState",
    "LegalHold",
    "Lookup",
    "Mail",
    "MailState",
    "Match",
    "MatchState",
    "Membership",
    "MonthEndProof",
    "NewCustomers",
    "Notice",
    "NoticeKind",
    "NumberedInterchange",
    "Outcome",
    "Passkey",
    "Preference",
    "PreflightResult",
    "Problem",
    "ProblemDocument",
    "ProofState",
    "Readiness",
    "Receipt",
    "Receiver",
    "Recipient",
    "Reconciliation",
    "ReconciliationState",
    "Rendition",
    "Restoration",
    "Retention",
    "Role",
    "Run",
    "RunState",
    "Schedule",
    "ScheduleRun",
    "SentNumber",
    "SettingTemplate",
    "SettingsChange",
    "Shared",
    "SignInFailure",
    "SignInKind",
    "SignInSession",
    "SigningKey",
    "Stage",
    "StatusChange",
    "Subscription",
    "Tally",
    "Telling",
    "TokenScope",
    "User",
    "ValueAuthor",
    "Watch",
    "Webhook",
    "WebhookCall",
    "cut",
    "db",
    "dump_json",
    "load_json",
    "new_id",
    "number_key",
    "utcnow",
    "when_asked",
]  # fmt: skip
