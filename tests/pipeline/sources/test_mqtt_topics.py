"""Topics: what a filter selects, what its wildcards stand for, what may be sent to."""

from __future__ import annotations

import pytest

from pipeline.sources.mqtt_topics import (
    beside,
    filter_problem,
    matches,
    topic_of,
    topic_problem,
    under_wildcards,
)

# What a broker takes for a broken message: it ends the connection.
NOWHERE = ["a\x00", "a\x01", "a\x9f", "\ufdd0", "\uffff", "\U0010fffe", "a" * 65_536, "/" * 100]
WRONG_FILTERS = ["a/#/b", "a#", "a+/b", "$share/group/a", *NOWHERE]
WRONG_TOPICS = ["a/+", "a/#", "$a", "a/{key}", "{", "", "a" * 65_000 + "/{stream}", *NOWHERE]


@pytest.mark.parametrize(
    ("topic_filter", "topic", "name"),
    [
        ("plant/+/readings", "plant/m-1/readings", "m-1"),
        ("plant/+/+/x", "plant/a/b/x", "a/b"),
        ("plant/#", "plant/a/b", "a/b"),
        ("plant/#", "plant", "plant"),
        ("+/line/#", "a/line/b/c", "a/b/c"),
        ("#", "a/b", "a/b"),
        ("plant/a", "plant/a", "plant/a"),
        ("+", "a", "a"),
    ],
)
def test_wildcards_name_streams(topic_filter: str, topic: str, name: str) -> None:
    """Of topics that the filter selects; without a wildcard the topic is the name."""
    assert matches(topic_filter, topic)
    assert under_wildcards(topic_filter, topic) == name


@pytest.mark.parametrize(
    ("topic_filter", "topic"),
    [
        ("plant/+", "plant/a/b"),
        ("plant/+", "plant"),
        ("plant/+/x", "plant/a/y"),
        ("plant/#", "other/a"),
        ("a/b/#", "a"),
        ("#", "$SYS/broker"),
        ("+/broker", "$SYS/broker"),
    ],
)
def test_other_topics_do_not_match(topic_filter: str, topic: str) -> None:
    """Nor do the broker's own, unless they are asked for by name."""
    assert not matches(topic_filter, topic)


@pytest.mark.parametrize("wrong", WRONG_FILTERS, ids=lambda text: ascii(text[:20]))
def test_filters_that_mean_nothing_are_refused(wrong: str) -> None:
    """And shared subscriptions, which would tear streams apart."""
    assert filter_problem(wrong)


@pytest.mark.parametrize("right", ["a", "a/+/b", "#", "+/+", "$SYS/#", "/a//b"])
def test_filters_that_brokers_know(right: str) -> None:
    """As MQTT defines them."""
    assert filter_problem(right) is None


@pytest.mark.parametrize("wrong", WRONG_TOPICS, ids=lambda text: ascii(text[:20]))
def test_topics_that_nobody_can_send_to_are_refused(wrong: str) -> None:
    """Wildcards, the broker's own topics, other placeholders."""
    assert topic_problem(wrong)
    assert topic_problem("scores/{stream}/last") is None


def test_stream_names_stand_in_topics() -> None:
    """What has a meaning in topics is written as in an address, so that names stay different."""
    assert topic_of("scores/{stream}", b"a/b c") == "scores/a/b c"
    assert topic_of("scores/{stream}", "+#%$\x00ü".encode()) == "scores/%2B%23%25%24%00ü"
    assert topic_of("{stream}", "\x9f\ufdd0\U0001ffff".encode()) == ("%C2%9F%EF%B7%90%F0%9F%BF%BF")
    assert topic_of("scores", b"a") == "scores"


def test_names_of_too_many_levels_are_one_level() -> None:
    """Brokers end a connection over them; up to there a name's levels are the topic's."""
    most, more = b"/".join([b"a"] * 99), b"/".join([b"a"] * 100)
    assert topic_of("o/{stream}", most) == f"o/{most.decode()}"
    assert topic_of("o/{stream}", more) == "o/" + "%2F".join(["a"] * 100)


@pytest.mark.parametrize(
    ("template", "dead"),
    [
        ("scores", "scores/dead"),
        ("scores/{stream}", "scores/dead"),
        ("plant/{stream}/scores", "plant/dead"),
        ("plant/m-{stream}", "plant/dead"),
        ("{stream}", "dead"),
    ],
)
def test_dead_letters_lie_beside_the_outputs(template: str, dead: str) -> None:
    """Below the topic, or below the levels before its placeholder."""
    assert beside(template, "dead") == dead
