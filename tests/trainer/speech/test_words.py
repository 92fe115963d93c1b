"""Words: what is learnt from recordings, and what can't be."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.errors import ConfigError, DataError
from tests.trainer.speech.spoken import QUICK, RATE, SPEAKERS, corpus, said
from trainer.speech.data import Corpus, Recording
from trainer.speech.words import Trained, fit
from trainer.speech.words.change import features_at_speed, mask, warped
from trainer.speech.words.config import WordsConfig
from trainer.speech.words.errors import word_errors
from trainer.speech.words.learn import batches, ctc_loss
from trainer.speech.words.train import split, understood
from trainer.speech.words.units import least_frames, pieces_of, read_lexicon, units_of


class Told:
    """Counts epochs; raises KeyboardInterrupt after ``interrupt_after`` of them."""

    def __init__(self, interrupt_after: int = 1000) -> None:
        self.left = interrupt_after

    def stage(self, name: str, total: int) -> None:
        """Nothing."""

    def advance(self, note: str) -> None:
        """One epoch less."""
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt


def test_tones_are_heard_without_an_error(listener: Trained) -> None:
    """Of a speaker who was not learnt from, chunk by chunk, through the head."""
    assert listener.metrics["test_word_error"] == 0.0
    assert listener.metrics["test_words"] >= 8
    assert listener.report["verdict"]["good"]
    rows = {row[0]: row[1:] for row in listener.report["tables"][2]["rows"]}
    assert {name: row[2] for name, row in rows.items()} == {
        "training": 3,
        "validation": 1,
        "test": 1,
    }


def test_utterances_that_were_never_heard(listener: Trained) -> None:
    """Orders of words that are not in the data, and a pause that ends an utterance."""
    rng = np.random.default_rng(9)
    texts = ["high high low mid low", "mid", "low high high high"]
    values = [said(text.split(), rng) for text in texts]
    pause = (1e-3 * rng.standard_normal(RATE // 2)).astype(np.float32)
    values.append(np.concatenate([values[0], pause, values[0]]))
    heard = understood(
        listener.model, listener.head, listener.audio, listener.columns, values, RATE // 10
    )
    assert heard == [*texts, f"{texts[0]} {texts[0]}"]


def test_the_head_is_told_what_the_model_makes(listener: Trained) -> None:
    """Labels in order behind the blank, the length of a frame, the delay."""
    head = listener.head
    assert (head["form"], head["separator"]) == ("words", " ")
    assert head["labels"] == ["", "high", "low", "mid"]
    assert head["frame_s"] == pytest.approx(0.04)
    assert head["delay_s"] == pytest.approx(0.06)
    assert listener.audio is not None
    assert (listener.audio.sample_rate_hz, listener.audio.chunk) == (RATE, 640)


def test_an_interrupted_run_ends_like_a_whole_one(tmp_path: Path) -> None:
    """What is drawn, changed and dropped is the same; other options can't take the checkpoint."""
    config = QUICK.model_copy(
        update={"epochs": 3, "dropout": 0.2, "masks": 1, "noise_share": 0.5, "aid": 0.3}
    )
    data = corpus(15)
    whole = fit(data, config, workdir=tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        fit(data, config, workdir=tmp_path / "cut", progress=Told(1))
    resumed = fit(data, config, workdir=tmp_path / "cut", resume=True)
    for name, weight in whole.model.state_dict().items():
        assert torch.equal(weight, resumed.model.state_dict()[name]), name
    other = config.model_copy(update={"speed": 0.2})
    with pytest.raises(DataError, match="other data or settings"):
        fit(data, other, workdir=tmp_path / "cut", resume=True)


def test_no_speaker_is_in_two_parts() -> None:
    """And without speakers every recording is in one."""
    data = corpus(25)
    parts = split(data.recordings, QUICK)
    sides = [
        {one.speaker for one in side} for side in (parts.training, parts.validation, parts.test)
    ]
    assert sum(map(len, sides)) == len(SPEAKERS) == len(set.union(*sides))
    nameless = [replace(one, speaker="") for one in data.recordings]
    parts = split(nameless, QUICK)
    names = [one.name for side in (parts.training, parts.validation, parts.test) for one in side]
    assert sorted(names) == sorted(one.name for one in nameless)


def test_characters_are_learnt_as_well(tmp_path: Path) -> None:
    """The labels are then characters, with the blank between words among them."""
    config = QUICK.model_copy(update={"units": "characters", "epochs": 1, "subsampling": 2})
    trained = fit(corpus(15), config, workdir=tmp_path)
    assert trained.head["separator"] == ""
    assert set(trained.head["labels"]) <= set(" lowmidhg") | {""}


def test_features_are_learnt_as_well(tmp_path: Path) -> None:
    """A row then has a column for each value of each frame."""
    rng = np.random.default_rng(0)
    some = tuple(
        Recording(str(at), rng.standard_normal((50, 3)).astype(np.float32), "yes no", who)
        for at, who in enumerate("abcde" * 2)
    )
    trained = fit(Corpus(some, None), QUICK.model_copy(update={"epochs": 1}), workdir=tmp_path)
    assert trained.audio is None
    assert [column.name for column in trained.columns][:4] == [
        "frame0.c0",
        "frame0.c1",
        "frame0.c2",
        "frame1.c0",
    ]
    assert trained.sample.shape[2] == len(trained.columns) == 24


def test_a_recording_too_short_for_its_text(tmp_path: Path) -> None:
    """It is told by its name, with what to do."""
    data = corpus(15)
    short = replace(
        data.recordings[0], values=data.recordings[0].values[:300], text="low low mid mid"
    )
    broken = replace(data, recordings=(short, *data.recordings[1:], *corpus(10, 1).recordings))
    everyone = replace(
        broken, recordings=tuple(replace(one, speaker="") for one in broken.recordings)
    )
    parts = split(everyone.recordings, QUICK)
    parts = replace(parts, training=(everyone.recordings[0], *parts.training))
    with pytest.raises(DataError, match="0-ann: 3 output frames of 40 ms can't hold the 4 words"):
        fit(everyone, QUICK, workdir=tmp_path, parts=parts)


def test_a_chunk_holds_whole_output_frames(tmp_path: Path) -> None:
    """Otherwise it is told what divides one."""
    config = QUICK.model_copy(update={"chunk_ms": 100})
    with pytest.raises(ConfigError, match="100 is not a multiple of 40"):
        fit(corpus(15), config, workdir=tmp_path)


def test_cepstra_are_learnt_as_well(tmp_path: Path) -> None:
    """In place of bands, with two orders of slopes, and levels that training moves."""
    config = QUICK.model_copy(
        update={"epochs": 1, "cepstra": 13, "slopes": 2, "tilt": 0.5, "chunk_ms": 160}
    )
    trained = fit(corpus(), config, workdir=tmp_path)
    assert trained.model.shape.features == 39
    assert trained.audio is not None


def test_a_language_model_of_the_transcripts_goes_into_the_bundle(tmp_path: Path) -> None:
    """Where it is asked for, with a beam that can use it; without one it is refused."""
    config = QUICK.model_copy(update={"epochs": 1, "beam": 4, "lm_order": 2, "lm_weight": 0.3})
    trained = fit(corpus(), config, workdir=tmp_path)
    assert trained.head["lm"]["order"] == 2
    assert trained.head["lm_weight"] == 0.3
    with pytest.raises(ValueError, match="needs a beam of 2 or more"):
        WordsConfig(lm_order=2)


def test_a_rate_without_whole_hops_is_a_clear_error(tmp_path: Path) -> None:
    """Ten milliseconds of 11,025 Hz are no whole number of samples."""
    odd = Corpus(corpus().recordings, 11_025)
    with pytest.raises(ConfigError, match="give --rate 16000 or 8000"):
        fit(odd, QUICK, workdir=tmp_path)


def test_tilts_move_what_stays_the_same_and_no_slopes() -> None:
    """One offset for each feature of an utterance, in all its frames."""
    config = WordsConfig(cepstra=3, slopes=1, tilt=1.0, masks=0, mask_bands=0)
    moved = mask(config, None)(torch.zeros(2, 5, 6), torch.Generator().manual_seed(0))
    assert (moved[:, :, :3] != 0).all()
    assert (moved[:, :, 3:] == 0).all()
    assert (moved == moved[:, :1]).all()
    assert not torch.equal(moved[0], moved[1])


def test_units_and_what_they_say() -> None:
    """Encoding and text are inverse; an unknown word is named."""
    words = units_of(["ten of clubs", "of"], "words")
    assert words.labels == ("", "clubs", "of", "ten")
    assert words.text(words.encode("of ten of", "x").tolist()) == "of ten of"
    assert words.known("of queen clubs").tolist() == [2, 1]
    characters = units_of(["a ab"], "characters")
    assert characters.labels == ("", " ", "a", "b")
    assert characters.text(characters.encode("ba a", "x").tolist()) == "ba a"
    with pytest.raises(DataError, match="x: the words 'queen' never come in the training part"):
        words.encode("queen of", "x")
    assert least_frames(words.encode("of of ten", "x")) == 4


def test_pieces_are_phones_or_characters(tmp_path: Path) -> None:
    """The first pronunciation counts; a word that the lexicon lacks is spelt."""
    path = tmp_path / "words.dic"
    path.write_text(";;; phones\nTEN T EH N\nTEN(2) T IH N\n\nA EY\n")
    lexicon = read_lexicon(path)
    assert lexicon == {"TEN": ("T", "EH", "N"), "A": ("EY",)}
    pieces = pieces_of(["TEN A X"], lexicon)
    assert pieces.symbols == ("", "EH", "EY", "N", "T", "X")
    assert pieces.encode("A TEN X").tolist() == [2, 4, 1, 3, 5]
    path.write_text("TEN\n")
    with pytest.raises(DataError, match="line 1: 'TEN' has no phones"):
        read_lexicon(path)
    with pytest.raises(DataError, match="can't read the lexicon"):
        read_lexicon(tmp_path / "gone.dic")


def test_word_errors_are_those_of_the_best_alignment() -> None:
    """Substitutions, deletions and insertions; nothing heard is all words left out."""
    found = word_errors(["a b c d", "a b"], ["a x d", ""])
    assert (found.words, found.sentences, found.wrong_sentences) == (6, 2, 2)
    assert (found.substitutions, found.deletions, found.insertions) == (1, 3, 0)
    assert found.rate == 4 / 6
    assert word_errors(["a b"], ["a b"]).rate == 0.0


def test_batches_hold_everything_once() -> None:
    """In another order each time, utterances of about a length together."""
    rng = np.random.default_rng(0)
    lengths = rng.integers(100, 1000, 50)
    parts = batches(lengths.tolist(), 8, rng)
    assert sorted(np.concatenate(parts).tolist()) == list(range(50))
    assert max(np.ptp(lengths[part]) for part in parts) < 450
    assert [p.tolist() for p in batches(lengths.tolist(), 8, rng)] != [p.tolist() for p in parts]


def test_the_loss_is_that_of_all_alignments() -> None:
    """Two frames, one label: label and blank in either order, or the label twice."""
    log_probs = torch.tensor([[[0.5, 0.3, 0.2], [0.1, 0.6, 0.3]]]).log()
    loss = ctc_loss(log_probs, torch.tensor([2]), [np.array([1])])
    assert float(loss) == pytest.approx(-np.log(0.5 * 0.6 + 0.3 * 0.1 + 0.3 * 0.6), rel=1e-5)


def test_features_play_at_another_speed() -> None:
    """Straight lines stay straight, ends stay where they are."""
    line = np.linspace(0, 9, 10, dtype=np.float32)[:, None]
    slow = features_at_speed(line, 0.5)
    assert len(slow) == 20
    np.testing.assert_allclose(slow[:, 0], np.linspace(0, 9, 20), atol=1e-5)
    assert len(features_at_speed(line[:1], 0.5)) == 1


def test_bands_are_moved() -> None:
    """A line over the bands gets steeper or flatter; each recording has its own factor."""
    line = torch.arange(10.0).expand(2, 3, 10)
    found = warped(line, torch.tensor([1.0, 0.5]))
    torch.testing.assert_close(found[0], line[0])
    torch.testing.assert_close(found[1], line[1] / 2)
    assert float(warped(line, torch.tensor([2.0, 2.0])).max()) == 9.0
