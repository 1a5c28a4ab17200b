"""Emoji that move: frames are a function of seed and number, nothing leaves the frame, training and held-out differ."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from datamodules import MovingEmoji
from datamodules.emoji import pictures, shrunk, split
from datamodules.moving import reflected
from test_resume import Everywhere
from variants import build, same, trainer, whole_state


def clips(data: MovingEmoji, part: str = "training", count: int = 64) -> Tensor:
    """uint8 clips (n, t, c, h, w)."""
    data.setup("fit")
    return getattr(data, part)[0, torch.arange(count)].columns[0].unflatten(1, (-1, data.channels))


def test_a_clip_is_a_function_of_the_seed_and_its_number() -> None:
    data, again = MovingEmoji(seed=1), MovingEmoji(seed=1, batch_size=2, num_workers=2)
    expected = clips(data)
    assert expected.dtype == torch.uint8 and expected.shape == (64, 5, 3, 32, 32)
    assert torch.equal(expected, clips(again))
    some = torch.tensor([9, 3])
    assert torch.equal(data.training[7, some].columns[0], expected[some].flatten(1, 2)), "in any order, in any epoch"
    assert not torch.equal(expected, clips(MovingEmoji(seed=2)))
    assert torch.equal(clips(data, "held_out"), clips(MovingEmoji(seed=2), "held_out"))
    assert len(data.training) == 20_000 and len(data.held_out) == 512


def test_fingerprints() -> None:
    def of(part: Any, **options: Any) -> str | None:
        data = MovingEmoji(**options)
        data.setup("fit")
        return data.fingerprint(part)

    assert of("held_out") == of("held_out", seed=3, batch_size=2, clips=9, flip=False)
    others = [{}, {"speed": 2}, {"coloured": False}, {"most": 1}, {"ahead": 3}, {"channels": 1}]
    others.append({"history": 3, "ahead": 9})
    assert len({of("held_out", **options) for options in others}) == len(others)
    assert len({of("training", seed=seed) for seed in (0, 1)}) == 2


def test_reflection_stays_inside_and_keeps_the_pace() -> None:
    ways = torch.arange(200)
    places = reflected(ways, 7)
    assert places.min() == 0 and places.max() == 7 and places.diff().abs().unique().tolist() == [1]
    assert torch.equal(places[:8], ways[:8]) and torch.equal(places[:15], places[:15].flip(0))


@pytest.mark.parametrize("size", [8, 16])
def test_one_emoji_keeps_its_shape_and_stays_inside(size: int) -> None:
    """On white it is at every moment the same picture in another place, of paces that turn at the edges alone."""
    data = MovingEmoji(most=1, coloured=False, emoji_size=size, ahead=20, seed=0)
    films = clips(data, "held_out", 12)
    assert films.shape[1] == 24
    emoji = shrunk(pictures("noto"), size)[split()[1]]
    for film in films:
        corners = [corners_of(frame) for frame in film]
        whole = [cut(frame, corner) for frame, corner in zip(film, corners, strict=True)]
        assert all(torch.equal(each, whole[0]) for each in whole)
        assert any(shows(candidate, whole[0]) for candidate in emoji)
        for axis in (0, 1):
            check_bounces(torch.tensor([corner[axis] for corner in corners]), 32 - size)


def check_bounces(places: Tensor, room: int) -> None:
    """Places are of one pace, which turns where less than that is left before an edge."""
    paces = places.diff()
    pace = int(paces.abs().max())
    assert pace <= 3 and places.max() - places.min() <= room
    if pace:
        turns = (paces.sign()[1:] != paces.sign()[:-1]).nonzero().flatten() + 1
        near = torch.minimum(places - places.min(), places.max() - places)
        assert len(turns) >= 23 * pace // room - 1 and (near[turns] < pace).all()


def cut(frame: Tensor, corner: tuple[int, int, int, int]) -> Tensor:
    top, left, high, wide = corner
    return frame[:, top : top + high, left : left + wide]


def corners_of(frame: Tensor) -> tuple[int, int, int, int]:
    """Top, left, height and width of what is not white."""
    rows, columns = (frame < 255).any(0).nonzero().unbind(1)
    top, left = int(rows.min()), int(columns.min())
    return top, left, int(rows.max()) - top + 1, int(columns.max()) - left + 1


def shows(emoji: Tensor, found: Tensor) -> bool:
    return torch.equal(cut(emoji, corners_of(emoji)), found)


def test_speeds_are_all_there_and_nothing_stands_still() -> None:
    films = clips(MovingEmoji(most=1, coloured=False, emoji_size=8, seed=0), count=300)
    corners = torch.tensor([[corners_of(frame)[:2] for frame in film] for film in films])
    paces = corners.diff(dim=1).abs().amax(1)  # less in a frame that has a turn
    assert paces.amax(1).min() == 1 and paces.max() == 3 and len(paces.unique(dim=0)) == 15


def test_grounds_and_numbers_of_emoji() -> None:
    covered = []
    for most in (1, 2):
        films = clips(MovingEmoji(emoji_size=8, most=most, seed=0), count=200)
        grounds = films.flatten(3).mode().values
        assert (grounds == grounds[:, :1]).all() and grounds.min() >= 160 and len(grounds[:, 0].unique(dim=0)) > 190
        covered.append((films != grounds[..., None, None]).any(2).float().mean().item())
    assert 1.25 < covered[1] / covered[0] < 1.6, "half of the clips have two, which may hide each other"


def test_held_out_emoji_are_not_trained_on() -> None:
    data = MovingEmoji()
    data.setup("fit")
    training, held_out = (part.columns[0].emoji for part in (data.training, data.held_out))  # type: ignore[attr-defined]
    rest, kept = split()
    assert torch.equal(training, shrunk(pictures("noto"), 16)[rest]) and len(held_out) == len(kept) == 379


def test_batches_are_the_history_and_what_follows() -> None:
    data = MovingEmoji(history=3, ahead=4, flip=True, seed=1)
    assert data.source_channels == 9
    expected = clips(data, "held_out", 6).flatten(1, 2).float() / 127.5 - 1
    raw = data.held_out[0, torch.arange(6)]
    history, following, later = data.on_after_batch_transfer(raw, 0)  # type: ignore[misc]
    assert [part.shape[1] for part in (history, following, later)] == [9, 3, 9]
    torch.testing.assert_close(torch.cat([history, following, later], 1), expected)
    raw = data.training[0, torch.arange(64)]
    history, following = data.on_after_batch_transfer(raw, 0)  # type: ignore[misc]
    plain = raw.columns[0].float() / 127.5 - 1
    whole = torch.cat([history, following], 1)
    mirrored = [torch.allclose(one, other.flip(-1)) for one, other in zip(whole, plain, strict=True)]
    kept = [torch.allclose(one, other) for one, other in zip(whole, plain, strict=True)]
    assert all(a or b for a, b in zip(mirrored, kept, strict=True)) and 15 < sum(mirrored) < 49, "a film as a whole"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"speed": 17}, "speed must be at most image_size - emoji_size = 16, got 17"),
        ({"image_size": 24}, "emoji_size must be 8 or 16 or 32 or 64, got 12"),
        ({"emoji_size": 64}, "speed must be at most image_size - emoji_size = -32, got 3; give a smaller"),
    ],
)
def test_what_does_not_fit_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MovingEmoji(**options)


def test_a_run_on_films_goes_on_exactly(tmp_path: Path) -> None:
    def fit(start: Path | None = None, **options: Any) -> dict[str, Any]:
        module = build("video_gan", seed=0 if start is None else 1)
        module.seed = 7
        sizes = {"image_size": 16, "emoji_size": 8, "clips": 20, "held_out_clips": 4, "batch_size": 4}
        data = MovingEmoji(history=2, ahead=2, seed=3, **sizes)
        fitted = trainer(max_epochs=2, **options)
        fitted.fit(module, datamodule=data, ckpt_path=None if start is None else str(start))
        return whole_state(module, fitted)

    whole = fit(callbacks=[Everywhere(tmp_path)])
    places = sorted(tmp_path.glob("*batch.ckpt"))
    for start in (places[2], places[-3]):
        assert same(fit(start), whole), start.name
