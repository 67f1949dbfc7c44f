"""Foreign models as plain functions, so that they can be timed beside kernels.

A session of ONNX Runtime and a module of PyTorch are told by their form: whoever has one has
imported its library already, and nothing here imports one.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, cast

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def as_function(thing: Any) -> tuple[str, Callable[[Mapping[str, Any]], Callable[[], Any]]] | None:
    """A name, and what makes a call without arguments from inputs by name; None for no function.

    The inputs are converted once, before anything is timed.
    """
    if callable(getattr(thing, "run", None)) and callable(getattr(thing, "get_inputs", None)):
        return "onnxruntime", lambda inputs: _session(thing, inputs)
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(thing, torch.nn.Module):
        return type(thing).__name__, lambda inputs: _module(torch, thing, inputs)
    if callable(thing):
        name = getattr(thing, "__name__", type(thing).__name__)
        return name, lambda inputs: _function(thing, inputs)
    return None


def _session(session: Any, inputs: Mapping[str, Any]) -> Callable[[], Any]:
    names = [i.name for i in session.get_inputs()]
    by_name = set(names) <= set(inputs)
    given = [inputs[n] for n in names] if by_name else list(inputs.values())
    feed = {n: np.ascontiguousarray(v) for n, v in zip(names, given, strict=True)}
    return lambda: session.run(None, feed)


def _module(torch: Any, module: Any, inputs: Mapping[str, Any]) -> Callable[[], Any]:
    given = [torch.from_numpy(np.ascontiguousarray(v)) for v in inputs.values()]

    def call() -> Any:
        with torch.inference_mode():
            found: Any = module(*given)
        if isinstance(found, tuple):
            return tuple(x.numpy() for x in cast("tuple[Any, ...]", found))
        return found.numpy()

    return call


def _function(function: Callable[..., Any], inputs: Mapping[str, Any]) -> Callable[[], Any]:
    given = list(inputs.values())
    return lambda: function(*given)
