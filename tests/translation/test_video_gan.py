"""VideoGAN: pixels and slopes at several scales, roll-outs of its own predictions, and the films of them."""

import inspect
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning.pytorch import LightningModule
from torch import Tensor, nn

from gan_modules import VideoGAN
from gan_modules.batches import frames_of
from gan_modules.callbacks import PredictionScores
from gan_modules.callbacks.films import film, strips
from gan_modules.differences import gradient_difference, lp_distance
from gan_modules.networks import VideoDiscriminator, VideoGenerator
from transcribed import assert_same, unreached
from variants import losses_of, trainer
from zoo.restoration import JudgeOfScales, Predict

N, SIDE = 3, 8


def video_gan(**options: Any) -> VideoGAN:
    torch.manual_seed(0)
    return VideoGAN(Predict(), JudgeOfScales(), **options).double()


def frames(count: int, channels: int = 3) -> Tensor:
    return 2 * torch.rand(N, count, channels, SIDE, SIDE, dtype=torch.float64) - 1


def slopes_by_hand(x: np.ndarray, y: np.ndarray, power: float) -> float:
    """The gradient difference, neighbour by neighbour."""
    down, right = [], []
    for n, c, i, j in np.ndindex(*x.shape):
        if i:
            down.append(abs(abs(x[n, c, i, j] - x[n, c, i - 1, j]) - abs(y[n, c, i, j] - y[n, c, i - 1, j])) ** power)
        if j:
            right.append(abs(abs(x[n, c, i, j] - x[n, c, i, j - 1]) - abs(y[n, c, i, j] - y[n, c, i, j - 1])) ** power)
    return float(np.mean(down) + np.mean(right))


@pytest.mark.parametrize("power", [1.0, 2.0])
def test_the_gradient_difference(power: float) -> None:
    x, y = torch.randn(2, 2, 3, 4, 5, dtype=torch.float64)
    x.requires_grad_()
    value = gradient_difference(x, y, power)
    assert value.item() == pytest.approx(slopes_by_hand(x.detach().numpy(), y.numpy(), power), rel=1e-12)
    (slope,) = torch.autograd.grad(value, x)
    for place in [(0, 0, 0, 0), (1, 2, 3, 4), (0, 1, 2, 2)]:
        sides = []
        for step in (1e-6, -1e-6):
            moved = x.detach().clone()
            moved[place] += step
            sides.append(gradient_difference(moved, y, power).item())
        assert slope[place].item() == pytest.approx((sides[0] - sides[1]) / 2e-6, rel=1e-6)


def test_the_gradient_difference_is_zero_where_slopes_are_as_steep_and_nowhere_else() -> None:
    x = torch.randn(2, 3, 6, 6)
    for same in (x, x + 0.3, 1 - x):
        torch.testing.assert_close(gradient_difference(same, x), torch.zeros(()), atol=1e-6, rtol=0)
    blurred = torch.nn.functional.avg_pool2d(x, 3, 1, 1)
    spiked = x.clone()
    spiked[0, 0, 3, 3] += 5
    assert gradient_difference(blurred, x) > 0.1 and gradient_difference(spiked, x) > 0.01
    assert gradient_difference(x[..., :1], x[..., 1:2]) > 0, "of one column the rows are compared"
    assert gradient_difference(x[..., :1, :1], x[..., 1:2, :1]) == 0


