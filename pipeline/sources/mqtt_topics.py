"""MQTT's topics: filters, what their wildcards stood for, names that may stand in a topic."""

from __future__ import annotations

import re

from pipeline.decode.base import MAX_KEY_BYTES

MAX_TOPIC_BYTES = 65_535
MAX_LEVELS = 100  # mosquitto ends the connection that sends to a topic of more than 200
STREAM = "{stream}"
# A broker may end the connection that names one: control characters, Unicode's non-characters.
_UNSPEAKABLE = "\x00-\x1f\x7f-\x9f\ufdd0-\ufdef" + "".join(
    f"{chr(plane + 0xFFFE)}{chr(plane + 0xFFFF)}" for plane in range(0, 0x110000, 0x10000)
)
_FORBIDDEN = re.compile(f"[{_UNSPEAKABLE}]")
# Wildcards, the first character of a broker's own topics, the escape itself.
_UNFIT = re.compile(f"[+#$%{_UNSPEAKABLE}]")
# The longest name of a stream, each byte escaped.
_LONGEST = "s" * 3 * MAX_KEY_BYTES


def filter_problem(text: str) -> str | None:
    """Why ``text`` is no topic filter to read rows from, or None."""
    if problem := _text_problem(text):
        return problem
    levels = text.split("/")
    if levels[0].startswith("$share"):
        return (
            "a shared subscription would scatter the messages of one stream over several "
            "instances, each with a state of its own; give the topic alone"
        )
    if any("#" in level and level != "#" for level in levels) or "#" in levels[:-1]:
        return "# is a level of its own, and the last one"
    if any("+" in level and level != "+" for level in levels):
        return "+ is a level of its own"
    return None


def topic_problem(text: str) -> str | None:
    """Why nothing can be sent to the topic ``text``, which may hold ``{stream}``; or None."""
    fixed = text.replace(STREAM, "s")
    if not fixed or re.search(r"[+#{}]", fixed) or fixed.startswith("$"):
        return f"a topic has no + and #, begins with no $, and {STREAM} is its only placeholder"
    return _text_problem(text.replace(STREAM, _LONGEST))


def _text_problem(text: str) -> str | None:
    if _FORBIDDEN.search(text):
        return "control characters and Unicode's non-characters can't stand in a topic"
    if len(text.encode()) > MAX_TOPIC_BYTES:
        return "a topic has at most 65,535 bytes, with the longest name of a stream in it"
    if text.count("/") >= MAX_LEVELS:
        return f"a topic has at most {MAX_LEVELS} levels"
    return None


def matches(topic_filter: str, topic: str) -> bool:
    """Whether the filter selects the topic."""
    wanted, levels = topic_filter.split("/"), topic.split("/")
    if topic.startswith("$") and wanted[0] in ("+", "#"):
        return False
    if wanted[-1] == "#":
        wanted = wanted[:-1]
        levels = levels[: len(wanted)]
    return len(wanted) == len(levels) and all(
        want in ("+", level) for want, level in zip(wanted, levels, strict=True)
    )


def under_wildcards(topic_filter: str, topic: str) -> str:
    """What the wildcards of the filter stand for in ``topic``, or all of it where that is nothing.

    ``plant/+/line/#`` finds ``a/b/c`` in ``plant/a/line/b/c``.
    """
    wanted, levels = topic_filter.split("/"), topic.split("/")
    found = [level for want, level in zip(wanted, levels, strict=False) if want == "+"]
    if wanted[-1] == "#":
        found += levels[len(wanted) - 1 :]
    return "/".join(found) or topic


def topic_of(template: str, stream: bytes) -> str:
    """The template with the stream's name in it; ``+`` becomes ``%2B``, and so what is like it.

    A name that would make too many levels is one level, with ``%2F`` for ``/``.
    """
    if STREAM not in template:
        return template
    name = _UNFIT.sub(_escaped, stream.decode(errors="replace"))
    topic = template.replace(STREAM, name)
    if topic.count("/") < MAX_LEVELS:
        return topic
    return template.replace(STREAM, name.replace("/", "%2F"))


def _escaped(found: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in found[0].encode())


def beside(template: str, last: str) -> str:
    """The topic ``last`` below ``template``, or below the levels before its placeholder."""
    fixed = template
    if STREAM in template:
        fixed = template.partition(STREAM)[0].rpartition("/")[0]
    return f"{fixed}/{last}" if fixed else last
