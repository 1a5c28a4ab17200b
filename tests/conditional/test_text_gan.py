"""GAN-CLS: Algorithm 1, GAN-INT, whose texts are wrong, the encoder's share, and samples of a typed name."""

import inspect
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from datamodules import Emoji
from datamodules.emoji import index, split
from gan_modules import TextGAN, randomness
from gan_modules.batches import captioned_images_of, images_of
from gan_modules.callbacks import drawing
from gan_modules.cli import fit
from gan_modules.networks import TextEncoder
from gan_modules.texts import ALPHABET, decoded, encoded
from script_modules import loaded
from transcribed import assert_same, unreached

N = 4
TEXTS = encoded(["sun", "red apple", "bus", "a dog"])


class Joined(nn.Module):
    """Two inputs, side by side, to outputs; scores lose their last dimension."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(inputs, 6), nn.Tanh(), nn.Linear(6, outputs))

    def forward(self, x: Tensor, embeddings: Tensor) -> Tensor:
        return self.layers(torch.cat([x, embeddings], dim=1)).squeeze(1)


def text_gan(**options: object) -> TextGAN:
    return TextGAN(Joined(2 + 5, 3), Joined(3 + 5, 1), TextEncoder(5, 8, 3), 2, **options).double()  # type: ignore[arg-type]


def noise(count: int) -> Tensor:
    return randomness.normal(count, 2, dtype=torch.float64)


def test_algorithm_1() -> None:
    module, real = text_gan(), torch.randn(N, 3).double()
    g, d = module.generator, module.discriminator

    def of_discriminator() -> Tensor:
        h = module.encoder(TEXTS)
        mismatched = torch.stack([h[2], h[3], h[0], h[1]])
        x = g(noise(N), h).detach()
        s_r, s_w, s_f = (d(*pair).sigmoid() for pair in ((real, h), (real, mismatched), (x, h)))
        return -(s_r.log() + ((1 - s_w).log() + (1 - s_f).log()) / 2).mean()

    assert_same(lambda: module.discriminator_loss(real, TEXTS), of_discriminator, d, module.encoder)
    assert unreached(module.discriminator_loss(real, TEXTS), g)

    def of_generator() -> Tensor:
        h = module.encoder(TEXTS)
        return -d(g(noise(N), h), h).sigmoid().log().mean()

    assert_same(lambda: module.generator_loss(real, TEXTS), of_generator, g, d)


def test_interpolated_embeddings() -> None:
    module, real = text_gan(interpolation_weight=0.7), torch.randn(N, 3).double()
    g, d = module.generator, module.discriminator

    def formula() -> Tensor:
        h = module.encoder(TEXTS)
        of_texts = -d(g(noise(N), h), h).sigmoid().log().mean()
        between = torch.stack([(h[0] + h[2]) / 2, (h[1] + h[3]) / 2])
        return of_texts - 0.7 * d(g(noise(2), between), between).sigmoid().log().mean()

    assert_same(lambda: module.generator_loss(real, TEXTS), formula, g, d)


def test_a_discriminator_that_ignores_the_text_loses_by_it() -> None:
    """Real pictures are judged right and wrong at once: at best 1/2 log of both, and no score satisfies all three."""
    module, real = text_gan(), torch.randn(N, 3).double()
    score = torch.zeros(N, dtype=torch.float64, requires_grad=True)
    module.discriminator.forward = lambda images, _: score if torch.equal(images, real) else 0 * score - 50  # type: ignore
    loss = module.discriminator_loss(real, TEXTS)
    (slope,) = torch.autograd.grad(loss, score)
    torch.testing.assert_close(slope, torch.full_like(slope, (-0.5 + 0.25) / N))  # 1 times s_r, half of s_w
    assert loss.item() == pytest.approx(1.5 * torch.tensor(2.0).log().item(), abs=1e-6)


@pytest.mark.parametrize("parts", [2, 4])
def test_parts_of_a_batch_have_the_wrong_texts_of_the_whole(parts: int) -> None:
    batch = torch.arange(16)
    whole = dict(zip(batch.tolist(), batch.roll(8).tolist(), strict=True))
    for part in range(parts):
        own = batch[part::parts]
        assert all(whole[i] == j for i, j in zip(own.tolist(), own.roll(len(own) // 2).tolist(), strict=True))


def test_one_picture_has_no_wrong_text() -> None:
    with pytest.raises(ValueError, match="a batch of 1 has no wrong text for a picture; choose a larger batch_size"):
        text_gan().discriminator_loss(torch.randn(1, 3).double(), TEXTS[:1])


def test_the_papers_numbers() -> None:
    defaults = {name: each.default for name, each in inspect.signature(TextGAN).parameters.items()}
    assert (defaults["learning_rate"], defaults["betas"], defaults["interpolation_weight"]) == (2e-4, (0.5, 0.999), 0)


def test_texts_are_read_alike_however_they_are_padded() -> None:
    encoder = TextEncoder(5, 8).double()
    short, long = encoded(["red apple", "bus"], 9), encoded(["red apple", "bus"], 30)
    torch.testing.assert_close(encoder(short), encoder(long))
    assert not torch.allclose(encoder(short)[0], encoder(encoded(["red appla"], 9))[0])
    encoder(long).sum().backward()
    assert all(parameter.grad is not None and parameter.grad.abs().max() > 0 for parameter in encoder.parameters())
    with pytest.raises(ValueError, match=r"Expected texts as int64 \(n, length\), got float32 \(2, 9\)"):
        encoder(short.float())
    with pytest.raises(ValueError, match="kernel must be odd, got 4"):
        TextEncoder(kernel=4)


def test_codes_of_texts() -> None:
    assert decoded(encoded(["Red_Apple", "  Curaçao: №7 ", ALPHABET.strip()])) == [
        "red apple",
        "curacao: no7",
        ALPHABET[1:49],
    ]
    assert encoded(["abc"], 2).tolist() == [[2, 3]]
    for texts in ([], [""], ["☃"]):
        with pytest.raises(ValueError, match="text"):
            encoded(texts)


def test_emoji_come_with_their_names() -> None:
    data = Emoji(names=True, image_size=8)
    data.setup("fit")
    rest, _ = split()
    raw = data.training[0, torch.arange(20)]
    assert raw.labels is not None
    assert decoded(raw.labels)[3] == index()["pictures"][int(rest[3])]["name"].lower()
    images, texts = captioned_images_of(data.on_after_batch_transfer(raw, 0))
    assert images.shape == (20, 3, 8, 8) and texts.shape == (20, 48) and data.num_classes == 0
    with pytest.raises(ValueError, match="labels and names"):
        Emoji(names=True, labels=True)
    with pytest.raises(ValueError, match=r"this model needs texts: expected \(images, texts\), got \(float32"):
        captioned_images_of((images, torch.zeros(20, dtype=torch.int64)))
    with pytest.raises(ValueError, match=r"expected a batch of images or \(images, labels\)"):
        images_of((images, texts))


def test_grids_have_a_text_a_row_beside_it() -> None:
    module = text_gan(texts=("red_apple", "bus"))
    z, texts = module.grid_inputs(3, 2)
    assert decoded(texts) == ["red apple", "red apple", "bus", "bus", "red apple", "red apple"]
    assert torch.equal(z[:2], z[2:4]) and module.grid_titles(3) == ["red apple", "bus", "red apple"]
    plain, titled = (
        drawing.grid(torch.ones(6, 3, 8, 8), 2, 4),
        drawing.grid(torch.ones(6, 3, 8, 8), 2, 4, ["a", "b", "c"]),
    )
    assert titled.height == plain.height and titled.width > plain.width
    margin = titled.width - plain.width
    assert titled.crop((margin, 0, titled.width, titled.height)).tobytes() == plain.tobytes()
    assert min(titled.crop((0, 0, margin, titled.height)).convert("L").getdata()) < 100, "something is written"


@pytest.mark.slow
def test_a_name_is_typed_and_drawn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    quick = ["--trainer.max_steps=1", "--trainer.limit_val_batches=2", "--data.batch_size=4", "--data.image_size=8"]
    fit(["--model", "text_gan", *quick, "--trainer.accelerator=cpu", f"--trainer.default_root_dir={tmp_path}"])
    checkpoint = str(next(tmp_path.glob("text_gan/*/checkpoints/last.ckpt")))
    sample = loaded("sample").run
    pictures = []
    for name, texts in (("own", []), ("one", ["--text", "red apple"]), ("two", ["--text", "red apple", "ghost"])):
        sample(["--checkpoint", checkpoint, "--out", str(tmp_path / f"{name}.png"), "--n", "16", *texts])
        pictures.append(Image.open(tmp_path / f"{name}.png"))
    assert len({picture.size for picture in pictures}) == 3
    sample(["--checkpoint", checkpoint, "--out", str(tmp_path / "files"), "--n", "2", "--text", "red apple"])
    assert len(list((tmp_path / "files").glob("*.png"))) == 2
    with pytest.raises(ValueError, match="a text needs letters or digits"):
        sample(["--checkpoint", checkpoint, "--out", str(tmp_path / "none.png"), "--text", "☃"])
