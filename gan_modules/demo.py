"""The web page of `scripts/demo.py`, made of Gradio's parts: its controls are what the model has to choose."""

import errno
import os
import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from PIL import Image

from gan_modules import checkpoints, checks
from gan_modules.playing import Noise, Pictures, together, told

try:
    import gradio as gr
except ImportError as error:
    raise ImportError("the page is made by Gradio, which is not installed: pip install -e '.[demo]'") from error

_CANVAS, _WIDE = 512, 24  # pixels of its side, and the radius of a brush that fills
_COLOURS = "#000000", "#ffffff", "#dc3228", "#fabe28", "#64aa3c", "#328cdc", "#82553c", "#969696"
_HELP = "The picture is made as large as those of the training, and is what the network is given."
_CSS = """
.gradio-container {width: 100% !important; max-width: 1160px !important; margin: 0 auto}
.picture img {image-rendering: pixelated}
"""

_Drawn = TypeVar("_Drawn")


class Control(NamedTuple):
    """A part of the page that a person moves.

    Attributes:
        wish: the argument that it is of the function which draws.
        part: Gradio's component.
        read: from its value to the argument.
        several: whether the argument is a list of what all controls of this wish say.
    """

    wish: str
    part: Any
    read: Callable[[Any], Any] = lambda value: value
    several: bool = False


def wishes(controls: Sequence[Control], values: Sequence[Any]) -> dict[str, Any]:
    """What the values of the controls ask for, as keyword arguments."""
    asked: dict[str, Any] = {}
    for control, value in zip(controls, values, strict=True):
        if control.several:
            asked.setdefault(control.wish, []).append(control.read(value))
        else:
            asked[control.wish] = control.read(value)
    return asked


def page(checkpoint: Path, trust: tuple[str, ...] = ()) -> gr.Blocks:
    """The page of a checkpoint that `scripts/fit.py` wrote.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is no checkpoint (see `checkpoints.load`).
    """
    saved = checkpoints.read(checkpoint)
    module = checkpoints.rebuilt(saved, checkpoint, trust)
    training = told(saved, trust)
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # nobody is told that a page was opened
    with gr.Blocks(title=type(module).__name__, analytics_enabled=False, delete_cache=(3600, 3600)) as made:
        gr.Markdown(f"# {type(module).__name__}\n{training.sentence}")
        if hasattr(module, "prior"):
            with gr.Tab("Samples"):
                _samples(made, Noise.of(module, training.classes))
        if hasattr(module, "readers"):
            with gr.Tab("Reconstructions" if hasattr(module, "reconstruct") else "Pictures"):
                _pictures(made, Pictures.of(module, training.side, training.domains))
    return made


def serve(made: gr.Blocks, host: str = "127.0.0.1", port: int = 7860) -> str:
    """Begin to show a page, to this machine alone unless another `host` is given, and return its address.

    Args:
        made: the page; its `block_thread` waits for Ctrl-C, and `close` ends it.
        host: address to listen at; 0.0.0.0: all of this machine's.
        port: of that address; 0: any that is free.

    Raises:
        OSError: if this machine has no such address.
        ValueError: if the port is taken.
    """
    checks.whole(0, 2**16 - 1, port=port)
    _, address, _ = made.launch(
        server_name=host,
        server_port=_free(host, port),
        share=False,
        quiet=True,
        prevent_thread_lock=True,
        ssr_mode=False,
        enable_monitoring=False,
        run_history=False,
        footer_links=[],
        theme=gr.themes.Base(font=("system-ui", "sans-serif"), font_mono=("ui-monospace", "monospace")),
        css=_CSS,
        js="() => document.body.classList.remove('dark')",  # lines are drawn in black
    )
    return str(address)


