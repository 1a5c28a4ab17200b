"""The same on a GPU, where there is one."""

import random
from collections.abc import Callable
from dataclasses import replace

import torch

from proofs import numerics
from proofs.cases import Case, Outcome
from proofs.endings import killed_often
from proofs.jobs import Failed
from proofs.states import final, state


def _on_gpu(case: Case, claim: Callable[[Case], Outcome]) -> Outcome:
    if not torch.cuda.is_available():
        return Outcome(0, "not run: no GPU", None)
    return claim(replace(case, folder=case.folder / claim.__name__, device="gpu"))


def gpu_resumed(case: Case) -> Outcome:
    """On a GPU, killed at random moments and resumed, a run ends in the bits of the one never killed."""

    def killed(case: Case) -> Outcome:
        kills = case.tries(6)
        killed_often(case, kills, random.Random(12), "--trainer.deterministic=true")
        return Outcome(kills, "equal bit for bit")

    return _on_gpu(case, killed)


def gpu_finite(case: Case) -> Outcome:
    """On a GPU all weights stay finite in bf16-mixed and in 16-mixed, where steps that overflow are left out."""

    def halved(case: Case) -> Outcome:
        for precision in ("bf16-mixed", "16-mixed"):
            ended = state(final(case.run(f"--trainer.precision={precision}")))
            if not all(bool(v.isfinite().all()) for k, v in ended.items() if k.startswith("state_dict.")):
                raise Failed(f"a weight is not finite in {precision}")
        return Outcome(2, "finite")

    return _on_gpu(case, halved)


def gpu_compiled(case: Case) -> Outcome:
    """On a GPU the losses are the same to rounding when compiled, and in channels_last."""

    def both(case: Case) -> Outcome:
        found = [numerics.compiled(case), numerics.channels_last(case)]
        return Outcome(2, "; ".join(each.result for each in found), all(each.holds for each in found))

    return _on_gpu(case, both)
