"""A described model behind the engine contract: its own inputs and outputs, packed state."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pipeline.block import Float32
from pipeline.described import Description
from pipeline.engines.session import Device, device_session, run
from pipeline.errors import BundleError, EngineError
from pipeline.manifest import Manifest


class DescribedEngine:
    """Unpacks the state row into the graph's own inputs, runs it, and packs what comes out.

    Opening it runs one step of a few new streams, so that a wrong description is found before the
    first row comes. Raises EngineError for the device, BundleError for the description.
    """

    def __init__(
        self,
        description: Description,
        manifest: Manifest,
        model: bytes,
        where: str,
        device: Device = "cpu",
        threads: int = 1,
    ) -> None:
        self._description, self._where = description, where
        self._session, self.name = device_session(model, where, device, threads)
        self.device: str = device
        self._constants = {
            one.input: np.array(one.value, one.dtype) for one in description.constant
        }
        self._fetch = [one.name for one in description.output]
        self._fetch += [one.output for one in description.state]
        self._check_names()
        self._probe(manifest)

    def step(self, x: Float32, state: Float32) -> tuple[Float32, Float32]:
        """``x [B, F], state [B, D] → y [B, K], state_next [B, D]``."""
        given, rows = self._description.input, len(x)
        feeds: dict[str, npt.NDArray[np.generic]] = dict(self._constants)
        if given.context:
            x = np.concatenate([state[:, : given.context], x], axis=1)
        feeds[given.name] = np.ascontiguousarray(x).reshape(rows, *(given.shape or (-1,)))
        at = given.context
        for one in self._description.state:
            width = int(np.prod(one.shape))
            part = state[:, at : at + width].reshape(rows, *one.shape)
            feeds[one.input] = np.ascontiguousarray(np.moveaxis(part, 0, one.batch_axis))
            at += width
        found = run(self._session, self._fetch, feeds, self.device)
        outputs, states = found[: -len(self._description.state) or None], []
        y = [
            self._row(one.name, value, one.shape, one.batch_axis, rows)
            for one, value in zip(self._description.output, outputs, strict=True)
        ]
        if given.context:
            states.append(x[:, -given.context :])
        states += [
            self._row(one.output, value, one.shape, one.batch_axis, rows)
            for one, value in zip(self._description.state, found[len(y) :], strict=True)
        ]
        return np.concatenate(y, axis=1), np.concatenate(states, axis=1)

    def close(self) -> None:
        """Nothing to release by hand: the session goes with the object."""

    def _row(
        self,
        name: str,
        value: npt.NDArray[np.generic],
        shape: tuple[int, ...],
        axis: int,
        rows: int,
    ) -> Float32:
        """An output of the graph as rows [B, W]; a shape of one value may be left out."""
        wanted = (*shape[:axis], rows, *shape[axis:])
        if [n for n in value.shape if n != 1] != [n for n in wanted if n != 1]:
            raise BundleError(
                f"{self._where}: the graph's output {name!r} has shape {list(value.shape)} for "
                f"{rows} streams, the description says {list(wanted)}"
            )
        flat = np.moveaxis(value.reshape(wanted), axis, 0).reshape(rows, -1)
        return np.ascontiguousarray(flat, np.float32)

    def _probe(self, manifest: Manifest) -> None:
        """One step of as many streams as no other axis has, or a wrong axis would pass for it."""
        taken = {n for part in (*manifest.state, *manifest.outputs) for n in part.shape}
        rows = next(n for n in range(2, len(taken) + 3) if n not in taken)
        state = np.repeat(manifest.initial_state()[None], rows, axis=0)
        try:
            self.step(np.zeros((rows, self._description.width), np.float32), state)
        except EngineError as error:
            raise BundleError(
                f"{self._where}: the description does not fit the graph: {error}"
            ) from error

    def _check_names(self) -> None:
        """Every input of the graph is fed, and nothing that it doesn't have."""
        fed = {self._description.input.name, *self._constants}
        fed |= {one.input for one in self._description.state}
        inputs = {node.name for node in self._session.get_inputs()}
        outputs = {node.name for node in self._session.get_outputs()}
        problems = [f"the graph's input {name!r} is not described" for name in inputs - fed]
        problems += [f"the graph has no input {name!r}" for name in fed - inputs]
        problems += [f"the graph has no output {name!r}" for name in set(self._fetch) - outputs]
        if problems:
            raise BundleError(
                f"{self._where}: {'; '.join(sorted(problems))} (inputs: "
                f"{', '.join(sorted(inputs))}; outputs: {', '.join(sorted(outputs))})"
            )
