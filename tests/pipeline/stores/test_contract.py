"""The contract of every snapshot store: what is saved is loaded, all of it or nothing."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import StoreError
from pipeline.stores.base import SavedRows, Snapshot, Store
from tests.pipeline.stores.places import HEAD, PLACES, WIDTH, Place, make_place, rows
from tests.pipeline.stores.writer import KEYS
from tests.processes import gone_afterwards
from tests.shared import REPOSITORY

keys = st.sampled_from([b"a", b"a\0", b"\xff", b"", "é".encode(), b"k" * 1024])
floats = st.floats(width=32)  # NaN, infinities and both zeros among them
integers = st.integers(-(2**63), 2**63 - 1)


@pytest.fixture(params=PLACES)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """An empty place of each kind."""
    return make_place(request.param, request, tmp_path)


@pytest.fixture
def store(place: Place) -> Iterator[Store]:
    """An empty store."""
    made = place.open()
    yield made
    made.close()


def loaded(found: SavedRows) -> dict[bytes, tuple[int, int, bytes, bytes]]:
    """Every stream's offset, time, and the bytes of state and head."""
    assert found.state.shape == (len(found.keys), WIDTH)
    assert found.state.dtype == np.float32
    assert found.head.dtype == HEAD
    assert len(set(found.keys)) == len(found.keys)
    return {
        key: (
            int(found.offset[at]),
            int(found.time[at]),
            found.state[at].tobytes(),
            found.head[at].tobytes(),
        )
        for at, key in enumerate(found.keys)
    }


def test_an_empty_store_has_nothing(store: Store) -> None:
    """Not even fences."""
    assert store.fences() == {}
    assert store.count(0) == 0
    assert loaded(store.load(0, [b"a"])) == {}
    assert loaded(store.recent(0, 10)) == {}


@st.composite
def snapshots(draw: st.DrawFn) -> Snapshot:
    """Any snapshot of two partitions."""
    saved = []
    for partition in draw(st.sets(st.integers(0, 1))):
        names = draw(st.lists(keys, unique=True))
        count = len(names)
        head = np.zeros(count, HEAD)
        head["rows"] = draw(st.lists(integers, min_size=count, max_size=count))
        state = draw(st.lists(floats, min_size=count * WIDTH, max_size=count * WIDTH))
        saved.append(
            SavedRows(
                partition,
                names,
                np.array(draw(st.lists(integers, min_size=count, max_size=count)), np.int64),
                np.array(draw(st.lists(integers, min_size=count, max_size=count)), np.int64),
                np.array(state, np.float32).reshape(count, WIDTH),
                head,
            )
        )
    ended = draw(st.dictionaries(st.integers(0, 1), st.sets(keys)))
    fences = draw(st.dictionaries(st.integers(0, 1), st.integers(0, 2**62)))
    return Snapshot(saved, ended, fences)


