"""IPython's types are incomplete: all that is read from it is Any, and typed where it enters."""

from typing import Any

def __getattr__(name: str) -> Any: ...
