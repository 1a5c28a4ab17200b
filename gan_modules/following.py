"""Networks that take their sizes from the data."""

from collections.abc import Iterator
from typing import Any

from jsonargparse import Namespace
from lightning.pytorch import LightningDataModule

from gan_modules.palettes import Palette


def follow(model: Namespace, data: LightningDataModule, chosen: set[str]) -> None:
    """Give the networks of this library, and the module, the sizes of the data.

    An argument that is zero means "without" and stays: an unconditional network does not become a conditional one. So
    do the arguments in `chosen`, such as "latent_dim" and "generator.channels". A palette is that of the data, if they
    say which they have, or that they have none.

    Raises:
        ValueError: if the model needs something that the data do not have, or cannot be made for them.
    """
    facts, nodes = _facts(data), list(_nodes(model))
    _check_directions(model, facts, nodes)
    for place, node in nodes:
        arguments = node.init_args
        for name in sorted(facts.keys() & vars(arguments).keys()):
            if place + name in chosen:
                _check_classes(place + name, arguments[name], facts)
            elif name not in _NEEDS:
                arguments[name] = facts[name]
            elif arguments[name] and not facts[name]:
                raise ValueError(
                    f"{_class(node)} needs {_NEEDS[name]}, which {type(data).__name__} does not have; {_OTHER}"
                )
            elif arguments[name]:
                arguments[name] = facts[name] * _packed(model, place, name)


def _packed(model: Namespace, place: str, name: str) -> int:
    """How many samples are joined along the channels of a network's input (PacGAN's discriminator)."""
    packs = place == "discriminator." and name == "channels"
    return vars(model.init_args).get("packing", 1) if packs else 1


def _check_directions(model: Namespace, facts: dict[str, Any], nodes: list[tuple[str, Namespace]]) -> None:
    translators = [node for _, node in nodes if "in_channels" in node.init_args]
    if len(translators) > 1 and facts and facts["in_channels"] != facts["out_channels"]:
        raise ValueError(
            f"{_class(model)} translates in both directions, so both domains must have the same number of channels, "
            f"got {facts['in_channels']} and {facts['out_channels']}; {_OTHER}, or give --data.channels 1"
        )


def _check_classes(name: str, given: Any, facts: dict[str, Any]) -> None:
    count = facts["num_classes"]
    if name.endswith("num_classes") and given and count and given < count:
        raise ValueError(f"{name} must be the number of classes in the data, {count}, got {given}; leave it out")


def _class(node: Namespace) -> str:
    return node.class_path.rsplit(".", 1)[-1]


_OTHER = "choose other data with --data (--list names them)"


_NEEDS = {
    "shape": "samples of a known shape",
    "image_size": "images",
    "channels": "images",
    "out_channels": "images",
    "in_channels": "images",
    "condition_channels": "pairs of images",
    "num_classes": "labels",
    "num_domains": "labels",
    "domains": "labels",
}


def _facts(data: LightningDataModule) -> dict[str, Any]:
    size, channels = getattr(data, "image_size", None), getattr(data, "channels", None)
    source = getattr(data, "source_channels", None)
    facts = {
        "shape": [channels, size, size] if size else getattr(data, "shape", None),
        "image_size": size,
        "channels": channels,
        "out_channels": channels,
        "in_channels": source or channels,
        "condition_channels": source,
        "num_classes": getattr(data, "num_classes", None),
        "num_domains": getattr(data, "num_classes", None),
        "domains": getattr(data, "class_names", None),
    }
    facts |= {"palette": _listed(data.palette)} if hasattr(data, "palette") else {}
    return facts if any(facts.values()) else {}


def _listed(palette: Palette | None) -> list[list[int]] | None:
    return None if palette is None else [list(colour) for colour in palette]


def _nodes(node: Any, place: str = "") -> Iterator[tuple[str, Namespace]]:
    """The module and its networks, as far as they are this library's, each with its place: "", "generator."."""
    if isinstance(node, Namespace) and "class_path" in node:
        if node.class_path.startswith("gan_modules.") and node.get("init_args"):
            yield place, node
        for name, value in vars(node.get("init_args") or Namespace()).items():
            yield from _nodes(value, f"{place}{name}.")
