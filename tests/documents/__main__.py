"""`python -m tests.documents`: write the pages of `docs` that are made of the program."""

from __future__ import annotations

from tests.documents.numerics import numerics_page
from tests.documents.pages import DOCS, errors_page, language_page

for name, page in (
    ("errors.md", errors_page),
    ("language.md", language_page),
    ("numerics.md", numerics_page),
):
    (DOCS / name).write_text(page(), encoding="utf-8")
    print(f"wrote docs/{name}")
