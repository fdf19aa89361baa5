"""What alembic runs to bring a store up to date, inside the transaction that ``store/create.py`` began."""

from alembic import context

from homing.store.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
