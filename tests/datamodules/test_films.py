"""Your own films: which frames a clip has, who is held out, and what cannot be used."""

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch import Tensor

from datamodules import FilmFolders
from datamodules.films import film_at, films_of
from datamodules.folders import GIGABYTE
from datamodules.order import Batches
from gan_modules.cli import fit
from script_modules import loaded
from test_resume import Everywhere
from variants import build, same, trainer, whole_state

SIDE = 8
LAYOUTS = ["folders", "gifs"]


def frame(level: int) -> Image.Image:
    """Of one colour but for its left half, so that a flip shows."""
    picture = Image.new("RGB", (SIDE, SIDE), (level, 0, 0))
    picture.paste((0, level, 255), (0, 0, SIDE // 2, SIDE))
    return picture


def film(path: Path, *levels: int, layout: str = "folders") -> Path:
    """A film whose frames have these levels; names are out of order unless numbers in them count."""
    pictures = [frame(level) for level in levels]
    if layout == "gifs":
        path.parent.mkdir(parents=True, exist_ok=True)
        path = path.with_suffix(".gif")
        pictures[0].save(path, save_all=True, append_images=pictures[1:])
    else:
        path.mkdir(parents=True)
        for number, picture in enumerate(pictures):
            picture.save(path / f"frame{number + 8}.png")
    return path


def module(root: Path, **options: Any) -> FilmFolders:
    data = FilmFolders(root, **{"history": 2, "ahead": 2, "image_size": SIDE, "seed": 0, **options})
    data.setup("fit")
    return data


def levels(batches: Batches) -> list[list[int]]:
    """Of each clip's frames, all of whose pixels are looked at."""
    (clips,) = batches[0, torch.arange(len(batches))].columns
    assert clips.dtype == torch.uint8
    frames = clips.unflatten(1, (-1, 3))
    found = frames[:, :, 0, 0, -1]
    left = torch.stack([torch.zeros_like(found), found, torch.full_like(found, 255)], dim=2)
    right = torch.stack([found, torch.zeros_like(found), torch.zeros_like(found)], dim=2)
    halves = torch.stack([left] * (SIDE // 2) + [right] * (SIDE // 2), dim=3)[..., None, :]
    assert torch.equal(frames, halves.expand_as(frames))
    return found.tolist()


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("cache", [0, GIGABYTE])
def test_clips_are_consecutive_frames(tmp_path: Path, layout: str, cache: int) -> None:
    film(tmp_path / "train" / "one", 1, 2, 3, 4, 5, layout=layout)
    film(tmp_path / "train" / "two", 11, 12, 13, layout=layout)
    film(tmp_path / "val" / "three", *range(30, 41), layout=layout)
    data = module(tmp_path, cache=cache)
    assert levels(data.training) == [[1, 2, 3], [2, 3, 4], [3, 4, 5], [11, 12, 13]], "no clip is of two films"
    assert levels(data.held_out) == [[30, 31, 32, 33], [34, 35, 36, 37]], "no frame is in two"
    assert data.training.in_memory == data.held_out.in_memory == bool(cache)
    some = torch.tensor([3, 0])
    clips = data.training[5, some].columns[0]
    assert torch.equal(clips, data.training[0, torch.arange(4)].columns[0][some]), "in any order, in any epoch"


def test_films_of_both_kinds_lie_anywhere_in_natural_order(tmp_path: Path) -> None:
    film(tmp_path / "b10", 1, 2)
    film(tmp_path / "b9" / "of" / "me", 3, 4, layout="gifs")
    film(tmp_path / "a" / "deeper", 5, 6)
    film(tmp_path / "a" / "loop", 7, 8, layout="gifs")
    film(tmp_path / ".hidden", 9)
    paths = [path for path in tmp_path.rglob("*.*") if path.is_file() and ".hidden" not in str(path)]
    names = [each.path.relative_to(tmp_path).as_posix() for each in films_of(paths)]
    assert names == ["a/deeper", "a/loop.gif", "b9/of/me.gif", "b10"]
    data = module(tmp_path, history=1, ahead=1, held_out_every=2)
    assert levels(data.held_out) == [[5, 6], [3, 4]] and levels(data.training) == [[7, 8], [1, 2]]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_step_th_frame_and_every_stride_th_start(tmp_path: Path, layout: str) -> None:
    film(tmp_path / "train" / "one", *range(10), layout=layout)
    film(tmp_path / "test" / "two", *range(20, 36), layout=layout)
    data = module(tmp_path, step=2, stride=3)
    assert levels(data.training) == [[0, 2, 4], [3, 5, 7]]
    assert levels(data.held_out) == [[20, 22, 24, 26], [27, 29, 31, 33]]
    assert len(module(tmp_path, step=2).training) == 6


def test_every_tenth_film_that_is_long_enough_is_held_out(tmp_path: Path) -> None:
    film(tmp_path / "0", 0, 1, 2)  # enough for training
    for number in range(1, 13):
        film(tmp_path / str(number), *range(10 * number, 10 * number + 4))
    data = module(tmp_path)
    assert [clip[0] for clip in levels(data.held_out)] == [10, 110]
    training = levels(data.training)
    assert training[0] == [0, 1, 2] and {clip[0] // 10 for clip in training} == {0, *range(2, 11), 12}


@pytest.mark.parametrize("train", ["train", ""])
def test_frames_may_lie_in_the_folders_of_the_parts(tmp_path: Path, train: str) -> None:
    """One film, cut in two."""
    for number in range(5):
        for part in (train, "val"):
            (tmp_path / part).mkdir(exist_ok=True)
            frame(number + (100 if part == "val" else 0)).save(tmp_path / part / f"{number}.png")
    data = module(tmp_path)
    assert levels(data.training) == [[0, 1, 2], [1, 2, 3], [2, 3, 4]]
    assert levels(data.held_out) == [[100, 101, 102, 103]]


def test_batches_are_the_history_and_what_follows_and_flips_are_of_whole_clips(tmp_path: Path) -> None:
    film(tmp_path / "train" / "one", *range(60))
    film(tmp_path / "val" / "two", *range(100, 105))
    data = module(tmp_path, ahead=3)
    assert data.source_channels == 6
    history, following, later = data.on_after_batch_transfer(data.held_out[0, torch.tensor([0])], 0)  # type: ignore[misc]
    assert [part.shape for part in (history, following, later)] == [(1, 6, 8, 8), (1, 3, 8, 8), (1, 6, 8, 8)]
    red = torch.cat([history, following, later], dim=1)[0, ::3, 0, -1]
    torch.testing.assert_close(red, torch.arange(100, 105) / 127.5 - 1)
    raw = data.training[0, torch.arange(58)]
    history, following = data.on_after_batch_transfer(raw, 0)  # type: ignore[misc]
    plain, whole = raw.columns[0] / 127.5 - 1, torch.cat([history, following], dim=1)
    mirrored = [torch.allclose(one, other.flip(-1)) for one, other in zip(whole, plain, strict=True)]
    kept = [torch.allclose(one, other) for one, other in zip(whole, plain, strict=True)]
    assert all(a != b for a, b in zip(mirrored, kept, strict=True)) and 15 < sum(mirrored) < 43


def test_crops_are_of_whole_clips(tmp_path: Path) -> None:
    film(tmp_path / "train" / "one", *[7] * 30)
    film(tmp_path / "val" / "two", *[7] * 4)
    data = module(tmp_path, load_size=12, flip=False)
    assert data.held_out[0, torch.tensor([0])].columns[0].shape == (1, 12, 8, 8)
    raw = data.training[0, torch.arange(28)]
    assert raw.columns[0].shape == (28, 9, 12, 12)
    history, following = data.on_after_batch_transfer(raw, 0)  # type: ignore[misc]
    frames = torch.cat([history, following], dim=1).unflatten(1, (3, 3))
    assert frames.shape[-2:] == (8, 8) and (frames == frames[:, :1]).all()
    assert len(frames[:, 0, 2, 0].unique(dim=0)) > 2, "each from another place"


@pytest.mark.parametrize("layout", LAYOUTS)
def test_pictures_are_read_as_others_are(tmp_path: Path, layout: str) -> None:
    """Transparent parts take the background, the middle square is taken, colours become grey."""
    for part in ("train", "val"):
        clear = [Image.new("RGBA", (20, 12), (200, 0, 0, 0)) for _ in range(3)]
        for number, picture in enumerate(clear):
            picture.paste((0, 0, 0, 255), (10, 0, 11 + number, 12))
        (tmp_path / part / "film").mkdir(parents=True)
        if layout == "gifs":
            clear[0].save(tmp_path / part / "film.gif", save_all=True, append_images=clear[1:], disposal=2)
        else:
            for number, picture in enumerate(clear):
                picture.save(tmp_path / part / "film" / f"{number}.png")
    for cache in (0, GIGABYTE):
        data = module(tmp_path, history=1, ahead=2, background="lime", channels=1, image_size=12, cache=cache)
        clip = data.held_out[0, torch.tensor([0])].columns[0]
        expected = torch.full((1, 3, 12, 12), 150, dtype=torch.uint8)  # the grey of lime
        for number in range(3):
            expected[0, number, :, 6 : 7 + number] = 0
        assert torch.equal(clip, expected)


def test_films_that_are_too_short_are_left_out_or_named(tmp_path: Path) -> None:
    film(tmp_path / "train" / "long", *range(5))
    film(tmp_path / "train" / "short", 1, 2)
    film(tmp_path / "train" / "still", 1, layout="gifs")
    film(tmp_path / "val" / "long", *range(20, 24))
    film(tmp_path / "val" / "short", *range(3))
    with pytest.warns(UserWarning) as warned:
        data = module(tmp_path)
    told = [str(warning.message) for warning in warned if "shorter" in str(warning.message)]
    assert re.fullmatch(
        r"2 of 3 films are shorter than a training clip, which takes 3 frames \(history 2, step 1\): "
        r"\S*train/short has 2; \S*still.gif has 1\. They are left out\.",
        told[0],
    )
    assert "1 of 2 films are shorter than a held-out clip, which takes 4 frames (history 2, ahead 2, step 1)" in told[1]
    assert len(data.training) == 3 and len(data.held_out) == 1
    with pytest.raises(
        ValueError,
        match=r"No film is as long as a training clip, which takes 7 frames \(history 2, step 3\): the longest, "
        r"\S*train/long, has 5; give longer films, or a smaller history or step\.",
    ):
        module(tmp_path, step=3)
    with pytest.raises(
        ValueError, match=r"takes 5 frames \(history 2, ahead 3, step 1\): the longest, \S*val/long, has 4"
    ):
        module(tmp_path, ahead=3)
    with pytest.raises(
        ValueError, match="No film is as long as a held-out clip.*has 5; .*smaller history, ahead or st"
    ):
        module(tmp_path / "train", ahead=9)


def test_mistakes_have_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="There is no folder .*missing: check the path"):
        module(tmp_path / "missing")
    with pytest.raises(ValueError, match="There are no pictures in "):
        module(tmp_path)
    only = film(tmp_path / "only", 1, 2, 3, 4)
    with pytest.raises(ValueError, match="has one film that is long enough, .*only, which is held out and leaves none"):
        module(tmp_path)
    with pytest.raises(ValueError, match="is a file where a folder of pictures is expected"):
        module(only / "frame8.png")
    film(tmp_path / "other", 1, 2, 3, 4)
    (tmp_path / "val").mkdir()
    with pytest.raises(ValueError, match="There are no pictures in .*val"):
        module(tmp_path)
    (tmp_path / "train").mkdir()
    with pytest.raises(ValueError, match="There are no films for training in .*train: add some"):
        module(tmp_path)
    for option in ("history", "ahead", "step", "stride"):
        with pytest.raises(ValueError, match=f"{option} must be a whole number of at least 1, got 0"):
            FilmFolders(tmp_path, **{option: 0})  # type: ignore[arg-type]


@pytest.mark.parametrize("cache", [0, GIGABYTE])
def test_films_that_cannot_be_read_are_named_or_left_out(tmp_path: Path, cache: int) -> None:
    for part in ("train", "val"):
        film(tmp_path / part / "good", 1, 2, 3, 4)
    sizes = film(tmp_path / "train" / "sizes", 1, 2, 3, 4)
    Image.new("RGB", (9, 8)).save(sizes / "frame10.png")
    empty = film(tmp_path / "train" / "empty", 1, 2, 3)
    (empty / "frame9.png").write_bytes(b"")
    (tmp_path / "train" / "no.gif").write_text("<html></html>")
    with pytest.raises(ValueError) as raised:
        module(tmp_path, cache=cache)
    assert re.fullmatch(
        r"3 of 4 films cannot be read: \S*frame9.png is empty; \S*no.gif is not a picture; \S*sizes has frames of "
        r'different sizes, 8 x 8 \(frame8.png\) and 9 x 8 \(frame10.png\)\. Repair .*, or .* with unreadable="skip"\.',
        str(raised.value),
    )
    with pytest.warns(UserWarning, match="3 of 4 films cannot be read.*They are left out"):
        data = module(tmp_path, cache=cache, unreadable="skip")
    assert levels(data.training) == [[1, 2, 3], [2, 3, 4]]
    noise = torch.randint(256, (99, 99, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    (tmp_path / "train" / "cut").mkdir()
    for number in range(3):
        cut = tmp_path / "train" / "cut" / f"{number}.jpg"
        Image.fromarray(noise.numpy()).save(cut)
    cut.write_bytes(cut.read_bytes()[:2000])  # the head does not tell
    with pytest.warns(UserWarning, match="1 of 2 films cannot be read: .*2.jpg is damaged .*They are left out"):
        data = module(tmp_path, cache=cache, unreadable="skip")
    assert levels(data.training) == [[1, 2, 3], [2, 3, 4]]


def test_pictures_that_a_camera_turned_have_the_size_that_they_are_shown_in(tmp_path: Path) -> None:
    folder = film(tmp_path / "film", 1)
    turned = Image.Exif()
    turned[0x0112] = 6
    Image.new("RGB", (6, 9)).save(folder / "frame8.png")
    Image.new("RGB", (9, 6)).save(folder / "frame9.jpg", exif=turned)
    assert film_at(folder).length() == 2


@pytest.mark.parametrize("cache", [0, GIGABYTE])
def test_fingerprints(tmp_path: Path, cache: int) -> None:
    film(tmp_path / "train" / "one", *range(20))
    film(tmp_path / "val" / "two", *range(20, 40))
    film(tmp_path / "val" / "three", *range(10), layout="gifs")

    def of(part: Any, **options: Any) -> str | None:
        return module(tmp_path, cache=cache, **options).fingerprint(part)

    assert of("held_out") == of("held_out", seed=3, batch_size=2, flip=False, stride=4)
    others = [{}, {"step": 2}, {"ahead": 3}, {"history": 3, "ahead": 1}, {"channels": 1}, {"image_size": 4}]
    assert len({of("held_out", **options) for options in others}) == len(others)
    assert len({of("training", **options) for options in ({}, {"seed": 1}, {"flip": False}, {"stride": 2})}) == 4
    before = of("held_out")
    (tmp_path / "val" / "three.gif").unlink()
    film(tmp_path / "val" / "three", *range(1, 11), layout="gifs")
    assert of("held_out") != before


@pytest.mark.slow
def test_a_run_on_films_goes_on_exactly(tmp_path: Path) -> None:
    for name in ("one", "two", "three"):
        film(tmp_path / "films" / name, *range(0, 90, 10))

    def run(start: Path | None = None, **options: Any) -> dict[str, Any]:
        own = build("video_gan", seed=0 if start is None else 1)
        own.seed = 7
        fitted = trainer(max_epochs=2, **options)
        data = FilmFolders(tmp_path / "films", history=2, ahead=2, image_size=16, batch_size=4, seed=3)
        fitted.fit(own, datamodule=data, ckpt_path=None if start is None else str(start))
        return whole_state(own, fitted)

    whole = run(callbacks=[Everywhere(tmp_path)])
    places = sorted(tmp_path.glob("*batch.ckpt"))
    for start in (places[1], places[-2]):
        assert same(run(start), whole), start.name


@pytest.mark.slow
def test_the_command_line_trains_and_draws_films(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for number in range(3):
        film(Path("films", str(number)), *range(0, 240, 20), layout=LAYOUTS[number % 2])
    quick = ["--trainer.max_steps=2", "--trainer.enable_progress_bar=false", "--trainer.accelerator=cpu"]
    data = ["--data", "film_folders", "--data.root", "films", "--data.image_size", "32", "--data.history=3"]
    fit(["--model", "video_gan", *data, *quick, "--data.ahead=4"])
    (last,) = Path("runs").rglob("last.ckpt")
    kept: dict[str, Tensor] = torch.load(last, weights_only=True)["state_dict"]
    assert kept["generator.scales.0.0.weight"].shape[1] == 9, "the networks follow the history"
    sample = loaded("sample")
    for name, given, frames in (("own", [], 7), ("folder", ["films/0"], 11), ("gif", ["films/1.gif"], 11)):
        sample.run(["--checkpoint", str(last), "--out", f"{name}.gif", *(["--input", *given] if given else [])])
        with Image.open(f"{name}.gif") as made:
            assert made.n_frames == frames, name
