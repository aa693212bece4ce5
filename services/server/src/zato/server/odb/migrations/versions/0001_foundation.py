"""Objects, references, changes, audit, kinds, deployments and what workers report."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_time = sa.DateTime(timezone=True)


def upgrade() -> None:
    version = op.create_table(
        "config_version",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("version", sa.Integer, nullable=False),
    )
    op.bulk_insert(version, [{"id": 1, "version": 0}])
    op.create_table(
        "object",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("kind", sa.String(100), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("is_active", sa.Boolean, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("data", sa.JSON, nullable=False),
        sa.Column("secrets", sa.JSON, nullable=False),
        sa.Column("created_at", _time, nullable=False),
        sa.Column("updated_at", _time, nullable=False),
        sa.UniqueConstraint("kind", "name"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "object_reference",
        sa.Column("source_id", sa.Integer, sa.ForeignKey("object.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("option", sa.String(100), primary_key=True),
        sa.Column("target_id", sa.Integer, sa.ForeignKey("object.id", ondelete="RESTRICT"), nullable=False, index=True),
    )
    op.create_table(
        "change",
        sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("action", sa.String(20), nullable=False),
        sa.Column("kind", sa.String(100), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("object_id", sa.Integer),
        sa.Column("created_at", _time, nullable=False),
    )
    op.create_table(
        "audit",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("created_at", _time, nullable=False, index=True),
        sa.Column("actor", sa.String(200), nullable=False),
        sa.Column("action", sa.String(20), nullable=False),
        sa.Column("kind", sa.String(100), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("before", sa.JSON),
        sa.Column("after", sa.JSON),
        sa.Column("cid", sa.String(64), nullable=False),
        sa.Index("ix_audit_kind_name", "kind", "name"),
    )
    op.create_table(
        "kind",
        sa.Column("name", sa.String(100), primary_key=True),
        sa.Column("part", sa.String(100), nullable=False),
        sa.Column("description", sa.LargeBinary, nullable=False),
        sa.Column("registered_at", _time, nullable=False),
    )
    op.create_table(
        "deployment",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("file_name", sa.String(200), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("action", sa.String(20), nullable=False),
        sa.Column("source", sa.LargeBinary, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("created_at", _time, nullable=False),
        sa.Column("created_by", sa.String(200), nullable=False),
        sa.UniqueConstraint("file_name", "version"),
    )
    op.create_table(
        "deployment_status",
        sa.Column("server", sa.String(200), primary_key=True),
        sa.Column("pid", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("file_name", sa.String(200), primary_key=True),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("version_running", sa.Integer, nullable=False),
        sa.Column("is_ok", sa.Boolean, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("reported_at", _time, nullable=False),
    )
    op.create_table(
        "worker",
        sa.Column("server", sa.String(200), primary_key=True),
        sa.Column("pid", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("config_version", sa.Integer, nullable=False),
        sa.Column("started_at", _time, nullable=False),
        sa.Column("reported_at", _time, nullable=False),
    )
    op.create_table(
        "object_status",
        sa.Column("object_id", sa.Integer, sa.ForeignKey("object.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("reporter", sa.String(200), primary_key=True),
        sa.Column("version_applied", sa.Integer, nullable=False),
        sa.Column("is_connected", sa.Boolean, nullable=False),
        sa.Column("error", sa.Text, nullable=False),
        sa.Column("since", _time, nullable=False),
    )


def downgrade() -> None:
    for table in (
        "object_status",
        "worker",
        "deployment_status",
        "deployment",
        "kind",
        "audit",
        "change",
        "object_reference",
        "object",
        "config_version",
    ):
        op.drop_table(table)
