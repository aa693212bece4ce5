"""
Tables of the ODB.

    config_version      one row: the version that the whole configuration has
    object              whatever can be configured, its options as JSON, its secrets encrypted
    object_reference    which object uses which, by real foreign keys: what is used can't be deleted
    change              one row for each version: what changed; who follows reads from here
    audit               who did what, in the same transaction as the change; a chain of hashes
    audit_head          one row: the newest row of the audit log, and its hash
    kind                descriptions of kinds that other parts registered
    deployment          each version of each package, a single file of services or a set of files
    deployment_status   what a worker made of a deployment
    worker              which version of the configuration each worker runs
    object_status       what a part says of an object: connected or not, and why not
    job_leader          one row: which scheduler leads, in which epoch, and whether jobs are paused
    job_state           the latest fire of each job that was claimed
    account             people and programs who manage the cluster
    account_token       digests of the tokens that they show: sessions, and those they made for programs
    job_run             every run of a job: planned, started, ended, and what came out
"""

from datetime import UTC, datetime

from sqlalchemy import JSON, BigInteger, DateTime, ForeignKey, Index, LargeBinary, String, Text, TypeDecorator, UniqueConstraint
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


def utc_now() -> datetime:
    return datetime.now(UTC)


class UTCDateTime(TypeDecorator[datetime]):
    """Aware datetimes in UTC in Python, whatever the database makes of time zones."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value.astimezone(UTC) if value is not None else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None or value.tzinfo is not None:
            return value
        return value.replace(tzinfo=UTC)


class Base(DeclarativeBase):
    pass


class ConfigVersion(Base):
    __tablename__ = "config_version"

    id: Mapped[int] = mapped_column(primary_key=True)
    version: Mapped[int]


class ObjectRow(Base):
    __tablename__ = "object"
    # Who missed that an object was deleted must not take another one for it: no id is ever given again.
    __table_args__ = (UniqueConstraint("kind", "name"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(100))
    name: Mapped[str] = mapped_column(String(200))
    is_active: Mapped[bool]
    version: Mapped[int]
    data: Mapped[dict[str, object]] = mapped_column(JSON)
    secrets: Mapped[dict[str, str]] = mapped_column(JSON)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=utc_now)
    updated_at: Mapped[datetime] = mapped_column(UTCDateTime, default=utc_now, onupdate=utc_now)


class ReferenceRow(Base):
    __tablename__ = "object_reference"

    source_id: Mapped[int] = mapped_column(ForeignKey("object.id", ondelete="CASCADE"), primary_key=True)
    option: Mapped[str] = mapped_column(String(100), primary_key=True)
    target_id: Mapped[int] = mapped_column(ForeignKey("object.id", ondelete="RESTRICT"), index=True)


class ChangeRow(Base):
    __tablename__ = "change"

    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    action: Mapped[str] = mapped_column(String(20))
    kind: Mapped[str] = mapped_column(String(100))
    name: Mapped[str] = mapped_column(String(200))
    object_id: Mapped[int | None]
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=utc_now)


# Of the audit log, where it is SQLite's.
SEARCHED_INDEX = "ix_audit_searched"


class AuditRow(Base):
    """`id` is counted by the chain itself, without gaps: see zato.server.control.audit_chain."""

    __tablename__ = "audit"
    __table_args__ = (
        Index("ix_audit_kind_name", "kind", "name", "id"),
        Index("ix_audit_created_at", "created_at", "id"),
        Index("ix_audit_actor", "actor", "id"),
        Index("ix_audit_service", "service", "id"),
        Index("ix_audit_result", "result", "id"),
        Index("ix_audit_cid", "cid"),
        # Has all that a search for a text reads, a tenth of what the rows are. PostgreSQL's take no long texts, and its own
        # processes search.
        Index(SEARCHED_INDEX, "id", "searched").ddl_if(dialect="sqlite"),
    )

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    actor: Mapped[str] = mapped_column(String(200))
    address: Mapped[str] = mapped_column(String(100))
    service: Mapped[str] = mapped_column(String(200))
    action: Mapped[str] = mapped_column(String(100))
    kind: Mapped[str] = mapped_column(String(100))
    name: Mapped[str] = mapped_column(String(200))
    object_id: Mapped[int | None]
    version: Mapped[int]
    result: Mapped[str] = mapped_column(String(20))
    details: Mapped[str] = mapped_column(Text)
    before: Mapped[dict[str, object] | None] = mapped_column(JSON)
    after: Mapped[dict[str, object] | None] = mapped_column(JSON)
    cid: Mapped[str] = mapped_column(String(64))
    # What texts are looked for in: one column is read six times as fast as six.
    searched: Mapped[str] = mapped_column(Text)
    previous_hash: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(64))


class AuditHead(Base):
    """Locked by whoever adds a row. `last_id` is 0 as long as there is none."""

    __tablename__ = "audit_head"

    id: Mapped[int] = mapped_column(primary_key=True)
    last_id: Mapped[int]
    last_hash: Mapped[str] = mapped_column(String(64))


class KindRow(Base):
    __tablename__ = "kind"

    name: Mapped[str] = mapped_column(String(100), primary_key=True)
    part: Mapped[str] = mapped_column(String(100))
    description: Mapped[bytes] = mapped_column(LargeBinary)
    registered_at: Mapped[datetime] = mapped_column(UTCDateTime, default=utc_now, onupdate=utc_now)


class DeploymentRow(Base):
    """
    `file_name` is what it is deployed as: "currency.py", or "orders" for a package, whose `source` is an archive. `action` is
    "deploy", "undeploy", or "reject" when it did not pass the check and was never live. `restored_version` is the version
    whose content this one repeats, 0 for none.
    """

    __tablename__ = "deployment"
    __table_args__ = (UniqueConstraint("file_name", "version"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    file_name: Mapped[str] = mapped_column(String(200))
    version: Mapped[int]
    action: Mapped[str] = mapped_column(String(20))
    source: Mapped[bytes] = mapped_column(LargeBinary)
    digest: Mapped[str] = mapped_column(String(64))
    reason: Mapped[str] = mapped_column(Text, default="")
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=utc_now)
    created_by: Mapped[str] = mapped_column(String(200))
    upload_name: Mapped[str] = mapped_column(String(255), default="")
    address: Mapped[str] = mapped_column(String(100), default="")
    traceback: Mapped[str] = mapped_column(Text, default="")
    size: Mapped[int] = mapped_column(BigInteger, default=0)
    file_count: Mapped[int] = mapped_column(default=1)
    restored_version: Mapped[int] = mapped_column(default=0)


class DeploymentStatusRow(Base):
    __tablename__ = "deployment_status"

    server: Mapped[str] = mapped_column(String(200), primary_key=True)
    pid: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    file_name: Mapped[str] = mapped_column(String(200), primary_key=True)
    version: Mapped[int]
    version_running: Mapped[int]
    is_ok: Mapped[bool]
    reason: Mapped[str] = mapped_column(Text, default="")
    traceback: Mapped[str] = mapped_column(Text, default="")
    reported_at: Mapped[datetime] = mapped_column(UTCDateTime, default=utc_now)


class WorkerRow(Base):
    __tablename__ = "worker"

    server: Mapped[str] = mapped_column(String(200), primary_key=True)
    pid: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    config_version: Mapped[int]
    started_at: Mapped[datetime] = mapped_column(UTCDateTime, default=utc_now)
    reported_at: Mapped[datetime] = mapped_column(UTCDateTime, default=utc_now)


class ObjectStatusRow(Base):
    __tablename__ = "object_status"

    object_id: Mapped[int] = mapped_column(ForeignKey("object.id", ondelete="CASCADE"), primary_key=True)
    reporter: Mapped[str] = mapped_column(String(200), primary_key=True)
    version_applied: Mapped[int]
    is_connected: Mapped[bool]
    error: Mapped[str] = mapped_column(Text, default="")
    since: Mapped[datetime] = mapped_column(UTCDateTime, default=utc_now)


class JobLeaderRow(Base):
    """`beat` moves with each renewal: a leader whose beat stands still is taken for dead."""

    __tablename__ = "job_leader"

    id: Mapped[int] = mapped_column(primary_key=True)
    leader: Mapped[str] = mapped_column(String(200))
    epoch: Mapped[int] = mapped_column(BigInteger)
    beat: Mapped[int] = mapped_column(BigInteger)
    is_paused: Mapped[bool]
    since: Mapped[datetime] = mapped_column(UTCDateTime, default=utc_now)


class JobStateRow(Base):
    """`version` is the one of the job's definition that `last_planned_us` was planned by."""

    __tablename__ = "job_state"

    job_id: Mapped[int] = mapped_column(ForeignKey("object.id", ondelete="CASCADE"), primary_key=True, autoincrement=False)
    version: Mapped[int]
    last_planned_us: Mapped[int] = mapped_column(BigInteger)


