"""TensorRT on an NVIDIA GPU: fused kernels, built on the device that runs them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from pipeline.block import Float32
from pipeline.bundle import INPUTS, OUTPUTS, Bundle
from pipeline.engines.cuda import Buffers, device_name
from pipeline.engines.tensorrt_plan import (
    PlanKey,
    build_plan,
    kept_plan,
    library_logger,
    library_name,
    tensorrt_library,
)
from pipeline.errors import EngineError

OPT_SHARE = 4  # the kernels are tuned for a quarter of the largest batch


class TensorRtEngine:
    """Implements the engine contract for batches of 1 to ``max_rows`` rows.

    The first start on a GPU builds the engine, which takes seconds to minutes, and keeps it in the
    folder ``cache``; without one it is built at every start. ``package`` is ``tensorrt`` or
    ``tensorrt_rtx``; by default, what is installed. Raises EngineError where TensorRT, the GPU or
    one of the graph's operators is missing.
    """

    def __init__(
        self,
        bundle: Bundle,
        max_rows: int = 1024,
        cache: Path | None = None,
        package: str | None = None,
    ) -> None:
        library = tensorrt_library(package)
        gpu = device_name()
        self.name = library_name(library)
        self.device = "cuda"
        self.max_rows = max_rows
        manifest = bundle.manifest
        sizes = (manifest.input_width, manifest.state_width)
        self._in = dict(zip(INPUTS, sizes, strict=True))
        sizes = (manifest.output_width, manifest.state_width)
        self._out = dict(zip(OUTPUTS, sizes, strict=True))
        key = PlanKey(bundle.sha256, self.name, gpu, max_rows, max(1, max_rows // OPT_SHARE))
        if cache is None:
            plan = build_plan(bundle, max_rows, key.opt_rows, library)
        else:
            plan = kept_plan(bundle, key, cache, library)
        logger = library_logger(library)
        self._runtime = library.Runtime(logger)
        self._engine = self._runtime.deserialize_cuda_engine(plan)
        if self._engine is None:
            said = "; ".join(logger.errors[-3:])
            raise EngineError(f"{bundle.path}: {self.name} can't load its engine on {gpu}: {said}")
        self._context: Any = self._engine.create_execution_context()
        if self._context is None:
            raise EngineError(f"{bundle.path}: {gpu} has no memory left for the engine")
        self._buffers = Buffers(max_rows, self._in | self._out)
        for name, address in self._buffers.addresses.items():
            self._context.set_tensor_address(name, address)

    def step(self, x: Float32, state: Float32) -> tuple[Float32, Float32]:
        """``x [B, F], state [B, D] → y [B, K], state_next [B, D]``, B at most ``max_rows``."""
        rows = len(x)
        if self._context is None:
            raise EngineError(f"step of {rows} rows on {self.device}: the engine is closed")
        if not 1 <= rows <= self.max_rows:
            raise EngineError(
                f"step of {rows} rows on {self.device}: the engine was built for 1 to "
                f"{self.max_rows}; set engine.max_rows"
            )
        given = dict(zip(INPUTS, (x, state), strict=True))
        # The library copies on from these: they stay until the stream is done.
        sent = {name: np.ascontiguousarray(part, np.float32) for name, part in given.items()}
        for name, part in sent.items():
            if part.shape != (rows, self._in[name]):
                raise EngineError(
                    f"step of {rows} rows on {self.device} failed: {name} is {part.shape}, not "
                    f"{(rows, self._in[name])}"
                )
        for name, part in sent.items():
            self._buffers.upload(name, part)
            self._context.set_input_shape(name, part.shape)
        if not self._context.execute_async_v3(int(self._buffers.stream)):
            raise EngineError(f"step of {rows} rows on {self.device} failed in {self.name}")
        y, state_next = (
            self._buffers.download(name, rows, width) for name, width in self._out.items()
        )
        self._buffers.wait()
        return y, state_next

    def close(self) -> None:
        """Give the GPU's memory back; twice is fine."""
        self._context = self._engine = None
        self._buffers.close()
