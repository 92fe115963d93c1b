"""The speech model: a front end, a strided causal convolution, LSTM layers, a softmax over labels.

Words are learnt with connectionist temporal classification (Graves et al. 2006), keywords with the
same encoder. What the first LSTM layer makes of smaller pieces goes into the next one (Nozaki &
Komatsu 2021: self-conditioned CTC). A step takes one chunk of sound and unrolls the frames in it,
so the chunk's length changes nothing but how often results come.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor, nn

from pipeline.errors import BundleError
from pipeline.manifest import Part
from trainer.blocks.base import State
from trainer.blocks.lstm import LstmLayer
from trainer.blocks.stack import Stack
from trainer.step_module import StepModule, pack, unpack

OUTPUT = "log_probs"
# Before training the blank is this far ahead of the labels, in nats. Otherwise the first updates do
# nothing but raise it, which leaves the cells saturated and the labels unlearnt for long.
BLANK_BIAS = 6.0


class Front(Protocol):
    """A front end: a block from ``inputs`` values of a chunk to n frames of C features.

    ``FrontEnd`` takes samples, ``ReadyFrames`` takes features.
    """

    inputs: int
    outputs: int
    parts: tuple[Part, ...]

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """One chunk: ``x [B, I]``, the state before → [B, n·C], the state after."""
        ...

    def forward(self, sequence: Tensor, state: State) -> tuple[Tensor, State]:
        """Many chunks: ``[B, T, I]``, the state before → [B, T, n·C], the state after."""
        ...

    def frames(self, samples: Tensor) -> Tensor:
        """Whole recordings: ``[B, S]``, or ``[B, N, channels]`` of features → [B, frames, C]."""
        ...

    def fit(self, recordings: Sequence[Tensor]) -> None:
        """Take what normalises from training ``recordings``: samples [S], or [N, channels]."""
        ...

    def fresh(self, streams: int) -> State:
        """The state of streams that have heard nothing."""
        ...


@dataclass(frozen=True, slots=True)
class Shape:
    """What the network behind the front end is made of; widths and subsampling are in frames.

    ``features`` is C, the values of a frame, ``labels`` V, the symbols with the blank (or the
    "no keyword") at 0. The first convolution sees ``width`` frames and makes ``channels`` values
    of each; the second one sees ``2 * subsampling + 1`` of those and makes one output frame of
    ``subsampling`` of them. ``projected`` (0 for none) is the width of what the ``layers`` LSTM
    layers of ``hidden`` cells hand on. With ``pieces`` (symbols of smaller pieces of words, the
    blank at 0; 0 for none) the first LSTM layer tells those, and the next one hears of it.
    """

    features: int
    labels: int
    width: int = 5
    channels: int = 96
    subsampling: int = 3
    hidden: int = 256
    layers: int = 2
    projected: int = 0
    dropout: float = 0.2
    residual: bool = False
    pieces: int = 0

    @property
    def wide(self) -> int:
        """What each LSTM layer hands on."""
        return self.projected or self.hidden

    @property
    def delay(self) -> float:
        """How many frames the middle of what an output frame sees lies behind its newest frame."""
        return (self.width - 1) / 2 + self.subsampling


class StridedConv(nn.Module):
    """A convolution over frames that moves on by ``stride`` of them, with a rectifier.

    It sees no frame to come: output k ends with frame ``(k + 1) * stride - 1``. The state holds
    the ``width - stride`` frames before, zeros where there were none.
    """

    def __init__(self, inputs: int, outputs: int, width: int, stride: int, name: str) -> None:
        super().__init__()
        if width <= stride:
            raise ValueError(f"a convolution of width {width} has no tail at stride {stride}")
        self.inputs, self.width, self.stride = inputs, width, stride
        self.part = Part(name=f"{name}.tail", shape=(width - stride, inputs))
        self.kernel = nn.Linear(width * inputs, outputs)

    def forward(self, frames: Tensor, tail: Tensor) -> tuple[Tensor, Tensor]:
        """``frames [B, N, I]``, N a multiple of the stride, the tail → [B, N / stride, O], tail."""
        tails = tail.reshape(-1, self.width - self.stride, self.inputs)
        rows = torch.cat([tails, frames], dim=1)
        last = frames.shape[1] - self.stride
        seen = [rows[:, at : at + last + 1 : self.stride] for at in range(self.width)]
        found = torch.relu(self.kernel(torch.cat(seen, dim=2)))
        return found, rows[:, self.stride - self.width :].flatten(1)


class Encoder(nn.Module):
    """From frames to log-probabilities of the labels, with ``parts`` carried in between."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        wide = 2 * shape.subsampling + 1
        self.near = StridedConv(shape.features, shape.channels, shape.width, 1, "near")
        self.wide = StridedConv(shape.channels, shape.hidden, wide, shape.subsampling, "wide")
        self.norm = nn.LayerNorm(shape.hidden)
        self.lower = _layers(shape, 0, 1)
        self.upper = _layers(shape, 1, shape.layers) if shape.layers > 1 else None
        self.to_labels = nn.Linear(shape.wide, shape.labels)
        self.to_pieces = nn.Linear(shape.wide, shape.pieces) if shape.pieces else None
        self.from_pieces = nn.Linear(shape.pieces, shape.wide) if shape.pieces else None
        for output in (self.to_labels, self.to_pieces):
            if output is not None:
                nn.init.zeros_(output.bias)
                output.bias.data[0] = BLANK_BIAS
        above = self.upper.parts if self.upper else ()
        self.parts = (self.near.part, self.wide.part, *self.lower.parts, *above)

    def fresh(self, streams: int) -> State:
        """The state of streams that have seen nothing."""
        return tuple(torch.zeros(streams, part.width) for part in self.parts)

    def step(self, frames: Tensor, state: State) -> tuple[Tensor, State]:
        """``frames [B, N, C]`` of one chunk → [B, N / subsampling, V]; the LSTM goes unrolled."""
        encoded, tails = self._convolved(frames, state)
        below, above = state[2:4], state[4:]
        outputs = []
        for x in encoded.unbind(1):
            y, below = self.lower.step(x, below)
            y, _ = self._conditioned(y)
            if self.upper:
                y, above = self.upper.step(y, above)
            outputs.append(y)
        return self._labelled(torch.stack(outputs, dim=1)), tails + below + above

    def forward(self, frames: Tensor, state: State) -> tuple[Tensor, State]:
        """The same for ``frames [B, N, C]`` of many chunks, in torch's fused LSTM."""
        log_probs, _, after = self.look(frames, state)
        return log_probs, after

    def look(self, frames: Tensor, state: State) -> tuple[Tensor, Tensor | None, State]:
        """As ``forward``, with the log-probabilities of the pieces [B, N / subsampling, P]."""
        encoded, tails = self._convolved(frames, state)
        low, below = self.lower.forward(encoded, state[2:4])
        top, pieces = self._conditioned(low)
        above = state[4:]
        if self.upper:
            dropped = torch.dropout(top, self.shape.dropout, self.training)
            top, above = self.upper.forward(dropped, above)
        return self._labelled(top), pieces, tails + below + above

    def _conditioned(self, low: Tensor) -> tuple[Tensor, Tensor | None]:
        """The first layer's output [..., H] with what it says of the pieces added, and that."""
        if self.to_pieces is None or self.from_pieces is None:
            return low, None
        pieces = torch.log_softmax(self.to_pieces(low), dim=-1)
        return low + self.from_pieces(pieces.exp()), pieces

    def _convolved(self, frames: Tensor, state: State) -> tuple[Tensor, State]:
        near, near_tail = self.near(frames, state[0])
        wide, wide_tail = self.wide(near, state[1])
        dropped = torch.dropout(self.norm(wide), self.shape.dropout, self.training)
        return dropped, (near_tail, wide_tail)

    def _labelled(self, outputs: Tensor) -> Tensor:
        dropped = torch.dropout(outputs, self.shape.dropout, self.training)
        return torch.log_softmax(self.to_labels(dropped), dim=2)


