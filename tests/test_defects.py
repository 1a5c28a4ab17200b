"""Defects of widely copied implementations, each with a proof that ours does not share it."""

import inspect
import math
from collections.abc import Callable, Iterator
from importlib.resources import files
from typing import Any

import pytest
import torch
import yaml
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, softplus
from torch.optim import Adam, Optimizer
from torch.utils.data import DataLoader, TensorDataset

from datamodules.mixtures import Ring
from gan_modules import ACGAN, GAN, WGANGP, AdversarialModule, CycleGAN, InfoGAN, Pix2Pix, networks, randomness
from gan_modules.codes import negative_log_likelihood
from gan_modules.objectives import minimax_discriminator, relativistic, relativistic_average
from gan_modules.penalties import gradient_penalty
from gan_modules.randomness import Stream, mix


@pytest.fixture(autouse=True)
def _seeded() -> Iterator[None]:
    torch.manual_seed(0)
    yield
    randomness.use(None)


def fit(module: AdversarialModule, data: Any, epochs: int = 1, *callbacks: Callback) -> None:
    Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        callbacks=list(callbacks),
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        limit_val_batches=0,
    ).fit(module, data)


def loader(*shape: int, batch_size: int = 4, domains: int = 1) -> DataLoader[Any]:
    data = [torch.rand(*shape) * 2 - 1 for _ in range(domains)]
    return DataLoader(TensorDataset(*data), batch_size=batch_size)  # in order


class Scores(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(2, 6), nn.Tanh(), nn.Linear(6, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x).squeeze(1)


def generator() -> nn.Module:
    return nn.Sequential(nn.Linear(3, 6), nn.Tanh(), nn.Linear(6, 2))


def gan(**arguments: Any) -> GAN:
    return GAN(generator(), Scores(), latent_dim=3, **arguments)


def wgan_gp(**arguments: Any) -> WGANGP:
    return WGANGP(generator(), Scores(), latent_dim=3, **arguments)


def translators() -> list[nn.Module]:
    return [nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.Tanh(), nn.Conv2d(2, 1, 1)) for _ in range(2)]


