"""Normalisations: of batches, layers, instances, groups; by norms and by neighbours."""

from __future__ import annotations

import math
from collections.abc import Sequence

from workbench.base.dtypes import F32
from workbench.ops.formula import compute, compute_one, literal, typed
from workbench.ops.movement import axis_of
from workbench.ops.named import operator
from workbench.ops.tensor import Tensor, UnsupportedError, view


@operator("BatchNormalization")
def batch_normalization(
    x: Tensor, scale: Tensor, b: Tensor, mean: Tensor, var: Tensor, *,
    epsilon: float = 1e-5, momentum: float = 0.9, training_mode: int = 0,
) -> tuple[Tensor, ...]:  # fmt: skip
    """Each channel with the mean and variance that the model knows, or, in training, its own."""
    channels = x.shape[1] if x.rank > 1 else 1
    flat = view(x, (x.shape[0], channels, math.prod(x.shape[2:])))
    inputs = {"x": flat, "scale": scale, "b": b, "mean": mean, "var": var}
    line = f"y[n, c, k] = (x[n, c, k] - {{m}}[c]) / sqrt({{v}}[c] + {epsilon!r}) * scale[c] + b[c]"
    if not training_mode:
        line = line.format(m="mean", v="var")
        made = compute_one("batch_normalization", inputs, line, x.dtype, flat.shape)
        return (view(made, x.shape),)
    n, _, k = flat.shape
    over = f"for n in range({n}) for k in range({k})"
    lines = f"""
        m[c] = sum(x[n, c, k] {over}) / {n * k}
        v[c] = sum((x[n, c, k] - m[c]) * (x[n, c, k] - m[c]) {over}) / {n * k}
        {line.format(m="m", v="v")}
        new_mean[c] = mean[c] * {momentum!r} + m[c] * {1 - momentum!r}
        new_var[c] = var[c] * {momentum!r} + v[c] * {1 - momentum!r}
    """
    results = {"y": (x.dtype, flat.shape), "new_mean": (mean.dtype, mean.shape),
               "new_var": (var.dtype, var.shape)}  # fmt: skip
    y, new_mean, new_var = compute("batch_normalization", inputs, lines, results)
    return view(y, x.shape), new_mean, new_var


def _affine(inputs: dict[str, Tensor], scale: Tensor | None, b: Tensor | None, size: int) -> str:
    """What stands behind a normalised element: its own scale and its own shift."""
    words = ""
    for name, x, sign in (("scale", scale, "*"), ("b", b, "+")):
        if x is not None:
            if x.size not in {1, size}:
                raise UnsupportedError(f"{name} of {list(x.shape)} for {size} elements")
            inputs[name] = view(x, (x.size,))
            words += f" {sign} {name}[{'k' if x.size == size else '0'}]"
    return words


@operator("LayerNormalization")
def layer_normalization(
    x: Tensor, scale: Tensor, b: Tensor | None = None, *, axis: int = -1, epsilon: float = 1e-5,
    stash_type: int = 1,
) -> tuple[Tensor, ...]:  # fmt: skip
    """The axes from one on to mean 0 and variance 1, scaled and shifted."""
    del stash_type
    if x.dtype is not F32:
        raise UnsupportedError(f"of {x.dtype}")
    axis = axis_of(axis, x.rank)
    rows, size = math.prod(x.shape[:axis]), math.prod(x.shape[axis:])
    inputs = {"x": view(x, (rows, size))}
    affine = _affine(inputs, scale, b, size)
    lines = f"""
        mean[i] = sum(x[i, k] for k in range({size})) / {size}
        var[i] = sum((x[i, k] - mean[i]) * (x[i, k] - mean[i]) for k in range({size})) / {size}
        inverse[i] = 1 / sqrt(var[i] + {epsilon!r})
        y[i, k] = (x[i, k] - mean[i]) * inverse[i]{affine}
    """
    results = {"y": (x.dtype, (rows, size)), "mean": (F32, (rows,)), "inverse": (F32, (rows,))}
    y, mean, inverse = compute("layer_normalization", inputs, lines, results)
    outer = (*x.shape[:axis], *[1] * (x.rank - axis))
    return view(y, x.shape), view(mean, outer), view(inverse, outer)


@operator("RMSNormalization")
def rms_normalization(
    x: Tensor, scale: Tensor, *, axis: int = -1, epsilon: float = 1e-5, stash_type: int = 1
) -> Tensor:
    """The axes from one on to a mean square of 1, scaled."""
    del stash_type
    if x.dtype is not F32:
        raise UnsupportedError(f"of {x.dtype}")
    axis = axis_of(axis, x.rank)
    rows, size = math.prod(x.shape[:axis]), math.prod(x.shape[axis:])
    inputs = {"x": view(x, (rows, size))}
    affine = _affine(inputs, scale, None, size)
    lines = f"""
        square[i] = sum(x[i, k] * x[i, k] for k in range({size})) / {size}
        y[i, k] = x[i, k] / sqrt(square[i] + {epsilon!r}){affine}
    """
    made = compute_one("rms_normalization", inputs, lines, x.dtype, (rows, size))
    return view(made, x.shape)


