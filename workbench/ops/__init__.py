"""Layer 4b: the operators, each written once, as a function from tensors to tensors.

An operator has the name and the meaning of ONNX's newest one; optional operands are None. To add
one, write a function under `@operator` in a file of this folder: it is found by its name.
"""

from __future__ import annotations

import inspect
import pkgutil
from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from typing import Any

from workbench.ops.tensor import Tensor

Operator = Callable[..., "Tensor | tuple[Tensor, ...]"]


@cache
def operators() -> Mapping[str, Operator]:
    """Every operator by name."""
    found: dict[str, Operator] = {}
    for module in pkgutil.iter_modules(__path__):
        members: dict[str, Any] = vars(import_module(f"{__name__}.{module.name}"))
        for member in list(members.values()):
            name = getattr(member, "operator", None)
            if isinstance(name, str) and inspect.isfunction(member):
                found[name] = member
        found |= members.get("ROWS", {})
    return found
