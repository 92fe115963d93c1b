"""Recurrent blocks: each runs a whole sequence (``forward``) or one time step (``step``), alike.

``LstmLayer``, ``GruLayer`` and what puts layers together (``Stack``, ``lstm_stack``,
``gru_stack``), the front ends ``CausalConv`` and ``SegmentEncoder``, and ``Bidirectional`` for
whole sequences only.
"""

from trainer.blocks.base import Block, State
from trainer.blocks.front import CausalConv, SegmentEncoder
from trainer.blocks.gru import GruLayer
from trainer.blocks.lstm import LstmLayer
from trainer.blocks.offline import Bidirectional
from trainer.blocks.stack import Stack, gru_stack, lstm_stack

__all__ = [
    "Bidirectional",
    "Block",
    "CausalConv",
    "GruLayer",
    "LstmLayer",
    "SegmentEncoder",
    "Stack",
    "State",
    "gru_stack",
    "lstm_stack",
]
