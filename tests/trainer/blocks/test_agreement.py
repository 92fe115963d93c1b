"""Every block, three ways: a sequence, step by step, and the exported graph step by step."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnxruntime
import pytest
import torch
from torch import Tensor

from export.graph import step_graph
from pipeline.bundle import INPUTS, OUTPUTS
from pipeline.errors import BundleError
from pipeline.manifest import Part
from trainer.blocks import (
    Bidirectional,
    Block,
    CausalConv,
    GruLayer,
    LstmLayer,
    SegmentEncoder,
    Stack,
    gru_stack,
    lstm_stack,
)
from trainer.step_module import StepModule, pack, unpack

TOLERANCE = 1e-5
INPUTS_WIDE, ROWS, STREAMS = 4, 30, 3

BLOCKS: dict[str, Callable[[], Block]] = {
    "lstm": lambda: LstmLayer(4, 6, "a"),
    "projected lstm": lambda: LstmLayer(4, 6, "a", projected=3),
    "gru": lambda: GruLayer(4, 6, "a"),
    "stacked lstm": lambda: lstm_stack(4, 6, 3),
    "stacked projected lstm": lambda: lstm_stack(4, 6, 2, projected=5),
    "residual lstm with dropout": lambda: lstm_stack(4, 4, 3, dropout=0.5, residual=True),
    "residual gru with dropout": lambda: gru_stack(4, 6, 3, dropout=0.5, residual=True),
    "convolution": lambda: CausalConv(4, 5, 3, "front"),
    "convolution before lstm and gru": lambda: Stack(
        [CausalConv(4, 5, 4, "front"), LstmLayer(5, 6, "a"), GruLayer(6, 6, "b")]
    ),
    "segments": lambda: SegmentEncoder(4, 6, 12, 3, "a"),
    "segments before lstm": lambda: Stack(
        [SegmentEncoder(4, 6, 8, 4, "front"), LstmLayer(6, 5, "a")]
    ),
}


class Alone(StepModule):
    """A block as a model: its output is y."""

    def __init__(self, block: Block) -> None:
        super().__init__()
        self.block = block
        self.state_parts = block.parts
        self.output_parts = (Part(name="y", shape=(block.outputs,)),)

    def step(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        y, after = self.block.step(x, unpack(state, self.state_parts))
        return y, pack(list(after))

    def forward(self, sequence: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        y, after = self.block.forward(sequence, unpack(state, self.state_parts))
        return y, pack(list(after))


def shaken(block: Block) -> Block:
    """With a random value in every weight, those that start at zero too; not training."""
    generator = torch.Generator().manual_seed(0)
    for weight in block.parameters():
        torch.nn.init.normal_(weight, std=0.4, generator=generator)
    return block.eval()


def rows(seed: int = 1) -> Tensor:
    """A few streams' rows [B, T, I]."""
    shape = (STREAMS, ROWS, INPUTS_WIDE)
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def close(got: object, wanted: object) -> None:
    """Within float32's accuracy."""
    torch.testing.assert_close(got, wanted, rtol=TOLERANCE, atol=TOLERANCE)


@pytest.mark.parametrize("name", BLOCKS)
def test_sequence_steps_and_graph_agree(name: str) -> None:
    """Outputs of every row and the state after the last, from a state that is not fresh."""
    model = Alone(shaken(BLOCKS[name]())).eval()
    sequence = rows()
    with torch.no_grad():
        _, state = model(rows(2)[:, :7], model.initial_state(STREAMS))
        whole, last = model(sequence, state)
        stepped = state
        graph = step_graph(model, sequence[:, 0]).SerializeToString()
        session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
        fed = state.numpy()
        for at in range(ROWS):
            before = stepped.clone()
            y, after = model.step(sequence[:, at], stepped)
            close(y, whole[:, at])
            assert torch.equal(stepped, before), "a step may not change the state it was given"
            stepped = after
            feeds = dict(zip(INPUTS, (sequence[:, at].numpy(), fed), strict=True))
            own, fed = session.run(OUTPUTS, feeds)
            np.testing.assert_allclose(own, y.numpy(), rtol=TOLERANCE, atol=TOLERANCE)
    close(stepped, last)
    np.testing.assert_allclose(fed, last.numpy(), rtol=TOLERANCE, atol=TOLERANCE)


