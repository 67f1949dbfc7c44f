"""Names in WGSL: which ones the language keeps for itself, and what ours become there.

The rule: a name keeps its spelling unless WGSL forbids it. Characters that no identifier may
hold (the dot of `y.j`) become `_`. A word that WGSL or the emitted module uses itself, and a
name that starts with an underscore, gets the prefix `kernel_`. What is taken gets `_2`, `_3`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


KEYWORDS = _words(
    """
    alias break case const const_assert continue continuing default diagnostic discard else
    enable false fn for if let loop override requires return struct switch true var while
    """
)

RESERVED = _words(
    """
    NULL Self abstract active alignas alignof as asm asm_fragment async attribute auto await
    become cast catch class co_await co_return co_yield coherent column_major common compile
    compile_fragment concept const_cast consteval constexpr constinit crate debugger decltype
    delete demote demote_to_helper do dynamic_cast enum explicit export extends extern external
    fallthrough filter final finally friend from fxgroup get goto groupshared highp impl
    implements import inline instanceof interface layout lowp macro macro_rules match mediump
    meta mod module move mut mutable namespace new nil noexcept noinline nointerpolation
    non_coherent noncoherent noperspective null nullptr of operator package packoffset
    partition pass patch pixelfragment precise precision premerge priv protected pub public
    readonly ref regardless register reinterpret_cast require resource restrict self set shared
    sizeof smooth snorm static static_assert static_cast std subroutine super target template
    this thread_local throw trait try type typedef typeid typename typeof union unless unorm
    unsafe unsized use using varying virtual volatile wgsl where with writeonly yield
    """
)

PREDECLARED = _words(
    """
    array atomic bool f16 f32 i32 u32 f64 i64 u64 ptr sampler vec2 vec3 vec4 vec2f vec3f vec4f
    vec2i vec3i vec4i vec2u vec3u vec4u vec2h vec3h vec4h mat2x2 mat2x3 mat2x4 mat3x2 mat3x3
    mat3x4 mat4x2 mat4x3 mat4x4 read write read_write function private workgroup uniform
    storage handle bitcast all any select arrayLength abs acos acosh asin asinh atan atanh
    atan2 ceil clamp cos cosh countLeadingZeros countOneBits countTrailingZeros cross degrees
    determinant distance dot dot4U8Packed dot4I8Packed exp exp2 extractBits faceForward
    firstLeadingBit firstTrailingBit floor fma fract frexp insertBits inverseSqrt ldexp length
    log log2 max min mix modf normalize pow quantizeToF16 radians reflect refract reverseBits
    round saturate sign sin sinh smoothstep sqrt step tan tanh transpose trunc atomicLoad
    atomicStore atomicAdd atomicSub atomicMax atomicMin atomicAnd atomicOr atomicXor
    atomicExchange atomicCompareExchangeWeak workgroupBarrier storageBarrier textureBarrier
    workgroupUniformLoad subgroupAdd subgroupAll subgroupAny subgroupBallot subgroupMax
    subgroupMin
    """
)

MODULE = _words(
    """
    main workgroup_id local_id workgroup_id_x workgroup_id_y workgroup_id_z local_id_x
    local_id_y local_id_z status scalars Scalars budget loop_budget outside
    out_of_budget inf_bits
    minus_inf_bits nan_bits minus_zero_bits
    """
)
"""Words that the emitted module declares itself."""

OURS = KEYWORDS | RESERVED | PREDECLARED | MODULE


def wgsl_names(names: Iterable[str], functions: Iterable[str]) -> dict[str, str]:
    """What each name is called in WGSL; `functions` are the module's own, and taken."""
    taken = OURS | set(functions)
    given: dict[str, str] = {}
    for name in dict.fromkeys(names):
        wanted = _legal(name)
        free, number = wanted, 2
        while free in taken:
            free, number = f"{wanted}_{number}", number + 1
        taken |= {free}
        given[name] = free
    return given


def _legal(name: str) -> str:
    spelled = "".join(c if f"a{c}".isidentifier() else "_" for c in name)
    if spelled in OURS or spelled.startswith("_") or not spelled.isidentifier():
        return f"kernel_{spelled.lstrip('_')}"
    return spelled
