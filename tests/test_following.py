"""Models that take domains and colours from the data."""

from pathlib import Path
from typing import Any

import pytest
from jsonargparse import Namespace
from PIL import Image

from datamodules import EmojiPairs, EmojiStyles, ImageFolder, PairedFolders
from datamodules.making import PALETTE
from gan_modules.following import follow


def node(name: str, **arguments: Any) -> Namespace:
    return Namespace(class_path=f"gan_modules.{name}", init_args=Namespace(**arguments))


def stargan() -> Namespace:
    generator = node("networks.StarGANGenerator", num_domains=4, channels=3)
    judge = node("networks.StarGANDiscriminator", num_domains=4, image_size=32)
    return node("StarGAN", generator=generator, discriminator=judge, domains=["a", "b", "c", "d"])


def test_domains_are_the_classes_of_the_data(tmp_path: Path) -> None:
    for name in ("cats", "dogs"):
        (tmp_path / name).mkdir()
        Image.new("RGB", (8, 8)).save(tmp_path / name / "1.png")
    model = stargan()
    follow(model, ImageFolder(tmp_path, labels=True, image_size=16, channels=1), set())
    networks = model.init_args.generator.init_args, model.init_args.discriminator.init_args
    assert model.init_args.domains == ["cats", "dogs"] and [each.num_domains for each in networks] == [2, 2]
    assert networks[0].channels == 1 and networks[1].image_size == 16
    model = stargan()
    follow(model, EmojiStyles(("noto", "grey")), set())
    assert model.init_args.domains == ["noto", "grey"]
    with pytest.raises(ValueError, match="StarGAN needs labels, which ImageFolder does not have"):
        follow(stargan(), ImageFolder(tmp_path), set())


@pytest.mark.parametrize("name", ["SPADE", "Pix2PixHD"])
@pytest.mark.parametrize("given", [None, [[0, 0, 0], [1, 1, 1]]])
def test_a_palette_is_that_of_the_maps(name: str, given: list[list[int]] | None, tmp_path: Path) -> None:
    colours = [[9, 9, 9], [0, 0, 255], [255, 0, 0]]
    for data, expected in (
        (EmojiPairs("labels2colour"), [list(colour) for colour in PALETTE]),
        (EmojiPairs("grey2colour"), None),
        (ImageFolder(tmp_path), given),  # which say nothing of it
        (PairedFolders(tmp_path, tmp_path, labels=True, palette=colours), colours),
    ):
        model = node(name, generator=node("networks.SPADEGenerator", in_channels=8), palette=given)
        follow(model, data, set())
        assert model.init_args.palette == expected
    assert model.init_args.generator.init_args.in_channels == 3
    model = node(name, palette=given)
    follow(model, EmojiPairs("labels2colour"), {"palette"})
    assert model.init_args.palette == given
