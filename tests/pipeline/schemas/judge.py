"""A schema as a judge of JSON texts, stricter than the library alone: formats and NaN count."""

from __future__ import annotations

import json
from datetime import datetime
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker, ValidationError

from pipeline.schemas import schema_text

FORMATS = FormatChecker(())


@FORMATS.checks("date-time", ValueError)
def _is_time(value: object) -> bool:
    """RFC 3339 allows what Python reads; without an offset it does not."""
    return not isinstance(value, str) or datetime.fromisoformat(value).tzinfo is not None


@cache
def validator(kind: str) -> Draft202012Validator:
    """The validator of one kind's schema."""
    return Draft202012Validator(json.loads(schema_text(kind)), format_checker=FORMATS)


def refuse(kind: str, text: str) -> str | None:
    """Why ``text`` is no record of this kind; None where it is one."""
    try:
        validator(kind).validate(strict(text))
    except (ValidationError, ValueError) as error:
        return str(error)
    return None


def strict(text: str) -> Any:
    """Parsed JSON; ValueError for NaN and infinity, which Python takes and JSON does not know."""

    def no_constant(name: str) -> None:
        raise ValueError(f"{name} is no JSON")

    return json.loads(text, parse_constant=no_constant)
