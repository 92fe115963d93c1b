"""N-gram language models: by hand, as a whole, pruned, written and read."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from pipeline.errors import DataError
from pipeline.heads.speech.clock import Float64
from pipeline.heads.speech.language import LanguageModel, read_language_model
from trainer.speech.ngram import language_model, perplexity, symbols_of, train_ngram

LETTERS = ["", " ", *"abcdefghijklmnopqrstuvwxyz"]
NUMBERS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "zero"]


def digits(count: int, seed: int) -> list[str]:
    """Made-up phone numbers: they begin with a zero and never say a digit twice in a row."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        words = ["zero"]
        while len(words) < 6:
            word = NUMBERS[rng.integers(10)]
            if word != words[-1]:
                words.append(word)
        found.append(" ".join(words))
    return found


def after(model: LanguageModel, symbols: list[int]) -> Float64:
    """The probabilities [V] of what comes next; column 0 is the end."""
    state = model.start
    for symbol in symbols:
        state = int(model.next[state, symbol])
    found: Float64 = np.exp(model.log_probs[state].astype(np.float64))
    return found


def test_a_bigram_by_hand() -> None:
    """Two transcripts, "ab" and "a": every probability as it is worked out on paper."""
    model = language_model(["ab", "a"], ["", "a", "b"], "", order=2)
    # Without context: a twice, b once, the end twice, and three kinds of a third each.
    # P(end) = 3/8, P(a) = 3/8, P(b) = 2/8.
    np.testing.assert_allclose(after(model, []), [1 / 8, 19 / 24, 1 / 12], rtol=1e-6)
    np.testing.assert_allclose(after(model, [1]), [7 / 16, 3 / 16, 3 / 8], rtol=1e-6)
    np.testing.assert_allclose(after(model, [1, 2]), [11 / 16, 3 / 16, 1 / 8], rtol=1e-6)
    assert len(model.log_probs) == 4
    known = (19 / 24 * 3 / 8 * 11 / 16 * 19 / 24 * 7 / 16) ** (-1 / 5)
    assert perplexity(model, ["ab", "a"], ["", "a", "b"], "") == pytest.approx(known, rel=1e-6)


@pytest.mark.parametrize("order", [1, 2, 3, 4, 6])
def test_probabilities_are_those_of_the_longest_context_seen(order: int) -> None:
    """The automaton, walked, against the formula, applied to each context anew."""
    texts = digits(12, 1)
    model = language_model(texts, LETTERS, "", order)
    assert np.allclose(np.exp(model.log_probs.astype(np.float64)).sum(axis=1), 1, atol=1e-5)
    sequences = [(-1, *symbols_of(text, LETTERS, ""), 0) for text in texts]

    def probability(context: tuple[int, ...], symbol: int) -> float:
        size = len(context) + 1
        lower = probability(context[1:], symbol) if context else 1 / len(LETTERS)
        grams = [
            whole[at : at + size] for whole in sequences for at in range(len(whole) - size + 1)
        ]
        follows = [gram[-1] for gram in grams if gram[:-1] == context and gram[-1] >= 0]
        if not follows:
            return lower
        kinds = len(set(follows))
        return (follows.count(symbol) + kinds * lower) / (len(follows) + kinds)

    for text in ("zero one", "zzz", "one four four", ""):
        symbols = symbols_of(text, LETTERS, "")
        found = after(model, symbols)
        context = (-1, *symbols)[len(symbols) + 2 - order :] if order > 1 else ()
        for symbol in (0, 1, symbols_of("o", LETTERS, "")[0], symbols_of("q", LETTERS, "")[0]):
            assert found[symbol] == pytest.approx(probability(context, symbol), rel=1e-4)


def test_longer_contexts_foresee_unseen_transcripts_better() -> None:
    """Perplexity by order, on transcripts that it was not trained on."""
    train, held = digits(300, 2), digits(100, 3)
    found = [
        perplexity(language_model(train, LETTERS, "", order), held, LETTERS, "")
        for order in range(1, 6)
    ]
    assert all(longer < shorter for shorter, longer in itertools.pairwise(found))
    assert found[0] > 9
    assert found[-1] < 2.1


def test_words_as_labels() -> None:
    """With separator " " every word is a symbol: no digit follows itself, and zero comes first."""
    labels = ["", *NUMBERS]
    model = language_model(digits(400, 4), labels, " ", 2)
    first = after(model, [])
    assert first[labels.index("zero")] > 0.97
    two = labels.index("two")
    assert after(model, [two])[two] < 0.01
    assert perplexity(model, digits(50, 5), labels, " ") < 7.5


def test_the_rarest_contexts_are_left_out() -> None:
    """Down to the number of states; what is left is still a distribution, and close to it."""
    train, held = digits(300, 2), digits(100, 3)
    whole = language_model(train, LETTERS, "", 5)
    pruned = language_model(train, LETTERS, "", 5, max_states=120)
    assert len(pruned.log_probs) <= 120 < len(whole.log_probs)
    assert np.allclose(np.exp(pruned.log_probs.astype(np.float64)).sum(axis=1), 1, atol=1e-5)
    assert pruned.next.max() < len(pruned.log_probs)
    bigram = language_model(train, LETTERS, "", 2)
    assert (
        perplexity(whole, held, LETTERS, "")
        < perplexity(pruned, held, LETTERS, "")
        < perplexity(bigram, held, LETTERS, "")
    )
    one = language_model(train, LETTERS, "", 3, max_states=1)
    assert one.log_probs.shape == (1, len(LETTERS))


def test_the_manifests_model_is_this_one() -> None:
    """Read from what is written: the same states, log-probabilities to within float16."""
    texts = digits(50, 6)
    model = language_model(texts, LETTERS, "", 4)
    packed = train_ngram(texts, LETTERS, "", 4)
    again = read_language_model(packed, len(LETTERS))
    assert (again.next == model.next).all()
    assert (again.start, again.order) == (model.start, 4)
    np.testing.assert_allclose(again.log_probs, model.log_probs, rtol=1e-3)
    # A number takes 6 bytes; base64 takes a third more than what it encodes.
    assert len(packed["log_probs"]) + len(packed["next"]) < 0.3 * 6 * model.next.size


def test_what_is_no_label_is_refused() -> None:
    """With the transcript and the piece; also an order or transcripts that make no sense."""
    with pytest.raises(DataError, match=r"'one 2' has '2', which is no label"):
        train_ngram(["one", "one 2"], LETTERS, "")
    with pytest.raises(DataError, match=r"has 'three', which is no label.*'one', 'two'"):
        train_ngram(["one three"], ["", "one", "two"], " ")
    with pytest.raises(DataError, match="there are none"):
        train_ngram([], LETTERS, "")
    with pytest.raises(DataError, match="order 7"):
        train_ngram(["one"], LETTERS, "", 7)


def test_spaces_are_put_straight() -> None:
    """Whatever stands between words is one break, and none at the ends."""
    assert symbols_of("  ab \t c\n", LETTERS, "") == [2, 3, 1, 4]
    assert symbols_of(" one   two ", ["", "one", "two"], " ") == [1, 2]
