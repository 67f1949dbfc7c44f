"""Programs of the cell language grown as text: what hypothesis chooses, in the language's words.

Every program has a meaning. It stays inside its arrays, but where an index comes from data, which
rarely leads outside: then a report is what it means. Floats are multiples of small powers of two
and mostly stay exact in f32, so that results can be compared for equality. Knows nothing of the
workbench.
"""

from tests.laws.growing.kernels import grow, programs
from tests.laws.growing.scope import Program, resized

__all__ = ["Program", "grow", "programs", "resized"]
