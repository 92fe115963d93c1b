"""What the metrics, the health checks and the live page are told of the state, at every commit."""

from __future__ import annotations

from collections.abc import Callable

from pipeline.metrics import Metrics
from pipeline.monitor.health import Vitals
from pipeline.monitor.live import LiveView
from pipeline.partitions import Partitions
from pipeline.pool import SlotPool
from pipeline.snapshots import Snapshots
from pipeline.sources.base import Positions, Source


class Report:
    """Reads the parts that know, tells those that show; used from the loop's thread.

    ``tracks`` says how many tracks there are, of a pipeline that has such.
    """

    def __init__(
        self,
        source: Source,
        pool: SlotPool,
        partitions: Partitions,
        snapshots: Snapshots,
        metrics: Metrics,
        view: LiveView,
        vitals: Vitals,
        tracks: Callable[[], int] | None,
    ) -> None:
        self._source, self._pool = source, pool
        self._partitions, self._snapshots = partitions, snapshots
        self._metrics, self._view, self._vitals = metrics, view, vitals
        self._tracks = tracks

    def committed(self, positions: Positions) -> None:
        """Everything before ``positions`` is stepped and committed."""
        lag, live, spilled = self._source.lag(), len(self._pool), self._snapshots.spilled
        recovery = self._partitions.progress(positions)
        recovering = bool(self._partitions.recovering)
        if recovering:
            self._vitals.wait("recovery", f"{recovery:.0%} replayed")
        else:
            self._vitals.done("recovery")
        self._metrics.observe_state(
            lag=lag,
            positions=positions,
            live=live,
            spilled=spilled,
            recovery=recovery,
            snapshot=self._snapshots.stats,
        )
        if self._tracks is not None:
            self._metrics.cameras.tracks(self._tracks())
        self._view.status(
            {
                "state": "recovering" if recovering else "running",
                "recovery": recovery,
                "lag": sum(lag.values()),
                "live_streams": live,
                "spilled_streams": spilled,
            }
        )
