"""Perceptual path lengths against closed forms and torchmetrics, and what must not change them."""

import socket
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torchmetrics.functional.image import perceptual_path_length

from gan_modules import randomness
from gan_modules.conditional.acgan import ACGAN
from gan_modules.latents import spherical
from gan_modules.metrics import PathLength

LATENTS, SIDE = 6, 4


class Squares(nn.Module):
    """The squared distance between pictures."""

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        return (first - second).square().flatten(1).sum(dim=1)


class Linear(nn.Module):
    """Pictures that are linear in the latents; the latents that were asked for are kept."""

    def __init__(self, side: int = SIDE) -> None:
        super().__init__()
        matrix = torch.randn(LATENTS, 3 * side**2, generator=torch.Generator().manual_seed(1))
        self.register_buffer("matrix", matrix / side)
        self.drawn: list[Tensor] = []
        self.side = side
        self.eval()

    def prior(self, n: int) -> Tensor:
        self.drawn.append(randomness.normal(n, LATENTS))
        return self.drawn[-1]

    def forward(self, z: Tensor) -> Tensor:
        return (z @ self.matrix).reshape(-1, 3, self.side, self.side)


def length(module: nn.Module, **options: Any) -> dict[str, float]:
    metric = PathLength(Squares(), **{"num_samples": 60, **options})
    metric.update(module)
    return {name: value.item() for name, value in metric.compute().items()}


def test_equals_the_closed_form_on_the_sphere() -> None:
    module, n = Linear(), 101
    found = length(module, num_samples=n, ends=True)
    first, second = (z.double().numpy() for z in module.drawn)
    norms = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    angle = np.arccos((first * second).sum(axis=1) / norms)[:, None]
    velocity = angle / np.sin(angle) * (second - np.cos(angle) * first)  # of the arc at its beginning
    squares = np.sort(np.square(velocity @ module.matrix.double().numpy()).sum(axis=1))[1:-1]
    assert found["ppl_squares-ends"] == pytest.approx(squares.mean(), rel=1e-3)
    assert found["ppl_squares-ends_std"] == pytest.approx(squares.std(ddof=1), rel=1e-3)


def test_equals_the_expectation_of_linear_paths() -> None:
    module = Linear()
    metric = PathLength(Squares(), 20_000, between=torch.lerp, batch_size=5000)
    metric.update(module)
    expected = 2 * module.matrix.square().sum().item()  # of |A (z2 - z1)|^2, wherever on the path
    assert torch.cat(metric.distances).mean().item() == pytest.approx(expected, rel=0.03)
    assert list(metric.compute()) == ["ppl_squares-linear", "ppl_squares-linear_std"]


def test_equals_torchmetrics_at_the_ends() -> None:
    module = Linear(side=16)

    class Adapted(nn.Module):
        """The same latents once more, and pictures in [0, 255]."""

        def __init__(self) -> None:
            super().__init__()
            self.latents = iter(module.drawn)

        def sample(self, num_samples: int) -> Tensor:
            return next(self.latents).double()  # torchmetrics' own arc needs the digits

        def forward(self, z: Tensor) -> Tensor:
            return (module.double()(z) + 1) * 127.5

    found = length(module, num_samples=101, ends=True)
    options: dict[str, Any] = {"num_samples": 101, "resize": None, "sim_net": Squares()}
    mean, deviation, _ = perceptual_path_length(Adapted(), interpolation_method="slerp_any", **options)
    assert found["ppl_squares-ends"] == pytest.approx(mean.item(), rel=1e-3)
    assert found["ppl_squares-ends_std"] == pytest.approx(deviation.item(), rel=1e-3)


def test_paths_begin_anywhere_on_the_arc() -> None:
    seen: list[Tensor] = []

    def watched(start: Tensor, end: Tensor, position: Tensor) -> Tensor:
        seen.append(position)
        return spherical(start, end, position)

    assert list(length(Linear(), num_samples=500, between=watched)) == [
        "ppl_squares-watched",
        "ppl_squares-watched_std",
    ]
    begin, after = seen
    assert 0 <= begin.min() < 0.02 and 0.98 < begin.max() < 1 and abs(begin.mean() - 0.5) < 0.05
    assert torch.allclose(after - begin, torch.full_like(begin, 1e-4))


