"""Mistakes and oddities of users through the real commands: each mistake gets one sentence, each oddity trains."""

import os
import pickle
import runpy
import shlex
import socket
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from datamodules import ImageFolder
from gan_modules.cli import fit

SCRIPTS = Path(__file__).parents[1] / "scripts"
QUICK = {
    "--trainer.max_steps": "2",
    "--trainer.limit_val_batches": "1",
    "--trainer.enable_progress_bar": "false",
    "--trainer.num_sanity_val_steps": "0",
    "--trainer.accelerator": "cpu",
    "--data.batch_size": "4",
}
RANDOM = np.random.default_rng(0)


def picture(*shape: int) -> Image.Image:
    """Noise, which does not compress."""
    return Image.fromarray(RANDOM.integers(0, 256, shape or (20, 24, 3), dtype=np.uint8))


def good(folder: Path, *names: str) -> Path:
    """A folder of good pictures."""
    folder.mkdir(parents=True)
    for name in names or ("one.png", "two.png", "three.png"):
        picture().save(folder / name)
    return folder


def bomb() -> bytes:
    """A small PNG of 400 megapixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 20000, 20000, 1, 0, 0, 0, 0)
    pixels = zlib.compress(bytes(20000 * 2501))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def cut(path: Path, share: float = 0.5) -> None:
    """Leave the first part of a file."""
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])


def make_pictures(root: Path) -> None:
    """A folder for each bad picture, with good ones beside it."""
    (good(root / "zero") / "bad.png").touch()
    (good(root / "html") / "bad.jpg").write_text("<!DOCTYPE html><html><body>404</body></html>")
    for kind in ("jpg", "png", "webp", "gif"):
        folder = good(root / f"cut_{kind}")
        picture(64, 64, 3).save(folder / f"bad.{kind}")
        cut(folder / f"bad.{kind}", 0.02 if kind == "gif" else 0.5)
    folder = good(root / "flipped")
    picture().save(folder / "bad.png")
    content = bytearray((folder / "bad.png").read_bytes())
    content[60] ^= 255
    (folder / "bad.png").write_bytes(content)
    (good(root / "dangling") / "bad.png").symlink_to("nowhere.png")
    (good(root / "circle") / "bad.png").symlink_to("bad.png")
    (good(root / "device") / "bad.png").symlink_to("/dev/zero")
    os.mkfifo(good(root / "pipe") / "bad.png")
    with socket.socket(socket.AF_UNIX) as listening:
        before = os.getcwd()
        os.chdir(good(root / "socket"))  # the path of a socket has at most some hundred letters
        listening.bind("bad.png")
        os.chdir(before)
    (good(root / "bomb") / "bad.png").write_bytes(bomb())
    numbers = np.full((8, 8), np.nan, np.float32)
    Image.fromarray(numbers).save(good(root / "nan") / "bad.tiff")
    (good(root / "bands") / "bad.ppm").write_bytes(b"P6 8 8 70000 " + bytes(400))
    (root / "svg").mkdir()
    (root / "svg" / "bad.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    (root / "folder_named").mkdir()
    (root / "folder_named" / "x.png").mkdir()
    (root / "mac").mkdir()
    (root / "mac" / "._one.png").write_bytes(b"\0\5\26\7")
    good(root / "hidden" / ".thumbnails")
    good(root / "single", "one.png")
    (root / "loop").mkdir()
    (root / "loop" / "again").symlink_to(".")
    good(root / "thin", "a.png", "b.png")
    for path in (root / "thin").iterdir():
        picture(8, 1, 3).save(path)
    for number in range(3):
        (root / "broken").mkdir(exist_ok=True)
        (root / "broken" / f"{number}.png").write_text("no picture")


def make_folders(root: Path) -> None:
    """Layouts that are not what they should be."""
    (root / "empty").mkdir()
    good(root / "good", *(f"{number}.png" for number in range(12)))
    good(root / "only_a" / "trainA")
    good(root / "empty_b" / "trainA")
    (root / "empty_b" / "trainB").mkdir()
    for name in ("trainA", "trainB", "testA"):
        good(root / "one_test" / name)
    for name in ("trainA", "trainB"):
        good(root / "no_test" / name)
    for name in ("trainA", "trainB", "testA"):
        good(root / "unequal" / name)
    good(root / "unequal" / "testB", "one.png", "four.png")
    good(root / "partners", "one.png", "two.png", "four.png")
    good(root / "same_names", "one.png", "one.jpg", "two.png")
    good(root / "classes" / "train" / "cat")
    good(root / "classes" / "val" / "dog")
    good(root / "no_train" / "val")


def make_arrays(root: Path) -> None:
    """Damaged arrays, and damaged files of MNIST and CIFAR."""
    pictures, classes = np.zeros((20, 16, 16, 3), np.uint8), np.arange(20) % 3
    np.savez(root / "good.npz", x_train=pictures, y_train=classes)
    np.savez(root / "names.npz", images=pictures)
    np.savez(root / "float.npz", x_train=pictures / 255)
    np.savez(root / "flat.npz", x_train=pictures.reshape(20, -1))
    np.savez(root / "two.npz", x_train=pictures[..., :2])
    np.savez(root / "none.npz", x_train=pictures[:0])
    np.savez(root / "fewer.npz", x_train=pictures, y_train=classes[:7])
    np.savez(root / "negative.npz", x_train=pictures, y_train=classes - 1)
    np.savez(root / "halves.npz", x_train=pictures, y_train=classes / 2)
    np.savez(root / "test.npz", x_train=pictures, x_test=pictures[:, :, :, 0].astype(np.float32))
    np.savez(root / "objects.npz", x_train=np.array([Executes(root / "executed")], dtype=object))
    np.savez(root / "cut.npz", x_train=RANDOM.integers(0, 255, (20, 16, 16, 3), dtype=np.uint8))
    cut(root / "cut.npz")
    content = bytearray((root / "good.npz").read_bytes())
    content[4000] ^= 255
    (root / "flipped.npz").write_bytes(content)
    (root / "text.npz").write_text("no array")
    raw = root / "mnist" / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name in ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"):
        (raw / f"{name}-ubyte").write_bytes(b"\0\0\x08\x03" + bytes(50))
    (root / "cifar" / "cifar-10-batches-py").mkdir(parents=True)
    for name in [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch", "batches.meta"]:
        content = pickle.dumps(Executes(root / "executed"))
        (root / "cifar" / "cifar-10-batches-py" / name).write_bytes(content)


class Executes:
    """What makes a file, where it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


