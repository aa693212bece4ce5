"""Run by Alembic: migrates on the connection, and in the transaction, that `zato.server.odb.schema` opened."""

from alembic import context

from zato.server.odb.tables import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,
    compare_type=True,
)
context.run_migrations()
