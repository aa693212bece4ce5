"""Which scheduler leads, the latest fire of each job, and runs of jobs."""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_time = sa.DateTime(timezone=True)


def upgrade() -> None:
    leader = op.create_table(
        "job_leader",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("leader", sa.String(200), nullable=False),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        sa.Column("beat", sa.BigInteger, nullable=False),
        sa.Column("is_paused", sa.Boolean, nullable=False),
        sa.Column("since", _time, nullable=False),
    )
    first = {"id": 1, "leader": "", "epoch": 0, "beat": 0, "is_paused": False, "since": datetime.now(UTC)}
    op.bulk_insert(leader, [first])
    op.create_table(
        "job_state",
        sa.Column("job_id", sa.Integer, sa.ForeignKey("object.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("last_planned_us", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "job_run",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("job_id", sa.Integer, nullable=False),
        sa.Column("job_name", sa.String(200), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("planned_us", sa.BigInteger, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("trigger", sa.String(20), nullable=False),
        sa.Column("missed", sa.Integer, nullable=False),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("not_before_us", sa.BigInteger, nullable=False),
        sa.Column("claimed_at", _time, nullable=False),
        sa.Column("started_at", _time),
        sa.Column("ended_at", _time),
        sa.Column("drift_s", sa.Double, nullable=False),
        sa.Column("server", sa.String(200), nullable=False),
        sa.Column("pid", sa.Integer, nullable=False),
        sa.Column("result", sa.Text, nullable=False),
        sa.Column("error", sa.Text, nullable=False),
        sa.Column("cid", sa.String(64), nullable=False),
        sa.UniqueConstraint("job_id", "planned_us", "attempt"),
        sa.Index("ix_job_run_ended_at", "ended_at"),
        sa.Index("ix_job_run_job_name", "job_name", "id"),
        sqlite_autoincrement=True,
    )


def downgrade() -> None:
    for table in ("job_run", "job_state", "job_leader"):
        op.drop_table(table)
