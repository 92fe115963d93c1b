"""The speech head: keywords or words, as the manifest says; times, endpoints, what is reported."""

from __future__ import annotations

import hashlib
import json

from pipeline.errors import BundleError
from pipeline.heads.base import Head
from pipeline.heads.params import read_params
from pipeline.heads.speech.beam import Beam
from pipeline.heads.speech.decoder import Decoder
from pipeline.heads.speech.greedy import Greedy
from pipeline.heads.speech.keywords import KeywordsHead
from pipeline.heads.speech.language import read_language_model
from pipeline.heads.speech.params import KeywordsParams, WordsParams
from pipeline.heads.speech.tokens import longest
from pipeline.heads.speech.words import WordsHead
from pipeline.manifest import Manifest

TASK = "speech"
MAX_STATE_BYTES = 1 << 20  # of one stream's head


def speech_head(manifest: Manifest) -> Head:
    """The head that ``manifest`` asks for; raises BundleError where it doesn't fit the task.

    ``head["form"]`` says which: "keywords" (``KeywordsParams``) or "words" (``WordsParams``).
    """
    form = manifest.head.get("form")
    if form == "keywords":
        return KeywordsHead(read_params(manifest, TASK, KeywordsParams), manifest)
    if form == "words":
        params = read_params(manifest, TASK, WordsParams)
        head = WordsHead(params, manifest, _decoder(params, manifest))
        if head.dtype.itemsize > MAX_STATE_BYTES:
            raise BundleError(
                f"{manifest.name}: head.beam {params.beam} and head.max_utterance_s "
                f"{params.max_utterance_s:g} s take {head.dtype.itemsize:,} bytes of each stream, "
                f"more than {MAX_STATE_BYTES:,}; make one of them smaller"
            )
        return head
    raise BundleError(
        f'{manifest.name}: head.form is {form!r}, the speech head knows "keywords" and "words"; '
        "train the bundle again with this version"
    )


def speech_identity(manifest: Manifest) -> str:
    """Names what the numbers in a stream's state refer to: the labels and the language model.

    Under others a saved state would mean something else, though its layout is the same.
    """
    pointed = {name: manifest.head.get(name) for name in ("labels", "lm")}
    return hashlib.sha256(json.dumps(pointed, sort_keys=True).encode()).hexdigest()[:32]


def _decoder(params: WordsParams, manifest: Manifest) -> Decoder:
    length = longest(params)
    if params.beam == 1:
        return Greedy(length)
    model = None
    if params.lm is not None:
        try:
            model = read_language_model(params.lm, len(params.labels))
        except ValueError as error:
            raise BundleError(f"{manifest.name}: head.{error}") from error
    symbols = min(params.beam_symbols, len(params.labels) - 1)
    return Beam(params.beam, symbols, length, model, params.lm_weight, params.insertion_bonus)
