"""What texts are looked for in beside the rows of the audit log, where it is the server's own process that looks."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_INDEX = "ix_audit_searched"


def upgrade() -> None:
    if op.get_context().dialect.name == "sqlite":
        op.create_index(_INDEX, "audit", ["id", "searched"])


def downgrade() -> None:
    if op.get_context().dialect.name == "sqlite":
        op.drop_index(_INDEX, "audit")
