"""What is played with: samples and translations by a person's wishes are those of the module itself."""

from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from torch import Tensor
from torch.nn.functional import one_hot

from datamodules.emoji import line_drawings
from gan_modules import randomness
from gan_modules.evaluation import sides
from gan_modules.playing import Noise, Pictures, Trained, hole_of, pixels_of, together, told
from gan_modules.randomness import ItemStream, mix
from gan_modules.translators import Translator
from variants import build


def noise(name: str, *names: str) -> Noise:
    return Noise.of(build(name).eval(), names)


def module(name: str) -> Any:
    return build(name).eval()


def as_bytes(images: Tensor) -> Tensor:
    return images.clamp(-1, 1).add(1).mul(127.5).round().to(torch.uint8)


def drawn(played: Noise, n: int, seed: int, bound: float | None = None) -> Tensor:
    with randomness.using(ItemStream(mix(seed, 0), 0, n, bound)):
        return played.module.prior(n)


@pytest.mark.parametrize(("name", "truncation"), [("gan", None), ("gan", 0.5), ("began", None), ("stylegan2", 0.7)])
def test_samples_are_those_of_the_files(name: str, truncation: float | None) -> None:
    made = noise(name).samples(5, 3, truncation)
    (part,) = sides.of_model(module(name), 5, 3, truncation=truncation).parts(5)
    assert torch.equal(as_bytes(made), part.images)


def test_samples_leave_the_global_generator_alone() -> None:
    own = build("gan").eval()
    before = torch.get_rng_state()
    Noise.of(own).samples(2)
    assert torch.equal(before, torch.get_rng_state())


def test_latents_are_moved() -> None:
    played = noise("gan")
    z = drawn(played, 3, 1)
    z[:, 0] += 2
    z[:, 1] -= 1
    torch.testing.assert_close(played.samples(3, 1, moved=[2, -1]), played.module(z))


@pytest.mark.parametrize("name", ["acgan", "cgan", "projection", "biggan", "msgan with labels"])
def test_classes_are_rows_or_chosen(name: str) -> None:
    played = noise(name, "cat", "dog", "hen")
    assert played.titles() == ("cat", "dog", "hen") and played.titles(1) == ("dog",)
    z = drawn(played, 2, 0)
    for place, row in enumerate(played.samples(6).split(2)):
        torch.testing.assert_close(row, played.module(z, torch.full((2,), place)), msg=name)
    torch.testing.assert_close(played.samples(2, chosen=1), played.module(z, torch.tensor([1, 1])))


def test_names_of_other_classes_are_numbers() -> None:
    assert noise("acgan", "cat", "dog").classes == ("0", "1", "2")
    assert noise("sgan").classes == noise("gan").classes == ()  # of which only the discriminator knows classes


def test_codes_are_given() -> None:
    played = noise("infogan")
    assert (len(played.classes), played.codes, played.latents) == (3, 2, 4)
    with randomness.using(ItemStream(mix(0, 0), 0, 2)):
        z = played.module.noise(2)
    for codes in ([0.5, -2.0], [0.5], []):
        code = torch.tensor([*codes, 0.0, 0.0][:2]).expand(2, 2)
        expected = played.module(torch.cat([z, one_hot(torch.tensor([1, 1]), 3), code], dim=1))
        torch.testing.assert_close(played.samples(2, codes=codes, chosen=1), expected)


def test_texts_are_drawn() -> None:
    played = noise("text_gan")
    assert played.titles() == ["red apple", "smiling face"]
    assert played.titles(None, ["Ghost!"]) == ["ghost!"]
    apple, face = played.samples(2).split(1)
    torch.testing.assert_close(played.samples(1, texts=["smiling face"]), face)
    assert not torch.equal(apple, face)
    with pytest.raises(ValueError, match="letters or digits"):
        played.samples(1, texts=["++"])


def test_only_normal_noise_is_truncated() -> None:
    assert [noise(name).bound for name in ("gan", "stylegan2", "began", "gmmn")] == [3.0, 1.0, None, None]


@pytest.mark.parametrize("name", ["gan", "gan on points", "acgan", "text_gan", "pggan"])
def test_there_is_a_picture(name: str) -> None:
    assert noise(name).picture(n=6).size > (256, 128)


