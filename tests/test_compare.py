"""Tables of models: that each number is of what it says, that all rows are measured alike, and the script."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import LightningDataModule
from torch import Tensor, nn
from torch.utils.data import DataLoader

import variants
from gan_modules import AdversarialModule
from gan_modules.callbacks import image_metrics
from gan_modules.evaluation import models
from gan_modules.evaluation.columns import COLUMNS, Measures
from gan_modules.evaluation.models import Model
from gan_modules.evaluation.tables import Row, markdown
from gan_modules.metrics import FeatureNetwork
from script_modules import loaded
from untrained import saved

COMPARE = loaded("compare")
ITEMS = 8
TRANSLATED = {"swd", "swd_identity", "diversity", "saturation", "sharpness"}
TWO_WAYS = {"x_to_y": TRANSLATED | {"cycle"}, "y_to_x": TRANSLATED | {"cycle"}}
SHOWN = {
    "pix2pix": {"": TRANSLATED | {"psnr", "psnr_identity"}},
    "bicyclegan": {"": TRANSLATED | {"psnr"}},
    "srgan": {"": TRANSLATED | {"psnr", "ssim", "ssim_identity"}},
    "context_encoder": {"": TRANSLATED | {"psnr_hole", "psnr_hole_identity"}},
    "cc_gan": {"": TRANSLATED | {"psnr_hole", "accuracy"}},
    "cyclegan": TWO_WAYS,
    "dualgan": TWO_WAYS,
    "unit": TWO_WAYS,
    "munit": TWO_WAYS,
    "drit": TWO_WAYS,
    "cut": {"x_to_y": TRANSLATED},
    "vae": {"": {"swd", "saturation", "sharpness_reconstruction", "reconstruction_psnr", "nearest_neighbour"}},
    "lsgan": {"": {"swd", "saturation", "sharpness", "sharpness_real"}},
}


class Data(LightningDataModule):
    """The data of a variant's tests, whole domains of `tensors` where they are given."""

    def __init__(self, name: str, batch_size: int = 4, tensors: tuple[Tensor, ...] | None = None) -> None:
        super().__init__()
        self.tensors, self.batch_size = tensors or variants.data(name, ITEMS), batch_size

    def val_dataloader(self) -> DataLoader[Any]:
        columns = [column.split(self.batch_size) for column in self.tensors]
        batches = list(zip(*columns, strict=True)) if len(columns) > 1 else columns[0]
        return DataLoader(batches, batch_size=None)  # type: ignore[arg-type]


def model(name: str, **data: Any) -> Model:
    return Model(name, variants.build(name).eval(), Data(name, **data), {})


def of_styles(batch_size: int = 4) -> Model:
    """StarGAN, and the same pictures in all of its domains."""
    module = variants.build("stargan").eval()
    domains = tuple(torch.rand(len(module.domains), ITEMS, 3, 8, 8) * 2 - 1)
    return Model("stargan", module, Data("stargan", batch_size, domains), {})


@torch.inference_mode()
def numbers(compared: Model, count: int = ITEMS, seed: int = 0) -> dict[str, dict[str, float]]:
    return models.scores(compared, Measures(count), count, seed)


@pytest.mark.parametrize("name", SHOWN)
def test_a_model_has_the_numbers_of_what_it_shows_whatever_its_batches(name: str) -> None:
    found, in_one_batch = numbers(model(name)), numbers(model(name, batch_size=ITEMS))
    assert found.keys() == SHOWN[name].keys()
    for direction, names in SHOWN[name].items():
        assert names <= found[direction].keys() <= COLUMNS.keys()
        assert ("cycle" in found[direction]) == ("cycle" in names)
        assert found[direction] == pytest.approx(in_one_batch[direction], rel=1e-4, abs=1e-6)


@pytest.mark.parametrize(
    ("name", "back"),
    [
        ("cyclegan", lambda module, x, fake: module.generator_f(fake)),
        ("unit", lambda module, x, fake: module.inverse(fake)),
        (
            "munit",
            lambda module, x, fake: module.decoder_x(module.content_encoder_y(fake), module.style_encoder_x(x)),
        ),
        ("drit", lambda module, x, fake: module.inverse(fake, module.attribute_encoder_x(x)[0])),
    ],
)
def test_the_way_back(name: str, back: Callable[[AdversarialModule, Tensor, Tensor], Tensor]) -> None:
    compared = model(name, batch_size=ITEMS)
    (shown,) = ({key: dict(view) for key, view in views.items()} for views in compared.views(ITEMS, 0))
    source, fake = (shown["x_to_y"][key] for key in ("source", "fake"))
    returned = back(compared.module, source, fake)
    torch.testing.assert_close(shown["x_to_y"]["returned"], returned)
    assert numbers(compared)["x_to_y"]["cycle"] == pytest.approx((returned - source).abs().mean().item(), rel=1e-5)


