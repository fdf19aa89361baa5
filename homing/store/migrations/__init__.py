"""The revisions of the store, for alembic; run through ``homing.store.create`` only."""