@pytest.mark.parametrize("kind", [torch.nn.LSTM, torch.nn.GRU])
def test_layers_are_torchs_own(kind: type[torch.nn.LSTM | torch.nn.GRU]) -> None:
    """The same weights in torch's layers give the same numbers."""
    reference = kind(4, 6, batch_first=True)
    own = dict(reference.named_parameters())
    with torch.no_grad():
        if kind is torch.nn.LSTM:
            block = shaken(LstmLayer(4, 6, "a"))
            weight, bias = (
                torch.cat(
                    [block.get_parameter(f"gates.{name}").chunk(4)[at] for at in (0, 1, 3, 2)]
                )
                for name in ("weight", "bias")
            )
            own["weight_ih_l0"].copy_(weight[:, :4])
            own["weight_hh_l0"].copy_(weight[:, 4:])
            own["bias_ih_l0"].copy_(bias)
            own["bias_hh_l0"].zero_()
        else:
            block = shaken(GruLayer(4, 6, "a"))
            for part, name in (("ih", "from_input"), ("hh", "from_state")):
                own[f"weight_{part}_l0"].copy_(block.get_parameter(f"{name}.weight"))
                own[f"bias_{part}_l0"].copy_(block.get_parameter(f"{name}.bias"))
        whole, _ = block(rows(), block.fresh(STREAMS))
        close(whole, reference(rows())[0])


def test_dropout_works_in_training_alone() -> None:
    """Between layers, and not behind the last."""
    stack = lstm_stack(4, 6, 2, dropout=0.5)
    state = stack.fresh(STREAMS)
    stack.train()
    torch.manual_seed(0)
    assert not torch.equal(stack(rows(), state)[0], stack(rows(), state)[0])
    stack.eval()
    assert torch.equal(stack(rows(), state)[0], stack(rows(), state)[0])
    single = lstm_stack(4, 6, 1, dropout=0.5).train()
    assert torch.equal(single(rows(), single.fresh(3))[0], single(rows(), single.fresh(3))[0])


def test_a_convolution_sees_no_future() -> None:
    """A change of a row leaves what came before it as it was."""
    block = shaken(CausalConv(4, 5, 3, "a"))
    changed = rows()
    changed[:, 20] += 5.0
    before, after = (block(some, block.fresh(STREAMS))[0] for some in (rows(), changed))
    assert torch.equal(before[:, :20], after[:, :20])
    assert not torch.equal(before[:, 20:23], after[:, 20:23])


def test_both_directions_need_the_whole_recording() -> None:
    """The first row's output knows the last; a step, and so a bundle, is refused in words."""
    block = shaken(Bidirectional(4, 6, "a"))
    changed = rows()
    changed[:, -1] += 5.0
    before, after = (block(some, ())[0] for some in (rows(), changed))
    assert before.shape == (STREAMS, ROWS, block.outputs)
    assert torch.equal(before[:, 0, :6], after[:, 0, :6])
    assert not torch.equal(before[:, 0, 6:], after[:, 0, 6:])
    with pytest.raises(BundleError, match=r"reads the rows that follow.*lstm_stack"):
        block.step(rows()[:, 0], ())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Stack([LstmLayer(4, 6, "a"), GruLayer(5, 5, "b")]), "6 outputs go into 5 inputs"),
        (lambda: CausalConv(4, 5, 1, "a"), "width 1"),
        (lambda: SegmentEncoder(4, 5, 10, 3, "a"), "no whole segments of 3"),
    ],
)
def test_blocks_that_do_not_fit_are_refused(make: Callable[[], Block], message: str) -> None:
    """When they are made, not at the first row."""
    with pytest.raises(ValueError, match=message):
        make()
