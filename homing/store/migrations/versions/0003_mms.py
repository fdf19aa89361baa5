"""MMS: what they carry, and which contents are still spoken of."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def _id() -> sa.types.TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    for table in ("messages", "submissions"):
        op.add_column(
            table,
            sa.Column(
                "mms", sa.LargeBinary(), nullable=True, comment="msgpack of model.mms.Mms; NULL = an SMS"
            ),
        )
    op.create_table(
        "contents",
        sa.Column("account", sa.Text(), nullable=False, comment="empty = of an unrouted message"),
        sa.Column("sha256", sa.Text(), nullable=False, comment="its name in the content store"),
        sa.Column(
            "event", _id(), autoincrement=False, nullable=False,
            comment="the message or submission it is of",
        ),
        sa.Column("expires_at_ms", _id(), nullable=False),
        sa.PrimaryKeyConstraint("account", "sha256", "event"),
        comment="Which contents of MMS are still spoken of; one that is not may go.",
        sqlite_with_rowid=False,
    )
    op.create_index("contents_by_name", "contents", ["sha256"])
    op.create_index("contents_expiring", "contents", ["expires_at_ms"])
