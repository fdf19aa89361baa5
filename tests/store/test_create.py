"""Stores are created by whoever comes first, changed only when asked, and are what ``tables.py`` says."""

import threading
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, text

from homing.model.errors import StoreUnavailable
from homing.store.create import (
    REVISIONS,
    StoreOutdated,
    alembic_config,
    open_store,
    revision,
    upgrade,
)
from homing.store.database import Database
from homing.store.tables import metadata


def test_an_empty_store_is_created_once(store_url: str) -> None:
    database = open_store(store_url)
    assert revision(database) == REVISIONS[-1]
    assert database.fact("directory_version") == 1
    database.close()
    again = open_store(store_url)
    assert upgrade(again) == (REVISIONS[-1], REVISIONS[-1])
    again.close()


def test_many_who_come_at_once_find_one_store(store_url: str) -> None:
    outcomes: list[object] = []

    def come() -> None:
        try:
            database = open_store(store_url)
            outcomes.append(revision(database))
            database.close()
        except Exception as error:
            outcomes.append(error)

    threads = [threading.Thread(target=come) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes == [REVISIONS[-1]] * 6


def test_the_revisions_make_what_the_program_reads_and_writes(database: Database) -> None:
    with database.reading() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_the_revisions_make_the_very_tables_and_indexes(tmp_path: Path) -> None:
    """On SQLite the text of every definition can be compared: rowids, partial indexes and all."""
    database = open_store(f"sqlite:///{tmp_path / 'homing.db'}")
    engine = create_engine("sqlite://")
    metadata.create_all(engine)
    question = text("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'alembic%'")
    with database.reading() as made, engine.connect() as said:
        assert sorted(map(_words, made.execute(question))) == sorted(map(_words, said.execute(question)))
    database.close()
    engine.dispose()


def _words(row: tuple[str, str]) -> tuple[str, list[str]]:
    """A definition whose clauses may stand in any order."""
    return row[0], sorted(row[1].replace(",", " ").split())


def test_the_list_of_revisions_is_complete() -> None:
    scripts = ScriptDirectory.from_config(alembic_config())
    assert [script.revision for script in scripts.walk_revisions()][::-1] == list(REVISIONS)


@pytest.mark.parametrize(("found", "words"), [("0000", "newer"), (REVISIONS[-1], None)])
def test_a_store_of_another_revision_is_refused(store_url: str, found: str, words: str | None) -> None:
    database = open_store(store_url)
    with database.writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :found"), {"found": found})
    database.close()
    if words is None:
        open_store(store_url).close()
        return
    for migrate in (False, True):
        with pytest.raises(StoreOutdated, match=words):
            open_store(store_url, migrate=migrate)


def test_an_older_store_is_changed_only_when_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"sqlite:///{tmp_path / 'homing.db'}"
    open_store(url).close()
    monkeypatch.setattr("homing.store.create.REVISIONS", (*REVISIONS, "9999"))
    with pytest.raises(StoreOutdated, match="homing migrate"):
        open_store(url)


def test_a_store_that_cannot_be_made_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnavailable, match="file"):
        open_store(f"sqlite:///{tmp_path / 'file' / 'homing.db'}")


def test_a_new_file_is_for_its_owner(tmp_path: Path) -> None:
    open_store(f"sqlite:///{tmp_path / 'homing.db'}").close()
    assert (tmp_path / "homing.db").stat().st_mode & 0o077 == 0
