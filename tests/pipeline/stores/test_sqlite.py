"""SQLite as a store: damage, foreign files and full disks are told apart and told clearly."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from pipeline.errors import StoreError
from pipeline.stores.base import Snapshot
from pipeline.stores.sqlite import SqliteStore
from tests.pipeline.stores.places import HEAD, WIDTH, rows


def open_store(path: Path, topic: str = "t", head: np.dtype[np.void] = HEAD) -> SqliteStore:
    """Open as the model of the tests."""
    return SqliteStore(path, topic=topic, fingerprint="f", state_width=WIDTH, head_dtype=head)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A store with one stream and a fence, closed."""
    path = tmp_path / "s.sqlite"
    store = open_store(path)
    store.save(Snapshot([rows(0, [b"a"], 1.0, 1)], {}, {0: 2}))
    store.close()
    return path


def change(path: Path, statement: str, *values: object) -> None:
    """Change the file behind the store's back."""
    db = sqlite3.connect(path)
    db.execute(statement, values)
    db.commit()
    db.close()


def test_a_file_that_is_no_database_is_damage(path: Path) -> None:
    """The message says what to do, and the file is left as it is for whoever looks at it."""
    path.write_bytes(b"not a database, but long enough to be looked at" * 100)
    before = path.read_bytes()
    with pytest.raises(StoreError, match="move it away: the state is rebuilt from the log"):
        open_store(path)
    assert path.read_bytes() == before


def test_a_damaged_page_is_told_when_it_is_read(path: Path) -> None:
    """Not as a stream that was never saved."""
    store = open_store(path)
    store.save(Snapshot([rows(0, [b"s%d" % at for at in range(500)], 1.0, 1)], {}, {}))
    store.close()
    data = bytearray(path.read_bytes())
    data[4096 * 4 :] = b"\x5a" * (len(data) - 4096 * 4)
    path.write_bytes(data)
    with pytest.raises(StoreError, match=r"s\.sqlite"):
        open_store(path).load(0, [b"s%d" % at for at in range(500)])


@pytest.mark.parametrize("column", ["state", "head"])
def test_a_row_of_the_wrong_size_is_damage(path: Path, column: str) -> None:
    """The message names the partition and says what to do."""
    change(path, f"UPDATE streams SET {column} = ?", b"\0" * 5)  # noqa: S608 - a fixed name
    store = open_store(path)
    damage = "partition 0 have the wrong size; move the file away"
    with pytest.raises(StoreError, match=damage):
        store.load(0, [b"a"])
    with pytest.raises(StoreError, match=damage):
        store.recent(0, 1)
    store.close()


@pytest.mark.parametrize(
    "identity", ["", "{", "[]", "null", "{}", '{"schema": 1}', '{"schema": 1, "topic": "t"}']
)
def test_an_identity_that_cannot_be_read_is_damage(path: Path, identity: str) -> None:
    """Whatever is in its place."""
    change(path, "UPDATE identity SET value = ?", identity)
    with pytest.raises(StoreError, match=r"s\.sqlite"):
        open_store(path)


def test_a_database_of_something_else_is_refused(tmp_path: Path) -> None:
    """Its tables only look alike."""
    path = tmp_path / "other.sqlite"
    change(path, "CREATE TABLE identity (name TEXT)")
    with pytest.raises(StoreError, match=r"other\.sqlite"):
        open_store(path)


def test_another_topics_snapshots_are_refused(path: Path) -> None:
    """Even where states may be reset: it is another pipeline's file."""
    with pytest.raises(StoreError, match=r"of 't', the pipeline reads 'u'.*own state\.path"):
        open_store(path, topic="u")


def test_a_newer_schema_is_refused(path: Path) -> None:
    """An older streamcell must not write into it."""
    change(path, "UPDATE identity SET value = ?", json.dumps({"schema": 2, "topic": "t"}))
    with pytest.raises(StoreError, match="snapshot schema 2, this streamcell reads 1"):
        open_store(path)


def test_another_head_is_another_model(path: Path) -> None:
    """Its rows have the same size, and mean something else."""
    head = np.dtype([("count", "i8"), ("mean", "f4", (2,))])
    with pytest.raises(StoreError, match="another model"):
        open_store(path, head=head)


