"""The page in a real browser: what it shows is what the module makes."""

import io
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from shutil import which
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from gan_modules import checkpoints
from gan_modules.cli import fit
from gan_modules.playing import Noise, Pictures
from script_modules import loaded

gradio = pytest.importorskip("gradio", reason="needs Gradio: pip install -e '.[demo]'", exc_type=ImportError)
from gan_modules.demo import Control, page, serve, wishes  # noqa: E402

CHROMIUM = which("chromium") or ""
ARGUMENTS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
PATIENCE = 180_000  # milliseconds, on a machine that is busy


def trained(root: Path, *options: str) -> Path:
    quick = ["--trainer.max_steps=2", "--trainer.limit_val_batches=0", "--trainer.enable_progress_bar=false"]
    small = ["--trainer.accelerator=cpu", "--data.batch_size=4", f"--trainer.default_root_dir={root}"]
    fit([*options, *quick, *small])
    (checkpoint,) = root.rglob("last.ckpt")
    return checkpoint


@pytest.fixture(scope="module")
def infogan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained(tmp_path_factory.mktemp("infogan"), "--model", "infogan")


@pytest.fixture(scope="module")
def cyclegan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained(tmp_path_factory.mktemp("cyclegan"), "--model", "cyclegan", "--data.image_size=16")


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    driver = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install playwright")
    if not CHROMIUM:
        pytest.skip("needs Debian's chromium: apt-get install chromium")
    with driver.sync_playwright() as started:
        context = started.chromium.launch_persistent_context(
            tmp_path_factory.mktemp("profile"), executable_path=CHROMIUM, headless=True, args=ARGUMENTS
        )
        context.set_default_timeout(PATIENCE)
        yield context
        context.close()


class Visit:
    """A page that is open in the browser."""

    def __init__(self, browser: Any, address: str) -> None:
        self.asked: list[str] = []
        self.tab = browser.new_page()
        self.tab.on("request", lambda request: self.asked.append(request.url))
        self.address = address
        self.tab.goto(address)

    def picture(self, name: str, changed_from: bytes = b"") -> bytes:
        """The pixels that are shown, once they are others than before."""
        shown = self.tab.locator(f"#{name} img")
        end = time.monotonic() + PATIENCE / 1000
        while time.monotonic() < end:
            shown.wait_for()
            pixels = self.image(shown.get_attribute("src")).tobytes()
            if pixels != changed_from:
                return pixels
            self.tab.wait_for_timeout(100)
        pytest.fail(f"{name} has not changed")

    def image(self, source: str) -> Image.Image:
        return Image.open(io.BytesIO(self.tab.request.get(source).body())).convert("RGB")

    def until(self, name: str, expected: Image.Image) -> None:
        """Wait for a picture: pixels on the way to it, of a control that has moved half the way, are passed over."""
        seen = b""
        while seen != expected.tobytes():
            seen = self.picture(name, seen)

    def strangers(self) -> set[str]:
        """What was asked of other machines."""
        return {url for url in self.asked if not url.startswith((self.address, "data:", "blob:"))}


@pytest.fixture
def visit(browser: Any) -> Iterator[Callable[[Path], Visit]]:
    open_pages = []

    def opened(checkpoint: Path) -> Visit:
        made = page(checkpoint)
        open_pages.append(made)
        return Visit(browser, serve(made, port=0))

    yield opened
    for made in open_pages:
        made.close()


@pytest.mark.slow
def test_samples_follow_the_controls(infogan: Path, visit: Callable[[Path], Visit]) -> None:
    noise, shown = Noise.of(checkpoints.load(infogan)), visit(infogan)
    shown.until("made", noise.picture(n=80))
    assert shown.tab.title() == "InfoGAN"
    shown.tab.locator("#other").click()
    shown.until("made", noise.picture(n=80, seed=1))
    for name, value in (("moved1", "2"), ("codes0", "-1.5")):
        number = shown.tab.locator(f"#{name} input[type=number]")
        number.fill(value)
        number.press("Tab")
    shown.until("made", noise.picture(n=80, seed=1, moved=[0, 2.0], codes=[-1.5]))
    shown.tab.locator("#chosen input").click()
    shown.tab.get_by_role("option", name="3", exact=True).click()
    shown.until("made", noise.picture(n=80, seed=1, moved=[0, 2.0], codes=[-1.5], chosen=3))
    assert not shown.strangers()


