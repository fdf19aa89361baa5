"""The store: one set of tables and questions for SQLite and PostgreSQL, and the journal that commits in groups."""