def _layers(shape: Shape, first: int, stop: int) -> Stack:
    """The LSTM layers from ``first`` to before ``stop``."""
    return Stack(
        [
            LstmLayer(
                shape.wide if at else shape.hidden,
                shape.hidden,
                f"layer{at}",
                projected=shape.projected,
            )
            for at in range(first, stop)
        ],
        dropout=shape.dropout,
        residual=shape.residual,
    )


class SpeechModel(StepModule):
    """Chunks in, the log-probabilities of T output frames and V labels out.

    ``front`` makes ``n * C`` values of a chunk, frame by frame; n is a multiple of the subsampling.
    Output ``log_probs`` (T, V), T = n / subsampling. ``hop_s`` is the seconds from frame to frame.
    """

    front: Front

    def __init__(self, front: Front, shape: Shape, hop_s: float) -> None:
        super().__init__()
        frames, rest = divmod(front.outputs, shape.features)
        if rest or frames % shape.subsampling:
            raise BundleError(
                f"a chunk of {front.outputs / shape.features:g} frames can't be subsampled by "
                f"{shape.subsampling}: choose a chunk of a multiple of "
                f"{shape.subsampling * hop_s * 1000:g} ms"
            )
        self.front, self.shape, self.hop_s = front, shape, hop_s
        self.encoder = Encoder(shape)
        self.frames = frames
        self.state_parts = front.parts + self.encoder.parts
        rows = frames // shape.subsampling
        self.output_parts = (Part(name=OUTPUT, shape=(rows, shape.labels)),)

    @property
    def frame_s(self) -> float:
        """The seconds from one output frame to the next."""
        return self.hop_s * self.shape.subsampling

    @property
    def delay_s(self) -> float:
        """How far the middle of what an output frame sees lies behind its end, in seconds."""
        return self.hop_s * self.shape.delay

    def initial_state(self, streams: int) -> Tensor:
        """The state rows [streams, D] of streams that have heard nothing."""
        return pack([*self.front.fresh(streams), *self.encoder.fresh(streams)])

    def step(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """One chunk: ``x [B, chunk]`` → log-probabilities [B, T·V], the state after."""
        before, cells = self._apart(state)
        values, before = self.front.step(x, before)
        frames = values.reshape(-1, self.frames, self.shape.features)
        log_probs, cells = self.encoder.step(frames, cells)
        return log_probs.flatten(1), pack([*before, *cells])

    def forward(self, sequence: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """``[B, N, chunk]`` → the log-probabilities of each chunk [B, N, T·V], the last state."""
        streams, chunks = sequence.shape[:2]
        before, cells = self._apart(state)
        values, before = self.front.forward(sequence, before)
        frames = values.reshape(streams, chunks * self.frames, self.shape.features)
        log_probs, cells = self.encoder.forward(frames, cells)
        return log_probs.reshape(streams, chunks, -1), pack([*before, *cells])

    def log_probs(self, frames: Tensor) -> Tensor:
        """Whole utterances for training: ``frames [B, N, C]`` of the front end → [B, N', V]."""
        return self.look(frames)[0]

    def look(self, frames: Tensor) -> tuple[Tensor, Tensor | None]:
        """The same, and the log-probabilities of the pieces [B, N', P], if the shape has any.

        N' = N // subsampling. Whatever pads an utterance lies behind it, so it changes nothing
        before it: of n frames the first n // subsampling output frames are the utterance's.
        """
        whole = frames.shape[1] - frames.shape[1] % self.shape.subsampling
        fresh = self.encoder.fresh(len(frames))
        log_probs, pieces, _ = self.encoder.look(frames[:, :whole], fresh)
        return log_probs, pieces

    def with_front(self, front: Front) -> SpeechModel:
        """The same weights behind ``front``: how a model gets another chunk."""
        model = SpeechModel(front, replace(self.shape), self.hop_s)
        model.encoder.load_state_dict(self.encoder.state_dict())
        return model.train(self.training)

    def _apart(self, state: Tensor) -> tuple[State, State]:
        """The front end's parts and the encoder's."""
        parts = unpack(state, self.state_parts)
        count = len(self.front.parts)
        return parts[:count], parts[count:]
