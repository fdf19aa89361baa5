"""The PostgreSQL that the tests use is a real one, and each test has a database of its own."""

import sqlalchemy as sa


def test_sqlalchemy_and_psycopg_reach_a_real_server(postgres_url: str) -> None:
    engine = sa.create_engine(postgres_url)
    with engine.connect() as connection:
        version = connection.scalar(sa.text("SHOW server_version_num"))
    engine.dispose()
    assert int(version) >= 160000


def _make_table(url: str) -> list[str]:
    """Creates one table; returns the names of the tables that were there before."""
    engine = sa.create_engine(url)
    found = sa.inspect(engine).get_table_names()
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE mark (id bigint PRIMARY KEY)"))
    engine.dispose()
    return found


def test_a_database_starts_empty(postgres_database: str) -> None:
    assert _make_table(postgres_database) == []


def test_another_test_has_another_database(postgres_database: str) -> None:
    assert _make_table(postgres_database) == []
