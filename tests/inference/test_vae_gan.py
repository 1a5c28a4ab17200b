"""VAE/GAN: the three losses of Algorithm 1, and which network gets which of them."""

import inspect
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import logsigmoid
from torch.optim import RMSprop

from gan_modules import VAEGAN
from gan_modules.objectives import minimax_generator, non_saturating_generator
from gan_modules.randomness import Stream, using
from transcribed import assert_same, unreached
from variants import build, loader, losses_of, trainer
from zoo.coders import LATENT, Decoder, Encoder, Features, noise
from zoo.games import points


def vae_gan(**options: Any) -> VAEGAN:
    return VAEGAN(Encoder(), Decoder(), Features(), LATENT, **options).double()


Terms = Callable[[bool], tuple[Tensor, Tensor, Tensor, Tensor, Tensor]]


def terms(module: VAEGAN, real: Tensor) -> Terms:
    """L_prior, L_llike and the logarithms of 1 - D of x~ and of x_p, and of D of x, by hand."""
    encoder, decoder, judge = module.encoder, module.generator, module.discriminator

    def computed(stopped: bool) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        mean, log_variance = encoder(real)
        codes = mean + torch.exp(log_variance / 2) * noise()
        prior = (-0.5 * (1 + log_variance - mean**2 - torch.exp(log_variance))).sum(1).mean()
        rebuilt = decoder(codes.detach() if stopped else codes)
        likelihood = (0.5 * (judge(rebuilt)[1] - judge(real)[1]) ** 2).sum(1).mean()
        generated = decoder(noise()) if stopped else rebuilt
        of = [logsigmoid(sign * judge(x)[0]).mean() for sign, x in ((-1, rebuilt), (-1, generated), (1, real))]
        return prior, likelihood, *of

    return computed


def test_the_encoders_loss_is_prior_and_likelihood() -> None:
    module, real = vae_gan(likelihood_weight=0.3), points()

    def by_hand() -> Tensor:
        prior, likelihood, *_ = terms(module, real)(False)
        return prior + likelihood

    assert_same(lambda: module.encoder_loss(real)[0], by_hand, module.encoder)


@pytest.mark.parametrize("weight", [0.3, 1e-5])
def test_the_decoders_loss_is_the_game_and_gamma_times_the_likelihood(weight: float) -> None:
    module, real = vae_gan(likelihood_weight=weight), points()

    def by_hand() -> Tensor:
        _, likelihood, of_rebuilt, of_drawn, _ = terms(module, real)(True)
        return weight * likelihood + of_rebuilt + of_drawn

    assert_same(lambda: module.decoder_loss(real), by_hand, module.generator)


def test_the_discriminators_loss_is_the_game_alone() -> None:
    module, real = vae_gan(likelihood_weight=0.3), points()

    def by_hand() -> Tensor:
        _, _, of_rebuilt, of_drawn, of_real = terms(module, real)(True)
        return -(of_real + of_rebuilt + of_drawn)

    assert_same(lambda: module.discriminator_loss(real), by_hand, module.discriminator)


def test_the_encoder_has_no_gradient_of_the_game_nor_the_discriminator_of_the_likelihood() -> None:
    """The point of the paper; copies that add the three losses up have both."""
    module, real = vae_gan(), points()
    assert unreached(module.decoder_loss(real), module.encoder)
    assert unreached(module.discriminator_loss(real), module.encoder)
    assert unreached(module.discriminator_loss(real), module.generator)
    plain = vae_gan(likelihood_weight=0.0)
    plain.load_state_dict(module.state_dict())
    gradients = []
    for each in (module, plain):
        with using(Stream(5)):
            loss = each.discriminator_loss(real)
        gradients.append(torch.autograd.grad(loss, list(each.discriminator.parameters())))
    assert all(torch.equal(*pair) for pair in zip(*gradients, strict=True))


def test_gamma_weighs_the_decoders_likelihood_and_not_the_encoders() -> None:
    real, found = points(), {}
    state = vae_gan().state_dict()
    for weight in (0.0, 1.0, 2.0):
        module = vae_gan(likelihood_weight=weight)
        module.load_state_dict(state)
        with using(Stream(5)):
            found[weight] = module.encoder_loss(real)[0], module.decoder_loss(real)
    assert found[0.0][0] == found[1.0][0] == found[2.0][0]
    torch.testing.assert_close(found[2.0][1] - found[1.0][1], found[1.0][1] - found[0.0][1])
    assert found[1.0][1] > found[0.0][1]


def test_the_step_is_three_steps_of_three_optimizers() -> None:
    module: Any = build("vae_gan")
    losses, fitted = losses_of(module), trainer()
    fitted.fit(module, loader("vae_gan", 5))
    assert len(losses) == 15 and all(isinstance(each, RMSprop) for each in fitted.optimizers)
    owned = [{id(p) for group in each.param_groups for p in group["params"]} for each in fitted.optimizers]
    networks = module.encoder, module.generator, module.discriminator
    assert owned == [{id(p) for p in network.parameters()} for network in networks]


def test_the_game_may_be_the_one_that_does_not_saturate() -> None:
    module, real = vae_gan(generator_objective=non_saturating_generator, likelihood_weight=0.0), points()

    def by_hand() -> Tensor:
        rebuilt = module.generator((lambda m, v: m + torch.exp(v / 2) * noise())(*module.encoder(real)).detach())
        return -sum(logsigmoid(module.discriminator(x)[0]).mean() for x in (rebuilt, module.generator(noise())))

    assert_same(lambda: module.decoder_loss(real), by_hand, module.generator)


def test_augmentations_are_refused() -> None:
    module = build("vae_gan", augmentation=(lambda x: x,))
    with pytest.raises(ValueError, match="VAEGAN has no network that judges single images"):
        trainer().fit(module, loader("vae_gan", 1))


def test_the_numbers() -> None:
    defaults = {name: each.default for name, each in inspect.signature(VAEGAN).parameters.items()}
    assert (defaults["latent_dim"], defaults["likelihood_weight"], defaults["learning_rate"]) == (128, 1e-5, 3e-4)
    assert defaults["generator_objective"] is minimax_generator