def _free(host: str, port: int) -> int:
    """The port, or any free one in place of 0."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                message = f"port {port} of {host} is taken: give another --port, or 0 for any that is free"
                raise ValueError(message) from error
            raise
        return int(tried.getsockname()[1])


def _samples(opened: gr.Blocks, noise: Noise) -> None:
    """The controls of a model of noise, and its samples beside them."""
    with gr.Row():
        with gr.Column(scale=2, min_width=320):
            controls = _of_noise(noise)
        with gr.Column(scale=3, min_width=400):
            made = _picture("made", "Samples")

    def drawn(*values: Any) -> Image.Image:
        return _said(lambda: noise.picture(**wishes(controls, values)))

    _follow(opened, drawn, [control.part for control in controls], made)


def _of_noise(noise: Noise) -> list[Control]:
    rows = len(noise.titles())
    usual, most = (512, 4096) if len(noise.shape) == 1 else (8 * rows, 24 * rows) if rows > 1 else (36, 100)
    controls = [_seed(), Control("n", gr.Slider(1, most, usual, step=1, label="Samples"), int)]
    if noise.classes:
        controls.append(_choice("chosen", "Class", noise.classes))
    if noise.texts:
        text = gr.Textbox("\n".join(noise.titles()), lines=3, label="Texts, one a line", elem_id="texts")
        controls.append(Control("texts", text, lambda typed: [line for line in typed.splitlines() if line.strip()]))
    if noise.bound is not None:
        bound = noise.bound
        cut = gr.Slider(0.1, bound, bound, step=0.05, label=f"Truncation ({bound:g}: none)", elem_id="truncation")
        controls.append(Control("truncation", cut, lambda value: None if value >= bound else value))
    return controls + _sliders("codes", "Code", noise.codes, 2) + _sliders("moved", "Latent", noise.latents, 3)


def _sliders(wish: str, label: str, count: int, reach: int) -> list[Control]:
    """Two in a row, from -reach to reach."""
    controls = []
    for start in range(0, count, 2):
        with gr.Row():
            for number in range(start, min(start + 2, count)):
                name = f"{label} {number + 1}"
                slider = gr.Slider(-reach, reach, 0, step=0.1, label=name, min_width=120, elem_id=f"{wish}{number}")
                controls.append(Control(wish, slider, float, several=True))
    return controls


def _seed() -> Control:
    seed = gr.Slider(0, 999, 0, step=1, label="Seed", elem_id="seed")
    other = gr.Button("Other noise", size="sm", elem_id="other")
    other.click(lambda old: (old + 1) % 1000, seed, seed, show_progress="hidden", api_visibility="private")
    return Control("seed", seed, int)


def _choice(wish: str, label: str, names: Sequence[str]) -> Control:
    """All, or one of the names, as its place."""
    every = ["all", *names]
    chosen = gr.Dropdown(every, value=every[0], type="index", label=label, elem_id=wish)
    return Control(wish, chosen, lambda place: place - 1 if place else None)


def _pictures(opened: gr.Blocks, pictures: Pictures) -> None:
    """A canvas with what is to choose below it, and beside it what the model makes of the drawing."""
    with gr.Row():
        with gr.Column(min_width=400):
            canvas = _canvas(pictures)
            controls = _of_pictures(pictures)
        with gr.Column(min_width=400):
            made = _picture("made", "What the model makes of it")
            with gr.Row():
                seen = _picture("seen", "What it sees")
                gr.Markdown(_HELP, min_width=120)

    def drawn(given: dict[str, Any] | None, *values: Any) -> Sequence[Image.Image | None]:
        whole, below = (given or {}).get("composite"), (given or {}).get("background")
        picture = below or whole if pictures.fills else whole or below
        if given is None or picture is None:  # the canvas is empty
            return None, None
        painted = together(given["layers"]) if pictures.fills else None
        return _said(lambda: pictures.translated(picture, painted, **wishes(controls, values)))

    _follow(opened, drawn, [canvas, *(control.part for control in controls)], [seen, made])


def _canvas(pictures: Pictures) -> gr.ImageEditor:
    radius = _WIDE if pictures.palette or pictures.fills else max(1, round(pictures.pen * _CANVAS / 2))
    colours = [f"rgb{colour}" for colour in pictures.palette] or list(_COLOURS)
    first, mode = (colours[1], "fixed") if pictures.palette else (colours[0], "defaults")
    return gr.ImageEditor(
        label="Open a picture, and paint over what is to be filled" if pictures.fills else "Draw, or open a picture",
        type="pil",
        format="png",
        canvas_size=(_CANVAS, _CANVAS),
        height=580,
        sources=("upload", "clipboard"),
        transforms=(),
        layers=False,
        brush=gr.Brush(radius, colours, first, mode),
        eraser=gr.Eraser(2 * radius),
        elem_id="canvas",
    )


def _of_pictures(pictures: Pictures) -> list[Control]:
    controls = []
    if pictures.directions:
        names = pictures.directions
        way = gr.Radio(names, value=names[0], type="index", label="Direction", elem_id="direction")
        controls.append(Control("direction", way, int))
    if pictures.domains:
        controls.append(_choice("domain", "Domain", pictures.domains))
    if pictures.varies:
        number = gr.Slider(1, 16, 4 if pictures.coded else 1, step=1, label="Translations", elem_id="samples")
        controls += [Control("samples", number, int), _seed()]
    if any(pictures.styled):
        reference = gr.Image(label="In the style of a picture", type="pil", height=220, elem_id="reference")
        controls.append(Control("reference", reference))
    if pictures.side is not None:
        side = gr.Slider(8, 256, pictures.side, step=1, label="Pixels of the shorter side", elem_id="side")
        controls.append(Control("side", side, int))
    return controls


def _picture(name: str, label: str) -> gr.Image:
    with gr.Column(min_width=200):
        gr.Markdown(label)
        return gr.Image(
            type="pil",
            format="png",
            interactive=False,
            show_label=False,
            buttons=["download", "fullscreen"],
            elem_id=name,
            elem_classes="picture",
        )


def _follow(opened: gr.Blocks, draw: Callable[..., Any], parts: list[Any], pictures: Any) -> None:
    """Draw when the page is opened and whenever a control moves; while one drawing is made, the last move waits."""
    moves = [getattr(part, event) for part in parts for event in ("change", "input", "upload") if hasattr(part, event)]
    gr.on(
        [opened.load, *moves],
        draw,
        parts,
        pictures,
        trigger_mode="always_last",
        show_progress="hidden",
        concurrency_limit=1,
        concurrency_id="model",
        api_visibility="private",
    )


def _said(draw: Callable[[], _Drawn]) -> _Drawn:
    """What is drawn; a wish that cannot be granted becomes a sentence on the page."""
    try:
        return draw()
    except ValueError as error:
        raise gr.Error(str(error), print_exception=False) from error
