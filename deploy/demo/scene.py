"""What one of the demos is about: the names in its configuration, its topics and its rows."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Scene:
    """The names of one demo.

    Rows are ``feature`` values of a ``thing`` at a time; ``example`` is one of them as JSON. The
    pipeline puts out one of ``outputs`` a row, of type ``kind``; ``told`` says in a few words what
    it tells, and ``alarms`` whether there are events besides. Rows ``may_lack`` their value.
    """

    task: str
    name: str  # of the pipeline and the bundle
    thing: str  # what a stream is; also begins the topics' names
    feature: str
    example_time: str
    example_value: float
    kind: str
    outputs: str
    told: str
    alarms: bool
    may_lack: bool

    @property
    def model(self) -> str:
        """The bundle's file."""
        return f"{self.name}.onnx"

    @property
    def outputs_file(self) -> str:
        """Where outputs go without a broker."""
        return f"{self.outputs}.jsonl"

    @property
    def newcomer(self) -> str:
        """The key of a stream that the user may add."""
        return f"{self.thing}-new"
