"""Every error that streamcell raises on purpose, in one tree.

    StreamcellError
    ├── ConfigError        the TOML file: every problem at once
    ├── BundleError        a model file that can't be run
    │   └── ParityError    an export whose steps differ from the trained model
    ├── DataError          training or replay files that can't be read
    ├── SourceError        rows can't be consumed
    │   └── GapError       the log no longer reaches back to the snapshot's fence
    ├── SinkError          outputs can't be delivered
    │   └── FencedError    another instance took over this one's transactions
    ├── EngineError        the device or the session refuses
    └── StoreError         snapshots can't be read or written

Messages say what happened, where (file, key, topic, partition, offset) and what to do.
The command line prints them without a traceback and exits with ``exit_code``.
"""


class StreamcellError(Exception):
    """Base of all deliberate errors; ``exit_code`` is what the process ends with."""

    exit_code = 1


class ConfigError(StreamcellError):
    """The configuration is wrong. ``problems`` lists all of them, one line each."""

    exit_code = 2

    def __init__(self, where: str, problems: list[str]) -> None:
        self.problems = problems
        lines = "\n".join(f"  - {problem}" for problem in problems)
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        super().__init__(f"{where}: {count}\n{lines}")


class BundleError(StreamcellError):
    """A model file is corrupt, foreign, too new, or does not fit the pipeline."""

    exit_code = 3


class ParityError(BundleError):
    """The exported graph, stepped row by row, differs from the trained model."""


class DataError(StreamcellError):
    """A data file can't be used; the message names the file and the row."""

    exit_code = 4


class SourceError(StreamcellError):
    """The source can't deliver rows."""

    exit_code = 5


class GapError(SourceError):
    """Rows between the snapshot's fence and the log's start are gone."""


class SinkError(StreamcellError):
    """Outputs can't be made durable."""

    exit_code = 6


class FencedError(SinkError):
    """Another process with the same ``instance`` took over the transactions.

    The code is its own, for process managers: whoever was fenced must not come back by itself.
    """

    exit_code = 9


class EngineError(StreamcellError):
    """The engine can't run this bundle on the device asked for."""

    exit_code = 7


class StoreError(StreamcellError):
    """The snapshot store is damaged, foreign or belongs to another model."""

    exit_code = 8