class JobRunRow(Base):
    """
    `state` is "claimed", "running", "ok", "failed", "lost" or "skipped". Times in `_us` are microseconds since the epoch, UTC:
    the planned one is a key, and has to be the same number in every database. Runs outlive their job.
    """

    __tablename__ = "job_run"
    __table_args__ = (
        UniqueConstraint("job_id", "planned_us", "attempt"),
        Index("ix_job_run_ended_at", "ended_at"),
        Index("ix_job_run_job_name", "job_name", "id"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    job_id: Mapped[int]
    job_name: Mapped[str] = mapped_column(String(200))
    version: Mapped[int]
    planned_us: Mapped[int] = mapped_column(BigInteger)
    attempt: Mapped[int]
    trigger: Mapped[str] = mapped_column(String(20))
    missed: Mapped[int]
    epoch: Mapped[int] = mapped_column(BigInteger)
    state: Mapped[str] = mapped_column(String(20))
    not_before_us: Mapped[int] = mapped_column(BigInteger)
    claimed_at: Mapped[datetime] = mapped_column(UTCDateTime, default=utc_now)
    started_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    drift_s: Mapped[float] = mapped_column(default=0.0)
    server: Mapped[str] = mapped_column(String(200), default="")
    pid: Mapped[int] = mapped_column(default=0)
    result: Mapped[str] = mapped_column(Text, default="")
    error: Mapped[str] = mapped_column(Text, default="")
    cid: Mapped[str] = mapped_column(String(64))


class AccountRow(Base):
    __tablename__ = "account"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(100), unique=True)
    role: Mapped[str] = mapped_column(String(20))
    is_active: Mapped[bool]
    password_hash: Mapped[str] = mapped_column(String(200))
    must_change_password: Mapped[bool]
    # Encrypted; "" without a second factor. The pending one becomes it when its first code was right.
    second_factor: Mapped[str] = mapped_column(Text, default="")
    pending_second_factor: Mapped[str] = mapped_column(Text, default="")
    last_step: Mapped[int] = mapped_column(BigInteger, default=0)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=utc_now)
    signed_in_at: Mapped[datetime | None] = mapped_column(UTCDateTime)


class AccountTokenRow(Base):
    __tablename__ = "account_token"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id", ondelete="CASCADE"), index=True)
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    name: Mapped[str] = mapped_column(String(100))
    is_session: Mapped[bool]
    # "" is the account's own.
    role: Mapped[str] = mapped_column(String(20), default="")
    address: Mapped[str] = mapped_column(String(64), default="")
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=utc_now)
    expires_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    used_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