@pytest.mark.slow
def test_a_file_and_a_drawing_are_translated(cyclegan: Path, visit: Callable[[Path], Visit], tmp_path: Path) -> None:
    module: Any = checkpoints.load(cyclegan)
    pictures, shown = Pictures.of(module, 16), visit(cyclegan)
    given = Image.new("RGB", (512, 512), "white")
    given.paste((200, 30, 90), (0, 0, 70, 90))
    given.save(tmp_path / "given.png")
    with shown.tab.expect_file_chooser() as chooser:
        shown.tab.get_by_label("Upload", exact=True).click()
    chooser.value.set_files(tmp_path / "given.png")
    shown.until("made", pictures.translated(given).made)
    shown.tab.get_by_label("Brush", exact=True).click()
    canvas = shown.tab.locator("#canvas canvas").first.bounding_box()
    across, down = (canvas[start] + canvas[side] / 2 for start, side in (("x", "width"), ("y", "height")))
    shown.tab.mouse.move(across + 90, down)
    shown.tab.mouse.down()
    for right, below in ((0, 90), (-90, 0), (0, -90), (90, 0)):
        shown.tab.mouse.move(across + right, down + below)
    shown.tab.mouse.up()
    seen = b""
    while not is_diamond(pixels(shown, "seen")):
        seen = shown.picture("seen", seen)
    with torch.no_grad():
        made = module(pixels(shown, "seen")[None])[0].clamp(-1, 1)
    assert (pixels(shown, "made") - made).abs().max() < 0.05
    assert not shown.strangers()


def pixels(shown: Visit, name: str, side: int = 16) -> Tensor:
    """The image of a grid of one, (3, side, side) in [-1, 1]."""
    picture = shown.image(shown.tab.locator(f"#{name} img").get_attribute("src"))
    scale = picture.width // side
    first = 2 + scale // 2
    return (torch.from_numpy(np.array(picture)).permute(2, 0, 1) / 127.5 - 1)[:, first::scale, first::scale]


def is_diamond(seen: Tensor) -> bool:
    """Whether lines go round the middle."""
    dark = seen[0] < 0
    return bool(dark[8, :8].any() and dark[8, 8:].any() and dark[:8, 8].any() and dark[8:, 8].any() and not dark[8, 8])


def test_values_become_wishes() -> None:
    controls = [
        Control("n", None, int),
        Control("chosen", None, lambda place: place - 1 if place else None),
        *[Control("moved", None, float, several=True)] * 2,
    ]
    assert wishes(controls, [9.0, 0, 1, 2]) == {"n": 9, "chosen": None, "moved": [1.0, 2.0]}
    assert wishes(controls[:2], [1, 3]) == {"n": 1, "chosen": 2}


def test_a_port_that_is_taken_gets_a_sentence() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(ValueError, match="is taken: give another --port"), gradio.Blocks() as empty:
            serve(empty, port=other.getsockname()[1])


def test_a_file_that_is_no_checkpoint_gets_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "text.ckpt").write_text("hello")
    for name, error in (("text.ckpt", ValueError), ("none.ckpt", FileNotFoundError)):
        with pytest.raises(error, match=name):
            loaded("demo").run(["--checkpoint", str(tmp_path / name)])


@pytest.mark.slow
def test_a_model_of_films_gets_a_sentence(tmp_path: Path) -> None:
    checkpoint = trained(tmp_path, "--model", "video_gan")
    with pytest.raises(ValueError, match="predicts films.* to scripts/sample.py --out film.gif"):
        loaded("demo").run(["--checkpoint", str(checkpoint)])


def test_without_gradio_there_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "gradio", None)
    monkeypatch.delitem(__import__("sys").modules, "gan_modules.demo")
    with pytest.raises(ImportError, match=r"not installed: pip install -e '\.\[demo\]'"):
        loaded("demo").run(["--checkpoint", "any.ckpt"])
