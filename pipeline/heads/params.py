"""A head's parameters out of a manifest."""

from __future__ import annotations

from typing import TypeVar

from pydantic import BaseModel, ValidationError

from pipeline.errors import BundleError
from pipeline.manifest import Manifest

Params = TypeVar("Params", bound=BaseModel)


def read_params(manifest: Manifest, task: str, model: type[Params]) -> Params:
    """``manifest.head`` as ``model``; raises BundleError for another task's or a wrong one."""
    name = manifest.name
    if manifest.task != task:
        raise BundleError(f"{name}: the task is {manifest.task!r}, not {task!r}")
    try:
        return model.model_validate(manifest.head)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, ('head', *item['loc'])))}: {item['msg']}"
            for item in error.errors()
        )
        raise BundleError(
            f"{name}: the {task} head's parameters are not valid: {problems}; train the bundle "
            "again with this version"
        ) from error