@pytest.mark.parametrize("kind", PLACES)
@settings(max_examples=40, deadline=None)
@given(history=st.lists(snapshots(), max_size=4))
def test_what_was_saved_is_loaded_to_the_bit(
    kind: str,
    history: list[Snapshot],
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """Ends before rows, the last row wins, and a restarted process finds the same."""
    place = make_place(kind, request, tmp_path_factory.mktemp("place"))
    store = place.open()
    expected: dict[int, dict[bytes, tuple[int, int, bytes, bytes]]] = {0: {}, 1: {}}
    fences: dict[int, int] = {}
    for snapshot in history:
        store.save(snapshot)
        for partition, names in snapshot.ended.items():
            for name in names:
                expected[partition].pop(name, None)
        for part in snapshot.rows:
            expected[part.partition] |= loaded(part)
        fences |= snapshot.fences
    store.close()
    store = place.open()
    assert store.fences() == fences
    for partition, streams in expected.items():
        assert store.count(partition) == len(streams)
        assert loaded(store.load(partition, [*streams, b"unknown"])) == streams
        assert loaded(store.recent(partition, 100)) == streams
    store.close()


def test_recent_gives_the_streams_seen_last(store: Store) -> None:
    """The latest first, and only of the partition asked for."""
    for offset, key in ((5, b"old"), (9, b"newest"), (7, b"mid")):
        store.save(Snapshot([rows(0, [key], 1.0, offset)], {}, {}))
    store.save(Snapshot([rows(1, [b"other"], 1.0, 99)], {}, {}))
    assert store.recent(0, 2).keys == [b"newest", b"mid"]
    assert store.recent(0, 0).keys == []


def test_times_are_those_of_all_streams_of_a_partition(store: Store) -> None:
    """As last saved; none where nothing is."""
    first, second = rows(0, [b"a", b"b"], 1.0, 1), rows(0, [b"b"], 2.0, 7)
    store.save(Snapshot([first, rows(1, [b"c"], 1.0, 3)], {}, {}))
    store.save(Snapshot([second], {}, {}))
    keys, times = store.times(0)
    assert dict(zip(keys, times.tolist(), strict=True)) == {
        b"a": first.time[0],
        b"b": second.time[0],
    }
    assert store.times(2)[0] == []


def test_forget_drops_one_partition(store: Store) -> None:
    """Streams and fence; the other partition stays, and a second time changes nothing."""
    store.save(Snapshot([rows(p, [b"a"], 1.0, 1) for p in (0, 1)], {}, {0: 2, 1: 2}))
    for _ in range(2):
        store.forget(0)
        assert store.fences() == {1: 2}
        assert (store.count(0), store.count(1)) == (0, 1)


def test_what_was_loaded_is_the_callers(store: Store) -> None:
    """Rows in hand do not change with the next save."""
    store.save(Snapshot([rows(0, [b"a"], 1.0, 1)], {}, {}))
    found = store.load(0, [b"a"])
    store.save(Snapshot([rows(0, [b"a"], 2.0, 2)], {}, {}))
    assert found.state.tolist() == [[1.0] * WIDTH]


def test_size_grows_with_what_is_saved(store: Store) -> None:
    """It is what the metric shows."""
    before = store.size_bytes()
    store.save(Snapshot([rows(0, [b"s%d" % at for at in range(5000)], 1.0, 1)], {}, {}))
    assert store.size_bytes() > before + 5000 * WIDTH * 4


def test_closing_twice_is_fine(place: Place) -> None:
    """As every part's close."""
    store = place.open()
    store.close()
    store.close()


def test_a_snapshot_that_fails_midway_leaves_no_trace(store: Store) -> None:
    """Whatever was wrong with it, and the next save goes through."""
    store.save(Snapshot([rows(0, [b"a"], 1.0, 1)], {}, {0: 2}))
    good, short = rows(0, [b"a", b"b"], 2.0, 5), rows(0, [b"c"], 2.0, 5)
    broken = SavedRows(0, [b"c", b"d"], short.offset, short.time, short.state, short.head)
    with pytest.raises((StoreError, IndexError, ValueError)):
        store.save(Snapshot([good, broken], {0: [b"a"]}, {0: 6}))
    assert store.fences() == {0: 2}
    assert loaded(store.recent(0, 10)) == loaded(rows(0, [b"a"], 1.0, 1))
    store.save(Snapshot([good], {}, {0: 6}))
    assert store.fences() == {0: 6}


def test_another_models_snapshots_are_refused(place: Place) -> None:
    """Its states mean nothing to this one; the message names the setting that goes on."""
    store = place.open()
    store.save(Snapshot([rows(0, [b"a"], 1.0, 1)], {}, {0: 2}))
    store.close()
    with pytest.raises(StoreError, match='on_model_change = "reset"'):
        place.open(fingerprint="other")
    again = place.open()
    assert again.count(0) == 1
    again.close()


def test_on_model_change_reset_drops_states_and_keeps_fences(place: Place) -> None:
    """The rows before the fence are done, and the new model is what the store is for now."""
    store = place.open()
    store.save(Snapshot([rows(0, [b"a"], 1.0, 1)], {}, {0: 2}))
    store.close()
    other = place.open(fingerprint="other", on_model_change="reset")
    assert other.count(0) == 0
    assert other.fences() == {0: 2}
    other.close()
    place.open(fingerprint="other").close()
    with pytest.raises(StoreError):
        place.open()


def test_reading_goes_on_while_another_thread_saves(store: Store) -> None:
    """Every load sees one snapshot, never a mixture of two."""
    names = [b"s%d" % at for at in range(200)]
    store.save(Snapshot([rows(0, names, 0.0, 0)], {}, {0: 0}))
    failed: list[BaseException] = []

    def save() -> None:
        try:
            for n in range(1, 30):
                store.save(Snapshot([rows(0, names, n, n)], {}, {0: n}))
        except BaseException as error:
            failed.append(error)

    saver = threading.Thread(target=save)
    saver.start()
    before = 0
    while True:
        last = not saver.is_alive()
        found = store.load(0, names)
        assert len(found.keys) == len(names)
        (n,) = set(found.offset.tolist())
        assert n >= before
        assert (found.state == n).all()
        assert store.count(0) == len(names)
        before = n
        if last:
            break
    saver.join(60)
    assert not failed
    assert before == 29


@pytest.mark.parametrize("saves", [0, 1, 4])
def test_a_killed_process_leaves_a_whole_snapshot(place: Place, saves: int) -> None:
    """SIGKILL at any moment of a save: all of it is there, or all of the one before."""
    command = [sys.executable, "-m", "tests.pipeline.stores.writer", place.kind, place.location]
    said = 0
    for extra in range(2):  # the second process goes on where the first was killed
        started = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=REPOSITORY)
        with gone_afterwards(started) as process:
            assert process.stdout is not None
            for _ in range(saves + extra + 1):
                said = int(process.stdout.readline())
            process.kill()
            said = max([said, *map(int, process.stdout.read().split())])
        store = place.open()
        fence = store.fences()[0]
        assert said <= fence <= said + 1
        assert store.fences() == {0: fence, 1: fence}
        for partition, names in ((0, KEYS[(fence + 1) % 2 :: 2]), (1, KEYS)):
            found = store.recent(partition, 1000)
            assert set(found.keys) == set(names)
            assert (found.offset == fence).all()
            assert (found.state == fence).all()
        store.close()
