"""Films from a checkpoint, through the script."""

from pathlib import Path

import pytest
from PIL import Image

from script_modules import loaded
from test_sample import trained


@pytest.mark.slow
def test_a_film_is_predicted_from_held_out_clips_or_from_own_frames(tmp_path: Path) -> None:
    checkpoint = str(trained(tmp_path / "runs", "--model", "video_gan"))
    sample, out = loaded("sample"), tmp_path / "film.gif"
    sample.run(["--checkpoint", checkpoint, "--out", str(out), "--n", "2"])
    with Image.open(out) as film:
        assert film.n_frames == 12
        beside = film.width
    with pytest.raises(ValueError, match="is there already; choose another --out, or add --overwrite"):
        sample.run(["--checkpoint", checkpoint, "--out", str(out)])
    frames = tmp_path / "frames"
    frames.mkdir()
    own = ["--checkpoint", checkpoint, "--out", str(tmp_path / "own.gif"), "--input", str(frames)]
    for number in range(5):
        Image.new("RGB", (50, 70), (50 * number, 90, 0)).save(frames / f"{number}.png")
        if number == 2:
            with pytest.raises(ValueError, match="expected at least 4 frames in .*, found 3; give a longer film"):
                sample.run(own)
    sample.run(own)
    with Image.open(tmp_path / "own.gif") as film:
        assert film.n_frames == 12 and film.width < beside, "there is no truth"
    with pytest.raises(ValueError, match="predicts films and translates no single picture: give a .gif as --out"):
        sample.run(["--checkpoint", checkpoint, "--out", str(tmp_path / "out"), "--input", str(frames)])