def test_what_a_head_refers_to_is_a_part_of_the_model(path: Path) -> None:
    """One that refers to nothing reads the files of before; another one's numbers are refused."""

    def opened(identity: str, on_model_change: Literal["stop", "reset"] = "stop") -> int:
        store = SqliteStore(
            path,
            topic="t",
            fingerprint="f",
            state_width=WIDTH,
            head_dtype=HEAD,
            head_identity=identity,
            on_model_change=on_model_change,
        )
        streams = store.count(0)
        store.close()
        return streams

    assert opened("") == 1
    with pytest.raises(StoreError, match="another language model"):
        opened("tables")
    assert opened("tables", "reset") == 0
    assert opened("tables") == 0
    with pytest.raises(StoreError, match="another model"):
        opened("other tables")


def test_a_full_disk_stops_the_save_and_keeps_what_was_there(path: Path) -> None:
    """The error says that nothing is lost, and with room again the next save goes through."""
    store = open_store(path)
    (pages,) = store._db.execute("PRAGMA page_count").fetchone()
    store._db.execute(f"PRAGMA max_page_count = {pages}")
    big = Snapshot([rows(0, [b"s%d" % at for at in range(5000)], 2.0, 5)], {0: [b"a"]}, {0: 6})
    with pytest.raises(StoreError, match=r"full.*nothing is lost"):
        store.save(big)
    assert store.fences() == {0: 2}
    assert store.load(0, [b"a"]).offset.tolist() == [1]
    store._db.execute("PRAGMA max_page_count = 1000000")
    store.save(big)
    assert store.count(0) == 5000
    store.close()


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    """Where a file is in its place."""
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreError, match="can't open the snapshots"):
        open_store(tmp_path / "file" / "s.sqlite")


def test_using_a_closed_store_is_an_error_of_the_store(path: Path) -> None:
    """Not one of SQLite's, which nobody up there handles."""
    store = open_store(path)
    store.close()
    with pytest.raises(StoreError):
        store.fences()
    with pytest.raises(StoreError):
        store.save(Snapshot((), {}, {0: 3}))


def test_two_processes_on_one_file_wait_for_each_other(path: Path) -> None:
    """As when two instances on one machine share a store, each with its own partitions."""
    first, second = open_store(path), open_store(path)
    for n in range(10):
        first.save(Snapshot([rows(0, [b"a"], n, n)], {}, {0: n}))
        second.save(Snapshot([rows(1, [b"a"], n, n)], {}, {1: n}))
    assert first.fences() == second.fences() == {0: 9, 1: 9}
    first.close()
    second.close()


def test_an_instance_that_was_taken_over_saves_nothing_more(path: Path) -> None:
    """A process that slept through a rebalance may wake up with a write in its hands."""
    sleeper = open_store(path)
    sleeper.save(Snapshot([rows(0, [b"a"], 2.0, 5)], {}, {}))
    owner = open_store(path)
    assert owner.fences() == {0: 2}
    owner.save(Snapshot([rows(0, [b"a"], 3.0, 9)], {}, {0: 10}))
    for late in (
        Snapshot([rows(0, [b"a"], 2.0, 6)], {}, {}),
        Snapshot((), {0: [b"a"]}, {}),
        Snapshot((), {}, {0: 7}),
    ):
        with pytest.raises(StoreError, match="another instance has saved partition 0"):
            sleeper.save(late)
    with pytest.raises(StoreError, match="another instance has saved partition 0"):
        sleeper.forget(0)
    assert owner.fences() == {0: 10}
    assert owner.load(0, [b"a"]).offset.tolist() == [9]
    owner.save(Snapshot([rows(0, [b"a"], 4.0, 11)], {}, {0: 12}))
    sleeper.save(Snapshot((), {}, {1: 3}))  # what is still its own
    owner.close()
    sleeper.close()


def test_whoever_reads_the_fences_anew_may_save_again(path: Path) -> None:
    """As when a partition goes to another instance and comes back."""
    first, second = open_store(path), open_store(path)
    for n in range(3, 6):
        for store in (first, second):
            assert store.fences()[0] >= 2
            store.save(Snapshot([rows(0, [b"a"], n, n)], {}, {0: n}))
    assert first.fences() == {0: 5}
    first.close()
    second.close()
