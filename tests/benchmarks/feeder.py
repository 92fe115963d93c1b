"""Produces JSON rows at a steady rate, as many devices would."""

from __future__ import annotations

import argparse
import time

from confluent_kafka import Producer

from tests.benchmarks.workload import Workload

TICK_S = 0.005


def main() -> None:
    """Every few milliseconds the rows that are due by then."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--brokers", required=True)
    parser.add_argument("--topic", required=True)
    parser.add_argument("--streams", type=int, required=True)
    parser.add_argument("--features", type=int, required=True)
    parser.add_argument("--rate", type=float, required=True, help="rows a second")
    parser.add_argument("--seconds", type=float, required=True)
    options = parser.parse_args()
    rows = int(options.rate * options.seconds)
    records = Workload("json", options.streams, options.features).records(rows)
    producer = Producer({"bootstrap.servers": options.brokers, "linger.ms": 1})
    began = time.perf_counter()
    sent = 0
    while sent < rows:
        due = min(rows, int((time.perf_counter() - began) * options.rate))
        for _ in range(due - sent):
            partition, key, value = next(records)
            producer.produce(options.topic, value, key, partition)
        sent = due
        producer.poll(0)
        time.sleep(TICK_S)
    producer.flush()


if __name__ == "__main__":
    main()
