"""Films of the shipped emoji, which move at a constant speed and bounce off the edges of the frame."""

import hashlib
from typing import get_args

import torch
from torch import Tensor

from datamodules.emoji import SIZE, Style, pictures, shrunk, split
from datamodules.loading import FilmDataModule
from datamodules.order import Batches, random_numbers
from datamodules.pixels import in_channels
from gan_modules import checks
from gan_modules.randomness import mix

_CLIP = 4  # what a hash is for
_PALEST = 160  # the darkest value of a coloured ground's channels


class MovingEmoji(FilmDataModule):
    """The frames that a film has shown, and the next one; one or two emoji in front of a plain ground.

    Batches are `(history, next)`, images (n, history * channels, h, w) and (n, channels, h, w), a film's frames being
    joined along the channels; held-out batches are `(history, next, later)` with `ahead - 1` frames more.

    An emoji starts anywhere, moves by whole pixels from frame to frame, up to `speed` along each axis, and is reflected
    by the edges, which it does not cross. The second one passes in front of
    the first. White is clear: it shows what lies behind. A clip is a function of the seed and of its number, drawn from
    the training pictures' emoji; held-out clips show held-out ones, and are the same for every seed.

    Args:
        style: whose drawings.
        history: frames that are given.
        ahead: frames that follow in a held-out clip.
        clips, held_out_clips: how many there are.
        emoji_size: side of an emoji in pixels, 8, 16, 32 or 64; None: half of the frame's.
        most: emoji in a clip; from one to so many.
        speed: the largest one, in pixels a frame; less than what the frame leaves an emoji to move in.
        coloured: give each clip a pale colour as its ground; else all are white.
        batch_size, num_workers, seed: as for `BatchedDataModule`.
        image_size: side of a frame.
        channels: 1 or 3.
        flip: mirror half of the training clips.

    Raises:
        ValueError: for other numbers.
    """

    def __init__(
        self,
        style: Style = "noto",
        history: int = 4,
        ahead: int = 8,
        clips: int = 20_000,
        held_out_clips: int = 512,
        emoji_size: int | None = None,
        most: int = 2,
        speed: int = 3,
        coloured: bool = True,
        batch_size: int = 8,
        image_size: int = 32,
        channels: int = 3,
        flip: bool = True,
        num_workers: int | None = 0,
        seed: int | None = None,
    ) -> None:
        super().__init__(batch_size, image_size, channels, flip, num_workers, seed)
        checks.choice(get_args(Style), style=style)
        checks.whole(1, history=history, ahead=ahead, clips=clips, held_out_clips=held_out_clips, most=most)
        checks.whole(1, speed=speed)
        checks.switch(coloured=coloured)
        self.emoji_size = image_size // 2 if emoji_size is None else emoji_size
        checks.choice((8, 16, 32, SIZE), emoji_size=self.emoji_size)
        if speed > image_size - self.emoji_size:
            raise ValueError(
                f"speed must be at most image_size - emoji_size = {image_size - self.emoji_size}, got {speed}; give a "
                "smaller speed or emoji_size, or a larger image_size"
            )
        self.style, self.history, self.ahead, self.most, self.speed = style, history, ahead, most, speed
        self.clips, self.held_out_clips, self.coloured = clips, held_out_clips, coloured

    def setup(self, stage: str) -> None:
        if self.ready:
            return
        emoji = in_channels(shrunk(pictures(self.style), self.emoji_size), self.channels)
        rest, held_out = split()
        training = self._films(emoji[rest], self.clips, self.history + 1, mix(self.seed, _CLIP))
        self.training = Batches(training, vary=self.flip, seed=self.seed)
        self.held_out = Batches(self._films(emoji[held_out], self.held_out_clips, self.history + self.ahead, 0))

    def _films(self, emoji: Tensor, count: int, frames: int, key: int) -> "_Films":
        return _Films(emoji, count, frames, key, self.image_size, self.most, self.speed, self.coloured)


class _Films:
    """uint8 clips (count, frames * c, size, size) of the emoji (m, c, side, side), rendered when they are asked for."""

    def __init__(
        self, emoji: Tensor, count: int, frames: int, key: int, size: int, most: int, speed: int, coloured: bool
    ) -> None:
        self.emoji, self.count, self.frames, self.key = emoji, count, frames, key
        self.size, self.most, self.speed, self.coloured = size, most, speed, coloured

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, indices: Tensor) -> Tensor:
        numbers = random_numbers(self.key, indices, 4 + 4 * self.most)
        drawn, grounds, emoji = numbers[:, 0], numbers[:, 1:4], numbers[:, 4:].unflatten(1, (self.most, 4))
        ground = _PALEST + (grounds * (256 - _PALEST) >> 24) if self.coloured else torch.full_like(grounds, 255)
        canvas = ground[:, None, : self.emoji.shape[1], None, None].int()
        canvas = canvas.expand(-1, self.frames, -1, self.size, self.size)
        for place in range(self.most):
            shown = (drawn * self.most >> 24) >= place
            canvas = torch.where(shown[:, None, None, None, None], self._passing(emoji[:, place], canvas), canvas)
        return canvas.flatten(1, 2).to(torch.uint8)

    def fingerprint(self) -> str:
        """A digest of all that clips are made of."""
        settings = (self.count, self.frames, self.key, self.size, self.most, self.speed, self.coloured)
        digest = hashlib.sha256(repr((settings, tuple(self.emoji.shape))).encode())
        digest.update(self.emoji.numpy().tobytes())
        return digest.hexdigest()

    def _passing(self, numbers: Tensor, behind: Tensor) -> Tensor:
        """An emoji for each clip, as `numbers` (n, 4) say, in front of int32 frames (n, t, c, h, w)."""
        side, ways = self.emoji.shape[-1], self.speed + 1
        room = self.size - side
        pace = 1 + (numbers[:, 3] * (ways**2 - 1) >> 24)  # of all pairs of speeds, one stands still
        paces = torch.stack([pace // ways, pace % ways], dim=1)
        starts = numbers[:, 1:3] * 2 * room >> 24
        corners = reflected(starts[:, None] + paces[:, None] * torch.arange(self.frames)[:, None], room)
        chosen = self.emoji[numbers[:, 0] * len(self.emoji) >> 24]
        framed = torch.nn.functional.pad(chosen, (1, 1, 1, 1), value=255)  # outside, all is white
        steps = torch.arange(self.size) - corners[..., None] + 1
        rows, columns = steps.clamp(0, side + 1).unbind(2)
        clips = torch.arange(len(numbers))[:, None, None, None]
        front = framed[clips, :, rows[..., None], columns[:, :, None]].permute(0, 1, 4, 2, 3).int()
        clear = front.amin(2, keepdim=True)
        return front - clear + (clear * behind + 127) // 255


def reflected(ways: Tensor, room: int) -> Tensor:
    """Where in [0, room] something is that has come so far from 0, and turns back at both ends.

    >>> reflected(torch.arange(8), 3).tolist()
    [0, 1, 2, 3, 2, 1, 0, 1]
    """
    return room - (ways % (2 * room) - room).abs()
