"""Layer 9: the magics. Thin: each reads its options and calls what Python calls, too."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError
from IPython.core.magic import Magics, cell_magic, line_magic, magics_class, no_var_expand
from IPython.core.magic_arguments import argument, magic_arguments, parse_argstring
from IPython.display import display

from workbench.base.errors import DeviceError, ScheduleError, WorkbenchError
from workbench.base.source import Source
from workbench.completion.attach import attach
from workbench.completion.surroundings import Option
from workbench.session.cell import arguments, run_cell
from workbench.session.compare import SECONDS, compare
from workbench.session.devices import LISTED, choose, devices
from workbench.session.explain import explain
from workbench.session.kernel import Kernel, kernels
from workbench.session.memory import MemoryTable, memory
from workbench.session.schedules import KernelSchedule, Turned
from workbench.session.subject import subject_of
from workbench.widget.views import view_names

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workbench.measure.comparison import Comparison
    from workbench.measure.roofs import Explanation
    from workbench.session.devices import Devices

SHOWS = ("stages", "run", *view_names(), "none")


class ShownError(Exception):
    """An error whose panel stands above it: one line is enough here."""

    def _render_traceback_(self) -> list[str]:
        return [str(self)]


@magics_class
class WorkbenchMagics(Magics):
    """The magics of Workbench."""

    @magic_arguments()
    @argument("name", nargs="?", help="the kernel of the cell to run and show; default: the last")
    @argument("--on", default="auto", choices=["auto", *LISTED], help="the device to run on")
    @argument("--lang", default="index", choices=["index", "wgsl"], help="the language of the cell")
    @argument("--schedule", help="a schedule: the name of one in this cell, or a Python variable")
    @argument("--show", help=f"views, of {','.join(SHOWS)}; with commas; default: stages,run")
    @argument("--time", action="store_true", help="repeat the run and report the median")
    @argument("--live", action="store_true", help="run it in the page again and again, and draw it")
    @argument("--check", default="on", choices=["on", "off"], help="execute and compare each stage")
    @argument(
        "--set", action="append", default=[], metavar="KNOB=VALUE", dest="knobs",
        help="a knob of the schedule: --set T=16",
    )  # fmt: skip
    @argument("--workgroups", help="wgsl: how many to run: --workgroups 8,8", metavar="X,Y,Z")
    @argument(
        "--output", action="append", default=[], metavar="NAME=SHAPE", dest="shapes",
        help="wgsl: the shape of what is written: --output C=64,64",
    )  # fmt: skip
    @argument("--like", help="wgsl: compare with this kernel, a Python variable", metavar="KERNEL")
    @no_var_expand
    @cell_magic
    def wgpu_kernel(self, line: str, cell: str) -> None:
        """Compile a cell in the cell language, show every stage, and run it on its arrays.

        Each kernel and schedule in the cell becomes a Python name. Where arrays with the names
        of the kernel's parameters exist, it runs; the result is read with the kernel called as
        a function. With `--lang wgsl` the cell is a shader: it gets the NAME of the line, or
        else its entry point's, and runs where `--workgroups` are given. `{{name}}` in the cell
        or the options takes the value of a Python variable.
        """
        namespace = self._namespace()
        line, cell = fill(line, namespace), fill(cell, namespace)
        options = parse_argstring(self.wgpu_kernel, line)
        views = _views(options.show or "stages,run")
        _refuse_mixed(options)
        if options.lang == "wgsl":
            self._shader(f"// %%wgpu_kernel {line}".rstrip() + "\n" + cell, options, views)
            return
        source = Source(f"# %%wgpu_kernel {line}".rstrip() + "\n" + cell, "cell")
        try:
            found = kernels(source)
            self._bind(found)
            k = _chosen(found, options.name)
            schedule = _schedule(k, options.schedule, options.knobs, namespace)
            if options.show is None and isinstance(schedule, Turned) and schedule.knobs:
                views = (*views, "schedule")
            run = run_cell(
                k,
                namespace,
                on=options.on,
                schedule=schedule,
                checked=options.check == "on",
                timed=options.time,
            )
        except WorkbenchError as error:
            raise self._shown(error, options.name or "cell") from None
        if views:
            from workbench.widget.assemble import cell_state  # noqa: PLC0415
            from workbench.widget.panel import Panel  # noqa: PLC0415

            display(Panel(cell_state(run, views), subject_of(run)))
        if options.live:
            self._live(k, schedule, options.name or k.name)

    def _live(self, k: Kernel, schedule: Any, title: str) -> None:
        """Draw a kernel live, with what the notebook has under the names of its parameters."""
        from workbench.session.live import starts  # noqa: PLC0415  (only a live cell needs it)

        try:
            k.live(schedule=schedule, **starts(k, self._namespace()))
        except WorkbenchError as error:
            raise self._shown(error, title) from None

    def _shader(self, text: str, options: Any, views: tuple[str, ...]) -> None:
        """Run a cell of hand-written WGSL."""
        from workbench.session.shader import from_wgsl  # noqa: PLC0415
        from workbench.session.shader_cell import ShaderOptions, run_shader  # noqa: PLC0415

        namespace = self._namespace()
        settings = ShaderOptions(
            on=options.on,
            workgroups=None if options.workgroups is None else _sizes(options.workgroups),
            outputs=dict(_named_sizes(each) for each in options.shapes),
            like=_like(options.like, namespace),
            timed=options.time,
        )
        try:
            k = from_wgsl(Source(text, "cell.wgsl"), name=options.name)
            assert self.shell is not None
            self.shell.push({k.name: k})
            run = run_shader(k, namespace, settings)
        except WorkbenchError as error:
            raise self._shown(error, options.name or "cell") from None
        if views:
            from workbench.widget.assemble import shader_state  # noqa: PLC0415
            from workbench.widget.panel import Panel  # noqa: PLC0415

            display(Panel(shader_state(run, views)))

    @line_magic
    def wgpu_devices(self, line: str) -> Devices:
        """The devices of this session: adapter, limits and features, or cause and remedy."""
        if line.strip():
            raise UsageError(f"%wgpu_devices takes no options, was given: {line.strip()}")
        return devices()

    @line_magic
    def wgpu_memory(self, line: str) -> MemoryTable:
        """The arrays that are alive: name, type, where copies are, bytes, and what made them."""
        if line.strip():
            raise UsageError(f"%wgpu_memory takes no options, was given: {line.strip()}")
        return memory(self._namespace())

    @magic_arguments()
    @argument("names", nargs="+", help="kernels, schedules of theirs, functions: by their names")
    @argument("--on", action="append", metavar="DEVICE", help="a device; several with --on again")
    @argument("--seconds", type=float, default=SECONDS, help="the budget of each entry")
    @argument("--keep", choices=["on", "off"], default="on", help="in a file beside the notebook")
    @line_magic
    def wgpu_compare(self, line: str) -> Comparison:
        """Time things side by side, checked first: `%wgpu_compare matmul tiled numpy.matmul`.

        Inputs are the arrays and scalars of the first kernel's names, else random ones.
        """
        options = parse_argstring(self.wgpu_compare, line)
        things = [named(name, self._namespace()) for name in options.names]
        k = next((t for t in things if isinstance(t, Kernel)), None)
        inputs = None if k is None else arguments(k, self._namespace())
        return compare(
            *things, on=options.on, inputs=inputs, seconds=options.seconds,
            kept=options.keep == "on",
        )  # fmt: skip

    @magic_arguments()
    @argument("name", help="a kernel, by its name")
    @argument("--on", default="auto", choices=["auto", *LISTED], help="the device")
    @argument("--schedule", help="a schedule of the kernel, by its name")
    @line_magic
    def wgpu_explain(self, line: str) -> Explanation:
        """What limits a kernel, by measured roofs: on its arrays where those exist."""
        options = parse_argstring(self.wgpu_explain, line)
        k = named(options.name, self._namespace())
        if not isinstance(k, Kernel):
            raise UsageError(f"{options.name} is {type(k).__name__}, not a kernel")
        inputs = arguments(k, self._namespace())
        on = choose(options.on, dtypes=k.graph.dtypes())[0]
        schedule = options.schedule and named(options.schedule, self._namespace())
        if inputs is None:
            return explain(k.compile(schedule=schedule, on=on), on=on)
        k(**inputs, on=on, schedule=schedule)
        assert k.last is not None, "it was just called"
        return explain(k.last.compilation, k.last.inputs, on)

    def _namespace(self) -> Mapping[str, Any]:
        assert self.shell is not None
        return self.shell.user_ns

    def _bind(self, found: Mapping[str, Kernel]) -> None:
        assert self.shell is not None
        names: dict[str, Any] = dict(found)
        for k in found.values():
            names |= k.schedules
        self.shell.push(names)

    def _shown(self, error: WorkbenchError, title: str) -> ShownError:
        """Show the panel of an error; gives what is raised below it."""
        from workbench.widget.assemble import failure_state  # noqa: PLC0415
        from workbench.widget.panel import Panel  # noqa: PLC0415

        display(Panel(failure_state(error, title)))
        first = str(error).partition("\n")[0]
        return ShownError(f"{type(error).__name__}: {first}")


def register(ipython: Any) -> None:
    """Add magics and completion to a shell; where it has a page, join that as a device."""
    ipython.register_magics(WorkbenchMagics)
    attach(ipython, options())
    if getattr(ipython, "kernel", None) is not None:
        from workbench.widget.page import open_page  # noqa: PLC0415

        try:
            open_page()
        except DeviceError as error:
            print(error)  # noqa: T201  (the other devices are there all the same)


def options() -> tuple[Option, ...]:
    """The options of `%%wgpu_kernel`, for completion."""
    actions = WorkbenchMagics.wgpu_kernel.parser._actions  # noqa: SLF001  (argparse's only list)
    return tuple(
        Option(
            a.option_strings[-1],
            a.help or "",
            SHOWS if a.dest == "show" else tuple(a.choices or ()),
            a.nargs != 0,
            isinstance(a.default, list),
        )
        for a in actions
        if a.option_strings
    )


def named(name: str, namespace: Mapping[str, Any]) -> Any:
    """What a name or a dotted name of a notebook stands for; nothing is evaluated.

    Raises `UsageError` for one that does not exist.
    """
    first, *others = name.split(".")
    if first not in namespace:
        raise UsageError(f"no Python variable '{first}'")
    found = namespace[first]
    for part in others:
        if part.startswith("_") or not hasattr(found, part):
            raise UsageError(f"{name}: no '{part}' there")
        found = getattr(found, part)
    return found


def fill(text: str, namespace: Mapping[str, Any]) -> str:
    """Each `{{name}}` replaced by the value of that Python variable.

    Raises `UsageError` for a name that does not exist.
    """

    def value(found: re.Match[str]) -> str:
        name = found.group(1)
        if name not in namespace:
            raise UsageError(f"{{{{{name}}}}}: no Python variable '{name}'")
        return str(namespace[name])

    return re.sub(r"\{\{\s*([A-Za-z_]\w*)\s*\}\}", value, text)


def _views(text: str) -> tuple[str, ...]:
    views = tuple(v.strip() for v in text.split(","))
    unknown = [v for v in views if v not in SHOWS]
    if unknown:
        raise UsageError(f"--show {unknown[0]}: views are {', '.join(SHOWS)}")
    return () if "none" in views else views


def _refuse_mixed(options: Any) -> None:
    """Refuse options of the other language, which would do nothing."""
    given = {
        "wgsl": (("--workgroups", options.workgroups), ("--output", options.shapes),
                 ("--like", options.like)),
        "index": (("--schedule", options.schedule), ("--set", options.knobs),
                  ("--live", options.live)),
    }  # fmt: skip
    for lang, settings in given.items():
        for option, value in settings:
            if value and lang != options.lang:
                raise UsageError(f"{option} goes with --lang {lang}")


def _sizes(text: str) -> tuple[int, ...]:
    """Whole numbers with commas between them."""
    words = text.split(",")
    if not all(w.strip().isdigit() for w in words):
        raise UsageError(f"{text}: write whole numbers with commas, for example 8,8")
    return tuple(int(w) for w in words)


def _named_sizes(text: str) -> tuple[str, tuple[int, ...]]:
    name, sign, sizes = text.partition("=")
    if not sign:
        raise UsageError(f"--output {text}: write NAME=SHAPE, for example --output C=64,64")
    return name.strip(), _sizes(sizes)


def _like(name: str | None, namespace: Mapping[str, Any]) -> Kernel | None:
    if name is None:
        return None
    found = namespace.get(name)
    if not isinstance(found, Kernel):
        raise UsageError(f"--like {name}: no kernel of the language is called that")
    return found


def _chosen(found: Mapping[str, Kernel], name: str | None) -> Kernel:
    if name is None:
        return list(found.values())[-1]
    if name not in found:
        raise UsageError(f"no kernel '{name}' in this cell; it has {', '.join(found)}")
    return found[name]


def _schedule(
    k: Kernel, name: str | None, settings: list[str], namespace: Mapping[str, Any]
) -> Any:
    """The schedule that `--schedule` names, with the knobs of `--set`."""
    knobs: dict[str, int] = {}
    for setting in settings:
        knob, sign, value = setting.partition("=")
        if not sign or not value.lstrip("-").isdigit():
            raise UsageError(f"--set {setting}: write KNOB=VALUE, for example --set T=16")
        knobs[knob.strip()] = int(value)
    if name is None and knobs and k.schedules:
        name = next(iter(k.schedules))
    chosen = k.schedules.get(name or "", namespace.get(name or "") if name else None)
    if name is not None and chosen is None:
        known = ", ".join(k.schedules) or "none"
        raise ScheduleError(f"no schedule '{name}'; schedules of {k.name}: {known}")
    if isinstance(chosen, KernelSchedule):
        return Turned(chosen, knobs)
    if knobs:
        raise ScheduleError(f"--set {settings[0]}: the schedule has no knobs")
    return chosen
