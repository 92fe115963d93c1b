"""A process that saves snapshot after snapshot until it is killed: ``writer KIND LOCATION``.

Snapshot n has every stream in state n and moves the fence to n. It prints n when it is saved.
"""

from __future__ import annotations

import itertools
import sys

from pipeline.stores.base import Snapshot
from tests.pipeline.stores.places import PLACES, rows

KEYS = [b"s%d" % at for at in range(400)]

if __name__ == "__main__":
    store = PLACES[sys.argv[1]](sys.argv[2]).open()
    first = max(store.fences().values(), default=0) + 1
    for n in itertools.count(first):
        gone, born = KEYS[n % 2 :: 2], KEYS[(n + 1) % 2 :: 2]
        store.save(Snapshot([rows(0, born, n, n), rows(1, KEYS, n, n)], {0: gone}, {0: n, 1: n}))
        sys.stdout.write(f"{n}\n")
        sys.stdout.flush()
