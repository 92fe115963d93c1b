"""Memory and a stream on an NVIDIA GPU, by the package ``cuda-bindings``: no torch, no compiler."""

from __future__ import annotations

from typing import Any

import numpy as np

from pipeline.block import Float32
from pipeline.errors import EngineError

HINT = (
    "an NVIDIA GPU and its driver are needed (`nvidia-smi` shows both; in a container it takes "
    '`--gpus all`), or set engine.device = "cpu"'
)


def device_name() -> str:
    """The first GPU's name, such as ``NVIDIA L4``; raises EngineError, with a hint, without one."""
    cudart = _cudart()
    properties = _call(cudart.cudaGetDeviceProperties(0), HINT)
    return str(properties.name.split(b"\0")[0].decode())


class Buffers:
    """Named float32 arrays [rows, width] in device memory, and the stream that their copies run on.

    ``addresses`` are where they lie. The owner closes them; twice is fine.
    """

    def __init__(self, rows: int, widths: dict[str, int]) -> None:
        self._cudart = _cudart()
        self.addresses: dict[str, int] = {}
        self.stream: Any = _call(self._cudart.cudaStreamCreate(), HINT)
        try:
            for name, width in widths.items():
                size = 4 * rows * width
                why = f"no {size:,} bytes of GPU memory left for {name} of {rows} rows"
                self.addresses[name] = int(_call(self._cudart.cudaMalloc(size), why))
        except EngineError:
            self.close()
            raise

    def upload(self, name: str, rows: Float32) -> None:
        """Copy contiguous ``rows`` to the array's start; they must stay until ``wait``."""
        kind = self._cudart.cudaMemcpyKind.cudaMemcpyHostToDevice
        self._copy(self.addresses[name], rows.ctypes.data, rows.nbytes, kind)

    def download(self, name: str, rows: int, width: int) -> Float32:
        """The first ``rows`` of an array; they hold what they should after ``wait``."""
        out = np.empty((rows, width), np.float32)
        kind = self._cudart.cudaMemcpyKind.cudaMemcpyDeviceToHost
        self._copy(out.ctypes.data, self.addresses[name], out.nbytes, kind)
        return out

    def wait(self) -> None:
        """Until everything on the stream is done."""
        _call(self._cudart.cudaStreamSynchronize(self.stream), "the step failed on the GPU")

    def close(self) -> None:
        """Give memory and stream back."""
        for address in self.addresses.values():
            self._cudart.cudaFree(address)
        self.addresses = {}
        if self.stream is not None:
            self._cudart.cudaStreamDestroy(self.stream)
            self.stream = None

    def _copy(self, to: int, of: int, size: int, kind: Any) -> None:
        _call(self._cudart.cudaMemcpyAsync(to, of, size, kind, self.stream), "a copy failed")


def _cudart() -> Any:
    try:
        from cuda.bindings import runtime  # optional: imported where a GPU is asked for
    except ImportError as error:
        raise EngineError(
            "the package cuda-bindings is not installed; install streamcell with the extra "
            "`tensorrt` or `tensorrt-rtx`"
        ) from error
    return runtime


def _call(answer: tuple[Any, ...], what: str) -> Any:
    """The value of a CUDA call, or none; raises EngineError with ``what`` where it failed."""
    status, *values = answer
    if int(status) != 0:
        raise EngineError(f"CUDA says {status.name}: {what}")
    return values[0] if values else None