def test_any_batch_size_gives_the_same_number_and_random_numbers_stay() -> None:
    torch.manual_seed(5)
    randomness.use(stream := randomness.Stream(3))
    before = torch.get_rng_state()
    whole = length(Linear())
    assert torch.equal(torch.get_rng_state(), before) and randomness.current() is stream and stream.draws == 0
    torch.manual_seed(6)
    assert length(Linear(), batch_size=7) == pytest.approx(whole, rel=1e-3)
    assert length(Linear(), seed=1)["ppl_squares"] != pytest.approx(whole["ppl_squares"], rel=1e-3)
    done: list[int] = []
    PathLength(Squares(), 10, batch_size=4).update(Linear(), progress=done.append)
    assert done == [4, 4, 2]


def test_labels_and_noise_are_the_same_at_both_ends_of_a_step() -> None:
    class Noisy(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = Linear()
            self.labels: list[int] = []

        def forward(self, z: Tensor, labels: Tensor) -> Tensor:
            self.labels += labels.tolist()
            pictures = self.linear(z) * (1 + labels.reshape(-1, 1, 1, 1))
            return pictures + torch.randn(pictures.shape)

    generator = Noisy()
    module = ACGAN(generator, nn.Identity(), num_classes=3, latent_dim=LATENTS).eval()
    found = length(module, batch_size=6)
    assert sorted(generator.labels) == sorted(list(range(3)) * 40)
    assert found["ppl_squares"] < 1e3  # other noise at the two ends would make it 1e8 times as much


def test_large_images_are_averaged_and_half_precision_is_kept_out() -> None:
    class Sizes(Squares):
        def forward(self, first: Tensor, second: Tensor) -> Tensor:
            assert first.shape[-2:] == (256, 256) and first.dtype == torch.float32
            return super().forward(first, second)

    module = Linear(side=512)
    with torch.autocast("cpu", torch.bfloat16):
        metric = PathLength(Sizes(), 3)
        metric.update(module)
        small = PathLength(Squares(), 3)
        small.update(Linear())
    coarse = nn.functional.avg_pool2d(module.matrix.reshape(-1, 3, 512, 512), 2).flatten(1)
    assert 0 < metric.compute()["ppl_sizes"] < 5 * 2 * coarse.square().sum()
    assert small.compute()["ppl_squares"].item() == pytest.approx(
        length(Linear(), num_samples=3)["ppl_squares"], rel=1e-6
    )


def test_bad_input_is_named() -> None:
    with pytest.raises(ValueError, match=r"Identity has no prior\(n\)"):
        length(nn.Identity().eval())
    with pytest.raises(ValueError, match=r"call eval\(\) first"):
        length(Linear().train())
    with pytest.raises(ValueError, match="at least two finite distances, got 0 of 0"), pytest.warns(UserWarning):
        PathLength(Squares()).compute()
    broken = Linear()
    broken.matrix[0, 0] = torch.nan
    with pytest.raises(ValueError, match="got 0 of 60"):
        length(broken)

    class Points(Linear):
        def forward(self, z: Tensor) -> Tensor:
            return z

    with pytest.raises(ValueError, match=r"needs images \(n, c, h, w\), got a tensor \(32, 6\)"):
        length(Points())


def _two_processes(rank: int, port: int, results: str) -> None:
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", f"tcp://127.0.0.1:{port}", world_size=2, rank=rank)
    metric = PathLength(Squares(), 45)
    metric.update(Linear())
    torch.save((len(torch.cat(metric.distances)), metric.compute()), f"{results}/{rank}")
    torch.distributed.destroy_process_group()


@pytest.mark.slow
def test_two_processes_share_the_work_of_one(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    torch.multiprocessing.start_processes(_two_processes, (port, str(tmp_path)), nprocs=2, start_method="fork")
    expected = length(Linear(), num_samples=45)
    for rank, share in enumerate((23, 22)):
        walked, values = torch.load(tmp_path / str(rank))
        assert walked == share
        assert {name: value.item() for name, value in values.items()} == pytest.approx(expected, rel=1e-3)