@pytest.mark.parametrize(("wish", "value"), [("n", 0), ("seed", -1), ("n", 1.5)])
def test_wishes_that_are_none_are_refused(wish: str, value: float) -> None:
    with pytest.raises(ValueError, match=wish):
        noise("gan").samples(**{wish: value})


def colours(side: int = 16, seed: int = 0) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 255, (side, side, 3), dtype=np.uint8))


def source(picture: Image.Image) -> Tensor:
    return pixels_of(picture)[None] / 127.5 - 1


def made(shown: Image.Image, side: int = 16) -> Tensor:
    """The image in a grid of one: uint8 (3, side, side)."""
    scale = shown.width // side
    pixels = torch.from_numpy(np.array(shown)).permute(2, 0, 1)[:, 2 + scale // 2 :: scale, 2 + scale // 2 :: scale]
    return pixels[:, :side, :side]


def expected(images: Tensor) -> Tensor:
    return as_bytes(images[0]).expand(3, -1, -1)


def test_both_directions_are_the_modules() -> None:
    played = Pictures.of(module("cyclegan"), 16, ("lines", "colour"))
    assert played.directions == ("lines to colour", "colour to lines")
    given = colours()
    with torch.no_grad():
        for direction, way in enumerate((played.module, played.module.inverse)):
            shown = played.translated(given, direction=direction)
            assert torch.equal(made(shown.seen), pixels_of(given))
            assert torch.equal(made(shown.made), expected(way(source(given))))


def test_codes_follow_seed_or_reference() -> None:
    played = Pictures.of(module("munit"), 16)
    assert played.varies and played.coded and played.styled == (True, True)
    given, style = colours(), colours(seed=1)
    one, other = (played.translated(given, seed=seed, samples=4).made for seed in (0, 1))
    assert one.tobytes() == played.translated(given, seed=0, samples=4).made.tobytes() != other.tobytes()
    for direction, (way, read) in enumerate(
        ((played.module, played.module.style), (played.module.inverse, played.module.inverse_style))
    ):
        shown = played.translated(given, direction=direction, samples=4, reference=style)
        with torch.no_grad():
            assert torch.equal(made(shown.made), expected(way(source(given), read(source(style)))))


def test_a_reference_is_left_alone_where_there_is_no_style() -> None:
    played = Pictures.of(module("cyclegan"), 16)
    plain = played.translated(colours()).made.tobytes()
    assert played.translated(colours(), reference=colours(seed=1)).made.tobytes() == plain


def test_domains_are_chosen_or_side_by_side() -> None:
    played = Pictures.of(module("stargan"), 16)
    with torch.no_grad():
        for place in range(len(played.domains)):
            shown = played.translated(colours(), domain=place).made
            assert torch.equal(made(shown), expected(played.module(source(colours()), place)))
    every = played.translated(colours()).made
    assert every.width > every.height


def test_pictures_are_reduced_before_they_are_enlarged() -> None:
    played, given = Pictures.of(module("srgan"), 32), colours(100)
    assert played.side == 8
    for side, wish in ((8, None), (16, 16)):
        shown = played.translated(given, side=wish)
        translator = Translator(played.module, 32, size=side)
        assert torch.equal(made(shown.seen, side), expected(translator.source(pixels_of(given))))
        assert torch.equal(made(shown.made, 4 * side), as_bytes(translator(pixels_of(given))))


@pytest.mark.parametrize(("name", "side"), [("context_encoder", 16), ("cc_gan", 8)])
def test_a_painted_rectangle_is_filled(name: str, side: int) -> None:
    played, given = Pictures.of(module(name), side), colours(side)
    painted = Image.new("RGBA", given.size)
    painted.putpixel((2, 3), (255, 0, 0, 255))
    painted.putpixel((5, 4), (0, 255, 0, 255))
    hole = torch.zeros(1, 1, side, side)
    hole[..., 3:5, 2:6] = 1
    with torch.no_grad():
        filled = {True: played.module.filled(source(given), hole)}
        filled[False] = played.module.filled(source(given), played.module.trained_hole(source(given)))
    for given_hole, layer in ((True, painted), (False, Image.new("RGBA", given.size)), (False, None)):
        shown = played.translated(given, layer)
        assert torch.equal(made(shown.made, side), expected(filled[given_hole]))
    shown = played.translated(given, painted)
    inside = hole[0].bool().expand(3, -1, -1)
    assert (made(shown.seen, side)[inside] == 128).all()
    assert torch.equal(made(shown.seen, side)[~inside], pixels_of(given)[~inside])


def test_maps_are_drawn_in_the_colours_of_their_labels() -> None:
    own = module("spade")
    own.palette = [[255, 255, 255], [255, 0, 0], [0, 0, 255]]
    played = Pictures.of(own, 16)
    given = Image.new("RGB", (16, 16), "white")
    ImageDraw.Draw(given).rectangle((2, 2, 9, 5), fill=(250, 20, 9))
    wanted = pixels_of(given)
    wanted[:, 2:6, 2:10] = torch.tensor([255, 0, 0], dtype=torch.uint8)[:, None, None]
    assert torch.equal(made(played.translated(given, samples=1).seen), wanted)


def test_pictures_are_reconstructed() -> None:
    own = module("vae")
    played = Pictures.of(own, 8)
    with torch.no_grad():
        wanted = expected(own.reconstruct(source(colours(8))))
    assert played.side is None and torch.equal(made(played.translated(colours(8)).made, 8), wanted)


def test_a_model_of_noise_alone_has_no_pictures() -> None:
    with pytest.raises(ValueError, match="noise"):
        Pictures.of(module("gan"))


def test_a_model_of_films_has_no_page() -> None:
    with pytest.raises(ValueError, match="VideoGAN predicts films.* to scripts/sample.py --out film.gif"):
        Pictures.of(module("video_gan"))


def test_transparent_parts_are_white() -> None:
    clear = Image.new("RGBA", (3, 2), (9, 9, 9, 0))
    assert (pixels_of(clear) == 255).all()
    assert hole_of(clear) is None and together([]) is None
    spot = clear.copy()
    spot.putpixel((1, 1), (1, 2, 3, 255))
    painted = together([clear, spot])
    assert painted is not None and pixels_of(painted)[:, 1, 1].tolist() == [1, 2, 3]


@pytest.mark.parametrize("side", [32, 64])
def test_a_stroke_of_the_pen_has_the_ink_of_the_line_drawings(side: int) -> None:
    fine, radius = 1024, 22 / 64
    edges = [(0.5 - radius) * fine, (0.5 + radius) * fine]
    disc = Image.new("RGB", (fine, fine), "white")
    ImageDraw.Draw(disc).ellipse((edges[0], edges[0], edges[1], edges[1]), fill=(250, 200, 60))
    lines = line_drawings(pixels_of(disc.resize((64, 64), Image.Resampling.BOX))[None], side)
    played = Pictures.of(module("cyclegan"), side)
    broad = played.pen * fine
    circle = Image.new("L", (fine, fine), "white")
    outer = edges[0] - broad / 2, edges[0] - broad / 2, edges[1] + broad / 2, edges[1] + broad / 2
    ImageDraw.Draw(circle).ellipse(outer, outline=0, width=round(broad))
    seen = Translator(played.module, side).source(pixels_of(circle))
    ink = (255 - lines.float()).sum().item() / 255
    assert (1 - seen[0, 0]).sum().item() / 2 == pytest.approx(ink, rel=0.1)


DATA = {"class_path": "datamodules.Emoji", "init_args": {"labels": True, "image_size": 32}}


def test_a_checkpoint_tells_of_its_training() -> None:
    known = told({"config": {"data": DATA}, "global_step": 1234})
    assert known.sentence == "Trained for 1,234 batches on Emoji, 32 pixels."
    assert len(known.classes) == 9 and known.side == 32
    pairs = {"class_path": "datamodules.EmojiPairs", "init_args": {"task": "lines2colour", "image_size": 16}}
    assert told({"config": {"data": pairs}}).domains == ("lines", "colour")
    stranger = {"class_path": "their.Data", "init_args": {"root": "/nowhere"}}
    assert told({"config": {"data": stranger}}) == Trained("Trained for 0 batches on Data.")
    assert told({"config": {}}) == Trained("Trained for 0 batches.")
