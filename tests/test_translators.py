"""One picture, translated in all the ways that models have."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gan_modules import SPADE, Pix2Pix, networks
from gan_modules.translators import Manner, Translator
from variants import build
from zoo.own import LATENT, Judge

SIZE = 16
TRANSLATORS = (
    "pix2pix", "cyclegan", "bicyclegan", "mode_seeking_pix2pix", "pix2pixhd", "unit", "munit", "drit", "discogan",
    "dualgan", "cut", "fastcut", "stargan", "srgan", "esrgan", "context_encoder", "cc_gan", "advgan", "vae", "vae_gan",
    "bigan", "ali", "aae", "pixel_da",
)  # fmt: skip
BOTH_WAYS = ("cyclegan", "unit", "munit", "drit", "discogan", "dualgan")


def picture(height: int = 21, width: int = 37, channels: int = 3) -> Tensor:
    return torch.randint(0, 256, (channels, height, width), generator=torch.Generator().manual_seed(0)).byte()


def translator(name: str, trained_at: int | None = SIZE, **options: Any) -> Translator:
    return Translator(build(name).eval(), trained_at, **options)


@pytest.mark.parametrize("name", TRANSLATORS)
def test_any_picture_is_translated(name: str) -> None:
    tool = translator(name, 8 if name in ("pixel_da", "cc_gan", "vae", "vae_gan", "bigan", "ali", "aae") else SIZE)
    for shown in (picture(), picture(90, 11, 1)):
        made = [tool(shown, manner) for manner in tool.manners()]
        height, width = shown.shape[1:]
        if tool.reconstructs:
            assert made[0].shape == (3, 8, 8)
        elif name in ("srgan", "esrgan"):
            assert made[0].shape == (3, 4 * height, 4 * width)
        else:
            factor = (tool.trained_at or 0) / min(height, width)
            assert made[0].shape == (3, round(factor * height), round(factor * width))
        assert torch.isfinite(torch.stack(made)).all()
        assert len(made) == (3 if name == "stargan" else 1)
        assert torch.equal(made[0], tool(shown, tool.manners()[0]))


@pytest.mark.parametrize("name", BOTH_WAYS)
def test_both_directions_are_the_modules(name: str) -> None:
    module = build(name).eval()
    for inverse, run in ((False, module), (True, module.inverse)):  # type: ignore[union-attr]
        tool = Translator(module, 32, inverse)
        (manner,) = tool.manners()
        shown = picture(32, 32)
        found = tool(shown, manner)
        if name != "dualgan":  # whose noise is drawn
            with torch.no_grad():
                expected = run((shown / 127.5 - 1)[None], **manner.arguments)[0]  # type: ignore[operator]
            torch.testing.assert_close(found, expected)
        assert found.shape == (3, 32, 32)


@pytest.mark.parametrize("name", ["bicyclegan", "mode_seeking_pix2pix", "spade", "munit", "drit", "pix2pix"])
def test_samples_differ_and_are_the_same_again(name: str) -> None:
    tool, shown = translator(name), picture(SIZE, SIZE)
    if name == "spade":
        tool.palette = [(0, 0, 0), (255, 0, 0), (0, 0, 255)]
    manners = tool.manners(samples=3)
    assert [manner.name for manner in manners] == ["1", "2", "3"]
    one, two, three = (tool(shown, manner) for manner in manners)
    assert not torch.equal(one, two) and not torch.equal(two, three)
    assert torch.equal(two, tool(shown, tool.manners(samples=3)[1]))
    assert not torch.equal(two, tool(shown, tool.manners(samples=3, seed=1)[1]))


@pytest.mark.parametrize("name", ["bicyclegan", "munit", "drit", "spade"])
def test_a_reference_gives_the_style_of_its_domain(name: str) -> None:
    tool, reference = translator(name), picture(40, 61)
    (manner,) = tool.manners(references=[("red", reference)])
    square = nn.functional.interpolate(
        (reference[None, :, :, 10:50] / 127.5 - 1), SIZE, mode="bilinear", antialias=True, align_corners=False
    )
    with torch.no_grad():
        expected = tool.module.style(square)
    torch.testing.assert_close(manner.arguments["code"], expected)
    assert manner.name == "red"
    if name in BOTH_WAYS:
        back = translator(name, inverse=True)
        with torch.no_grad():
            torch.testing.assert_close(back.style(reference), back.module.inverse_style(square))


def test_a_domain_by_its_name_or_number() -> None:
    tool, shown = translator("stargan"), picture(SIZE, SIZE)
    (named,), (numbered,) = tool.manners(domain="b"), tool.manners(domain="1")
    assert named.arguments == numbered.arguments == {"domain": 1} and named.name == ""
    every = tool.manners()
    assert [manner.name for manner in every] == ["a", "b", "c"]
    assert torch.equal(tool(shown, named), tool(shown, every[1]))
    with torch.no_grad():
        expected = tool.module((shown / 127.5 - 1)[None], 1)[0]
    torch.testing.assert_close(tool(shown, named), expected)


def test_a_coloured_drawing_is_a_map_of_labels() -> None:
    palette = [[0, 0, 0], [255, 0, 0], [0, 0, 255]]
    generator, judge = networks.SPADEGenerator(3, 3, 16, 4, 2, 0, 4, False), Judge()
    module = SPADE(generator, judge, palette=palette).eval()
    tool = Translator(module, SIZE)
    drawing = torch.zeros(3, 32, 32, dtype=torch.uint8)
    drawing[0, :, 8:20] = 240
    drawing[2, :, 20:] = 255
    labels = torch.full((1, 3, 16, 16), -1.0)
    labels[:, 0, :, :4] = labels[:, 1, :, 4:10] = labels[:, 2, :, 10:] = 1
    assert torch.equal(tool.source(drawing), labels)
    with torch.no_grad():
        torch.testing.assert_close(tool(drawing), module(labels)[0])
    assert tool(drawing.expand(3, 32, 32)[:, :, :30]).shape == (3, 17, 16)
    with pytest.raises(ValueError, match="no encoder"):
        tool.manners(references=[("", drawing)])
    with pytest.raises(ValueError, match="palette must be"):
        SPADE(generator, judge, palette=[[0, 0, 0]])
    with pytest.raises(ValueError, match="maps of 5 labels, and has no palette"):
        Translator(SPADE(networks.SPADEGenerator(5, 3, 16, 4, 2, 0, 4, False), judge).eval())(drawing)


@pytest.mark.parametrize("name", ["context_encoder", "cc_gan"])
def test_a_hole_is_filled_and_the_rest_stays(name: str) -> None:
    side = 16 if name == "context_encoder" else 8
    tool = translator(name, 24, size=24)
    shown = picture(24, 30)
    source, made = tool.source(shown)[0], tool(shown)
    changed = (made != source).any(0)
    inside = torch.zeros(24, 30, dtype=torch.bool)
    inside[12 - side // 4 : 12 + side // 4, 15 - side // 4 : 15 + side // 4] = True
    assert changed[inside].float().mean() > 0.9 and not changed[~inside].any()
    mask = torch.zeros(1, 48, 60, dtype=torch.uint8)  # of another size, as the picture may have been
    mask[:, 40:, 2:6] = 255
    made = tool(shown, mask=mask)
    changed = (made != source).any(0)
    assert changed[20:, 1:3].all() and changed.sum() == 8
    hidden = shown.clone()
    hidden[:, 20:, 1:3] = 0
    torch.testing.assert_close(tool(hidden, mask=mask), made)  # nobody looks into the hole
    with pytest.raises(ValueError, match="mask has no hole"):
        tool(shown, mask=torch.zeros(1, 9, 9, dtype=torch.uint8))
    with pytest.raises(ValueError, match=f"sees {side} pixels, and the hole has 24"):
        tool(shown, mask=torch.full((1, 9, 9), 255, dtype=torch.uint8))


def test_tiles_keep_the_pictures_size_and_the_whole_translation() -> None:
    whole, tiles = translator("srgan"), translator("srgan", tile=192)
    shown = picture(200, 100)  # 12 pixels away, and fewer, are outside what a pixel sees
    torch.testing.assert_close(tiles(shown), whole(shown), atol=1e-4, rtol=0)
    assert translator("cyclegan", tile=64)(picture(100, 130)).shape == (3, 100, 130)
    assert translator("pix2pix", tile=20).tile == 32
    assert translator("pix2pix", tile=20, size=40)(picture(100, 130)).shape == (3, 40, 52)


class Noisy(nn.Module):
    """A user's network, which says nothing of itself."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, source: Tensor) -> Tensor:
        return source * self.weight


