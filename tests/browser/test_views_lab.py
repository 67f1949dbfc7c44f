"""Pictures of a compilation in a real JupyterLab: drawn once somebody looks, in both themes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, Locator, expect

from tests.lab import Lab, Notebook
from workbench.widget.views import view, view_names

CELLS = (
    """
import numpy as np
%load_ext workbench
A, B = np.ones((30, 20), np.float32), np.ones((20, 10), np.float32)
""",
    """%%wgpu_kernel --on native --schedule tiled --show stages,run
def matmul(A: f32[M, K], B: f32[K, N]) -> f32[M, N]:
    C[i, j] = sum(A[i, k] * B[k, j] for k in range(K))
    return C

@schedule(matmul)
def tiled(T=4):
    parallelize("i", "workgroup.y", T)
    parallelize("j", "workgroup.x", T)
    split("k", T)
    cache("A", "workgroup", at="k_o")
    cache("B", "workgroup", at="k_o")
""",
)


@pytest.fixture(scope="module")
def notebook(lab: Lab, context: BrowserContext) -> Iterator[Notebook]:
    """The notebook; its cells have run."""
    page = context.new_page()
    opened = lab.open(page, CELLS, name="views.ipynb")
    for position in range(len(CELLS)):
        opened.run_cell(position)
    yield opened
    page.close()
    lab.stop_kernels()


@pytest.fixture
def panel(notebook: Notebook) -> Locator:
    """The panel of the matmul, scrolled to."""
    found = notebook.page.locator(".jp-Notebook .jp-Cell").nth(1).locator(".wb-panel")
    found.scroll_into_view_if_needed()
    return found


@pytest.mark.parametrize("name", view_names())
def test_a_picture_is_drawn_and_put_away(notebook: Notebook, panel: Locator, name: str) -> None:
    title = view(name).title
    button = panel.locator(".wb-offers").get_by_role("button", name=title, exact=True)
    button.click()
    drawn = panel.locator(f".wb-picture-{name} > *").first
    expect(drawn).to_be_visible()
    drawn.scroll_into_view_if_needed()
    notebook.light()
    notebook.screenshot(f"view_{name}_light", height=1100)
    notebook.dark()
    notebook.screenshot(f"view_{name}_dark", height=1100)
    notebook.light()
    button.click()

    expect(panel.locator(f".wb-view-{name}")).to_be_hidden()


def test_the_traffic_is_a_table_with_names(panel: Locator) -> None:
    panel.locator(".wb-offers").get_by_role("button", name="traffic", exact=True).click()
    row = panel.locator(".wb-traffic tr", has_text="A_workgroup")

    expect(row).to_contain_text("workgroup")
    expect(panel.locator(".wb-traffic")).to_contain_text("bytes of workgroup memory")