@pytest.mark.parametrize(("p", "power"), [(1.0, 1.0), (2.0, 2.0)])
def test_the_losses(p: float, power: float) -> None:
    weights = {"adversarial_weight": 0.3, "distance_weight": 0.7, "gradient_weight": 0.4}
    module = video_gan(p=p, power=power, **weights)
    source, target = frames(2).flatten(1, 2), frames(1)[:, 0]
    g, d = module.generator, module.discriminator
    half = target.unflatten(2, (-1, 2)).unflatten(4, (-1, 2)).mean((3, 5))

    def of_generator() -> Tensor:
        total = torch.zeros(())
        for made, true in zip(g(source), (half, target), strict=True):
            pixels = ((made - true).abs() ** p).mean()
            rows = ((made[:, :, 1:] - made[:, :, :-1]).abs() - (true[:, :, 1:] - true[:, :, :-1]).abs()).abs() ** power
            columns = ((made[..., 1:] - made[..., :-1]).abs() - (true[..., 1:] - true[..., :-1]).abs()).abs() ** power
            total = total + 0.7 * pixels + 0.4 * (rows.mean() + columns.mean())
        return total - 0.3 * sum(torch.sigmoid(s).log().mean() for s in d(g(source), source))

    def of_discriminator() -> Tensor:
        real = sum(torch.sigmoid(s).log().mean() for s in d([half, target], source))
        fake = sum((1 - torch.sigmoid(s)).log().mean() for s in d([each.detach() for each in g(source)], source))
        return -(real + fake)  # type: ignore[return-value]

    assert_same(lambda: module.generator_loss(source, target)[0], of_generator, g, d)
    _, pixels, slopes, *made = module.generator_loss(source, target)
    assert unreached(pixels + slopes, d) and [each.shape[-1] for each in made] == [SIDE // 2, SIDE]
    made = [each.detach() for each in made]
    assert_same(lambda: module.discriminator_loss(source, target, *made), of_discriminator, d)
    assert unreached(module.discriminator_loss(source, target, *made), g)


def test_both_players_step_on_every_batch_and_without_a_weight_only_one() -> None:
    x = frames(3).float().repeat(2, 1, 1, 1, 1)
    clips = torch.utils.data.TensorDataset(x[:, :2].flatten(1, 2), x[:, 2])
    for weight, steps in ((0.05, 6), (0.0, 3)):
        module = video_gan(adversarial_weight=weight).float()
        losses, before = losses_of(module), next(module.discriminator.parameters()).clone()
        trainer().fit(module, torch.utils.data.DataLoader(clips, batch_size=2))
        assert len(losses) == steps and module.generator_steps == 3
        assert torch.equal(next(module.discriminator.parameters()), before) == (weight == 0)


def test_plain_gradient_descent_is_the_papers() -> None:
    optimizers: Any = [each["optimizer"] for each in video_gan().configure_optimizers()]
    rates = [optimizer.param_groups[0] for optimizer in optimizers]
    assert [group["lr"] for group in rates] == [0.02, 0.04] and {group["momentum"] for group in rates} == {0}
    defaults = {name: each.default for name, each in inspect.signature(VideoGAN).parameters.items()}
    weights = ("adversarial_weight", "distance_weight", "gradient_weight", "p", "power")
    assert [defaults[name] for name in weights] == [0.05, 1, 1, 1, 1]


class Average(nn.Module):
    """Predicts the mean of two frames, and says what it saw."""

    def __init__(self) -> None:
        super().__init__()
        self.seen = list[Tensor]()

    def forward(self, source: Tensor) -> list[Tensor]:
        self.seen.append(source)
        first, second = source.chunk(2, dim=1)
        return [(first + second) / 2]


def test_a_roll_out_sees_its_own_predictions() -> None:
    """Of the frames 0 and 1 come 1/2, 3/4, 5/8, 11/16, ..."""
    module = VideoGAN(Average(), nn.Identity())
    clip = torch.tensor([0.0, 1.0]).reshape(1, 2, 1, 1, 1).expand(2, 2, 3, 4, 4)
    made = module.predict(clip, 4)
    assert made.shape == (2, 4, 3, 4, 4)
    assert made[0, :, 0, 0, 0].tolist() == [1 / 2, 3 / 4, 5 / 8, 11 / 16]
    assert {tuple(each.shape) for each in module.generator.seen} == {(2, 6, 4, 4)}  # type: ignore[union-attr]
    with pytest.raises(ValueError, match="steps must be a whole number of at least 1"):
        module.predict(clip, 0)


def view_of(module: LightningModule, steps: int = 3) -> dict[str, Tensor]:
    history, future = frames(2), frames(steps)
    batch = [part for part in (history, future[:, :1], future[:, 1:]) if part.shape[1]]
    view: Any = module.validation_step([part.flatten(1, 2) for part in batch], 0)
    assert torch.equal(view["history"], history) and torch.equal(view["future"], future)
    return view


def test_validation_shows_the_next_frame_beside_the_last_one_and_the_roll_out() -> None:
    module = video_gan().eval()
    with torch.no_grad():
        view = view_of(module)
        assert torch.equal(view["source"], view["history"][:, -1])
        assert torch.equal(view["real"], view["future"][:, 0]) and torch.equal(view["truth"], view["real"])
        assert torch.equal(view["fake"], module(view["history"].flatten(1, 2)))
        assert torch.equal(view["rollout"], module.predict(view["history"], 3))
        assert set(view_of(module, 1)) == set(view)


def test_decibels_of_each_step_stand_beside_those_of_the_last_frame() -> None:
    found: dict[str, float] = {}
    with torch.no_grad():
        view = view_of(video_gan().eval())
    for scorer in PredictionScores(steps=4).scorers():
        for real in (False, True):
            scorer.feed(scorer.metric, view, real)
        found |= {name: value.item() for name, value in scorer.compute().items()}
    assert set(found) == {f"psnr_{step}{end}" for step in (1, 2, 3) for end in ("", "_identity")}, "three are known"
    for step in range(3):
        for end, shown in (("", view["rollout"][:, step]), ("_identity", view["history"][:, -1])):
            error = (shown - view["future"][:, step]).square().mean((1, 2, 3))
            expected = (10 * (4 / error).log10()).mean().item()
            assert found[f"psnr_{step + 1}{end}"] == pytest.approx(expected, rel=1e-5)
    scorer = PredictionScores().scorers()[0]
    with pytest.raises(ValueError, match='needs a "rollout" in what validation_step returns, got .*fake'):
        scorer.feed(scorer.metric, {"fake": view["fake"], "real": view["real"]}, False)


def test_pictures_of_a_film(tmp_path: Path) -> None:
    with torch.no_grad():
        view = view_of(video_gan().eval())
    strip, moments = strips(view, scale=2), film(view, rows=2, scale=10)
    assert strip.height == 2 * N * (2 * SIDE + 1) + 1
    assert len(moments) == 5 and len({moment.size for moment in moments}) == 1
    assert moments[1].tobytes() != moments[2].tobytes()
    alone = film({key: view[key] for key in ("history", "rollout")}, rows=2, scale=10)
    assert len(alone) == 5 and alone[0].width < moments[0].width


def test_what_is_no_film_is_refused() -> None:
    x = torch.zeros(2, 6, SIDE, SIDE)
    for batch in (x, (x, x[:, :4]), (x, x[:, :3], x[:, :4]), (x, torch.arange(2))):
        with pytest.raises(ValueError, match=r"this model predicts frames: expected \(history, next\), got"):
            frames_of(batch)


def test_the_networks_are_the_papers() -> None:
    def maps(network: Any) -> list[list[int]]:
        kinds = nn.Conv2d, nn.Linear
        outputs = [[each for each in scale if isinstance(each, kinds)] for scale in network.scales]
        return [[getattr(e, "out_channels", 0) or e.out_features for e in each] for each in outputs]

    def kernels(network: Any) -> list[list[int]]:
        return [[e.kernel_size[0] for e in scale if isinstance(e, nn.Conv2d)] for scale in network.scales]

    generator, judge = VideoGenerator(), VideoDiscriminator()
    assert maps(generator) == [[128, 256, 128, 3]] * 2 + [[128, 256, 512, 256, 128, 3]] * 2
    assert kernels(generator) == [[3, 3, 3, 3], [5, 3, 3, 5], [5, 3, 3, 3, 3, 5], [7, 5, 5, 5, 5, 7]]
    ends = [[512, 256, 1], *[[1024, 512, 1]] * 3]
    convolutions = [[64], [64, 128, 128], [128, 256, 256], [128, 256, 512, 128]]
    assert maps(judge) == [[*one, *end] for one, end in zip(convolutions, ends, strict=True)]
    assert kernels(judge) == [[3], [3, 3, 3], [5, 5, 5], [7, 7, 5, 5]]


def test_each_scale_corrects_the_one_before() -> None:
    """With networks that are zero, tanh of the enlarged guess is left."""
    network = VideoGenerator(6, 3, 2, scales=2)
    for parameter in network.scales[1].parameters():
        nn.init.zeros_(parameter)
    coarse, fine = network(torch.randn(2, 6, 8, 8))
    torch.testing.assert_close(fine, coarse.repeat_interleave(2, 2).repeat_interleave(2, 3).tanh())


def test_sizes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="a height and a width that 8 divides, got 20 x 16"):
        VideoGenerator(6, 3, 2)(torch.zeros(1, 6, 20, 16))
    with pytest.raises(ValueError, match="must be a multiple of 8 that leaves each of 4 scales a pixel.*got 16"):
        VideoDiscriminator(image_size=16)
    judge = VideoDiscriminator(3, 6, 16, 2, 2)
    with pytest.raises(ValueError, match="Expected frames of 2 scales, got 1"):
        judge([torch.zeros(1, 3, 16, 16)], torch.zeros(1, 6, 16, 16))


def test_lp_distances() -> None:
    x, y = torch.randn(2, 4, 3, dtype=torch.float64)
    for p in (1.0, 1.5, 2.0):
        expected = np.mean(np.abs((x - y).numpy()) ** p)
        assert lp_distance(x, y, p).item() == pytest.approx(expected, rel=1e-12)
