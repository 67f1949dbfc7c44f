from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Mapping[str, Any]])

class CompletionContext:
    full_text: str
    cursor_position: int
    cursor_line: int

class SimpleCompletion:
    text: str
    type: str | None
    def __init__(self, text: str, *, type: str | None = ...) -> None: ...

def context_matcher(*, priority: float = ..., identifier: str = ...) -> Callable[[F], F]: ...
def provisionalcompleter() -> AbstractContextManager[None]: ...
