"""Snapshots in one SQLite file beside the process: the default at the edge."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np

from pipeline.block import Int64
from pipeline.errors import StoreError
from pipeline.stores.base import SavedRows, Snapshot

SCHEMA = 1
_TABLES = """
CREATE TABLE IF NOT EXISTS identity (id INTEGER PRIMARY KEY CHECK (id = 1), value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS fences (partition INTEGER PRIMARY KEY, "offset" INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS saves (partition INTEGER PRIMARY KEY, number INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS streams (
  partition INTEGER NOT NULL, key BLOB NOT NULL, "offset" INTEGER NOT NULL,
  time INTEGER NOT NULL, state BLOB NOT NULL, head BLOB NOT NULL,
  UNIQUE (partition, key));
"""


class SqliteStore:
    """Implements the store contract with SQLite in WAL mode.

    The file names what its states belong to: topic, fingerprint of the model, layout of the head,
    and ``head_identity``, what the head's state refers to ("" for nothing). A file that belongs to
    something else raises StoreError, unless ``on_model_change`` is ``"reset"`` and only the model
    differs: then its states are dropped and its fences kept.

    Instances may share a file, each with its own partitions. Whoever takes one up reads the
    fences; from then on a save of the instance that had it before raises StoreError.

    After a power loss SQLite may come back one write older (``synchronous=NORMAL``). That is
    harmless: an older fence means a longer replay.
    """

    def __init__(
        self,
        path: Path,
        *,
        topic: str,
        fingerprint: str,
        state_width: int,
        head_dtype: np.dtype[Any],
        head_identity: str = "",
        on_model_change: Literal["stop", "reset"] = "stop",
    ) -> None:
        self._path = path
        self._width = state_width
        self._head = head_dtype
        self._lock = threading.Lock()  # one connection, used by the loop and the snapshot thread
        model = {"fingerprint": fingerprint, "head": repr(head_dtype.descr)}
        if head_identity:
            model["refers_to"] = head_identity
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=NORMAL")
            self._db.executescript(_TABLES)
        except (OSError, sqlite3.Error) as error:
            raise StoreError(
                f"{path}: can't open the snapshots: {error}; if the file is damaged, move it "
                "away: the state is rebuilt from the log"
            ) from error
        self._adopt({"schema": SCHEMA, "topic": topic, "model": model}, on_model_change)
        self._saves: dict[int, int] = {}  # partition → its last save, as far as this store knows
        self.fences()

    def fences(self) -> Mapping[int, int]:
        """The fence of every partition that was ever saved."""
        with self._reading() as db:
            self._saves = dict(db.execute("SELECT partition, number FROM saves").fetchall())
            return dict(db.execute('SELECT partition, "offset" FROM fences').fetchall())

    def load(self, partition: int, keys: Sequence[bytes]) -> SavedRows:
        """The saved rows of those streams that have one, in any order."""
        found: list[tuple[Any, ...]] = []
        with self._reading() as db:
            for key in keys:
                found += db.execute(
                    'SELECT key, "offset", time, state, head FROM streams '
                    "WHERE partition = ? AND key = ?",
                    (partition, key),
                ).fetchall()
        return self._rows(partition, found)

    def recent(self, partition: int, limit: int) -> SavedRows:
        """Up to ``limit`` saved streams of the partition, the most recently seen first."""
        with self._reading() as db:
            found = db.execute(
                'SELECT key, "offset", time, state, head FROM streams '
                "WHERE partition = ? ORDER BY time DESC LIMIT ?",
                (partition, limit),
            ).fetchall()
        return self._rows(partition, found)

    def times(self, partition: int) -> tuple[list[bytes], Int64]:
        """The keys of all saved streams of the partition and when each had its last row [S]."""
        with self._reading() as db:
            found = db.execute(
                "SELECT key, time FROM streams WHERE partition = ?", (partition,)
            ).fetchall()
        return [bytes(row[0]) for row in found], np.array([row[1] for row in found], np.int64)

    def count(self, partition: int) -> int:
        """How many streams of the partition are saved."""
        with self._reading() as db:
            (count,) = db.execute(
                "SELECT count(*) FROM streams WHERE partition = ?", (partition,)
            ).fetchone()
        return int(count)

    def save(self, snapshot: Snapshot) -> None:
        """Write all of it or nothing."""
        partitions = {saved.partition for saved in snapshot.rows}
        with self._writing() as db, self._claimed(partitions | {*snapshot.ended, *snapshot.fences}):
            for partition, keys in snapshot.ended.items():
                db.executemany(
                    "DELETE FROM streams WHERE partition = ? AND key = ?",
                    ((partition, key) for key in keys),
                )
            for saved in snapshot.rows:
                db.executemany(
                    'INSERT INTO streams (partition, key, "offset", time, state, head) '
                    "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (partition, key) DO UPDATE SET "
                    '"offset" = excluded."offset", time = excluded.time, '
                    "state = excluded.state, head = excluded.head",
                    _records(saved),
                )
            db.executemany("INSERT OR REPLACE INTO fences VALUES (?, ?)", snapshot.fences.items())

    def forget(self, partition: int) -> None:
        """Drop the partition's streams and fence."""
        with self._writing() as db, self._claimed({partition}):
            db.execute("DELETE FROM streams WHERE partition = ?", (partition,))
            db.execute("DELETE FROM fences WHERE partition = ?", (partition,))

    def size_bytes(self) -> int:
        """What the store takes on disk, its write-ahead log included."""
        paths = (self._path, self._path.with_name(self._path.name + "-wal"))
        return sum(path.stat().st_size for path in paths if path.exists())

    def close(self) -> None:
        """Release the file; twice is fine."""
        with self._lock:
            self._db.close()

    def _adopt(self, identity: dict[str, Any], on_model_change: str) -> None:
        """Take over a file that is ours, stamp a new one, refuse a foreign one."""
        saved = self._identity()
        if saved == identity:
            return
        if saved is not None and saved["schema"] != identity["schema"]:
            raise StoreError(
                f"{self._path}: snapshot schema {saved['schema']}, this streamcell reads {SCHEMA}"
            )
        if saved is not None and saved["topic"] != identity["topic"]:
            raise StoreError(
                f"{self._path}: these snapshots are of {saved['topic']!r}, the pipeline reads "
                f"{identity['topic']!r}; give each pipeline its own state.path"
            )
        if saved is not None and on_model_change != "reset":
            raise StoreError(
                f"{self._path}: these snapshots were made by another model (its state can't be "
                "carried on; that of a speech model not with other labels, or another language "
                'model, either); set state.on_model_change = "reset" to start the streams anew, '
                "or run the model they belong to"
            )
        with self._writing() as db:
            db.execute("DELETE FROM streams")
            db.execute("INSERT OR REPLACE INTO identity VALUES (1, ?)", (json.dumps(identity),))

    @contextmanager
    def _claimed(self, partitions: Collection[int]) -> Iterator[None]:
        """Number a save within its transaction; raises StoreError where another one came between.

        A process that slept through a rebalance may wake up with a write in its hands.
        """
        numbers = {partition: self._saves.get(partition, 0) for partition in partitions}
        for partition, known in numbers.items():
            found = self._db.execute(
                "SELECT number FROM saves WHERE partition = ?", (partition,)
            ).fetchone()
            if (found[0] if found else 0) != known:
                raise StoreError(
                    f"{self._path}: another instance has saved partition {partition} since this "
                    "one took it up; start again to recover what is still this one's"
                )
        numbers = {partition: known + 1 for partition, known in numbers.items()}
        self._db.executemany("INSERT OR REPLACE INTO saves VALUES (?, ?)", numbers.items())
        yield
        self._saves |= numbers

    def _identity(self) -> dict[str, Any] | None:
        """What the file's snapshots belong to; None where the file is new."""
        with self._reading() as db:
            row = db.execute("SELECT value FROM identity").fetchone()
        if row is None:
            return None
        try:
            saved = json.loads(row[0])
            # Another schema's may lack the others, and is refused by its number.
            return {
                "schema": saved["schema"],
                "topic": saved.get("topic"),
                "model": saved.get("model"),
            }
        except (ValueError, TypeError, LookupError) as error:
            raise StoreError(
                f"{self._path}: it does not say what its snapshots belong to; the file is damaged "
                "or another program's: move it away, and the state is rebuilt from the log"
            ) from error

    def _rows(self, partition: int, found: list[tuple[Any, ...]]) -> SavedRows:
        """Decode rows; the widths were settled by the identity, so a misfit is damage."""
        keys = [bytes(row[0]) for row in found]
        sizes = (4 * self._width, self._head.itemsize)
        if any((len(row[3]), len(row[4])) != sizes for row in found):
            raise StoreError(
                f"{self._path}: saved states of partition {partition} have the wrong size; move "
                "the file away: the state is rebuilt from the log"
            )
        state = np.frombuffer(b"".join(row[3] for row in found), "<f4")
        head = np.frombuffer(b"".join(row[4] for row in found), self._head)
        return SavedRows(
            partition,
            keys,
            np.array([row[1] for row in found], np.int64),
            np.array([row[2] for row in found], np.int64),
            state.reshape(len(keys), self._width),
            head,
        )

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                yield self._db
            except sqlite3.Error as error:
                raise StoreError(f"{self._path}: can't read snapshots: {error}") from error

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                self._db.execute("BEGIN IMMEDIATE")
                try:
                    yield self._db
                    self._db.execute("COMMIT")
                finally:
                    if self._db.in_transaction:  # something failed, here or in the caller
                        self._db.execute("ROLLBACK")
            except sqlite3.Error as error:
                raise StoreError(
                    f"{self._path}: can't write snapshots: {error}; the process stops, nothing "
                    "is lost: it replays from the last snapshot when started again"
                ) from error


def _records(saved: SavedRows) -> Iterator[tuple[Any, ...]]:
    """SQLite's rows, one at a time: its interface takes nothing else."""
    state = saved.state.astype("<f4", copy=False)
    for i, key in enumerate(saved.keys):
        yield (
            saved.partition,
            key,
            int(saved.offset[i]),
            int(saved.time[i]),
            state[i].tobytes(),
            saved.head[i].tobytes(),
        )
