"""Who belongs to whom: one-to-one pairs of least total cost."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pipeline.block import Int64
from pipeline.errors import EngineError


def assign(cost: npt.NDArray[np.floating], limit: float) -> tuple[Int64, Int64]:
    """Pairs ``(rows [K], columns [K])`` of ``cost [N, M]``, rows ascending.

    Of all one-to-one sets of pairs whose costs are below ``limit`` (> 0), the one whose sum of
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
    rows, columns = np.nonzero(cost < limit)
    choices, rivals = np.bincount(rows), np.bincount(columns)
    torn = (choices[rows] > 1) | (rivals[columns] > 1)
    if not torn.any():
        return rows, columns  # nobody has a choice
    # Those who have one, as a problem of their own: no cost is above the limit, so everybody can
    # be given somebody, and who gets one for the limit stays alone.
    some = np.flatnonzero(np.bincount(rows[torn]))
    others = np.flatnonzero(np.bincount(columns[torn]))
    capped = np.minimum(cost[np.ix_(some, others)], limit)
    row, column = lap.lapjvr(capped, extend_cost=True, return_cost=False)
    paired = capped[row, column] < limit
    rows = np.concatenate([rows[~torn], some[row[paired]]])
    columns = np.concatenate([columns[~torn], others[column[paired]]])
    order = np.argsort(rows)
    return rows[order], columns[order]
