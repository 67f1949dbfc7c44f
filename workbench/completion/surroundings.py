"""What completion knows from outside of the cell: the magic's options, and Python's variables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Option:
    """An option of the magic; `several` where it may be given more than once."""

    name: str
    text: str
    values: tuple[str, ...] = ()
    takes_value: bool = True
    several: bool = False


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The options of `%%wgpu_kernel`, and the variables that `{{name}}` can take."""

    options: tuple[Option, ...] = ()
    variables: Mapping[str, Any] = field(default_factory=dict[str, Any])
