"""Every table, once. Times are milliseconds since the epoch; statuses are the words of ``model/report.py``.

Ids carry time (``model/clock.py``), so primary keys grow and a range of time is a range of keys: the
tables that grow with traffic need few secondary indexes, and the partial ones hold open work only.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    text,
)

metadata = MetaData()

# SQLite makes a 64-bit rowid only of a column declared INTEGER.
Id = BigInteger().with_variant(Integer, "sqlite")

facts = Table(
    "facts",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Id, nullable=False),
    comment="Single numbers, such as the version of the directory that nodes watch.",
)

accounts = Table(
    "accounts",
    metadata,
    Column("name", Text, primary_key=True),
    Column("password_hash", Text, nullable=False),
    Column("inbound_password_hash", Text, nullable=False),
    Column("api_key_hash", Text, nullable=False, unique=True),
    Column("token", Text, nullable=False, unique=True),
    Column("disabled", Boolean, nullable=False),
    Column("allowed_addresses", Text, nullable=False, comment="JSON list of networks"),
    Column("metered", Boolean, nullable=False, comment="has a credit line; else unlimited"),
    Column("created_at_ms", Id, nullable=False),
)

endpoints = Table(
    "endpoints",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("account", Text, nullable=False, index=True),
    Column("definition", LargeBinary, nullable=False, comment="JSON of model.account.Endpoint"),
    Column("removed_at_ms", Id, nullable=True),
    sqlite_autoincrement=True,
)

numbers = Table(
    "numbers",
    metadata,
    Column("number", Text, primary_key=True),
    Column("keyword", Text, primary_key=True, comment="casefolded; empty = the default owner"),
    Column("account", Text, nullable=False),
    Column("network", Text, nullable=True),
    Column("carrier_code", Text, nullable=True),
)

submissions = Table(
    "submissions",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("account", Text, nullable=False),
    Column("sender", Text, nullable=False),
    Column("recipient", Text, nullable=False),
    Column("content", LargeBinary, nullable=False, comment="msgpack of the segments"),
    Column("segment_count", SmallInteger, nullable=False),
    Column("report_bits", SmallInteger, nullable=False),
    Column("validity_s", Integer, nullable=True),
    Column("flash", Boolean, nullable=False),
    Column("single_shot", Boolean, nullable=False),
    Column("note", Text, nullable=True),
    Column("subaccount", Text, nullable=True),
    Column("not_before_ms", Id, nullable=False),
    Column("status", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("report_count", SmallInteger, nullable=False),
    Column("link", Text, nullable=True),
    Column("sent_at_ms", Id, nullable=True),
    Column("claim_node", SmallInteger, nullable=True),
    Column("claim_life", Id, nullable=True, comment="incarnation of the claiming node"),
    Column("claim_until_ms", Id, nullable=False),
    Column("mms", LargeBinary, nullable=True, comment="msgpack of model.mms.Mms; NULL = an SMS"),
    Index("submissions_of_account", "account", "id"),
    Index(
        "submissions_waiting",
        "not_before_ms",
        "id",
        sqlite_where=text("status = 'ACCEPTED'"),
        postgresql_where=text("status = 'ACCEPTED'"),
    ),
    Index(
        "submissions_awaiting_receipt",
        "link",
        "sent_at_ms",
        sqlite_where=text("status IN ('SENT', 'BUFFERED')"),
        postgresql_where=text("status IN ('SENT', 'BUFFERED')"),
    ),
)

segments = Table(
    "segments",
    metadata,
    Column("submission", Id, primary_key=True, autoincrement=False),
    Column("number", SmallInteger, primary_key=True, autoincrement=False),
    Column("link", Text, nullable=False),
    Column("scope", Text, nullable=False, comment="the SMSC account within which its ids are unique"),
    Column("link_message_id", Text, nullable=False),
    Column("id_key", Text, nullable=False, comment="canonical spelling of link_message_id"),
    Column("status", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("at_ms", Id, nullable=False),
    Index("segments_by_link_id", "scope", "id_key"),
    sqlite_with_rowid=False,
)

receipts = Table(
    "receipts",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("submission", Id, nullable=False, index=True),
    Column("segment", SmallInteger, nullable=False),
    Column("link", Text, nullable=False),
    Column("at_ms", Id, nullable=False),
    Column("status", Text, nullable=False),
    Column("word", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("err", Text, nullable=False),
    Column("spelling", Text, nullable=False, comment="how the id had to be read to match"),
    Column("raw", LargeBinary, nullable=False),
)

parked_receipts = Table(
    "parked_receipts",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("scope", Text, nullable=False),
    Column("id_key", Text, nullable=False),
    Column("link", Text, nullable=False),
    Column("at_ms", Id, nullable=False),
    Column("receipt", LargeBinary, nullable=False, comment="msgpack of model.report.Receipt"),
    Index("parked_receipts_by_link_id", "scope", "id_key"),
)

reports = Table(
    "reports",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("submission", Id, nullable=False, index=True),
    Column("account", Text, nullable=False),
    Column("at_ms", Id, nullable=False),
    Column("status", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("err", Text, nullable=False),
    Column("sequence", SmallInteger, nullable=False),
    Index("reports_of_account", "account", "id"),
)

messages = Table(
    "messages",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("at_ms", Id, nullable=False),
    Column("link", Text, nullable=False),
    Column("sender", Text, nullable=False),
    Column("recipient", Text, nullable=False),
    Column("account", Text, nullable=True, comment="NULL = unrouted"),
    Column("coding", SmallInteger, nullable=False),
    Column("text", Text, nullable=False),
    Column("data", LargeBinary, nullable=False),
    Column("udh", LargeBinary, nullable=False),
    Column("network", Text, nullable=True),
    Column("parts", SmallInteger, nullable=False),
    Column("expected_parts", SmallInteger, nullable=False),
    Column("part_of", Id, nullable=True, comment="id of the joined message this is a part of"),
    Column("carrier_code", Text, nullable=True, comment="MCC and MNC of the sender's network"),
    Column("mms", LargeBinary, nullable=True, comment="msgpack of model.mms.Mms; NULL = an SMS"),
    Index("messages_of_account", "account", "id"),
    Index(
        "messages_of_group",
        "part_of",
        sqlite_where=text("part_of IS NOT NULL"),
        postgresql_where=text("part_of IS NOT NULL"),
    ),
)

part_groups = Table(
    "part_groups",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False, comment="id of the joined message"),
    Column("key", Text, nullable=False, comment="sender, recipient, reference, total"),
    Column("total", SmallInteger, nullable=False),
    Column("link", Text, nullable=False),
    Column("due_at_ms", Id, nullable=False, comment="when what there is gets handed over"),
    Column("done", Boolean, nullable=False),
    Index("part_groups_by_key", "key"),
    Index("part_groups_due", "due_at_ms"),
)

parts = Table(
    "parts",
    metadata,
    Column("group_id", Id, primary_key=True, autoincrement=False),
    Column("number", SmallInteger, primary_key=True, autoincrement=False),
    Column("message", Id, nullable=False),
    sqlite_with_rowid=False,
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("event", Id, primary_key=True, autoincrement=False),
    Column("endpoint", Integer, primary_key=True, autoincrement=False),
    Column("kind", Text, nullable=False, comment="message or report: which table the event is in"),
    Column("account", Text, nullable=False),
    Column("state", SmallInteger, nullable=False),
    Column("attempt", SmallInteger, nullable=False, comment="number of the next, or of the last, attempt"),
    Column(
        "first_attempt", SmallInteger, nullable=False, comment="where the present round of attempts began"
    ),
    Column("next_attempt_at_ms", Id, nullable=False, comment="also the end of the claim's lease"),
    Column("claim_node", SmallInteger, nullable=True),
    Column("claim_life", Id, nullable=True),
    Column("status", SmallInteger, nullable=True),
    Column("error", Text, nullable=True),
    Column("answer", LargeBinary, nullable=True),
    Column("took_ms", Integer, nullable=True),
    Column("finished_at_ms", Id, nullable=True),
    Index(
        "deliveries_due",
        "endpoint",
        "next_attempt_at_ms",
        sqlite_where=text("state = 0"),
        postgresql_where=text("state = 0"),
    ),
    Index(
        "deliveries_dead",
        "endpoint",
        "event",
        sqlite_where=text("state = 2"),
        postgresql_where=text("state = 2"),
    ),
    sqlite_with_rowid=False,
)

attempts = Table(
    "attempts",
    metadata,
    Column("event", Id, primary_key=True, autoincrement=False),
    Column("endpoint", Integer, primary_key=True, autoincrement=False),
    Column("number", SmallInteger, primary_key=True, autoincrement=False),
    Column("at_ms", Id, nullable=False),
    Column("status", SmallInteger, nullable=True),
    Column("error", Text, nullable=True),
    Column("answer", LargeBinary, nullable=True),
    Column("took_ms", Integer, nullable=False),
    sqlite_with_rowid=False,
    comment="Attempts that did not deliver; the one that did stands in its delivery.",
)

contents = Table(
    "contents",
    metadata,
    Column("account", Text, primary_key=True, comment="empty = of an unrouted message"),
    Column("sha256", Text, primary_key=True, comment="its name in the content store"),
    Column("event", Id, primary_key=True, autoincrement=False, comment="the message or submission it is of"),
    Column("expires_at_ms", Id, nullable=False),
    Index("contents_by_name", "sha256"),
    Index("contents_expiring", "expires_at_ms"),
    sqlite_with_rowid=False,
    comment="Which contents of MMS are still spoken of; one that is not may go.",
)

mailboxes = Table(
    "mailboxes",
    metadata,
    Column("account", Text, primary_key=True),
    Column("unread_from", Id, nullable=False, comment="no unread event has a smaller id"),
    Column("kept_from", Id, nullable=False, comment="every event with a smaller id has been deleted"),
    Column("version", Id, nullable=False, comment="grows when an event becomes unread again"),
    comment="Where searches in a mailbox begin; its events are those of messages and reports.",
)

mailbox_marks = Table(
    "mailbox_marks",
    metadata,
    Column("account", Text, primary_key=True),
    Column("event", Id, primary_key=True, autoincrement=False),
    Column("is_read", Boolean, nullable=False),
    Column("is_deleted", Boolean, nullable=False),
    sqlite_with_rowid=False,
    comment="What a customer has done with an event of his mailbox; without a row it is unread.",
)

groups = Table(
    "groups",
    metadata,
    Column("account", Text, primary_key=True),
    Column("name", Text, primary_key=True),
)

group_members = Table(
    "group_members",
    metadata,
    Column("account", Text, primary_key=True),
    Column("group_name", Text, primary_key=True),
    Column("number", Text, primary_key=True),
    sqlite_with_rowid=False,
)

sub_accounts = Table(
    "sub_accounts",
    metadata,
    Column("account", Text, primary_key=True),
    Column("parent", Text, nullable=False, index=True),
    Column("email", Text, nullable=False),
    Column("sms_in", Text, nullable=False, comment="casefolded; empty = none"),
    Column("web_text", Text, nullable=False, comment="casefolded; empty = none"),
    Column("profile", LargeBinary, nullable=False, comment="JSON of model.account.Profile"),
)

devices = Table(
    "devices",
    metadata,
    Column("device", Text, primary_key=True, comment="number, mail address or URL"),
    Column("kind", Text, nullable=False, comment="SMS, Email or URL"),
    Column("account", Text, nullable=False, index=True),
)

ledger = Table(
    "ledger",
    metadata,
    Column(
        "id", Id, primary_key=True, autoincrement=False, comment="that of the submission, report or message"
    ),
    Column("kind", Text, nullable=False, comment="submission, report, message or credit"),
    Column("account", Text, nullable=False),
    Column("reference", Id, nullable=True, comment="the submission a report is about"),
    Column("sender", Text, nullable=False),
    Column("recipient", Text, nullable=False),
    Column("network", Text, nullable=True),
    Column("segments", SmallInteger, nullable=False),
    Column("status", Text, nullable=True),
    Column("note", Text, nullable=True),
    Column("subaccount", Text, nullable=True),
    Column("credits", Float, nullable=True, comment="change of the balance of a metered account"),
)

balances = Table(
    "balances",
    metadata,
    Column("account", Text, primary_key=True),
    Column("credits", Float, nullable=False, comment="sum of the account's ledger credits"),
)

idempotency = Table(
    "idempotency",
    metadata,
    Column("account", Text, primary_key=True),
    Column("face", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("fingerprint", Text, nullable=False),
    Column("answer", LargeBinary, nullable=False),
    Column("expires_at_ms", Id, nullable=False, index=True),
)

link_states = Table(
    "link_states",
    metadata,
    Column("node", SmallInteger, primary_key=True, autoincrement=False),
    Column("link", Text, primary_key=True),
    Column("at_ms", Id, nullable=False),
    Column("state", LargeBinary, nullable=False, comment="JSON shown by `homing links`"),
)

simulated_messages = Table(
    "simulated_messages",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("sender", Text, nullable=False),
    Column("recipient", Text, nullable=False),
    Column("text", Text, nullable=False),
    comment="Received messages that `homing simulate message` asks the simulator to send.",
)
