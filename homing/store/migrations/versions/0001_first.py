"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "accounts",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("inbound_password_hash", sa.Text(), nullable=False),
        sa.Column("api_key_hash", sa.Text(), nullable=False),
        sa.Column("token", sa.Text(), nullable=False),
        sa.Column("disabled", sa.Boolean(), nullable=False),
        sa.Column("allowed_addresses", sa.Text(), nullable=False, comment="JSON list of networks"),
        sa.Column("metered", sa.Boolean(), nullable=False, comment="has a credit line; else unlimited"),
        sa.Column("created_at_ms", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.PrimaryKeyConstraint("name"),
        sa.UniqueConstraint("api_key_hash"),
        sa.UniqueConstraint("token"),
    )
    op.create_table(
        "attempts",
        sa.Column(
            "event", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("endpoint", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("number", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("at_ms", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("status", sa.SmallInteger(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("answer", sa.LargeBinary(), nullable=True),
        sa.Column("took_ms", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("event", "endpoint", "number"),
        comment="Attempts that did not deliver; the one that did stands in its delivery.",
        sqlite_with_rowid=False,
    )
    op.create_table(
        "balances",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("credits", sa.Float(), nullable=False, comment="sum of the account's ledger credits"),
        sa.PrimaryKeyConstraint("account"),
    )
    op.create_table(
        "deliveries",
        sa.Column(
            "event", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("endpoint", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column(
            "kind", sa.Text(), nullable=False, comment="message or report: which table the event is in"
        ),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("state", sa.SmallInteger(), nullable=False),
        sa.Column(
            "attempt",
            sa.SmallInteger(),
            nullable=False,
            comment="number of the next, or of the last, attempt",
        ),
        sa.Column(
            "first_attempt",
            sa.SmallInteger(),
            nullable=False,
            comment="where the present round of attempts began",
        ),
        sa.Column(
            "next_attempt_at_ms",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=False,
            comment="also the end of the claim's lease",
        ),
        sa.Column("claim_node", sa.SmallInteger(), nullable=True),
        sa.Column("claim_life", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("status", sa.SmallInteger(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("answer", sa.LargeBinary(), nullable=True),
        sa.Column("took_ms", sa.Integer(), nullable=True),
        sa.Column("finished_at_ms", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.PrimaryKeyConstraint("event", "endpoint"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "deliveries_dead",
        "deliveries",
        ["endpoint", "event"],
        unique=False,
        sqlite_where=sa.text("state = 2"),
        postgresql_where=sa.text("state = 2"),
    )
    op.create_index(
        "deliveries_due",
        "deliveries",
        ["endpoint", "next_attempt_at_ms"],
        unique=False,
        sqlite_where=sa.text("state = 0"),
        postgresql_where=sa.text("state = 0"),
    )
    op.create_table(
        "endpoints",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("definition", sa.LargeBinary(), nullable=False, comment="JSON of model.account.Endpoint"),
        sa.Column("removed_at_ms", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_endpoints_account"), "endpoints", ["account"], unique=False)
    op.create_table(
        "facts",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.PrimaryKeyConstraint("name"),
        comment="Single numbers, such as the version of the directory that nodes watch.",
    )
    op.create_table(
        "idempotency",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("face", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("answer", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at_ms", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.PrimaryKeyConstraint("account", "face", "key"),
    )
    op.create_index(op.f("ix_idempotency_expires_at_ms"), "idempotency", ["expires_at_ms"], unique=False)
    op.create_table(
        "ledger",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
            comment="that of the submission, report or message",
        ),
        sa.Column("kind", sa.Text(), nullable=False, comment="submission, report, message or credit"),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column(
            "reference",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=True,
            comment="the submission a report is about",
        ),
        sa.Column("sender", sa.Text(), nullable=False),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("network", sa.Text(), nullable=True),
        sa.Column("segments", sa.SmallInteger(), nullable=False),
        sa.Column("status", sa.Text(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("subaccount", sa.Text(), nullable=True),
        sa.Column("credits", sa.Float(), nullable=True, comment="change of the balance of a metered account"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "link_states",
        sa.Column("node", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("link", sa.Text(), nullable=False),
        sa.Column("at_ms", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("state", sa.LargeBinary(), nullable=False, comment="JSON shown by `homing links`"),
        sa.PrimaryKeyConstraint("node", "link"),
    )
    op.create_table(
        "messages",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("at_ms", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("link", sa.Text(), nullable=False),
        sa.Column("sender", sa.Text(), nullable=False),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=True, comment="NULL = unrouted"),
        sa.Column("coding", sa.SmallInteger(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.Column("udh", sa.LargeBinary(), nullable=False),
        sa.Column("network", sa.Text(), nullable=True),
        sa.Column("parts", sa.SmallInteger(), nullable=False),
        sa.Column("expected_parts", sa.SmallInteger(), nullable=False),
        sa.Column(
            "part_of",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=True,
            comment="id of the joined message this is a part of",
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("messages_of_account", "messages", ["account", "id"], unique=False)
    op.create_index(
        "messages_of_group",
        "messages",
        ["part_of"],
        unique=False,
        sqlite_where=sa.text("part_of IS NOT NULL"),
        postgresql_where=sa.text("part_of IS NOT NULL"),
    )
    op.create_table(
        "numbers",
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("keyword", sa.Text(), nullable=False, comment="casefolded; empty = the default owner"),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("network", sa.Text(), nullable=True),
        sa.Column("carrier_code", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("number", "keyword"),
    )
    op.create_table(
        "parked_receipts",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("id_key", sa.Text(), nullable=False),
        sa.Column("link", sa.Text(), nullable=False),
        sa.Column("at_ms", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("receipt", sa.LargeBinary(), nullable=False, comment="msgpack of model.report.Receipt"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("parked_receipts_by_link_id", "parked_receipts", ["scope", "id_key"], unique=False)
    op.create_table(
        "part_groups",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
            comment="id of the joined message",
        ),
        sa.Column("key", sa.Text(), nullable=False, comment="sender, recipient, reference, total"),
        sa.Column("total", sa.SmallInteger(), nullable=False),
        sa.Column("link", sa.Text(), nullable=False),
        sa.Column(
            "due_at_ms",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=False,
            comment="when what there is gets handed over",
        ),
        sa.Column("done", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("part_groups_by_key", "part_groups", ["key"], unique=False)
    op.create_index("part_groups_due", "part_groups", ["due_at_ms"], unique=False)
    op.create_table(
        "parts",
        sa.Column(
            "group_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("number", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("message", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.PrimaryKeyConstraint("group_id", "number"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "receipts",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("submission", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("segment", sa.SmallInteger(), nullable=False),
        sa.Column("link", sa.Text(), nullable=False),
        sa.Column("at_ms", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("word", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("err", sa.Text(), nullable=False),
        sa.Column("spelling", sa.Text(), nullable=False, comment="how the id had to be read to match"),
        sa.Column("raw", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_receipts_submission"), "receipts", ["submission"], unique=False)
    op.create_table(
        "reports",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("submission", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("at_ms", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("err", sa.Text(), nullable=False),
        sa.Column("sequence", sa.SmallInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_reports_submission"), "reports", ["submission"], unique=False)
    op.create_index("reports_of_account", "reports", ["account", "id"], unique=False)
    op.create_table(
        "segments",
        sa.Column(
            "submission",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("number", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("link", sa.Text(), nullable=False),
        sa.Column(
            "scope", sa.Text(), nullable=False, comment="the SMSC account within which its ids are unique"
        ),
        sa.Column("link_message_id", sa.Text(), nullable=False),
        sa.Column("id_key", sa.Text(), nullable=False, comment="canonical spelling of link_message_id"),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at_ms", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.PrimaryKeyConstraint("submission", "number"),
        sqlite_with_rowid=False,
    )
    op.create_index("segments_by_link_id", "segments", ["scope", "id_key"], unique=False)
    op.create_table(
        "simulated_messages",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("sender", sa.Text(), nullable=False),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        comment="Received messages that `homing simulate message` asks the simulator to send.",
    )
    op.create_table(
        "submissions",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("sender", sa.Text(), nullable=False),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False, comment="msgpack of the segments"),
        sa.Column("segment_count", sa.SmallInteger(), nullable=False),
        sa.Column("report_bits", sa.SmallInteger(), nullable=False),
        sa.Column("validity_s", sa.Integer(), nullable=True),
        sa.Column("flash", sa.Boolean(), nullable=False),
        sa.Column("single_shot", sa.Boolean(), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("subaccount", sa.Text(), nullable=True),
        sa.Column("not_before_ms", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("report_count", sa.SmallInteger(), nullable=False),
        sa.Column("link", sa.Text(), nullable=True),
        sa.Column("sent_at_ms", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("claim_node", sa.SmallInteger(), nullable=True),
        sa.Column(
            "claim_life",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=True,
            comment="incarnation of the claiming node",
        ),
        sa.Column("claim_until_ms", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "submissions_awaiting_receipt",
        "submissions",
        ["link", "sent_at_ms"],
        unique=False,
        sqlite_where=sa.text("status IN ('SENT', 'BUFFERED')"),
        postgresql_where=sa.text("status IN ('SENT', 'BUFFERED')"),
    )
    op.create_index("submissions_of_account", "submissions", ["account", "id"], unique=False)
    op.create_index(
        "submissions_waiting",
        "submissions",
        ["not_before_ms", "id"],
        unique=False,
        sqlite_where=sa.text("status = 'ACCEPTED'"),
        postgresql_where=sa.text("status = 'ACCEPTED'"),
    )
    op.execute("INSERT INTO facts (name, value) VALUES ('directory_version', 1)")
