"""Over several processes metrics and pictures are those of one. All checks share one launch of three gloo processes."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from launching import launch
from scored_processes import ITEMS, LIMITS, PROCESSES, results
from variants import same

pytestmark = pytest.mark.slow
INCEPTION = {"fid", "fid_samples", "kid", "kid_std", "kid_samples", "swd", "swd_samples"} | {
    f"inception_score{end}" for end in ("", "_std", "_samples")
}
TRANSLATION = {f"{name}{end}" for name in ("swd", "psnr") for end in ("", "_identity", "_samples")}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("scored")


@pytest.fixture(scope="module")
def ranks(folder: Path) -> list[dict[str, Any]]:
    """What each of the processes found."""
    script = Path(__file__).parents[1] / "scored_processes.py"
    return launch(script, PROCESSES, folder)


@pytest.fixture(scope="module")
def alone(folder: Path) -> dict[str, Any]:
    """What one process finds."""
    return results(0, 1, folder)


def assert_close(found: list[dict[str, float]], expected: list[dict[str, float]]) -> None:
    """Compare the metrics of each validation to what float32 holds."""
    assert len(found) == len(expected)
    for several, one in zip(found, expected, strict=True):
        assert several == pytest.approx(one, rel=1e-6, abs=1e-7)


@pytest.mark.parametrize("run", ["generator", "translator"])
def test_two_validations_equal_those_of_one_process(
    run: str, ranks: list[dict[str, Any]], alone: dict[str, Any]
) -> None:
    first, second = alone[run]["values"]
    assert first != second
    names = INCEPTION if run == "generator" else {f"{n}/{way}" for n in TRANSLATION for way in ("x_to_y", "y_to_x")}
    assert {key.removeprefix("metric/") for key in first} == names
    assert {value for key, value in second.items() if "_samples" in key} == {ITEMS}
    assert_close(ranks[0][run]["values"], [first, second])


def test_a_second_run_starts_with_the_data_of_the_first(ranks: list[dict[str, Any]], alone: dict[str, Any]) -> None:
    assert alone["again"]["passes"] == [2 * ITEMS, ITEMS]
    passes = np.array([each["again"]["passes"] for each in ranks])
    assert passes.sum(axis=0).tolist() == [2 * ITEMS, ITEMS]
    for each in (*ranks, alone):
        assert_close(each["again"]["values"], [alone["again"]["values"][0]] * 2)


def test_what_is_kept_does_not_depend_on_the_number_of_processes(
    folder: Path, ranks: list[dict[str, Any]], alone: dict[str, Any]
) -> None:
    several, one = (folder / f"cache{count}" / "statistics" for count in (PROCESSES, 1))
    names = {path.name for path in one.iterdir()}
    assert len(names) > 2 and {path.name for path in several.iterdir()} == names
    for name in names:
        kept, expected = (torch.load(place / name, weights_only=True) for place in (several, one))
        assert kept["header"] == expected["header"]
        assert kept["statistics"].keys() == expected["statistics"].keys()
        for state, value in kept["statistics"].items():
            assert torch.allclose(value, expected["statistics"][state], rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("limit", LIMITS)
def test_the_first_samples_are_scored(limit: int, ranks: list[dict[str, Any]], alone: dict[str, Any]) -> None:
    assert alone["limited"][limit][0]["metric/fid_samples"] == min(limit, ITEMS)
    assert_close(ranks[0]["limited"][limit], alone["limited"][limit])


def test_what_a_sampler_repeats_is_not_scored(ranks: list[dict[str, Any]], alone: dict[str, Any]) -> None:
    assert alone["padded"][0]["metric/kid_samples"] == ITEMS
    assert_close(ranks[0]["padded"], alone["padded"])


def test_a_metric_that_one_process_cannot_have_is_left_out(ranks: list[dict[str, Any]]) -> None:
    for each in ranks:
        assert [set(values) for values in each["unavailable"]] == [{"metric/swd", "metric/swd_samples"}]


def test_all_ranks_log_and_monitor_the_same(ranks: list[dict[str, Any]]) -> None:
    first, *others = ranks
    assert len(first["generator"]["best"]) == 2
    for each in others:
        for run in ("generator", "translator"):
            assert all(same(each[run][key], first[run][key]) for key in ("values", "best", "state"))
        assert each["limited"] == first["limited"] and each["padded"] == first["padded"]


def test_validation_metrics_and_pictures_change_no_bit_of_training(
    ranks: list[dict[str, Any]], alone: dict[str, Any]
) -> None:
    for each in (*ranks, alone):
        assert same(each["generator"]["state"], each["undisturbed"]["state"])


@pytest.mark.parametrize("name", ["gan", "pair"])
def test_the_first_process_writes_the_pictures_of_one(
    name: str, folder: Path, ranks: list[dict[str, Any]], alone: dict[str, Any]
) -> None:
    assert [path.name for path in folder.glob(f"{name}-{PROCESSES}-*")] == [f"{name}-{PROCESSES}-0"]
    several, one = (sorted((folder / f"{name}-{count}-0").iterdir()) for count in (PROCESSES, 1))
    assert len(one) == 4 and [path.name for path in several] == [path.name for path in one]
    for paths in zip(several, one, strict=True):
        pixels = [np.asarray(Image.open(path)).astype(int) for path in paths]
        assert np.abs(pixels[0] - pixels[1]).max() <= 1  # training on several processes rounds otherwise