def test_all_domains_of_a_stargan_come_back_to_where_they_were() -> None:
    compared, found = of_styles(), numbers(of_styles())
    domains: tuple[str, ...] = compared.module.domains
    assert list(found) == [
        f"{home}_to_{place}" for home, place in zip(domains[-1:] + domains[:-1], domains, strict=True)
    ]
    home, x = len(domains) - 1, compared.data.tensors[-1]
    lost = (compared.module(compared.module(x, 0), home) - x).abs().mean().item()
    assert found[f"{domains[home]}_to_{domains[0]}"]["cycle"] == pytest.approx(lost, rel=1e-5)
    assert all("psnr" in values for values in found.values())


def test_samples_of_one_input_differ_where_there_is_noise() -> None:
    of_dropout, of_codes, of_none = (numbers(model(name)) for name in ("pix2pix", "bicyclegan", "cyclegan"))
    assert of_dropout[""]["diversity"] > 0 and of_codes[""]["diversity"] > 0
    assert of_none["x_to_y"]["diversity"] == 0
    assert numbers(model("bicyclegan"), seed=1)[""]["diversity"] != of_codes[""]["diversity"]


def test_at_most_so_many_pictures_are_scored() -> None:
    compared = model("cyclegan", batch_size=3)
    assert [len(views["x_to_y"]["returned"]) for views in compared.views(5, 0)] == [3, 2]
    assert [len(views["x_to_y"]["source"]) for views in compared.views(3, 0)] == [3]


def test_no_state_changes() -> None:
    compared = model("munit")
    before = {name: value.clone() for name, value in compared.module.state_dict().items()}
    numbers(compared)
    assert variants.same(before, dict(compared.module.state_dict())) and not compared.module.training
    assert all(not layer._forward_pre_hooks for layer in compared.module.modules())


def size(*networks: nn.Module) -> int:
    return sum(parameter.numel() for network in networks for parameter in network.parameters())


@pytest.mark.parametrize("average", [None, 0.9])
def test_parameters_are_those_that_translate(average: float | None) -> None:
    module: Any = variants.build("cyclegan", average_decay=average).eval()
    compared = Model("cyclegan", module, Data("cyclegan"), {})
    acts = compared.acts(next(compared.views(4, 0)), 4)
    assert models.parameters_in_use(module, acts["y_to_x"]) == size(module.generator_f)
    networks = module.generator_g, module.generator_f, module.discriminator_x, module.discriminator_y
    assert models.parameters(module) == size(*networks)
    module = variants.build("munit").eval()
    assert models.parameters_in_use(module, lambda: module(compared.data.tensors[0])) == size(
        module.content_encoder_x, module.decoder_y
    )


def test_what_samples_is_timed_by_its_samples() -> None:
    compared = model("lsgan")
    (act,) = compared.acts(next(compared.views(4, 0)), 3).values()
    assert act().shape == (3, 3, 8, 8)
    assert models.parameters_in_use(compared.module, act) == size(compared.module.generator)


def test_models_take_turns_and_the_median_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[str] = []
    clock = iter([0, 9, 9, 18, 20, 21, 21, 25, 30, 35, 35, 36, 40, 42, 42, 45])
    monkeypatch.setattr(models, "perf_counter", lambda: next(clock))
    acts = [lambda name=name: called.append(name) for name in "ab"]
    assert models.seconds(acts, 3, torch.device("cpu")) == [2, 3]
    assert called == list("abababab")


def test_networks_of_features_are_used_where_their_weights_are_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = FeatureNetwork(nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten()), "")
    monkeypatch.setattr(image_metrics, "inception", lambda *_: network)
    network.body.forward = lambda images: nn.functional.adaptive_avg_pool2d(images / 255, 2).flatten(1)
    (tmp_path / "weights.pth").write_bytes(b"")
    with torch.inference_mode():
        found = models.scores(model("cyclegan"), Measures(ITEMS, tmp_path / "weights.pth"), ITEMS, 0)
    assert {"fid", "kid", "kid_std"} <= found["y_to_x"].keys()


