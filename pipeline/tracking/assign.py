"""Who belongs to whom: one-to-one pairs of least total cost."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pipeline.errors import EngineError


def assign(
    cost: npt.NDArray[np.floating], limit: float
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Pairs ``(rows [K], columns [K])`` of ``cost [N, M]``, rows ascending.

    Of all one-to-one sets of pairs whose costs are at most ``limit`` (> 0), the one whose sum of
    ``cost - limit`` is least: who is left alone pays half a limit. Costs are finite. Jonker and
    Volgenant, "A Shortest Augmenting Path Algorithm for Dense and Sparse Linear Assignment
    Problems", 1987. Raises EngineError where the library is missing.
    """
    try:
        import lap
    except ImportError as error:
        raise EngineError(
            "association needs lapx: install streamcell[tracking] or streamcell[camera]"
        ) from error
    if not cost.size:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    column_of, _ = lap.lapjv(cost, extend_cost=True, cost_limit=limit, return_cost=False)
    rows = np.flatnonzero(column_of >= 0)
    return rows, column_of[rows].astype(np.int64)
