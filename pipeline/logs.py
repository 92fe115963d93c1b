"""Structured logs on stderr: JSON lines for machines, colours for people, never a secret.

Every part logs through ``structlog.get_logger()`` with an event and named values::

    log.info("snapshot saved", partition=3, offset=1200, rows=512)

What the client libraries log through the standard library comes out the same way, from warnings up.
"""

from __future__ import annotations

import io
import json
import logging
import re
import sys
from collections.abc import Mapping
from typing import Any, Literal, TextIO

import numpy as np
import orjson
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

Format = Literal["auto", "json", "console"]

# These log at the level asked for; everything else is a library and logs warnings.
OWN = ("pipeline", "trainer", "export", "deploy", "__main__")
MASK = "***"
_WORDS = (
    r"passw(?:or)?d|passphrase|secret|token|credential|api_?key|private_?key|access_?key"
    r"|authorization|cookie|jaas"
)
_SECRET_KEY = re.compile(_WORDS, re.IGNORECASE)
# Both begin where a word begins and look at it once, however often a secret's name is in it.
_SECRET_TEXT = re.compile(
    rf"(?<!\w)((?>\w*?(?:{_WORDS})\w*)[\"']?\s*[=:]\s*)(?:bearer\s+|basic\s+)?"
    r"(?:\"[^\"]*(?:\"|\Z)|'[^']*(?:'|\Z)|[^\s,;&\"']+)",
    re.IGNORECASE,
)
# Up to the last @ of the word: passwords may hold what an address should have escaped.
_URL_PASSWORD = re.compile(
    r"(?<![^\s\"'<>])((?>[^\s\"'<>]*?\w://[^/\s:@]*:))[^\s\"'<>]+@",
)
MAX_LOOKED_AT = 16 * 1024
MAX_TOLD = 1000


def configure_logs(
    level: str = "info",
    format: Format = "auto",  # noqa: A002  # the name of the configuration's key
    stream: TextIO | None = None,
) -> None:
    """Send all logs to ``stream`` (stderr): ``auto`` means coloured on a terminal, else JSON.

    ``level`` is ``debug``, ``info``, ``warning`` or ``error``; other names raise ValueError. May be
    called again: the last call holds.
    """
    numeric = logging.getLevelNamesMapping().get(level.upper())
    if numeric is None:
        raise ValueError(f"log level {level!r}: use debug, info, warning or error")
    out = sys.stderr if stream is None else stream
    coloured = format == "console" or (format == "auto" and out.isatty())

    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *([] if coloured else [structlog.processors.format_exc_info]),
                mask_secrets,
                _console(out) if coloured else structlog.processors.JSONRenderer(_to_json),
            ],
            foreign_pre_chain=shared,
        )
    )
    root = logging.getLogger()
    for old in root.handlers[:]:
        if isinstance(old.formatter, structlog.stdlib.ProcessorFormatter):
            root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(max(numeric, logging.WARNING))
    for name in OWN:
        logging.getLogger(name).setLevel(numeric)
    logging.captureWarnings(True)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(numeric),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,  # a second configure_logs must reach every logger
    )


def mask_secrets(
    logger: WrappedLogger,  # noqa: ARG001  # structlog's signature of a processor
    method: str,  # noqa: ARG001
    event: EventDict,
) -> EventDict:
    """A structlog processor: hides the values of secret keys, at any depth, and those in texts.

    ``password``, ``sasl_plain_password``, ``token`` and the like are secret keys; in texts it
    masks ``password=…``, ``"token": "…"`` and the password of an URL.
    """
    return {key: _masked(key, value) for key, value in event.items()}


def masked(text: str) -> str:
    """``text`` without the secrets that a log line would not show either."""
    return _URL_PASSWORD.sub(rf"\1{MASK}@", _SECRET_TEXT.sub(rf"\1{MASK}", text))


def masked_start(text: str) -> str:
    """The first ``MAX_TOLD`` characters of it, masked, at a cost that is bounded."""
    if len(text) > MAX_LOOKED_AT:
        # To the end of a word: the half of a password would not be known as one.
        text = text[:MAX_LOOKED_AT].rpartition(" ")[0]
    return masked(text)[:MAX_TOLD]


def _masked(key: object, value: object) -> object:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(key, str) and _SECRET_KEY.search(key):
        return MASK
    if isinstance(value, str):
        return masked(value)
    if isinstance(value, bytes):
        return _masked(None, value.decode("utf-8", "backslashreplace"))
    if isinstance(value, Mapping):
        return {str(inner): _masked(inner, item) for inner, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_masked(None, item) for item in value]
    if isinstance(value, BaseException):
        return _masked(None, f"{type(value).__name__}: {value}")
    if isinstance(value, np.generic):
        return value.item()
    return value


def _to_json(event: EventDict, **_: Any) -> str:
    first = ("timestamp", "level", "event")  # where people look for them
    event = {name: event[name] for name in first if name in event} | dict(event)
    try:
        return orjson.dumps(event, default=str, option=orjson.OPT_SERIALIZE_NUMPY).decode()
    except TypeError:  # lone surrogates, integers beyond 64 bits: a log line must not raise
        return json.dumps(event, default=str)


def _console(out: TextIO) -> Processor:
    return structlog.dev.ConsoleRenderer(
        colors=out.isatty(),
        # The prettier formatters show local variables, and with them secrets.
        exception_formatter=_masked_traceback,
    )


def _masked_traceback(out: TextIO, exc_info: Any) -> None:
    plain = io.StringIO()
    structlog.dev.plain_traceback(plain, exc_info)
    out.write(str(_masked(None, plain.getvalue())))
