"""How the page's code gets into the page: once, however many widgets there are.

A widget's own code is a loader of a few lines; the bundle travels in one hidden model, and the
page evaluates it once. Every kind of widget is a subclass of `Bundled` with its `kind`.
What the code does is in js/; what a widget shows is in the files beside this one.
"""

from __future__ import annotations

import hashlib
from typing import Any

import anywidget
import traitlets

from workbench.runtime.connect import bundle

# A page keeps every module that it has loaded, and each widget's own is one: so it is short.
# After a reload of the page the models come back in any order, hence the rounds of waiting. A page
# gives a widget two seconds to initialize, hence nothing is awaited there.
_LOADER = """
const load = async (step, mount) => {
  const manager = mount.model.widget_manager, id = mount.model.get("bundle");
  const pause = () => new Promise((go) => setTimeout(go, 50));
  for (let round = 0; round < 200 && !manager.has_model(id); round++) await pause();
  const bundle = await manager.get_model(id);
  const code = await (globalThis[Symbol.for("workbench." + bundle.get("digest"))] ??= (() => {
    const url = URL.createObjectURL(new Blob([bundle.get("code")], { type: "text/javascript" }));
    return import(url).finally(() => URL.revokeObjectURL(url));
  })());
  code[step](mount);
};
export default {
  initialize(mount) { load("initialize", mount).catch(console.error); },
  render: (mount) => load("render", mount),
};
"""


class Bundle(anywidget.AnyWidget):
    """The hidden model that carries the bundle; never displayed."""

    _esm = "export default {};"
    code = traitlets.Bytes().tag(sync=True)
    digest = traitlets.Unicode().tag(sync=True)


class Bundled(anywidget.AnyWidget):
    """A widget whose code is in the bundle; `kind` says which part of it."""

    _esm = _LOADER
    kind = traitlets.Unicode().tag(sync=True)
    bundle = traitlets.Unicode().tag(sync=True)

    def __init__(self, **traits: Any) -> None:
        """Make the widget, and the bundle's model where this process has none yet."""
        super().__init__(bundle=_shared_bundle().model_id, **traits)

    def close(self) -> None:
        """Part from the page; the widget's layout, a widget of its own, does so as well."""
        layout = self.layout if self.comm is not None else None
        super().close()  # pyright: ignore[reportUnknownMemberType]
        if layout is not None:
            layout.close()


_shared: list[Bundle] = []


def _shared_bundle() -> Bundle:
    """The one bundle of this process; a new one after somebody closed it."""
    if _shared and _shared[0].comm is not None:
        return _shared[0]
    code = bundle()
    _shared[:] = [Bundle(code=code, digest=hashlib.sha256(code).hexdigest())]
    return _shared[0]
