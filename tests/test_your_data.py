"""The commands of docs/your-data.md, each block as a user would type it, with a step of training."""

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from datamodules.emoji import pictures
from datamodules.making import PALETTE, line_drawings
from gan_modules.cli import fit, presets
from script_modules import loaded

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "your-data.md").read_text()
BLOCKS = re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL)
COUNT = 12
QUICK = (
    "--data.batch_size=2",
    "--trainer.max_steps=1",
    "--trainer.limit_val_batches=2",
    "--trainer.enable_progress_bar=false",
    "--trainer.accelerator=cpu",
    "--trainer.callbacks=null",
    "--samples.every_n_batches=1000",
)


def commands(block: str) -> list[list[str]]:
    return [shlex.split(line) for line in block.replace("\\\n", " ").splitlines() if line]


@pytest.fixture(scope="module")
def mine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Emoji in all the layouts of the page."""
    root, drawn = tmp_path_factory.mktemp("mine"), pictures("noto")[::300][:COUNT]
    coloured = [Image.fromarray(each.permute(1, 2, 0).numpy()) for each in drawn]
    lines = [Image.fromarray(each[0].numpy()) for each in line_drawings(drawn)]
    palette = np.array(PALETTE, dtype=np.uint8)

    def label_map(picture: Image.Image) -> Image.Image:
        distances = np.asarray(picture, dtype=int)[:, :, None] - palette[None, None].astype(int)
        return Image.fromarray(palette[(distances**2).sum(3).argmin(2)])

    def side_by_side(picture: Image.Image) -> Image.Image:
        pair = Image.new("RGB", (128, 64))
        pair.paste(picture)
        pair.paste(label_map(picture), (64, 0))
        return pair

    def small(picture: Image.Image) -> Image.Image:
        return picture.resize((16, 16), Image.Resampling.BICUBIC)

    def unchanged(picture: Image.Image) -> Image.Image:
        return picture

    layouts: list[tuple[str, str, Callable[[Image.Image], Image.Image], list[Image.Image]]] = [
        ("pictures", "png", unchanged, coloured),
        ("animals/cats", "jpg", unchanged, coloured),
        ("animals/dogs", "jpg", ImageOps.invert, coloured),
        ("flowers/roses", "png", unchanged, coloured[:3]),
        ("flowers/tulips", "jpg", ImageOps.invert, coloured[:4]),
        ("flowers/unlabelled", "jpg", unchanged, coloured),
        ("flowers/unlabelled/of", "png", ImageOps.invert, coloured),
        ("horses_and_zebras/trainA", "png", unchanged, lines),
        ("horses_and_zebras/trainB", "webp", unchanged, coloured),
        ("horses_and_zebras/testA", "png", unchanged, lines[:3]),
        ("horses_and_zebras/testB", "png", unchanged, coloured[:2]),
        ("seasons/summer", "png", unchanged, coloured),
        ("seasons/winter", "png", ImageOps.invert, coloured),
        ("products/source/cups", "png", unchanged, coloured[:5]),
        ("products/source/chairs", "jpg", ImageOps.mirror, coloured),
        ("products/target", "jpg", ImageOps.invert, coloured[:3]),
        ("products/target/of", "png", ImageOps.invert, coloured[3:]),
        ("products/test/cups", "png", ImageOps.invert, coloured[:2]),
        ("products/test/chairs", "png", ImageOps.invert, coloured[:3]),
        ("sketches", "png", unchanged, lines),
        ("photographs", "jpg", unchanged, coloured),
        ("facades", "png", side_by_side, coloured),
        ("maps", "png", label_map, coloured),
        ("streets", "jpg", unchanged, coloured),
        ("small", "png", small, coloured),
        ("large", "png", unchanged, coloured),
        ("films/walk", "png", unchanged, coloured),
    ]
    for folder, suffix, change, given in layouts:
        (root / "my" / folder).mkdir(parents=True)
        for number, picture in enumerate(given):
            change(picture).save(root / "my" / folder / f"{number}.{suffix}")
    coloured[0].save(root / "my" / "films" / "jump.gif", save_all=True, append_images=coloured[1:])
    rows = [f"{number}.png,{'cat' if number % 2 else 'dog'}" for number in range(COUNT)]
    (root / "my" / "labels.csv").write_text("\n".join(["file,label", *rows]))
    texts = (f"{number}.png,picture number {number}" for number in range(COUNT))
    (root / "my" / "captions.csv").write_text("\n".join(texts))
    hole = Image.new("L", (64, 64))
    hole.paste(255, (20, 20, 40, 36))
    hole.save(root / "my" / "hole.png")
    return root


@pytest.mark.slow
@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_a_block_of_commands_runs_as_it_stands(
    number: int, mine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("my").symlink_to(mine / "my")
    sample = loaded("sample")
    for _, path, *arguments in commands(BLOCKS[number]):
        if path == "scripts/fit.py":
            fit([*arguments, *QUICK])
            continue
        given = [str(next(Path().glob(each.replace("RUN", "*")))) if "RUN" in each else each for each in arguments]
        if path == "scripts/adaptation.py":
            loaded("adaptation").run(given)
            continue
        sample.run(given)
        out = Path(given[given.index("--out") + 1])
        assert out.is_file() or any(out.rglob("*.png"))


def test_commands_name_what_there_is() -> None:
    trained, data = set(), set()
    for path, *arguments in (command[1:] for block in BLOCKS for command in commands(block)):
        assert (ROOT / path).exists()
        options = dict(zip(arguments, arguments[1:], strict=False))
        assert options.get("--model", "gan") in presets("gan_modules")
        trained |= {options.get("--model")}
        data |= {options.get("--data")}
    assert data - {None} == set(re.findall(r"--data (\w+)", PAGE)) - {"npz"} and len(trained) > 10
