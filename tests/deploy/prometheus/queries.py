"""Which metrics a PromQL expression asks for."""

from __future__ import annotations

import re

# What is no metric although it looks like one, in the order in which it is taken out.
_NOISE = (
    r'"(?:\\.|[^"\\])*"',
    r"\{[^{}]*\}",  # label matchers
    r"\[[^\]]*\]",  # ranges
    r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^()]*\)",  # lists of labels
    r"\b[A-Za-z_]\w*(?=\s*\()",  # functions
    r"\boffset\s+\w+",
    r"(?<![\w:])(?:and|or|unless|by|without|bool|inf|nan|[\d.]+(?:e[+-]?\d+)?)(?![\w:])",
)
# Made by Prometheus itself.
OWN = frozenset({"up", "ALERTS"})


def metrics_of(expr: str) -> set[str]:
    """The names of the series that ``expr`` selects."""
    for noise in _NOISE:
        expr = re.sub(noise, " ", expr)
    return set(re.findall(r"[A-Za-z_:][\w:]*", expr))


def exported(text: str) -> set[str]:
    """The names of the series that a process may export, by the types in its answer."""
    names: set[str] = set()
    for name, kind in re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE):
        names |= (
            {f"{name}_{part}" for part in ("bucket", "sum", "count")}
            if kind
            in (
                "histogram",
                "summary",
            )
            else {name}
        )
    return names