def test_what_is_known_of_data_serves_all_their_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []

    def features(images: Tensor) -> Tensor:
        seen.append(len(images))
        return nn.functional.adaptive_avg_pool2d(images / 255, 2).flatten(1)

    network = FeatureNetwork(nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten()), "")
    monkeypatch.setattr(image_metrics, "inception", lambda *_: network)
    network.body.forward = features
    (weights := tmp_path / "weights.pth").write_bytes(b"")
    data = Data("cyclegan")
    compared = [Model(name, variants.build(name).eval(), data, {}) for name in ("cyclegan", "discogan")]
    with torch.inference_mode():
        alone = [models.scores(each, Measures(ITEMS, weights), ITEMS, 0) for each in compared]
        shared, before = Measures(ITEMS, weights), sum(seen)
        together = [models.scores(each, shared, ITEMS, 0) for each in compared]
    assert together == alone
    assert before == 2 * 2 * 2 * ITEMS  # models, directions, generated and real
    assert sum(seen) - before == 2 * 3 * ITEMS


def test_the_table() -> None:
    one, two = (Model(name, variants.build("cut"), Data("cut"), {}) for name in ("cut", "gan"))
    rows = [Row(one, "x_to_y", {"psnr": 12.345, "parameters": 12345}), Row(two, "", {"swd": 1.0})]
    assert markdown(rows) == (
        "|  | direction | SWD ↓ | PSNR ↑ | parameters, to use it |\n| --- | --- | --- | --- | --- |\n"
        "| `cut` | x to y |  | 12.35 | 12,345 |\n| `gan` |  | 1.0 |  |  |"
    )
    assert markdown(rows[1:], ["swd"]) == "|  | SWD ↓ |\n| --- | --- |\n| `gan` | 1.0 |"


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Checkpoints by preset."""
    folder = tmp_path_factory.mktemp("models")
    translators = {f"generator_{name}": {"width": 4, "blocks": 1} for name in "gf"}
    return {
        "cyclegan": saved(folder, "cyclegan", {"image_size": 16, "domains": "noto2twemoji"}, **translators),
        "gan": saved(folder, "gan", {"points": 600, "held_out_points": 40}),
    }


def test_the_script(checkpoints: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, out = checkpoints["cyclegan"], tmp_path / "table.json"
    options = ["--n", "20", "--repeats", "2", "--batch_size", "8", "--device", "cpu", "--out", str(out)]
    columns = ["--columns", "psnr,cycle,images_per_second"]
    COMPARE.run([str(path), f"again={path}", *options, *columns])
    printed, record = capsys.readouterr().out, json.loads(out.read_text())
    assert (
        "20 pictures of the same held-out data, seed 0; images/s: the median of 2 batches of 8, 1 CPU thread" in printed
    )
    assert "|  | direction | PSNR ↑ | there and back, L1 ↓ | images/s ↑ |" in printed
    assert [(row["name"], row["direction"]) for row in record["rows"]] == [
        (name, direction) for name in ("cyclegan", "again") for direction in ("x_to_y", "y_to_x")
    ]
    first, _, again, _ = (dict(row["values"]) for row in record["rows"])
    assert first.pop("images_per_second") > 0 and again.pop("images_per_second") > 0
    assert first == again and first["parameters"] < first["parameters_in_all"]
    assert record["pictures"] == 20 and record["rows"][0]["data"]["class_path"] == "datamodules.EmojiUnpaired"
    assert record["command"].startswith("python scripts/compare.py ") and record["versions"]["torch"]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["{cyclegan}", "--columns", "fidd"], "columns must be 'fid' or 'kid' or"),
        (["{cyclegan}", "--columns", "psnr,kid"], "the column kid needs a network"),
        (["{cyclegan}", "--columns", "diversity_lpips"], "by --lpips_weights"),
        (["{cyclegan}", "{cyclegan}"], "would both be called cyclegan; name them"),
        (["{cyclegan}", "--n", "1"], "n must be a whole number of at least 2"),
        (["nowhere.ckpt"], "nowhere.ckpt, which is no file"),
        (["{gan}"], "points are compared by scripts/modes.py"),
        ([], "the following arguments are required: [NAME=]FILE"),
    ],
)
def test_mistakes_are_named_in_one_sentence(
    options: list[str],
    sentence: str,
    checkpoints: dict[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit):
        COMPARE.main(COMPARE.run, [option.format(**checkpoints) for option in options])
    said = capsys.readouterr().err
    assert sentence in said and said.count("\n") == 1
    assert not list(tmp_path.glob("*.json"))
