"""Classifiers that a run needs but does not train: trained once before, kept on the disk, and frozen."""

import copy
import hashlib
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import LightningDataModule
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.optim.lr_scheduler import OneCycleLR
from tqdm import tqdm  # type: ignore[import-untyped,unused-ignore]

from gan_modules.batches import labelled_images_of
from gan_modules.metrics import cache
from gan_modules.randomness import mix
from gan_modules.reading import contents
from gan_modules.saving import SealedCheckpointIO

Attack = Callable[[Tensor, Tensor], Tensor]
"""Images and their labels -> images of the same labels to be trained on as well."""


def frozen(network: nn.Module) -> nn.Module:
    """A copy in evaluation mode whose parameters are buffers: saved and loaded with a module, but never trained.

    >>> from torch import nn
    >>> network = frozen(nn.Linear(2, 3))
    >>> list(network.parameters()), sorted(network.state_dict())
    ([], ['bias', 'weight'])
    """
    network = copy.deepcopy(network)
    for part in network.modules():
        for name, parameter in list(part.named_parameters(recurse=False)):
            delattr(part, name)
            part.register_buffer(name, parameter.detach())
    return network.eval()


def kept(network: nn.Module, data: LightningDataModule, epochs: int) -> nn.Module:
    """The network as `trained` leaves it, from the user's cache where an earlier run has left it there.

    A file belongs to the data, the network's layers and the number of epochs; one that is damaged is replaced.
    """
    path = _path(network, data, epochs)
    if path is not None and path.exists():
        try:
            network.load_state_dict(contents(path)["classifier"])
            return network.eval()
        except (ValueError, OSError, RuntimeError, KeyError) as error:
            reason = str(error).splitlines()[0]
            print(f"the classifier {path} cannot be used ({reason}); another one is trained", file=sys.stderr)
    trained(network, data, epochs)
    if path is not None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            SealedCheckpointIO().save_checkpoint({"classifier": network.state_dict()}, path)
        except OSError as error:
            print(f"the classifier is not kept, because {path} cannot be written: {error}", file=sys.stderr)
    return network


def trained(network: nn.Module, data: LightningDataModule, epochs: int, attack: Attack | None = None) -> nn.Module:
    """The network, trained on the CPU for `epochs` of the data's training part, in evaluation mode.

    Adam with a one-cycle learning rate up to 3e-3. No random numbers of others are disturbed.

    Args:
        network: maps images to class logits.
        data: gives batches `(images, labels)`.
        epochs: how often it sees each picture.
        attack: half of the loss is of images that it makes of each batch (adversarial training).
    """
    with _alone(data), torch.random.fork_rng(devices=[]):
        torch.manual_seed(mix(0))
        loader: Any = data.train_dataloader()
        return fitted(network, _batches(data, loader, epochs), epochs * len(loader), attack)


def fitted(
    network: nn.Module, batches: Iterable[tuple[Tensor, Tensor]], steps: int, attack: Attack | None = None
) -> nn.Module:
    """The network after one step on each of as many `batches` `(images, labels)` as `steps` says; see `trained`."""
    optimizer = torch.optim.Adam(network.parameters(), fused=True)
    schedule = OneCycleLR(optimizer, 3e-3, steps)
    for images, labels in tqdm(batches, total=steps, desc="classifier", unit="batch", leave=False):
        network.train()
        loss = cross_entropy(network(images), labels)
        if attack is not None:
            loss = (loss + cross_entropy(network(attack(images, labels)), labels)) / 2
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return network.eval()


@torch.no_grad()
def withstood(network: nn.Module, data: LightningDataModule, attack: Attack) -> dict[str, float]:
    """What an attack does to a network in evaluation mode, on the data's held-out pictures.

    Returns:
        The shares that it names right "untouched" and "attacked", and the attack's "success": the share of those named
        right untouched that are not any more.
    """
    seen, right, still, lost = 0, 0, 0, 0
    with _alone(data):
        for batch in data.val_dataloader():
            images, labels = labelled_images_of(data.on_after_batch_transfer(batch, 0))
            before, after = (network(each).argmax(1) == labels for each in (images, attack(images, labels)))
            seen, right, still = seen + len(labels), right + int(before.sum()), still + int(after.sum())
            lost += int((before & ~after).sum())
    return {"untouched": right / seen, "attacked": still / seen, "success": lost / max(right, 1)}


def _batches(data: LightningDataModule, loader: Any, epochs: int) -> Iterator[tuple[Tensor, Tensor]]:
    for epoch in range(epochs):
        if hasattr(loader.sampler, "set_epoch"):
            loader.sampler.set_epoch(epoch)
        for batch in loader:
            yield labelled_images_of(data.on_after_batch_transfer(batch, 0))


@contextmanager
def _alone(data: LightningDataModule) -> Iterator[None]:
    """Inside, the data deal whole batches from the first one on, whatever run they belong to."""
    trainer, data.trainer = data.trainer, None
    try:
        yield
    finally:
        data.trainer = trainer


def _path(network: nn.Module, data: LightningDataModule, epochs: int) -> Path | None:
    """Where the classifier is kept; None where the data cannot be told from others, or there is no cache."""
    fingerprint, folder = getattr(data, "fingerprint", None), cache.folder_of(True)
    known = fingerprint("training") if fingerprint else None
    if known is None or folder is None:
        return None
    digest = hashlib.sha256(repr((known, str(network), epochs)).encode()).hexdigest()
    return folder.parent / "classifiers" / f"{type(network).__name__}-{digest[:32]}.ckpt"
