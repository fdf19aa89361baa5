"""The mailbox, groups of recipients, and accounts made by other accounts."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def _id() -> sa.types.TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column(
        "messages",
        sa.Column(
            "carrier_code", sa.Text(), nullable=True, comment="MCC and MNC of the sender's network"
        ),
    )
    op.create_table(
        "mailboxes",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("unread_from", _id(), nullable=False, comment="no unread event has a smaller id"),
        sa.Column("kept_from", _id(), nullable=False, comment="every event with a smaller id has been deleted"),
        sa.Column("version", _id(), nullable=False, comment="grows when an event becomes unread again"),
        sa.PrimaryKeyConstraint("account"),
        comment="Where searches in a mailbox begin; its events are those of messages and reports.",
    )
    op.create_table(
        "mailbox_marks",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("event", _id(), autoincrement=False, nullable=False),
        sa.Column("is_read", sa.Boolean(), nullable=False),
        sa.Column("is_deleted", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("account", "event"),
        comment="What a customer has done with an event of his mailbox; without a row it is unread.",
        sqlite_with_rowid=False,
    )
    op.create_table(
        "groups",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("account", "name"),
    )
    op.create_table(
        "group_members",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("group_name", sa.Text(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("account", "group_name", "number"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "sub_accounts",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("parent", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("sms_in", sa.Text(), nullable=False, comment="casefolded; empty = none"),
        sa.Column("web_text", sa.Text(), nullable=False, comment="casefolded; empty = none"),
        sa.Column("profile", sa.LargeBinary(), nullable=False, comment="JSON of model.account.Profile"),
        sa.PrimaryKeyConstraint("account"),
    )
    op.create_index("ix_sub_accounts_parent", "sub_accounts", ["parent"])
    op.create_table(
        "devices",
        sa.Column("device", sa.Text(), nullable=False, comment="number, mail address or URL"),
        sa.Column("kind", sa.Text(), nullable=False, comment="SMS, Email or URL"),
        sa.Column("account", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("device"),
    )
    op.create_index("ix_devices_account", "devices", ["account"])
