"""The cell language evaluated directly: one element after the other, over Python's own tree.

The second opinion of the laws. It imports nothing of the workbench, so that a misreading there
cannot repeat itself here. It knows the forms that `growing` writes and raises `FormError` for any
other.
"""

from tests.laws.direct.statements import run
from tests.laws.direct.values import AssumptionError, FormError, OutsideError, Run

__all__ = ["AssumptionError", "FormError", "OutsideError", "Run", "run"]