class Patches(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layer = nn.Conv2d(channels, 1, 3)

    def forward(self, images: Tensor, source: Tensor | None = None) -> Tensor:
        return self.layer(images if source is None else torch.cat([images, source], 1))


# acgan.py, infogan.py: a softmax, then a cross-entropy that takes another one


def heads() -> list[tuple[nn.Module, Callable[[nn.Module], Tensor]]]:
    images = torch.randn(16, 3, 8, 8)
    return [
        (networks.DCGANDiscriminator(image_size=8, width=4, num_classes=5), lambda net: net(images)[1]),
        (networks.RecognitionHead(features=12, hidden=8, categories=5), lambda net: net(torch.randn(16, 12))[0]),
    ]


@pytest.mark.parametrize("which", [0, 1])
def test_class_logits_are_unbounded(which: int) -> None:
    network, logits_of = heads()[which]
    bounded = (nn.Softmax, nn.LogSoftmax, nn.Softmin, nn.Sigmoid, nn.LogSigmoid, nn.Tanh)
    assert not any(isinstance(module, bounded) for module in network.modules())
    last = network.classify if which == 0 else network.category
    small = logits_of(network).detach().abs().max()
    with torch.no_grad():
        last.weight.mul_(1e4)
    torch.manual_seed(0)
    large = logits_of(network).detach()
    assert large.abs().max() > 100 * small
    assert (large.sum(1) - 1).abs().max() > 1 and (large < 0).any()


def test_no_score_is_squashed() -> None:
    judges = [
        networks.ImageClassifier(image_size=8, width=4),
        networks.CoupledDiscriminator(image_size=8, width=4),
        networks.DCGANDiscriminator(image_size=8, width=4),
        networks.DiscoGANDiscriminator(image_size=8, width=4),
        networks.ResNetCritic(image_size=8, width=4),
        networks.StarGANDiscriminator(image_size=8, width=4, layers=1),
        networks.PatchDiscriminator(width=4, layers=1),
        networks.MultiScaleDiscriminator(width=4, layers=1),
        networks.ContentDiscriminator(4, 0),
        networks.SRGANDiscriminator(image_size=16, width=2, hidden=8),
        networks.R3GANDiscriminator(image_size=8, width=4),
        networks.MLPDiscriminator(hidden=(4,)),
        networks.ProgressiveDiscriminator(image_size=8, width=4),
        networks.BigGANDiscriminator(image_size=8, width=4),
        networks.ProjectionDiscriminator(image_size=8, width=4),
        networks.StyleGAN2Discriminator(image_size=8, width=4),
        networks.ScoreHead(4),
        networks.CodeDiscriminator(4, (8,)),
        networks.FeatureDiscriminator(8, width=4),
        networks.JointDiscriminator(4, 8, width=4, features=4),
        networks.SelfAttentionDiscriminator(image_size=8, width=4, attention=1),
    ]
    squashing = (nn.Softmax, nn.LogSoftmax, nn.Sigmoid, nn.LogSigmoid, nn.Tanh)
    assert not any(isinstance(module, squashing) for judge in judges for module in judge.modules())


class Sure(nn.Module):
    """Scores of 0, and logits that are as sure of the class that a picture's value names."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x[:, 0] * 0, 50 * nn.functional.one_hot(x[:, 0].round().long(), 10).to(x)


class Named(nn.Module):
    """A picture whose value is its class."""

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        return labels.to(z)[:, None].expand(-1, 2)


def test_a_sure_and_right_classifier_has_no_loss_left() -> None:
    """With a second softmax the cross-entropy of ten classes cannot fall below log(1 + 9 / e) = 1.46."""
    module, labels = ACGAN(Named(), Sure(), num_classes=10), torch.arange(10)
    real = labels.float()[:, None].expand(-1, 2)
    assert module.generator_loss(real).item() == pytest.approx(softplus(torch.zeros(())).item(), abs=1e-6)
    assert module.discriminator_loss(real, labels).item() == pytest.approx(
        2 * softplus(torch.zeros(())).item(), abs=1e-6
    )


def test_the_codes_cross_entropy_takes_logits() -> None:
    logits, category = 7 * torch.randn(8, 4), torch.randint(4, (8,))
    codes, none = nn.functional.one_hot(category, 4).float(), torch.zeros(8, 0)
    torch.testing.assert_close(negative_log_likelihood(codes, logits, none), cross_entropy(logits, category))
    assert negative_log_likelihood(codes, 50 * codes, none) < 1e-6


# infogan.py: the information's step moves the real/fake head as well


def test_information_does_not_move_the_real_fake_head() -> None:
    trunk, head, real = nn.Linear(2, 4), nn.Sequential(nn.Linear(4, 1), nn.Flatten(0)), torch.randn(8, 2)
    networks_of = generator(), trunk, head, Heads()
    of_head, of_trunk = [], []
    for weight in (0.0, 5.0):
        module = InfoGAN(*networks_of, noise_dim=0, categories=2, continuous=1, information_weight=weight)
        randomness.use(Stream(3))
        loss = module.discriminator_loss(real)[0]
        *slopes, of_last = torch.autograd.grad(loss, [*head.parameters(), trunk.weight])
        of_head.append(torch.cat([slope.flatten() for slope in slopes]))
        of_trunk.append(of_last)
    torch.testing.assert_close(*of_head)
    assert not torch.allclose(*of_trunk)


class Heads(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.logits, self.means = nn.Linear(4, 2), nn.Linear(4, 1)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        return self.logits(features), self.means(features)


# 22 files: nn.BatchNorm2d(channels, 0.8) sets eps, not momentum


def all_networks() -> list[nn.Module]:
    return [
        networks.CoupledDiscriminator(image_size=8, width=4),
        networks.ContextGenerator(image_size=8, width=4, bottleneck=4),
        networks.CoupledGenerator(image_size=8, width=4),
        networks.AdaINDecoder(width=4, blocks=1),
        networks.AttributeDecoder(width=4),
        networks.ContentDecoder(width=4),
        networks.ContentDiscriminator(4, 0),
        networks.ContentEncoder(width=4, blocks=1),
        networks.MultiScaleDiscriminator(width=4),
        networks.BigGANDiscriminator(image_size=8, width=4),
        networks.BigGANGenerator(image_size=8, width=4),
        networks.ConditionalDCGANDiscriminator(image_size=8, width=4),
        networks.BEGANDiscriminator(image_size=8, width=4),
        networks.BEGANGenerator(image_size=8, width=4),
        networks.DCGANDiscriminator(image_size=8, width=4, num_classes=2),
        networks.DCGANEncoder(image_size=8, width=4),
        networks.CodeDiscriminator(4, (8,)),
        networks.FeatureDiscriminator(image_size=8, width=4),
        networks.JointDiscriminator(image_size=8, width=4, features=4),
        networks.DCGANGenerator(image_size=8, width=4),
        networks.DCGANTrunk(image_size=8, width=4, features=8),
        networks.DiscoGANDiscriminator(image_size=8, width=4),
        networks.DiscoGANGenerator(width=4),
        networks.EBGANDiscriminator(width=4),
        networks.RecognitionHead(8, 8),
        networks.RRDBGenerator(width=4, blocks=1, growth=2),
        networks.SRGANDiscriminator(image_size=16, width=2, hidden=8),
        networks.SRResNetGenerator(width=4, blocks=1),
        networks.ScoreHead(8),
        networks.MLPGenerator(hidden=(4,)),
        networks.MLPDiscriminator(hidden=(4,)),
        networks.PatchDiscriminator(width=4),
        networks.PyramidDiscriminator(width=4, scales=2),
        networks.SPADEGenerator(image_size=16, width=4, doublings=2, code_dim=4, hidden=4),
        networks.ProgressiveGenerator(image_size=8, width=4),
        networks.ProgressiveDiscriminator(image_size=8, width=4),
        networks.ProjectionGenerator(image_size=8, width=4),
        networks.ProjectionDiscriminator(image_size=8, width=4),
        networks.R3GANGenerator(image_size=8, width=4),
        networks.R3GANDiscriminator(image_size=8, width=4),
        networks.ResNetGenerator(image_size=8, width=4),
        networks.ResNetCritic(image_size=8, width=4, norm=networks.LayerNorm),
        networks.ResNetTranslator(width=4, blocks=1),
        networks.ResNetTranslator(width=4, blocks=1, norm=nn.BatchNorm2d),
        networks.SelfAttentionDiscriminator(image_size=8, width=4, attention=1),
        networks.SelfAttentionGenerator(image_size=8, width=4, attention=1),
        networks.StackedDiscriminator(width=4),
        networks.StackedGenerator(width=4),
        networks.StarGANDiscriminator(image_size=8, width=4, layers=1),
        networks.StarGANGenerator(width=4, blocks=1),
        networks.TextDiscriminator(image_size=8, width=4),
        networks.TextGenerator(image_size=8, width=4),
        networks.StyleGAN2Discriminator(image_size=8, width=4),
        networks.StyleGAN2Generator(style_dim=4, image_size=8, width=4),
        networks.UNetGenerator(image_size=16, width=4),
        networks.PixelDAGenerator(width=4, blocks=1),
        networks.PixelDADiscriminator(width=4),
        networks.VideoGenerator(width=4),
        networks.VideoDiscriminator(image_size=32, width=4),
    ]


def test_normalisation_has_a_small_eps() -> None:
    kinds = (nn.BatchNorm1d, nn.BatchNorm2d, nn.GroupNorm, nn.InstanceNorm2d)
    built = {type(network).__name__ for network in all_networks()}
    whole = {name for name in networks.__all__ if name.endswith(("Generator", "Discriminator", "Critic", "Translator"))}
    assert whole <= built
    norms = [module for network in all_networks() for module in network.modules() if isinstance(module, kinds)]
    assert len(norms) > 20
    assert {norm.eps for norm in norms} == {1e-5}
    assert {norm.momentum for norm in norms if not isinstance(norm, nn.GroupNorm)} == {0.1}


# wgan_gp.py: Adam at 2e-4 (0.5, 0.999); one noise for both players


def test_wgan_gp_has_the_papers_optimizer() -> None:
    defaults = {name: each.default for name, each in inspect.signature(WGANGP).parameters.items()}
    assert defaults["learning_rate"] == 1e-4 and defaults["betas"] == (0.0, 0.9)
    assert defaults["n_critic"] == 5 and defaults["penalty_weight"] == 10
    module = wgan_gp()
    fit(module, loader(4, 2))
    for optimizer in module.trainer.optimizers:
        assert isinstance(optimizer, Adam)
        assert optimizer.param_groups[0]["lr"] == 1e-4
        assert optimizer.param_groups[0]["betas"] == (0.0, 0.9)


def test_the_wgan_gp_presets_keep_the_papers_betas() -> None:
    presets = [file for file in (files("gan_modules") / "presets").iterdir() if file.name.startswith("wgan_gp")]
    assert presets
    for preset in presets:
        model = yaml.safe_load(preset.read_text())["model"]["init_args"]
        assert tuple(model.get("betas", (0.0, 0.9)))[0] in (0.0, 0.5)  # the paper's MNIST networks have 0.5
        assert tuple(model.get("betas", (0.0, 0.9)))[1] == 0.9
        assert "clip_value" not in model


@pytest.mark.parametrize("build", [gan, lambda: wgan_gp(n_critic=2)])
def test_each_step_draws_its_own_noise(build: Callable[[], AdversarialModule]) -> None:
    module, seen = build(), []
    module.generator.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].clone()))
    fit(module, loader(16, 2), 2)
    noises = torch.cat(seen)
    assert len(seen) == (16 if isinstance(module, GAN) else 12)
    assert len(noises.unique(dim=0)) == len(noises)


# critic steps that run back through the generator


@pytest.mark.parametrize("build", [gan, lambda: wgan_gp(n_critic=1)])
def test_the_critics_step_builds_no_graph_through_the_generator(build: Callable[[], AdversarialModule]) -> None:
    module, graphs = build(), []
    module.generator.register_forward_hook(lambda _, __, output: graphs.append(output.grad_fn is not None))
    fit(module, loader(16, 2))
    assert graphs == [False, True] * 4


@pytest.mark.parametrize("build", [Pix2Pix, CycleGAN])
def test_a_translators_discriminator_sees_no_graph(build: type) -> None:
    g, f = translators()
    if build is Pix2Pix:
        module: AdversarialModule = Pix2Pix(g, Patches(2))
        judge = module.discriminator
    else:
        module = CycleGAN(g, f, Patches(1), Patches(1))
        judge = module.discriminator_y
    shown: list[bool] = []
    judge.register_forward_pre_hook(lambda _, inputs: shown.append(inputs[0].requires_grad))
    fit(module, loader(8, 1, 6, 6, domains=2))
    assert shown == [True, False, False] * 2  # the generator's step; then real and generated


# softmax_gan.py: the second backward pass adds to gradients of the first


class Watch(Callback):
    """At each optimizer's step: the other parameters' gradients are as the previous step left them."""

    def __init__(self) -> None:
        self.left: dict[int, Tensor | None] = {}
        self.steps = 0

    def on_before_optimizer_step(self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer) -> None:
        own = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
        for parameter in pl_module.parameters():
            key = id(parameter)
            if key in own:
                assert parameter.grad is not None
                self.left[key] = parameter.grad.clone()
            elif self.left.get(key) is None:
                assert parameter.grad is None
            else:
                assert torch.equal(parameter.grad, self.left[key])
        self.steps += 1


@pytest.mark.parametrize("build", [gan, lambda: wgan_gp(n_critic=2)])
def test_a_step_leaves_the_other_players_gradients_alone(build: Callable[[], AdversarialModule]) -> None:
    watch = Watch()
    fit(build(), loader(16, 2), 1, watch)
    assert watch.steps in (6, 8)


def stepped(parameters: Any, optimizer: Adam, loss: Tensor) -> None:
    parameters = list(parameters)
    for parameter, gradient in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
        parameter.grad = gradient
    optimizer.step()


def test_gan_is_the_loop_written_out() -> None:
    module, data = gan(generator_learning_rate=0.01, discriminator_learning_rate=0.02), loader(20, 2)
    g, d = generator(), Scores()
    g.load_state_dict(module.generator.state_dict())
    d.load_state_dict(module.discriminator.state_dict())
    fit(module, data, 2)
    assert module.seed is not None
    by_d, by_g = (Adam(net.parameters(), lr=lr, betas=(0.5, 0.999)) for net, lr in ((d, 0.02), (g, 0.01)))
    for step, (real,) in enumerate([*data, *data], start=1):
        randomness.use(Stream(mix(module.seed, step)))
        real_scores, fake_scores = d(real), d(g(randomness.normal(4, 3)).detach())
        loss = binary_cross_entropy_with_logits(real_scores, torch.ones(4))
        stepped(d.parameters(), by_d, loss + binary_cross_entropy_with_logits(fake_scores, torch.zeros(4)))
        fake_scores = d(g(randomness.normal(4, 3)))
        stepped(g.parameters(), by_g, binary_cross_entropy_with_logits(fake_scores, torch.ones(4)))
    for ours, theirs in ((module.generator, g), (module.discriminator, d)):
        for one, other in zip(ours.parameters(), theirs.parameters(), strict=True):
            torch.testing.assert_close(one, other)


def test_wgan_gp_is_the_loop_written_out() -> None:
    module, data = wgan_gp(n_critic=2, learning_rate=0.01), loader(20, 2)
    g, f = generator(), Scores()
    g.load_state_dict(module.generator.state_dict())
    f.load_state_dict(module.critic.state_dict())
    fit(module, data, 2)
    assert module.seed is not None
    by_f, by_g = (Adam(net.parameters(), lr=0.01, betas=(0.0, 0.9)) for net in (f, g))
    for step, (real,) in enumerate([*data, *data], start=1):
        randomness.use(Stream(mix(module.seed, step)))
        fake = g(randomness.normal(4, 3)).detach()
        points = (real + randomness.uniform(4, 1) * (fake - real)).requires_grad_()
        (slopes,) = torch.autograd.grad(f(points).sum(), points, create_graph=True)
        penalty = ((slopes.square().sum(1).sqrt() - 1) ** 2).mean()
        by_f.zero_grad()
        (f(fake).mean() - f(real).mean() + 10 * penalty).backward()
        by_f.step()
        if step % 2 == 0:
            stepped(g.parameters(), by_g, -f(g(randomness.normal(4, 3))).mean())
    for ours, theirs in ((module.generator, g), (module.critic, f)):
        for one, other in zip(ours.parameters(), theirs.parameters(), strict=True):
            torch.testing.assert_close(one, other)


# a WGAN that counts critic steps by Lightning's global_step, or by batch_idx


class Counts(Callback):
    """Generator steps so far, after each batch."""

    def __init__(self) -> None:
        self.counts: list[int] = []

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: object) -> None:
        self.counts.append(pl_module.generator_steps)


def test_critic_steps_are_counted_over_epochs() -> None:
    module, seen = wgan_gp(n_critic=5), Counts()
    fit(module, loader(12, 2), 5, seen)  # epochs of three batches
    assert module.batches_seen == 15
    assert seen.counts == [batch // 5 for batch in range(1, 16)]


def test_counting_goes_on_over_restarts() -> None:
    module = wgan_gp(n_critic=5)
    fit(module, loader(12, 2), 1)
    assert module.generator_steps == 0
    fit(module, loader(12, 2), 1)
    assert module.batches_seen == 6 and module.generator_steps == 1


# relativistic_gan.py: the relativistic generator's loss is overwritten by the plain one


@pytest.mark.parametrize("objective", [relativistic, relativistic_average])
def test_the_relativistic_generator_compares_with_the_real_scores(objective: Callable[..., Tensor]) -> None:
    real, fake = torch.randn(6, requires_grad=True), torch.randn(6, requires_grad=True)
    loss = objective(fake, real)
    for gradient in torch.autograd.grad(loss, [real, fake], retain_graph=True):
        assert gradient.abs().min() > 0
    assert not torch.isclose(loss, binary_cross_entropy_with_logits(fake, torch.ones_like(fake)))
    torch.testing.assert_close(objective(fake + 1, real), objective(fake, real - 1))


def test_both_terms_of_the_average_form_reach_the_generator() -> None:
    real, fake = torch.randn(6), torch.randn(6, requires_grad=True)
    parts = softplus(real.mean() - fake).mean(), softplus(real - fake.mean()).mean()
    gradients = [torch.autograd.grad(part, fake, retain_graph=True)[0] for part in parts]
    (ours,) = torch.autograd.grad(relativistic_average(fake, real), fake)
    torch.testing.assert_close(ours, gradients[0] + gradients[1])
    assert all(gradient.abs().min() > 0 for gradient in gradients)


# dragan.py: the discriminator is trained by the penalty alone


def test_the_critics_loss_holds_both_the_game_and_the_penalty() -> None:
    real = torch.randn(8, 2)
    losses = []
    for weight in (0.0, 1.0):
        torch.manual_seed(1)
        module = wgan_gp(penalty_weight=weight)
        randomness.use(Stream(2))
        losses.append((module, module.critic_loss(real)[0]))
    (plain, game), (_, both) = losses
    randomness.use(Stream(2))
    fake = plain.generator(randomness.normal(8, 3))
    penalty = gradient_penalty(plain.critic, real, fake)
    torch.testing.assert_close(both, game + penalty)
    assert game.abs() > 1e-4 and penalty > 1e-4


# unrolled_gan's ring: the end-point of linspace(0, 2 pi, 8) doubles the first of seven modes


@pytest.mark.parametrize("count", [8, 5])
def test_the_ring_has_all_its_modes(count: int) -> None:
    modes = Ring(modes=count, radius=2.0).modes.double()
    assert modes.shape == (count, 2)
    torch.testing.assert_close(modes.norm(dim=1), torch.full((count,), 2.0).double(), atol=1e-6, rtol=0)
    neighbours = (modes - modes.roll(-1, 0)).norm(dim=1)
    side = torch.full((count,), 4 * math.sin(math.pi / count)).double()
    torch.testing.assert_close(neighbours, side, atol=1e-5, rtol=0)
    distances = torch.cdist(modes, modes) + 9 * torch.eye(count).double()
    assert distances.min() > 1


# advgan.py, LSGAN's TensorFlow code: a sum over the batch where the paper has a mean


class Flat(nn.Module):
    """The same sample whatever the noise."""

    def __init__(self) -> None:
        super().__init__()
        self.sample = nn.Parameter(torch.randn(2))

    def forward(self, z: Tensor, *_: Tensor) -> Tensor:
        return self.sample.expand(len(z), 2)


class Plane(nn.Module):
    """A linear score, whose penalty is the same at all points; and no opinion on classes."""

    def __init__(self, classes: int = 0) -> None:
        super().__init__()
        self.layer, self.classes = nn.Linear(2, 1), classes

    def forward(self, x: Tensor) -> Any:
        scores = self.layer(x).squeeze(1)
        return (scores, x.new_zeros(len(x), self.classes)) if self.classes else scores


def labelled(real: Tensor) -> tuple[Tensor, Tensor]:
    return real, torch.zeros(len(real), dtype=torch.int64)


@pytest.mark.parametrize(
    ("module", "critic_loss", "inputs"),
    [
        (lambda: GAN(Flat(), Plane()), "discriminator_loss", lambda real: (real,)),
        (lambda: WGANGP(Flat(), Plane()), "critic_loss", lambda real: (real,)),
        (lambda: ACGAN(Flat(), Plane(3), num_classes=3), "discriminator_loss", labelled),
    ],
)
def test_losses_do_not_grow_with_the_batch(module: Any, critic_loss: str, inputs: Any) -> None:
    built, real = module(), torch.randn(4, 2)
    for loss, given in ((getattr(built, critic_loss), inputs), (built.generator_loss, lambda real: (real,))):
        one, three = (loss(*given(real.repeat(times, 1))) for times in (1, 3))
        one, three = (each[0] if isinstance(each, tuple) else each for each in (one, three))
        torch.testing.assert_close(three, one)


@pytest.mark.parametrize("build", [Pix2Pix, CycleGAN])
def test_translators_losses_do_not_grow_with_the_batch(build: type) -> None:
    module = build(translators()[0], Patches(2)) if build is Pix2Pix else build(*translators(), Patches(1), Patches(1))
    x, y, old = torch.randn(3, 2, 1, 6, 6)
    more = [each.repeat(3, 1, 1, 1) for each in (x, y, old)]
    torch.testing.assert_close(module.generator_loss(*more[:2])[0], module.generator_loss(x, y)[0])
    rest = (old,) if build is Pix2Pix else (old, old)
    more_rest = (more[2],) if build is Pix2Pix else (more[2], more[2])
    torch.testing.assert_close(module.discriminator_loss(*more[:2], *more_rest), module.discriminator_loss(x, y, *rest))


def test_the_value_at_indifference_is_log_four_for_any_batch() -> None:
    for n in (1, 7, 64):
        torch.testing.assert_close(minimax_discriminator(torch.zeros(n), torch.zeros(n)).exp(), torch.tensor(4.0))
