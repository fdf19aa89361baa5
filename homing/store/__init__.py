"""The store: tables and questions for SQLite and PostgreSQL, and the journal that commits in groups."""