def test_a_users_network_sees_colours_padded_to_32() -> None:
    tool = Translator(Pix2Pix(Noisy(), Judge(6)).eval())
    shown = picture(7, 9, 1)
    torch.testing.assert_close(tool(shown), (shown / 127.5 - 1).expand(3, -1, -1), atol=1e-6, rtol=0)
    assert not tool.varies and not tool.coded and tool.domains == ()


@pytest.mark.parametrize(
    ("name", "wanted", "sentence"),
    [
        ("cyclegan", {"samples": 2}, "CycleGAN has one translation of a picture: leave --samples out"),
        ("stargan", {"samples": 2}, "one translation"),
        ("cyclegan", {"domain": "a"}, "CycleGAN has no domains"),
        ("stargan", {"domain": "z"}, "one of a, b, c or its number, got z"),
        ("stargan", {"domain": 3}, "got 3"),
        ("mode_seeking_pix2pix", {"references": [("", picture())]}, "takes no style from a picture"),
        ("munit", {"references": [("", picture())], "samples": 2}, "a reference gives one style"),
        ("munit", {"samples": 0}, "samples must be"),
        ("munit", {"seed": -1}, "seed must be"),
    ],
)
def test_wishes_that_a_model_cannot_grant(name: str, wanted: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        translator(name).manners(**wanted)


@pytest.mark.parametrize(
    ("name", "options", "sentence"),
    [
        ("gan", {}, "GAN makes pictures from noise"),
        ("pix2pix", {"inverse": True}, "one direction"),
        ("spade", {"tile": 64}, "takes 16 pixels alone"),
        ("vae", {"size": 64}, "reconstructs squares"),
        ("cyclegan", {"size": 0}, "size must be"),
        ("cyclegan", {"tile": 0}, "tile must be"),
    ],
)
def test_translators_that_cannot_be(name: str, options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        translator(name, **options)


def test_a_mask_is_for_models_that_fill_holes() -> None:
    with pytest.raises(ValueError, match="fills no holes"):
        translator("cyclegan")(picture(), Manner(), torch.zeros(1, 9, 9, dtype=torch.uint8))


def test_codes_of_ones_own() -> None:
    tool, shown = translator("bicyclegan"), picture(SIZE, SIZE)
    code = torch.linspace(-1, 1, LATENT)[None]
    with torch.no_grad():
        expected = tool.module((shown / 127.5 - 1)[None], code)[0]
    torch.testing.assert_close(tool(shown, Manner(arguments={"code": code})), expected)
