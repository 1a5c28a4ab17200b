"""What is exported is the module: every generator, in every format."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import onnx
import pytest
import torch
from onnxruntime import InferenceSession
from safetensors.torch import load_file
from torch import nn

from gan_modules import AdversarialModule, checkpoints, exporting, randomness
from gan_modules.cli import fit
from gan_modules.exporting import save, save_weights
from gan_modules.served import Served, _Given
from script_modules import SCRIPTS, loaded
from variants import NAMES, build, shape_of


def averaged(name: str, own: bool = False) -> AdversarialModule:
    """A variant in evaluation mode, whose averages are other than its networks."""
    module = build(name, own, average_decay=0.5).eval()
    with torch.no_grad():
        for parameter in module.averages.parameters():
            parameter.mul_(1.1).add_(0.01)
    return module


def served(name: str, own: bool = False, **options: Any) -> Served:
    return Served(averaged(name, own), trained_at=shape_of(name)[-1], **options)


def _distinct() -> dict[Any, str]:
    """A variant for each set of networks, of which several variants have the same ones."""
    found: dict[Any, str] = {}
    for name in NAMES:
        module = build(name)
        networks = (getattr(module, each) for each in module.generators)
        kinds = frozenset(type(part) for network in networks for part in network.modules())
        found.setdefault((type(module).forward, kinds), name)
    return found


QUICK = ("infogan",)
DISTINCT = [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in _distinct().values()]


@pytest.mark.parametrize("own", [False, True], ids=["ours", "user's networks"])
@pytest.mark.parametrize("name", NAMES)
def test_what_is_served_is_the_module(name: str, own: bool) -> None:
    exported = served(name, own)
    module, given = averaged(name, own), exported.example(3)
    values = [value for key, value in given.items() if not key.startswith("noise_")]
    noise = [value for key, value in given.items() if key.startswith("noise_")]
    with torch.no_grad(), randomness.using(_Given(noise)):
        expected = module(*values)
    with torch.no_grad():
        made = exported(*given.values())
    assert torch.equal(made, expected) and made.isfinite().all()
    assert all(exported.meaning(key) for key in given)


@pytest.mark.parametrize("name", DISTINCT)
def test_files_make_what_the_module_makes(name: str, tmp_path: Path) -> None:
    exported = served(name)
    for suffix in (".onnx", ".pt2", ".ts"):
        assert save(exported, tmp_path / f"model{suffix}") < 1e-5  # save also tries other sizes
    session = InferenceSession(tmp_path / "model.onnx")
    assert tuple(each.name for each in session.get_inputs()) == exported.inputs
    assert [each.shape[0] for each in session.get_inputs()] == ["batch"] * len(exported.inputs)


@pytest.mark.parametrize(
    ("name", "method", "inputs"),
    [
        ("cyclegan", "inverse", ("y",)),
        ("munit", "inverse", ("y", "code")),
        ("munit", "style", ("reference",)),
        ("drit", "inverse_style", ("reference",)),
        ("bicyclegan", "style", ("reference",)),
        ("vae", "encode", ("images",)),
        ("aae", "reconstruct", ("images",)),
        ("context_encoder", "filled", ("images", "hole")),
        ("cc_gan", "filled", ("images", "hole")),
    ],
)
def test_other_methods_are_served(name: str, method: str, inputs: tuple[str, ...]) -> None:
    exported = served(name, method=method)
    assert exported.inputs == inputs
    with torch.no_grad():
        expected = getattr(averaged(name), method)(*exported.example(2).values())
        assert torch.equal(exported(*exported.example(2).values()), expected)


@pytest.mark.parametrize("name", ["context_encoder", "cc_gan"])
def test_holes_are_filled_and_nothing_else_by_the_file(name: str, tmp_path: Path) -> None:
    exported = served(name, method="filled")
    save(exported, tmp_path / "model.ts")
    images, hole = exported.example(2).values()
    other = images.where(hole == 0, 1.0)
    script = torch.jit.load(tmp_path / "model.ts")
    assert torch.equal(script(images, hole), script(other, hole)), "what is in the hole does not matter"
    assert torch.equal(script(images, hole).where(hole == 0, 0.0), images.where(hole == 0, 0.0))


def test_only_the_networks_that_are_used_are_exported() -> None:
    exported, module = served("drit"), averaged("drit")
    names = [name for name, _ in exported.named_children()]
    assert names == ["content_encoder_x", "shared_encoder", "shared_decoder", "decoder_y"]
    for name in names:
        average = module.averages[name].state_dict()
        assert all(torch.equal(value, average[key]) for key, value in getattr(exported, name).state_dict().items())


def test_dropout_that_is_the_noise_is_an_input(tmp_path: Path) -> None:
    exported, quiet = served("pix2pix"), served("pix2pix", noise=False)
    assert exported.inputs == ("source", "noise_0") and quiet.inputs == ("source",)
    save(exported, tmp_path / "model.ts")
    script, given = torch.jit.load(tmp_path / "model.ts"), exported.example(2)
    one, again = script(**given), script(**given)
    other = script(given["source"], 1 - given["noise_0"])
    assert torch.equal(one, again) and not torch.allclose(one, other)
    module = averaged("pix2pix")
    for layer in module.modules():
        if getattr(layer, "in_eval", False):
            layer.in_eval = False  # type: ignore[assignment]
    with torch.no_grad():
        assert torch.equal(quiet(given["source"]), module(given["source"]))


def test_a_file_says_what_it_takes(tmp_path: Path) -> None:
    pictures = "pictures, or maps of labels, in [-1, 1]"
    assert json.loads(exporting.metadata(served("stargan"))["inputs"]) == {
        "source": {"shape": ["batch", 3, "height", "width"], "type": "float32", "meaning": pictures},
        "domain": {"shape": ["batch"], "type": "int64", "meaning": "the domain that is wanted, from 0 on: a, b, c"},
    }
    save(served("acgan"), tmp_path / "model.onnx")
    model = onnx.load(tmp_path / "model.onnx")
    onnx.checker.check_model(model, full_check=True)
    said = {each.key: each.value for each in model.metadata_props}
    assert said["model"] == "ACGAN" and said["class"] == "gan_modules.conditional.acgan.ACGAN"
    assert json.loads(said["inputs"])["labels"]["meaning"] == "classes, from 0 to 2"
    extra = {"metadata.json": ""}
    save(served("acgan"), tmp_path / "model.ts")
    torch.jit.load(tmp_path / "model.ts", _extra_files=extra)
    assert json.loads(extra["metadata.json"]) == said


def test_the_size_is_that_of_training() -> None:
    assert Served(build("cyclegan").eval(), trained_at=24).size == 24
    assert Served(build("srgan").eval(), trained_at=32).size == 8, "its sources are four times smaller"
    fixed = Served(build("spade").eval(), trained_at=16)
    assert fixed.fixed and fixed.axes == {"source": {0: "batch"}, "code": {0: "batch"}}
    with pytest.raises(ValueError, match="leave --size out"):
        Served(build("gan").eval(), size=32)
    with pytest.raises(ValueError, match="this SPADE has no encoder"):
        Served(build("spade without codes").eval(), "style")
    module = build("advgan").eval()
    module.readers = ()  # type: ignore[assignment]
    with pytest.raises(ValueError, match="give it `readers`"):
        Served(module)
    with pytest.raises(ValueError, match="image_size"):
        Served(build("spade").eval(), size=32)


def test_a_file_that_is_wrong_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, right = tmp_path / "model.ts", exporting.FORMATS[".ts"]
    path.write_text("what was there")

    def wrong(file: Path) -> exporting.Runs:
        return lambda inputs: right.load(file)(inputs) + 0.01

    monkeypatch.setitem(exporting.FORMATS, ".ts", right._replace(load=wrong))
    with pytest.raises(ValueError, match="differs from what GAN makes by 0.01"):
        save(served("gan"), path, overwrite=True)
    assert path.read_text() == "what was there" and list(tmp_path.iterdir()) == [path]


def test_a_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "find_spec", lambda name: None if name == "onnxscript" else name)
    with pytest.raises(ImportError, match=r'\.onnx files need onnxscript: pip install -e "\.\[export\]"'):
        save(served("gan"), tmp_path / "model.onnx")


@pytest.mark.parametrize("name", ["text_gan", "munit", "aae", "esrgan"])
def test_weights_find_their_way_back(name: str, tmp_path: Path) -> None:
    module, other = averaged(name), build(name, average_decay=0.5).eval()
    count = save_weights(module, tmp_path / "a.safetensors")
    tensors = load_file(tmp_path / "a.safetensors")
    assert len(tensors) == count and not any(key.startswith("averages") for key in tensors)
    for network in other.children():
        for parameter in network.parameters():
            nn.init.zeros_(parameter)
    assert not other.load_state_dict(tensors, strict=False).unexpected_keys
    for key in module.generators:
        wanted, found = module.serving(key).state_dict(), getattr(other, key).state_dict()
        assert all(torch.equal(found[each], wanted[each]) for each in wanted)
    save_weights(module, tmp_path / "b.safetensors", whole=True)
    whole = load_file(tmp_path / "b.safetensors")
    assert all(torch.equal(value, whole[key]) for key, value in module.state_dict().items())


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("acgan")
    quick = ["--trainer.max_steps=2", "--trainer.limit_val_batches=0", "--trainer.enable_progress_bar=false"]
    small = ["--trainer.accelerator=cpu", "--data.batch_size=4", f"--trainer.default_root_dir={root}"]
    fit(["--model", "acgan", "--model.average_decay=0.5", "--model.generator.width=8", *quick, *small])
    (found,) = root.rglob("last.ckpt")
    return found


def test_the_script(checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, given = loaded("export").run, ["--checkpoint", str(checkpoint), "--out"]
    run([*given, str(tmp_path / "a.ts")])
    said = capsys.readouterr().out
    assert "labels: int64 (batch), classes, from 0 to 8" in said and "makes what ACGAN makes" in said
    module = checkpoints.load(checkpoint)
    z, labels = torch.randn(5, module.latent_dim), torch.arange(5)
    with torch.no_grad():
        torch.testing.assert_close(torch.jit.load(tmp_path / "a.ts")(z, labels), module(z, labels))
    run([*given, str(tmp_path / "a.safetensors"), "--all"])
    assert load_file(tmp_path / "a.safetensors").keys() == module.state_dict().keys()
    for options, sentence in (
        ([str(tmp_path / "a.ts")], "is there already"),
        ([str(tmp_path / "a.ts"), "--all"], "--all is for .safetensors"),
        ([str(tmp_path / "a.bin")], "rename it"),
        ([str(tmp_path / "b.ts"), "--inverse"], "ACGAN has no inverse"),
        ([str(tmp_path / "b.ts"), "--encoder"], "ACGAN has no style"),
        ([str(tmp_path / "b.safetensors"), "--inverse"], "not for weights alone"),
    ):
        with pytest.raises(ValueError, match=sentence):
            run([*given, *options])


@pytest.mark.slow
def test_the_command_line(checkpoint: Path, tmp_path: Path) -> None:
    out = tmp_path / "acgan.onnx"
    command = [sys.executable, SCRIPTS / "export.py", "--checkpoint", checkpoint, "--out", out]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0 and "but for" in ended.stdout.splitlines()[-1], ended.stderr
    module = checkpoints.load(checkpoint)
    inputs = {"z": torch.randn(4, module.latent_dim), "labels": torch.arange(4)}
    (made,) = InferenceSession(out).run(None, {name: value.numpy() for name, value in inputs.items()})
    with torch.no_grad():
        torch.testing.assert_close(torch.from_numpy(made), module(**inputs), atol=1e-4, rtol=0)
