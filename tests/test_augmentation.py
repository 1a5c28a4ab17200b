"""Differentiable augmentation against the authors' formulas in numpy, and within training."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from gan_modules import GAN, WGANGP, InfoGAN, ProgressiveGAN, augmentation, randomness
from gan_modules.augmentation import Augmentation, color, cutout, translation
from gan_modules.networks import MLPDiscriminator, MLPGenerator
from gan_modules.randomness import Stream
from variants import LATENT_MODELS, build, loader, same, trained, trainer
from zoo import CASES
from zoo.own import LATENT, Draw, Judge

Array = np.ndarray[Any, np.dtype[np.float64]]
ALL = (color, translation, cutout)


@pytest.fixture(autouse=True)
def _seeded() -> Iterator[None]:
    torch.manual_seed(0)
    yield
    randomness.use(None)


def images(n: int = 40, height: int = 12, width: int = 9) -> Tensor:
    return 2 * torch.rand(n, 3, height, width, dtype=torch.float64) - 1


def numbers(n: int, *counts: int) -> list[Array]:
    """What functions that draw so many numbers for each image are dealt."""
    randomness.use(Stream(3))
    drawn = [randomness.uniform(n, count).double().numpy() for count in counts]
    randomness.use(Stream(3))
    return drawn


def one(kind: str, image: Array, u: Array) -> Array:
    """One image (c, h, w), as `DiffAugment_pytorch.py` has it."""
    _, height, width = image.shape
    if kind == "brightness":
        return image + (u[0] - 0.5)
    if kind == "saturation":
        mean = image.mean(0, keepdims=True)
        return (image - mean) * (u[0] * 2) + mean
    if kind == "contrast":
        return (image - image.mean()) * (u[0] + 0.5) + image.mean()
    made = np.zeros_like(image) if kind == "translation" else image.copy()
    if kind == "translation":
        down, right = (
            int(np.floor(u[a] * (2 * r + 1))) - r for a, r in ((0, round(height / 8)), (1, round(width / 8)))
        )
        for row in range(height):
            for column in range(width):
                if 0 <= row - down < height and 0 <= column - right < width:
                    made[:, row, column] = image[:, row - down, column - right]
        return made
    sizes = int(height * 0.5 + 0.5), int(width * 0.5 + 0.5)
    corners = [
        int(np.floor(u[axis] * (side + 1 - size % 2))) - size // 2
        for axis, (side, size) in enumerate(zip((height, width), sizes, strict=True))
    ]
    for row in range(corners[0], corners[0] + sizes[0]):
        for column in range(corners[1], corners[1] + sizes[1]):
            made[:, min(max(row, 0), height - 1), min(max(column, 0), width - 1)] = 0  # the authors clamp
    return made


@pytest.mark.parametrize(("height", "width"), [(12, 9), (8, 8), (5, 16)])
@pytest.mark.parametrize(
    ("kind", "count"), [("brightness", 1), ("saturation", 1), ("contrast", 1), ("translation", 2), ("cutout", 2)]
)
def test_each_is_the_authors(kind: str, count: int, height: int, width: int) -> None:
    x = images(height=height, width=width)
    (u,) = numbers(len(x), count)
    ours = getattr(augmentation, kind)(x).numpy()
    expected = np.stack([one(kind, image, row) for image, row in zip(x.numpy(), u, strict=True)])
    np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-12)
    assert not np.allclose(ours, x.numpy())


def test_color_is_the_three_in_the_authors_order() -> None:
    x = images(5)
    draws = numbers(len(x), 1, 1, 1)
    ours = color(x).numpy()
    for index, image in enumerate(x.numpy()):
        for kind, drawn in zip(("brightness", "saturation", "contrast"), draws, strict=True):
            image = one(kind, image, drawn[index])
        np.testing.assert_allclose(ours[index], image, rtol=0, atol=1e-12)


def test_shifts_and_cuts_reach_as_far_as_the_paper_says() -> None:
    x = torch.ones(4000, 1, 16, 16)
    randomness.use(Stream(0))
    moved, cut = translation(x), cutout(x)
    rows = {int(each) for each in (moved[:, 0].amax(2) == 0).sum(1)}
    assert rows == {0, 1, 2}, "up to an eighth"
    hidden = (cut[:, 0] == 0).sum((1, 2))
    assert hidden.max() == 64 and hidden.min() == 16, "half the sides, a quarter of that at a corner"


@pytest.mark.parametrize("augment", ALL)
def test_gradients_of_both_orders_reach_the_image(augment: Augmentation) -> None:
    x = images(2, 4, 3).requires_grad_()

    def seeded(points: Tensor) -> Tensor:
        randomness.use(Stream(3))
        return augment(points)

    assert torch.autograd.gradcheck(seeded, x)
    assert torch.autograd.gradgradcheck(lambda points: seeded(points) ** 2, x)


def test_the_generator_learns_through_the_augmentation() -> None:
    """The step of a generator is that of a loss in which the augmentation is written out."""
    module = GAN(Draw(), Judge(), LATENT, augmentation=ALL).double()
    module._trainer = trainer()
    module.on_fit_start()
    z = torch.randn(6, LATENT, dtype=torch.float64)
    gradients = []
    for written in (False, True):
        module.discriminator.train(not written)  # in evaluation nothing is augmented
        randomness.use(Stream(3))
        fake = module.generator(z)
        if written:
            fake = cutout(translation(color(fake)))
        loss = module.generator_objective(module.discriminator(fake))
        gradients.append(torch.autograd.grad(loss, list(module.generator.parameters())))
    for ours, expected in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, expected, rtol=1e-12, atol=1e-15)
        assert ours.any()


def shown_to(network: Any) -> list[Tensor]:
    """What a network is shown from now on."""
    shown, forward = list[Tensor](), network.forward

    def watched(images: Tensor, *rest: Any, **options: Any) -> Any:
        shown.append(images.detach())
        return forward(images, *rest, **options)

    network.forward = watched
    return shown


def mark(x: Tensor) -> Tensor:
    """Images whose first row is 7."""
    return torch.cat([torch.full_like(x[:, :, :1], 7.0), x[:, :, 1:]], dim=2)


@pytest.mark.parametrize(("name", "passes"), [("gan", 3), ("wgan_gp", 3), ("acgan", 3), ("infogan", 3), ("pggan", 8)])
def test_real_fake_and_penalty_points_are_all_augmented(name: str, passes: int) -> None:
    module: Any = build(name, own=name != "pggan", augmentation=(mark,))
    shown = shown_to(module.judges()[0])
    trainer().fit(module, loader(name, 1))
    assert len(shown) == passes
    assert all((images[:, :, 0] == 7).all() for images in shown)


OF_IMAGES = [name for name in LATENT_MODELS if CASES[name].data not in ("points",) and "augmented" not in name]


@pytest.mark.parametrize("name", OF_IMAGES)
def test_every_model_of_images_augments_what_it_judges_or_refuses(name: str) -> None:
    module: Any = build(name, augmentation=(mark,))
    shown = [shown_to(judge) for judge in module.judges()]
    if not shown:
        with pytest.raises(ValueError, match=f"{type(module).__name__} has no network that judges single images"):
            trainer().fit(module, loader(name, 2))
        return
    trainer().fit(module, loader(name, 2))
    assert all(all(images.ndim == 4 and (images[:, :, 0] == 7).all() for images in each) for each in shown)
    assert all(len(each) >= 4 for each in shown)


@pytest.mark.parametrize("name", ["gan", "wgan_gp"])
def test_off_is_the_plain_model_bit_for_bit(name: str) -> None:
    plain, off = trained(name, own=True, batches=4), trained(name, own=True, batches=4, augmentation=())  # type: ignore[call-arg]
    on = trained(name, own=True, batches=4, augmentation=ALL)  # type: ignore[call-arg]
    assert same(dict(plain.state_dict()), dict(off.state_dict()))
    assert not same(dict(plain.state_dict()), dict(on.state_dict()))


def test_only_training_is_augmented() -> None:
    module: Any = trained("gan", own=True, batches=2, augmentation=ALL)  # type: ignore[call-arg]
    x = torch.rand(4, 3, 8, 8)
    module.eval()
    assert torch.equal(module.discriminator(x), module.discriminator(x))
    module.train()
    assert not torch.equal(module.discriminator(x), module.discriminator(x))


def test_a_second_fit_augments_once() -> None:
    module: Any = build("gan", own=True, augmentation=ALL)
    for _ in range(2):
        trainer().fit(module, loader("gan", 1))
    assert len(module.discriminator._forward_pre_hooks) == 1


def test_functions_of_the_users_own() -> None:
    calls = []

    def flip(x: Tensor) -> Tensor:
        calls.append(len(x))
        return x.flip(3)

    trainer().fit(GAN(Draw(), Judge(), LATENT, augmentation=(flip,)), loader("gan", 1))
    assert calls == [4, 4, 4]


def refusals() -> list[tuple[Callable[[], Any], str, str]]:
    points = MLPGenerator(LATENT, (2,), (8,), None), MLPDiscriminator((2,), (8,), 0)

    class Alone(GAN):
        def judges(self) -> list[Any]:
            return []

    return [
        (lambda: GAN(*points, LATENT, augmentation=ALL), "gan on points", "images .n, c, h, w., got the shape .4, 2."),
        (lambda: Alone(Draw(), Judge(), LATENT, augmentation=ALL), "gan", "Alone has no network that judges single"),
    ]


@pytest.mark.parametrize("which", [0, 1])
def test_what_cannot_be_augmented_is_refused(which: int) -> None:
    module, data, said = refusals()[which]
    with pytest.raises(ValueError, match=said):
        trainer().fit(module(), loader(data, 1))


@pytest.mark.parametrize("kind", [GAN, WGANGP, InfoGAN, ProgressiveGAN])
def test_checkpoints_hold_no_functions(kind: Any) -> None:
    name = {GAN: "gan", WGANGP: "wgan_gp", InfoGAN: "infogan", ProgressiveGAN: "pggan"}[kind]
    module = build(name, augmentation=ALL)
    assert "augmentation" not in module.hparams and {"latent_dim", "betas"} & module.hparams.keys()