def make_configurations(root: Path) -> None:
    """YAML that is none, or says what nothing understands."""
    texts = {
        "brackets": "model: {[",
        "tabs": "model:\n\tclass_path: gan_modules.GAN\n",
        "list": "- model\n- data\n",
        "word": "model\n",
        "unknown": "modle:\n  class_path: gan_modules.GAN\n",
        "class": "model:\n  class_path: gan_modules.GANN\n",
        "function": "model:\n  class_path: gan_modules.cli.presets\n",
        "argument": "model:\n  class_path: gan_modules.GAN\n  init_args: {latent_dims: 3}\n",
        "kind": "trainer:\n  max_steps: [1, 2]\n",
        "network": "model:\n  init_args:\n    generator: {class_path: gan_modules.networks.DCGANGenerators}\n",
        "object": "model: !!python/object/apply:os.system ['touch executed']\n",
    }
    for name, text in texts.items():
        (root / f"{name}.yaml").write_text(text)
    (root / "bytes.yaml").write_bytes(bytes(range(256)))


def make_own_data(root: Path) -> None:
    """A user's own data and network."""
    (root / "own_data.py").write_text(
        "import os, signal, torch\n"
        "from lightning.pytorch import LightningDataModule\n"
        "from torch.utils.data import DataLoader, Dataset\n"
        "class Data(LightningDataModule, Dataset):\n"
        "    length, numbers, workers = 8, 2, 0\n"
        "    def __init__(self, batch_size: int = 4):\n"
        "        super().__init__()\n"
        "        self.batch_size = batch_size\n"
        "    def __len__(self):\n"
        "        return self.length\n"
        "    def __getitem__(self, index):\n"
        "        return torch.zeros(self.numbers)\n"
        "    def train_dataloader(self):\n"
        "        return DataLoader(self, self.batch_size, drop_last=True, num_workers=self.workers)\n"
        "    val_dataloader = train_dataloader\n"
        "class NoBatch(Data):\n"
        "    length = 3\n"
        "class Wide(Data):\n"
        "    numbers = 5\n"
        "class Killed(Data):\n"
        "    workers = 1\n"
        "    def __getitem__(self, index):\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "class Judge(torch.nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.linear = torch.nn.Linear(2, 1)\n"
        "    def forward(self, points):\n"
        "        return self.linear(points).squeeze(1)\n"
    )


def train(root: Path, *options: str) -> Path:
    """A checkpoint of a small model."""
    given = [f"{name}={value}" for name, value in QUICK.items()]
    fit([*options, *given, f"--trainer.default_root_dir={root}"])
    (checkpoint,) = root.rglob("last.ckpt")
    return checkpoint


def make_checkpoints(root: Path) -> None:
    """Three models, and files that are none."""
    tiny = ["--model.generator.width=4", "--model.discriminator.width=4", "--data.image_size=16"]
    path = train(root / "runs1", "--model", "dcgan", *tiny)
    path.rename(root / "dcgan.ckpt")
    train(root / "runs2", "--model", "gan").rename(root / "points.ckpt")
    train(root / "runs3", "--model", "pix2pix", *tiny).rename(root / "pix2pix.ckpt")
    content = (root / "dcgan.ckpt").read_bytes()
    (root / "cut.ckpt").write_bytes(content[: len(content) // 2])
    (root / "text.ckpt").write_text("no checkpoint")
    (root / "empty.ckpt").touch()
    (root / "folder.ckpt").mkdir()
    torch.save(torch.zeros(3), root / "tensor.ckpt")
    torch.save({"state_dict": {}}, root / "bare.ckpt")
    torch.save({"state_dict": Executes(root / "executed")}, root / "evil.ckpt")
    picture().save(root / "picture.png")


@pytest.fixture(scope="module")
def playground(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with everything that the commands below name."""
    root = tmp_path_factory.mktemp("playground")
    for make in (make_pictures, make_folders, make_arrays, make_configurations, make_own_data, make_checkpoints):
        make(root)
    return root


FOLDER = "--model dcgan --data.image_size 16 --data folder --data.root"
UNPAIRED = "--model cyclegan --data.image_size 16 --data unpaired_folders --data.root"
PAIRED = "--model pix2pix --data.image_size 16 --data paired_folders --data.source"
ARRAYS = "--model dcgan --data.image_size 16 --data npz --data.path"
HUGE = f"{FOLDER} good --data.batch_size 10 --data.image_size 536870912".replace("--data.image_size 16 ", "")
SAMPLE = "--out new.png --checkpoint"
TRANSLATE = "--checkpoint pix2pix.ckpt --out new --input"

MISTAKES: dict[str, list[tuple[str, str, int]]] = {
    "pictures": [
        (f"{FOLDER} zero", "zero/bad.png is empty", 1),
        (f"{FOLDER} html", "html/bad.jpg is not a picture", 1),
        (f"{FOLDER} cut_jpg", "cut_jpg/bad.jpg is damaged", 1),
        (f"{FOLDER} cut_png", "cut_png/bad.png is damaged", 1),
        (f"{FOLDER} cut_webp", "cut_webp/bad.webp", 1),
        (f"{FOLDER} cut_gif", "cut_gif/bad.gif", 1),
        (f"{FOLDER} flipped", "flipped/bad.png is damaged", 1),
        (f"{FOLDER} dangling", "dangling/bad.png is a link that leads nowhere", 1),
        (f"{FOLDER} circle", "circle/bad.png", 1),
        (f"{FOLDER} device", "device/bad.png is no regular file", 1),
        (f"{FOLDER} pipe", "pipe/bad.png is no regular file", 1),
        (f"{FOLDER} socket", "socket/bad.png is no regular file", 1),
        (f"{FOLDER} bomb", "bomb/bad.png has more than", 1),
        (f"{FOLDER} nan", "nan/bad.tiff is damaged (it holds numbers that are not finite)", 1),
        (f"{FOLDER} bands", "bands/bad.ppm", 1),
        (f"{FOLDER} cut_jpg --data.cache 0 --data.batch_size 3 --data.num_workers 0", "cut_jpg/bad.jpg is damaged", 1),
        (f"{FOLDER} cut_jpg --data.cache 0 --data.batch_size 3 --data.num_workers 1", "cut_jpg/bad.jpg is damaged", 1),
        (f"{FOLDER} broken --data.unreadable skip", "2 of 2 pictures cannot be read", 1),
        (f"{FOLDER} svg", "no pictures in svg", 1),
        (f"{FOLDER} folder_named", "no pictures in folder_named", 1),
        (f"{FOLDER} mac", "no pictures in mac", 1),
        (f"{FOLDER} hidden", "no pictures in hidden", 1),
        (f"{FOLDER} loop", "no pictures in loop", 1),
        (f"{FOLDER} single", "1 pictures leave none for training", 1),
        ("--model pix2pix --data.image_size 16 --data.batch_size 1 --data side_by_side --data.root thin", "thin/", 1),
    ],
    "folders": [
        (f"{FOLDER} missing", "missing", 1),
        (f"{FOLDER} empty", "no pictures in empty", 1),
        (f"{FOLDER} text.ckpt", "text.ckpt is a file", 1),
        (f"{FOLDER} no_train", "no pictures for training in no_train", 1),
        (FOLDER.removesuffix(" --data.root"), "root", 2),
        (f"{FOLDER} good --data.batch_size 64", "batch_size of at most 10", 1),
        ("--model acgan --data.image_size 16 --data folder_labelled --data.root good", "in no subfolder of good", 1),
        ("--model acgan --data.image_size 16 --data folder_labelled --data.root classes", "the class dog", 1),
        (f"{UNPAIRED} missing", "missing", 1),
        (f"{UNPAIRED} only_a", "only_a/trainB", 1),
        (f"{UNPAIRED} empty_b", "no pictures in empty_b/trainB", 1),
        (f"{UNPAIRED} one_test", "only one of testA and testB", 1),
        (f"{UNPAIRED} no_test --data.truth true", "testA and testB in no_test", 1),
        (f"{UNPAIRED} unequal --data.truth true", "no partner", 1),
        (f"{PAIRED} good --data.target missing", "missing", 1),
        (f"{PAIRED} html --data.target partners", "no partner", 1),
        (f"{PAIRED} same_names --data.target same_names", "differ only in their suffix", 1),
        (f"{PAIRED} good --data.target good --data.held_out_source good", "both, or neither", 1),
    ],
    "arrays": [
        (f"{ARRAYS} missing.npz", "missing.npz", 1),
        (f"{ARRAYS} text.npz", "text.npz is not an .npz file", 1),
        (f"{ARRAYS} empty", "empty", 1),
        (f"{ARRAYS} cut.npz", "cut.npz", 1),
        (f"{ARRAYS} flipped.npz", "flipped.npz", 1),
        (f"{ARRAYS} objects.npz", "objects.npz", 1),
        (f"{ARRAYS} names.npz", "has no array x_train", 1),
        (f"{ARRAYS} float.npz", "uint8", 1),
        (f"{ARRAYS} flat.npz", "(20, 768)", 1),
        (f"{ARRAYS} two.npz", "1 or 3 channels", 1),
        (f"{ARRAYS} none.npz", "empty", 1),
        (f"{ARRAYS} test.npz", "x_test", 1),
        ("--model acgan --data npz --data.labels true --data.image_size 16 --data.path names.npz", "y_train", 1),
        ("--model acgan --data npz --data.labels true --data.image_size 16 --data.path fewer.npz", "20 pictures", 1),
        ("--model acgan --data npz --data.labels true --data.image_size 16 --data.path negative.npz", "y_train", 1),
        ("--model acgan --data npz --data.labels true --data.image_size 16 --data.path halves.npz", "y_train", 1),
        ("--model dcgan --data mnist --data.download false --data.root empty", "MNIST was not found", 1),
        ("--model dcgan --data mnist --data.download false --data.root mnist", "MNIST", 1),
        ("--model dcgan --data cifar10 --data.download false --data.root cifar", "CIFAR10", 1),
        ("--model dcgan --data mnist --data.download false --data.root text.ckpt", "text.ckpt", 1),
    ],
    "memory": [
        ("--model dcgan --model.generator.width 999999999", "out of memory: lower --data.batch_size", 1),
        (
            "--model wgan_gp --model.n_critic 1 --model.generator_batch 999999999",
            "out of memory: lower --data.batch_size",
            1,
        ),
        (f"{HUGE} --data.num_workers 0", "out of memory: lower --data.batch_size", 1),
        (f"{HUGE} --data.num_workers 1", "out of memory: lower --data.batch_size", 1),
        ("--model gan --data own_data.Killed", "a process that reads the data was killed", 1),
        ("--model gan --data own_data.NoBatch", "no step was taken", 1),
        ("--model gan --data own_data.Wide", "(5,)", 1),
        ("--model gan --data own_data.Wide --model.discriminator own_data.Judge", "the networks do not fit", 1),
    ],
    "names": [
        ("", "--model NAME", 1),
        ("--model", "got nothing", 1),
        ("--model --data emoji", "got nothing", 1),
        ("--data ring", "model", 2),
        ("--model cyclegam", "cyclegan", 1),
        ("--model dcgan --data emojis", "emoji", 1),
        ("--model nothing.Here", "No module named 'nothing'", 2),
        ("--model torch.nn.Linear", "LightningModule", 2),
        ("--model dcgan --data torch.nn.Linear", "LightningDataModule", 2),
        ("--model dcgan --trainer.foo 3", "--trainer.foo", 2),
        ("--model dcgan --model.foo 3", "foo", 2),
        ("--model dcgan --trainer.max_epchs 3", "did you mean trainer.max_epochs?", 2),
        ("--model dcgan --data.bach_size 3", "did you mean batch_size?", 2),
        ("--model dcgan --model.generator.wdth 3", "did you mean width?", 2),
        ("--model dcgan --trainer.logger nowhere", "nowhere", 2),
        ("--model dcgan --trainer.callbacks+=nothing.Here", "nothing", 2),
        ("--model dcgan surprise", "surprise", 2),
    ],
    "options": [
        ("--model dcgan --trainer.max_steps abc", "max_steps", 2),
        ("--model dcgan --trainer.max_steps -7", "max_steps", 1),
        ("--model dcgan --trainer.max_epochs -5", "max_epochs", 1),
        ("--model dcgan --trainer.devices 0", "devices", 1),
        ("--model dcgan --trainer.devices -5", "devices", 1),
        ("--model dcgan --trainer.devices many", "devices", 1),
        ("--model dcgan --trainer.num_nodes 0", "num_nodes", 1),
        ("--model dcgan --trainer.accelerator abacus", "abacus", 1),
        ("--model dcgan --trainer.precision 8", "precision", 2),
        ("--model dcgan --trainer.precision single", "precision", 2),
        ("--model dcgan --trainer.strategy alone", "alone", 1),
        ("--model dcgan --trainer.log_every_n_steps -1", "log_every_n_steps", 1),
        ("--model dcgan --trainer.limit_train_batches 0", "limit_train_batches", 1),
        ("--model dcgan --trainer.limit_train_batches 0.00001", "limit_train_batches", 1),
        ("--model dcgan --trainer.limit_train_batches -2", "limit_train_batches", 1),
        ("--model dcgan --trainer.check_val_every_n_epoch 0", "check_val_every_n_epoch", 1),
        ("--model dcgan --trainer.val_check_interval 2.5", "val_check_interval", 1),
        ("--model dcgan --trainer.accumulate_grad_batches 2", "micro_batches", 1),
        ("--model dcgan --trainer.gradient_clip_val 1", "clip_norm", 1),
        ("--model dcgan --trainer.max_time soon", "soon", 1),
        ("--model dcgan --trainer.profiler stopwatch", "profiler", 1),
        ("--model dcgan --trainer.default_root_dir text.ckpt", "text.ckpt", 1),
        ("--model dcgan --seed_everything x", "seed_everything", 2),
        ("--model dcgan --samples.rows 0", "rows", 1),
        ("--model dcgan --samples.every_n_batches -1", "every_n_batches", 1),
        ("--model dcgan --checkpoint.save_top_k -5", "save_top_k", 1),
        ("--model dcgan --checkpoint.mode best", "mode", 1),
        ("--model dcgan --data.image_size 17", "17", 1),
        ("--model dcgan --data.image_size 0", "image_size", 1),
        ("--model dcgan --data.batch_size 0", "batch_size", 1),
        ("--model dcgan --data.batch_size 2.5", "batch_size", 2),
        ("--model dcgan --data.batch_size 100000", "3407", 1),
        ("--model dcgan --data.channels 2", "channels", 1),
        ("--model dcgan --data.num_workers -1", "num_workers", 1),
        ("--model dcgan --data.flip maybe", "flip", 2),
        ("--model dcgan --data.style crayon", "style", 2),
        (f"{FOLDER} good --data.load_size 8", "load_size", 1),
        (f"{FOLDER} good --data.held_out_every 1", "held_out_every", 1),
        (f"{FOLDER} good --data.background invisible", "background", 1),
        (f"{FOLDER} good --data.unreadable perhaps", "unreadable", 2),
        (f"{FOLDER} good --data.cache -1", "cache", 1),
        ("--model gan --data ring --data.modes 0", "mode", 1),
        ("--model gan --data ring --data.sigma .nan", "sigma", 1),
        ("--model dcgan --model.generator.width x", "expected int", 2),
        ("--model dcgan --model.generator.width 0", "width", 1),
        ("--model dcgan --model.latent_dim 0", "latent_dim", 1),
        ("--model dcgan --model.betas [0.5,0.9,0.9]", "betas", 2),
        ("--model dcgan --model.betas [0.5,1.5]", "betas", 1),
        ("--model dcgan --model.average_decay 1", "average_decay", 1),
        ("--model dcgan --model.clip_norm -1", "clip_norm", 1),
        ("--model dcgan --model.micro_batches 3", "micro_batches", 1),
        ("--model dcgan --model.generator_learning_rate .inf", "generator_learning_rate", 1),
        ("--model wgan_gp --model.n_critic 0", "n_critic", 1),
        ("--model wgan_gp --model.penalty_weight -1", "penalty_weight", 1),
        ("--model wgan_gp --model.penalty_weight .nan", "penalty_weight", 1),
        ("--model pix2pix --model.generator.dropout 1.5", "dropout", 1),
    ],
    "what does not fit": [
        ("--model dcgan --model.generator.channels 1", "channels", 1),
        ("--model dcgan --model.latent_dim 32", "latent_dim", 1),
        ("--model dcgan --model.generator.image_size 16", "image_size", 1),
        ("--model infogan --model.noise_dim 7", "latent_dim", 1),
        ("--model infogan --model.trunk.features 7", "features", 1),
        ("--model infogan --model.categories 3", "latent_dim", 1),
        ("--model acgan --model.num_classes 3", "num_classes", 1),
        ("--model cyclegan --model.generator_g.downsamplings 5", "32", 1),
        ("--model cyclegan --model.discriminator_x.layers 4", "48 x 48", 1),
        ("--model pggan --model.generator.image_size 16", "stages", 1),
        ("--model pix2pix --data.image_size 8", "image_size", 1),
        ("--model acgan --data emoji", "labels", 1),
        ("--model cyclegan --data emoji_labelled", "(x, y)", 1),
        ("--model cyclegan --data grey2colour_pairs", "channels", 1),
        ("--model pix2pix --data emoji", "pairs", 1),
        ("--model dcgan --data ring", "images", 1),
        ("--model gan --data emoji_labelled --model.generator.shape [3,8,8]", "shape", 1),
    ],
    "YAML": [
        ("--config missing.yaml", "missing.yaml", 1),
        ("--config empty", "empty", 1),
        ("--config brackets.yaml", "brackets.yaml", 1),
        ("--config tabs.yaml", "tabs.yaml", 1),
        ("--config list.yaml", "list.yaml", 1),
        ("--config word.yaml", "word.yaml", 1),
        ("--config bytes.yaml", "bytes.yaml", 1),
        ("--config object.yaml", "object.yaml", 1),
        ("--config unknown.yaml", "modle", 2),
        ("--config class.yaml", "GANN", 2),
        ("--config function.yaml", "presets", 2),
        ("--config argument.yaml", "latent_dims", 2),
        ("--model dcgan --config kind.yaml", "max_steps", 2),
        ("--model dcgan --config network.yaml", "DCGANGenerators", 2),
    ],
    "checkpoints": [
        ("--model dcgan --ckpt_path missing.ckpt", "missing.ckpt", 1),
        ("--model dcgan --ckpt_path folder.ckpt", "folder.ckpt", 1),
        ("--model dcgan --ckpt_path text.ckpt", "text.ckpt", 1),
        ("--model dcgan --ckpt_path empty.ckpt", "empty.ckpt", 1),
        ("--model dcgan --ckpt_path cut.ckpt", "cut.ckpt", 1),
        ("--model dcgan --ckpt_path picture.png", "picture.png", 1),
        ("--model dcgan --ckpt_path tensor.ckpt", "tensor.ckpt", 1),
        ("--model dcgan --ckpt_path bare.ckpt", "lightning_version", 1),
        ("--model dcgan --ckpt_path evil.ckpt", "evil.ckpt", 1),
        ("--model dcgan --ckpt_path points.ckpt", "another model", 1),
        ("--model dcgan --ckpt_path dcgan.ckpt", "other sizes", 1),
    ],
    "samples": [
        ("", "--checkpoint", 2),
        (f"{SAMPLE} missing.ckpt", "missing.ckpt", 1),
        (f"{SAMPLE} folder.ckpt", "folder.ckpt", 1),
        (f"{SAMPLE} text.ckpt", "text.ckpt", 1),
        (f"{SAMPLE} cut.ckpt", "cut.ckpt", 1),
        (f"{SAMPLE} bare.ckpt", "bare.ckpt", 1),
        (f"{SAMPLE} evil.ckpt", "evil.ckpt", 1),
        (f"{SAMPLE} dcgan.ckpt --n 0", "n must be", 1),
        (f"{SAMPLE} dcgan.ckpt --n -3", "n must be", 1),
        (f"{SAMPLE} dcgan.ckpt --n many", "--n", 2),
        (f"{SAMPLE} dcgan.ckpt --n 999999999", "out of memory", 1),
        (f"{SAMPLE} dcgan.ckpt --seed {10**30}", "seed", 1),
        (f"{SAMPLE} dcgan.ckpt --n 4 --interpolate", "n must be", 1),
        (f"{SAMPLE} dcgan.ckpt --inverse", "--inverse", 1),
        (f"{SAMPLE} dcgan.ckpt --colour", "--colour", 2),
        (f"{SAMPLE} points.ckpt --interpolate", "points", 1),
        (f"{SAMPLE} pix2pix.ckpt", "--input", 1),
        (f"{SAMPLE} pix2pix.ckpt --interpolate", "--input", 1),
        (f"{TRANSLATE} good --interpolate", "--interpolate is for samples alone", 1),
        (f"{TRANSLATE} good --truncation 0.5", "--truncation is for samples alone", 1),
        ("--checkpoint pix2pix.ckpt --input good --out new.gif --tile 64", "new.gif is a film", 1),
        ("--checkpoint dcgan.ckpt --out picture.png", "--overwrite", 1),
        ("--checkpoint dcgan.ckpt --out good", "good is not empty", 1),
        ("--checkpoint dcgan.ckpt --out new.png --truncation 1", "give a folder", 1),
        ("--checkpoint dcgan.ckpt --out new --truncation -1", "truncation", 1),
        ("--checkpoint dcgan.ckpt --out new.txt", "new.txt", 1),
        ("--checkpoint dcgan.ckpt --out text.ckpt/new.png", "text.ckpt", 1),
        ("--checkpoint dcgan.ckpt --out new --input good", "leave --input out", 1),
        (f"{TRANSLATE} missing", "missing", 1),
        (f"{TRANSLATE} empty", "empty", 1),
        (f"{TRANSLATE} picture.png", "picture.png", 1),
        (f"{TRANSLATE} zero", "zero/bad.png is empty", 1),
        (f"{TRANSLATE} same_names", "one.", 1),
        (f"{TRANSLATE} good --inverse", "--inverse", 1),
        (f"{TRANSLATE} good --size 0", "size", 1),
        (f"{TRANSLATE} good --size large", "--size", 2),
        (f"{TRANSLATE} good --size 100000000", "out of memory", 1),
        ("--checkpoint pix2pix.ckpt --out good --input good", "--overwrite", 1),
        ("--checkpoint pix2pix.ckpt --out text.ckpt --input good", "text.ckpt", 1),
    ],
}
ROWS = [(kind, *row) for kind, rows in MISTAKES.items() for row in rows]


def snapshot(root: Path) -> dict[Path, tuple[int, bytes]]:
    """When each file was changed last, and what it holds."""
    files = {path: path.lstat() for path in root.rglob("*") if not path.is_dir()}
    return {path: (status.st_mtime_ns, path.read_bytes() if path.is_file() else b"") for path, status in files.items()}


def line_of(kind: str, command: str, root: Path) -> list[str]:
    """The script and its arguments; a training is kept short."""
    given = shlex.split(command)
    if kind == "samples":
        return [str(SCRIPTS / "sample.py"), *given]
    quick = {**QUICK, "--trainer.default_root_dir": str(root)} if "--model " in command else {}
    return [str(SCRIPTS / "fit.py"), *given, *(f"{name}={value}" for name, value in quick.items() if name not in given)]


def check_sentence(printed: str, says: str) -> None:
    errors = [line for line in printed.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1 and says in errors[0] and len(errors[0]) < 500, printed
    assert "Traceback" not in printed


def check_kept(before: dict[Path, tuple[int, bytes]], root: Path) -> None:
    after = snapshot(root)
    assert {path: after.get(path) for path in before} == before
    assert not (root / "executed").exists()


@pytest.mark.parametrize(
    ("kind", "command", "says", "code"),
    # every third one is enough for each change
    [pytest.param(*row, marks=[pytest.mark.slow] * (number % 3 > 0)) for number, row in enumerate(ROWS)],
    ids=[f"{kind}: {command}" for kind, command, *_ in ROWS],
)
def test_a_mistake_gets_one_sentence(
    kind: str,
    command: str,
    says: str,
    code: int,
    playground: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(playground)
    monkeypatch.setattr(sys, "argv", line_of(kind, command, tmp_path))
    monkeypatch.setattr(sys, "path", [*sys.path])
    before = snapshot(playground)
    with pytest.raises(SystemExit) as end:
        runpy.run_path(sys.argv[0], run_name="__main__")
    assert end.value.code == code
    check_sentence("".join(capfd.readouterr()), says)
    check_kept(before, playground)


def test_the_table_is_long_enough() -> None:
    assert len(ROWS) >= 60 and len(set(ROWS)) == len(ROWS)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "command", "says", "code"),
    [
        ("options", "--model cyclegam", "cyclegan", 1),
        ("pictures", f"{FOLDER} pipe", "pipe/bad.png is no regular file", 1),
        ("YAML", "--config tabs.yaml", "tabs.yaml", 1),
        ("memory", "--model gan --data own_data.Killed", "a process that reads the data was killed", 1),
        ("samples", f"{SAMPLE} cut.ckpt", "cut.ckpt", 1),
        ("processes", "--model dcgan --trainer.devices 2 --trainer.strategy ddp --data.batch_size 3", "batch_size", 1),
    ],
)
def test_a_process_ends_with_one_sentence(
    kind: str, command: str, says: str, code: int, playground: Path, tmp_path: Path
) -> None:
    before = snapshot(playground)
    line = [sys.executable, *line_of(kind, command, tmp_path)]
    done = subprocess.run(line, cwd=playground, capture_output=True, text=True, timeout=120)
    assert done.returncode == code, done.stderr
    check_sentence(done.stdout + done.stderr, says)
    check_kept(before, playground)


def make_neighbours(root: Path) -> int:
    """Pictures that are odd and right, in one folder with what is no picture; returns how many."""
    good(root, "spaces in a name.png", "Ünïcödé-名前.png", "UPPER.PNG", "two.dots.png", "-dash.png")
    good(root / "nested" / "deeper", "nested.png")
    picture(20, 24).save(root / "grey.png")
    Image.fromarray(RANDOM.integers(0, 2**16, (20, 24), dtype=np.uint16)).save(root / "sixteen.png")
    Image.fromarray(RANDOM.integers(0, 2**31, (20, 24), dtype=np.int32)).save(root / "integers.tiff")
    Image.fromarray(RANDOM.random((20, 24), dtype=np.float32)).save(root / "floats.tiff")
    for mode in ("1", "P", "LA", "RGBA"):
        picture(20, 24, 4).convert(mode).save(root / f"mode_{mode}.png")
    picture().convert("P").save(root / "palette.png", transparency=3)
    picture().convert("CMYK").save(root / "cmyk.jpg")
    picture().convert("YCbCr").save(root / "progressive.jpeg", progressive=True)
    exif = Image.Exif()
    exif[0x0112] = 6
    picture().save(root / "turned.jpg", exif=exif)
    for kind in ("gif", "webp", "png", "tiff"):
        frames = [picture() for _ in range(3)]
        frames[0].save(root / f"animated.{kind}", save_all=True, append_images=frames[1:])
    for kind in ("bmp", "ppm", "tga", "jp2", "avif"):
        picture().save(root / f"format.{kind}")
    picture(1, 1, 3).save(root / "pixel.png")
    picture(1, 4000, 3).save(root / "wide.png")
    picture(4000, 2, 3).save(root / "tall.jpg")
    (root / "linked.png").symlink_to("grey.png")
    count = sum(path.is_file() for path in root.rglob("*"))
    (root / "loop").symlink_to(".")
    (root / "._grey.png").write_bytes(b"\0\5\26\7")
    for name in ("Thumbs.db", "notes.txt", ".DS_Store"):
        (root / name).write_bytes(b"no picture")
    return count


@pytest.mark.parametrize("cache", [0, 2**30], ids=["from files", "in memory"])
def test_good_neighbours_train(cache: int, tmp_path: Path) -> None:
    count = make_neighbours(tmp_path / "pictures")
    training = count - -(-count // 10)
    sizes = ["--data.image_size=8", "--model.generator.width=4", "--model.discriminator.width=4"]
    given = [f"--data.root={tmp_path / 'pictures'}", f"--data.cache={cache}", "--data.num_workers=0", *sizes]
    quick = {**QUICK, "--data.batch_size": str(training), "--trainer.max_steps": "1"}
    end = [f"{name}={value}" for name, value in quick.items()]
    fit(["--model", "dcgan", "--data", "folder", *given, *end, f"--trainer.default_root_dir={tmp_path / 'runs'}"])
    assert count > 30 and len(list(tmp_path.rglob("last.ckpt"))) == 1


def test_what_may_not_be_read_is_named(tmp_path: Path) -> None:
    folder = good(tmp_path / "pictures")
    (folder / "one.png").chmod(0)
    if os.access(folder / "one.png", os.R_OK):
        pytest.skip("permissions do not bind root")
    with pytest.raises(ValueError, match=r"1 of .*Permission denied.*one\.png"):
        data = ImageFolder(folder)
        data.setup("fit")
    closed = good(folder / "closed")
    closed.chmod(0)
    with pytest.raises(PermissionError, match="closed"):
        ImageFolder(folder).setup("fit")
    closed.chmod(0o700)