def _grouped(
    x: Tensor, groups: int, scale: Tensor, b: Tensor, epsilon: float, *, per_group: bool = False
) -> Tensor:
    """Groups of channels, each of its own mean and variance; scaled by channel or by group."""
    n, channels = x.shape[:2]
    each, size = channels // groups, math.prod(x.shape[2:])
    flat = view(x, (n, groups, each, size))
    over = f"for c in range({each}) for k in range({size})"
    count = each * size
    inputs = {"x": flat}
    for name, v in (("scale", scale), ("b", b)):
        inputs[name] = view(v, (groups,) if per_group else (groups, each))
    at = "g" if per_group else "g, c"
    lines = f"""
        mean[n, g] = sum(x[n, g, c, k] {over}) / {count}
        d[n, g, c, k] = x[n, g, c, k] - mean[n, g]
        var[n, g] = sum(d[n, g, c, k] * d[n, g, c, k] {over}) / {count}
        z[n, g, c, k] = d[n, g, c, k] / sqrt(var[n, g] + {epsilon!r})
        y[n, g, c, k] = z[n, g, c, k] * scale[{at}] + b[{at}]
    """
    return view(compute_one("normalization", inputs, lines, x.dtype, flat.shape), x.shape)


@operator("InstanceNormalization")
def instance_normalization(x: Tensor, scale: Tensor, b: Tensor, *, epsilon: float = 1e-5) -> Tensor:
    """Each channel of each picture to mean 0 and variance 1, scaled and shifted."""
    return _grouped(x, x.shape[1], scale, b, epsilon)


@operator("GroupNormalization")
def group_normalization(
    x: Tensor, scale: Tensor, b: Tensor, *, num_groups: int, epsilon: float = 1e-5,
    stash_type: int = 1, per_group: bool = False,
) -> Tensor:  # fmt: skip
    """Groups of channels to mean 0 and variance 1, scaled and shifted."""
    del stash_type
    return _grouped(x, num_groups, scale, b, epsilon, per_group=per_group)


@operator("LpNormalization")
def lp_normalization(x: Tensor, *, axis: int = -1, p: int = 2) -> Tensor:
    """Divided by the norm along an axis; 0 where that is 0."""
    axis = axis_of(axis, x.rank)
    n = x.shape[axis]
    sizes = (math.prod(x.shape[:axis]), n, math.prod(x.shape[axis + 1 :]))
    norm = "sum(abs(x[i, j, k])" if p == 1 else "sqrt(sum(x[i, j, k] * x[i, j, k]"
    lines = f"""
        norm[i, k] = {norm} for j in range({n}){")" if p == 1 else "))"}
        y[i, j, k] = x[i, j, k] / norm[i, k] if norm[i, k] != 0 else 0
    """
    made = compute_one("lp_normalization", {"x": view(x, sizes)}, lines, x.dtype, sizes)
    return view(made, x.shape)


@operator("LRN")
def local_response(
    x: Tensor, *, size: int, alpha: float = 1e-4, beta: float = 0.75, bias: float = 1.0
) -> Tensor:
    """Divided by what the neighbouring channels are, squared."""
    n, c = x.shape[:2]
    sizes = (n, c, math.prod(x.shape[2:]))
    near = f"c + r - {(size - 1) // 2}"
    lines = f"""
        s: {typed(x.dtype, sizes)}
        s[n, c, k] = sum(square(x[n, {near}, k]) for r in range({size}) if 0 <= {near} < {c})
        y[n, c, k] = x[n, c, k] / ({literal(bias, F32)} + {alpha / size!r} * s[n, c, k]) ** {beta!r}
    """
    return view(compute_one("lrn", {"x": view(x, sizes)}, lines, x.dtype, sizes), x.shape)


@operator("MeanVarianceNormalization")
def mean_variance(x: Tensor, *, axes: Sequence[int] = (0, 2, 3)) -> Tensor:
    """Some axes to mean 0 and variance 1."""
    from workbench.ops.formula import pointwise  # noqa: PLC0415
    from workbench.ops.reductions import reduced  # noqa: PLC0415

    chosen = {axis_of(a, x.rank) for a in axes}

    def mean(v: Tensor) -> Tensor:
        return reduced(v, chosen, lambda e, over, n: f"sum({e} {over}) / {n}", name="mean")

    apart = pointwise("apart", "{0} - {1}", x, mean(x))
    square = mean(pointwise("square", "{0} * {0}", apart))
    return pointwise("scaled", "{0} / (sqrt({1}) + 1e-9)", apart, square)
