"""The speech model: steps and sequences agree, whatever the chunk."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from export.graph import step_graph
from export.parity import check_parity
from pipeline.errors import BundleError
from trainer.speech.frames import ReadyFrames
from trainer.speech.model import Shape, SpeechModel

SMALL = Shape(features=8, labels=5, channels=6, subsampling=3, hidden=7, layers=2)
FRAMES = 36


def made(chunk: int, shape: Shape = SMALL, *, deltas: bool = True) -> SpeechModel:
    """A model of ``chunk`` frames of four values, in eval mode; the same weights for each chunk."""
    torch.manual_seed(3)
    front = ReadyFrames(4, chunk, deltas=deltas)
    front.fit([torch.randn(50, 4) * torch.tensor([2.0, 1.0, 3.0, 0.5]) - 1.0])
    return SpeechModel(front, shape, 0.01).eval()


def recordings(streams: int = 3) -> Tensor:
    """Values [streams, FRAMES, 4], the same each time."""
    return torch.randn(streams, FRAMES, 4, generator=torch.Generator().manual_seed(5)) * 2.0 + 1.0


def stepped(model: SpeechModel, values: Tensor) -> tuple[Tensor, Tensor]:
    """All output frames [B, T, V] of a stream in chunks, and the last state."""
    state, found = model.initial_state(len(values)), []
    for rows in torch.split(values, model.frames, dim=1):
        y, state = model.step(rows.flatten(1), state)
        found.append(y.reshape(len(values), -1, model.shape.labels))
    return torch.cat(found, dim=1), state


@pytest.mark.parametrize(
    "shape",
    [
        SMALL,
        replace(SMALL, projected=4, layers=3, residual=True),
        replace(SMALL, subsampling=2, width=3, pieces=4),
        replace(SMALL, subsampling=4, layers=1, labels=2),
    ],
)
def test_a_step_does_what_a_sequence_does(shape: Shape) -> None:
    """Log-probabilities and the state after; each output frame's probabilities sum to one."""
    model = made(12, shape)
    values = recordings()
    with torch.no_grad():
        found, state = stepped(model, values)
        rows = values.reshape(3, FRAMES // 12, -1)
        whole, last = model(rows, model.initial_state(3))
    torch.testing.assert_close(found, whole.reshape(found.shape), atol=1e-5, rtol=0)
    torch.testing.assert_close(state, last, atol=1e-5, rtol=0)
    torch.testing.assert_close(found.exp().sum(dim=2), torch.ones(found.shape[:2]))


def test_the_chunk_changes_nothing() -> None:
    """Chunks of 3, 6, 12 and 36 frames give the same; so does the path that training takes."""
    values = recordings()
    with torch.no_grad():
        model = made(3)
        wanted = model.log_probs(model.front.frames(values))
        for chunk in (3, 6, 12, 36):
            found, _ = stepped(made(chunk), values)
            torch.testing.assert_close(found, wanted, atol=1e-5, rtol=0)
            moved = made(3).with_front(made(chunk).front)
            torch.testing.assert_close(stepped(moved, values)[0], wanted, atol=1e-5, rtol=0)


def test_what_follows_an_utterance_does_not_change_it() -> None:
    """Padding behind it, and frames that don't fill an output frame, leave it as it was."""
    model, values = made(3), recordings()
    frames = model.front.frames(values)
    with torch.no_grad():
        whole = model.log_probs(frames)
        padded = model.log_probs(torch.cat([frames[:, :20], torch.full((3, 9, 8), 7.0)], dim=1))
    torch.testing.assert_close(padded[:, :6], whole[:, :6])
    assert padded.shape[1] == 29 // 3


def test_values_without_slopes() -> None:
    """The front end hands on only the values, and they are free of a stream's own level."""
    front = ReadyFrames(4, 3, deltas=False)
    assert front.features == 4
    values = recordings(1).repeat(1, 60, 1)
    raised = values + torch.tensor([0.0, 0.0, 3.0, 0.0])
    off = (front.frames(raised) - front.frames(values))[0, :, 2]
    assert off[0] > 2.9
    assert abs(float(off[-1])) < 0.15


def test_whole_recordings_are_normalised_like_chunks() -> None:
    """Beyond what the running mean remembers, too."""
    front = made(12).front
    values = recordings(2).repeat(1, 20, 1)
    stepwise, _ = front.forward(values.reshape(2, -1, 48), front.fresh(2))
    torch.testing.assert_close(
        front.frames(values), stepwise.reshape(2, 720, -1), atol=1e-4, rtol=0
    )


def test_a_chunk_must_be_a_multiple_of_the_subsampling() -> None:
    """Otherwise it is told which chunks are."""
    with pytest.raises(BundleError, match=r"a chunk of 4 frames can't be subsampled by 3.*30 ms"):
        made(4)


def test_times_of_an_output_frame() -> None:
    """Three frames of 10 ms each; it is centred on what the convolutions see."""
    model = made(6)
    assert model.frame_s == pytest.approx(0.03)
    assert model.delay_s == pytest.approx(0.05)
    assert [(part.name, part.shape) for part in model.output_parts] == [("log_probs", (2, 5))]


def test_the_graph_does_what_the_model_does() -> None:
    """Exported and run in ONNX Runtime, chunk by chunk."""
    model = made(6, replace(SMALL, projected=4))
    rows = recordings().reshape(3, FRAMES // 6, -1)
    graph = step_graph(model, rows[:, 0]).SerializeToString()
    parity = check_parity(model, graph, rows.numpy(), 1e-4, "model")
    assert parity.y < 1e-4
