"""The audit log as a chain of hashes, and what is searched for in it. Rows that are there already are chained as they are."""

import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_time = sa.DateTime(timezone=True)
_AT_ONCE = 1000
_old = sa.table(
    "audit",
    sa.column("id", sa.Integer),
    sa.column("created_at", _time),
    sa.column("actor", sa.String),
    sa.column("action", sa.String),
    sa.column("kind", sa.String),
    sa.column("name", sa.String),
    sa.column("version", sa.Integer),
    sa.column("before", sa.JSON),
    sa.column("after", sa.JSON),
    sa.column("cid", sa.String),
)


def upgrade() -> None:
    connection = op.get_bind()
    # SQLite can't add what may not be empty to a table that has rows, so all of them move.
    rows = [dict(row._mapping) for row in connection.execute(sa.select(_old).order_by(_old.c.id))]
    op.drop_table("audit")
    audit = op.create_table(
        "audit",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("created_at", _time, nullable=False),
        sa.Column("actor", sa.String(200), nullable=False),
        sa.Column("address", sa.String(100), nullable=False),
        sa.Column("service", sa.String(200), nullable=False),
        sa.Column("action", sa.String(100), nullable=False),
        sa.Column("kind", sa.String(100), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("object_id", sa.Integer),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("result", sa.String(20), nullable=False),
        sa.Column("details", sa.Text, nullable=False),
        sa.Column("before", sa.JSON),
        sa.Column("after", sa.JSON),
        sa.Column("cid", sa.String(64), nullable=False),
        sa.Column("searched", sa.Text, nullable=False),
        sa.Column("previous_hash", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Index("ix_audit_kind_name", "kind", "name", "id"),
        sa.Index("ix_audit_created_at", "created_at", "id"),
        sa.Index("ix_audit_actor", "actor", "id"),
        sa.Index("ix_audit_service", "service", "id"),
        sa.Index("ix_audit_result", "result", "id"),
        sa.Index("ix_audit_cid", "cid"),
    )
    head = op.create_table(
        "audit_head",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("last_id", sa.Integer, nullable=False),
        sa.Column("last_hash", sa.String(64), nullable=False),
    )
    chained = list(_chained(rows))
    for start in range(0, len(chained), _AT_ONCE):
        op.bulk_insert(audit, chained[start : start + _AT_ONCE])
    last = chained[-1] if chained else {"id": 0, "hash": ""}
    op.bulk_insert(head, [{"id": 1, "last_id": last["id"], "last_hash": last["hash"]}])


def _chained(rows: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Number them anew: the chain has no gaps, and the old numbers may have some."""
    previous_hash = ""
    for number, row in enumerate(rows, 1):
        created_at: datetime = row["created_at"]
        created_at = created_at if created_at.tzinfo else created_at.replace(tzinfo=UTC)
        said = {
            **row,
            "id": number,
            "result": "ok",
            "created_at": created_at.astimezone(UTC).isoformat(timespec="microseconds"),
        }
        said = {name: value for name, value in said.items() if value not in ("", None)}
        text = json.dumps(said, sort_keys=True, separators=(",", ":"))
        hash = hashlib.sha256(f"{previous_hash}\n{text}".encode()).hexdigest()
        searched = "\n".join(row[name] for name in ("actor", "kind", "name", "cid")).lower()
        added = {"searched": searched, "address": "", "service": "", "object_id": None, "details": "", "result": "ok"}
        yield {**row, **added, "id": number, "created_at": created_at, "previous_hash": previous_hash, "hash": hash}
        previous_hash = hash


def downgrade() -> None:
    op.drop_table("audit_head")
    with op.batch_alter_table("audit") as audit:
        for index in ("actor", "service", "result", "cid"):
            audit.drop_index(f"ix_audit_{index}")
        for column in ("address", "service", "object_id", "result", "details", "searched", "previous_hash", "hash"):
            audit.drop_column(column)
