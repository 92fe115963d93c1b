"""The script that a user would write instead: the yardstick of this benchmark.

Poll a message, decode it, run the model on its one row, keep the stream's state in a dict, produce
the result, commit now and then. It promises less than the pipeline does: states are lost with the
process, a crash repeats or loses results, a bad row ends it.

    python -m tests.benchmarks.script --brokers … --topic … --output … --group … --payload json
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
import orjson
from confluent_kafka import Consumer, Message, Producer

from pipeline.decode.block_format import decode_block, key_list

COMMIT_EVERY = 1000  # messages
THRESHOLD = 5.0


def main() -> None:
    """Process ``--rows`` rows and leave."""
    options = _options()
    settings = onnxruntime.SessionOptions()
    if options.threads:
        settings.intra_op_num_threads = options.threads
    session = onnxruntime.InferenceSession(
        options.model, settings, providers=["CPUExecutionProvider"]
    )
    initial = np.zeros((1, session.get_inputs()[1].shape[1]), np.float32)
    names = [f"f{at}" for at in range(session.get_inputs()[0].shape[1])]
    states: dict[bytes, npt.NDArray[np.float32]] = {}

    def step(key: bytes, x: npt.NDArray[np.float32]) -> dict[str, Any]:
        y, states[key] = session.run(None, {"x": x, "state": states.get(key, initial)})
        error = float(y[0, 0])
        return {
            "stream": key.decode(),
            "error": error,
            "alarm": error > THRESHOLD,
        }

    def results(message: Message) -> Any:
        """What is reported on one message."""
        value = message.value() or b""
        at = {
            "partition": message.partition(),
            "offset": message.offset(),
            "time": message.timestamp()[1],
        }
        if options.payload == "block":
            block = decode_block(value)
            keys = key_list(block)
            rows = enumerate(block.stream.tolist())
            return at | {"rows": [step(keys[s], block.values[i : i + 1]) for i, s in rows]}
        if options.payload == "json":
            fields = orjson.loads(value)
            x = np.array([[fields[name] for name in names]], np.float32)
        else:
            x = np.frombuffer(value, np.float32).reshape(1, -1)
        return at | step(message.key() or b"", x)

    brokers = {"bootstrap.servers": options.brokers}
    consumer = Consumer(
        brokers
        | {
            "group.id": options.group,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )
    consumer.subscribe([options.topic])
    producer = Producer(brokers | {"linger.ms": 5})
    done = 0
    while done < options.messages:
        message = consumer.poll(1.0)
        if message is None or message.error():
            continue
        result = orjson.dumps(results(message))
        producer.produce(options.output, result, message.key())
        producer.poll(0)
        done += 1
        if done % options.commit_every == 0:
            consumer.commit(asynchronous=True)
    producer.flush()
    if done % options.commit_every:  # with nothing new to commit it would raise
        consumer.commit(asynchronous=False)
    consumer.close()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("brokers", "topic", "output", "group", "payload", "model"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--messages", type=int, required=True)
    parser.add_argument("--commit-every", type=int, default=COMMIT_EVERY)
    parser.add_argument("--threads", type=int, default=0, help="0: ONNX Runtime's default")
    return parser.parse_args()


if __name__ == "__main__":
    main()
