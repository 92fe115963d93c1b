"""MQTT's topics: filters, what their wildcards stood for, names that may stand in a topic."""

from __future__ import annotations

import re

MAX_TOPIC_BYTES = 65_535
STREAM = "{stream}"
# Wildcards, the first character of a broker's own topics, the escape itself, control characters.
_UNFIT = re.compile(r"[+#$%\x00-\x1f\x7f-\x9f]")


def filter_problem(text: str) -> str | None:
    """Why ``text`` is no topic filter to read rows from, or None."""
    levels = text.split("/")
    if len(text.encode()) > MAX_TOPIC_BYTES or "\x00" in text:
        return "a topic filter has no NUL and at most 65,535 bytes"
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
    if not fixed or re.search(r"[+#{}\x00]", fixed) or fixed.startswith("$"):
        return (
            f"a topic has no +, # and NUL, begins with no $, and {STREAM} is its only placeholder"
        )
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
    """The template with the stream's name in it; ``+`` becomes ``%2B``, and so what is like it."""
    if STREAM not in template:
        return template
    name = _UNFIT.sub(lambda found: f"%{ord(found[0]):02X}", stream.decode(errors="replace"))
    return template.replace(STREAM, name)


def beside(template: str, last: str) -> str:
    """The topic ``last`` below ``template``, or below the levels before its placeholder."""
    fixed = template
    if STREAM in template:
        fixed = template.partition(STREAM)[0].rpartition("/")[0]
    return f"{fixed}/{last}" if fixed else last
