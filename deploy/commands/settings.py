"""Options of a trainer from the command line's: flags, and ``--set NAME=VALUE`` for the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from pipeline.errors import ConfigError

if TYPE_CHECKING:
    from pydantic import BaseModel

Config = TypeVar("Config", bound="BaseModel")


def config_of(
    kind: type[Config], given: Mapping[str, Any], settings: Sequence[str], where: str
) -> Config:
    """A ``kind`` with the options ``given`` (None is the default) and ``settings``.

    Raises ConfigError, beginning with ``where``, with all that is wrong.
    """
    from pydantic import ValidationError

    bare = [each for each in settings if "=" not in each]
    if bare:
        raise ConfigError("--set", [f"{each!r} is not NAME=VALUE" for each in bare])
    values = {key: value for key, value in given.items() if value is not None}
    values |= dict(each.split("=", maxsplit=1) for each in settings)
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        problems = [
            f"{'.'.join(map(str, item['loc'])) or 'settings'}: {item['msg']}"
            for item in error.errors()
        ]
        raise ConfigError(where, problems) from error
