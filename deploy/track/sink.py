"""Where the pipeline's outputs and the pictures that caused them come together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from deploy.track.film import FilmWriter
from deploy.track.painter import Painter, Seat
from deploy.track.records import RecordsFile
from pipeline.block import Records, Reject
from pipeline.detect.base import Detections
from pipeline.tracking.outputs import CROSS, TRACK
from pipeline.video.shot import Shot


class FilmSink:
    """A sink of one camera's tracks that is told of its pictures, too.

    A frame's outputs come between its picture and the next one: all of them in the loop's thread.
    Each frame is then painted and written where there is a ``film``; ``told`` is called with
    the frame's number after each.
    """

    def __init__(
        self,
        painter: Painter,
        film: FilmWriter | None,
        records: RecordsFile | None,
        told: Callable[[int], None],
    ) -> None:
        self._painter, self._film, self._records, self._told = painter, film, records, told
        self._shot: Shot | None = None
        self._seats: list[Seat] = []
        self._crossings: list[tuple[str, str]] = []
        self.frames = 0
        self.kinds: Counter[str] = Counter()
        self.rejected: list[str] = []

    def saw(self, shots: Sequence[Shot], found: Sequence[Detections]) -> None:  # noqa: ARG002
        """The pipeline's ``Witness``: finish the frame before, begin the next."""
        for shot in shots:
            self._finish()
            self._shot = shot
            if self._records is not None:
                self._records.begin()

    def open(self) -> None:
        """Nothing to do: the files are open."""

    def send(self, records: Records) -> None:
        """Keep what belongs to the frame at hand."""
        self.kinds[records.kind] += len(records)
        columns = {name: column.tolist() for name, column in records.columns.items()}
        if records.kind == TRACK:
            names = ("track", "left", "top", "width", "height", "seen")
            self._seats += [
                Seat(track, (left, top, width, height), seen)
                for track, left, top, width, height, seen in zip(
                    *(columns[name] for name in names), strict=True
                )
            ]
        elif records.kind == CROSS:
            self._crossings += zip(columns["line"], columns["direction"], strict=True)
        if self._records is not None:
            self._records.write(records)

    def reject(self, rejects: Sequence[Reject]) -> None:
        """Keep the reasons."""
        self.rejected += [one.reason for one in rejects]

    def flush(self) -> None:
        """Nothing: files are whole once they are closed."""

    def close(self) -> None:
        """Finish the last frame and the files; twice is fine."""
        try:
            self._finish()
        finally:
            if self._records is not None:
                self._records.close()
            if self._film is not None:
                self._film.close()

    def _finish(self) -> None:
        shot, self._shot = self._shot, None
        seats, self._seats = self._seats, []
        crossings, self._crossings = self._crossings, []
        if shot is None:
            return
        self.frames += 1
        drawn = self._painter.paint(shot.picture, seats, crossings)
        if self._film is not None:
            self._film.add(drawn, shot.time_us)
        self._told(shot.number)
