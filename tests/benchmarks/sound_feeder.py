"""Sends the sound of many microphones in real time, 100 ms a record."""

from __future__ import annotations

import argparse
import time

import numpy as np
from confluent_kafka import Producer

from tests.benchmarks.workload import PARTITIONS, stream_key

RECORD_S = 0.1
SLICES = 20  # the microphones are not in step: a record's time is cut into so many turns
VARIETY = 64


def main() -> None:
    """In each turn the records of the microphones whose turn it is, stamped as they are sent."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--brokers", required=True)
    parser.add_argument("--topic", required=True)
    parser.add_argument("--streams", type=int, required=True)
    parser.add_argument("--rate-hz", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    options = parser.parse_args()
    samples = round(options.rate_hz * RECORD_S)
    sound = np.random.default_rng(0).normal(0, 2000, (VARIETY, samples)).astype("<i2")
    records = [row.tobytes() for row in sound]
    producer = Producer({"bootstrap.servers": options.brokers, "linger.ms": 1})
    began = time.perf_counter()
    for turn in range(round(options.seconds / RECORD_S) * SLICES):
        early = began + turn * RECORD_S / SLICES - time.perf_counter()
        if early > 0:
            time.sleep(early)
        for stream in range(turn % SLICES, options.streams, SLICES):
            value = records[(stream + turn) % VARIETY]
            producer.produce(options.topic, value, stream_key(stream), stream % PARTITIONS)
        producer.poll(0)
    producer.flush()


if __name__ == "__main__":
    main()
