"""What was uploaded, from where, how large it is, which version it repeats, and the traceback of what was refused."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_ADDED: tuple[tuple[str, sa.types.TypeEngine[Any], str], ...] = (
    ("upload_name", sa.String(255), ""),
    ("address", sa.String(100), ""),
    ("traceback", sa.Text(), ""),
    ("size", sa.BigInteger(), "0"),
    ("file_count", sa.Integer(), "1"),
    ("restored_version", sa.Integer(), "0"),
)


def upgrade() -> None:
    with op.batch_alter_table("deployment") as deployment:
        for name, kind, default in _ADDED:
            deployment.add_column(sa.Column(name, kind, nullable=False, server_default=default))
    with op.batch_alter_table("deployment_status") as status:
        status.add_column(sa.Column("traceback", sa.Text, nullable=False, server_default=""))
    op.execute("UPDATE deployment SET upload_name = file_name, size = length(source)")
    # Rows that are there have their values; from now on the server gives them.
    with op.batch_alter_table("deployment") as deployment:
        for name, kind, _ in _ADDED:
            deployment.alter_column(name, existing_type=kind, existing_nullable=False, server_default=None)
    with op.batch_alter_table("deployment_status") as status:
        status.alter_column("traceback", existing_type=sa.Text(), existing_nullable=False, server_default=None)


def downgrade() -> None:
    with op.batch_alter_table("deployment") as deployment:
        for name, _, _ in _ADDED:
            deployment.drop_column(name)
    with op.batch_alter_table("deployment_status") as status:
        status.drop_column("traceback")
