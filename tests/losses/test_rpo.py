"""RPO: DPO plus the likelihood of the chosen completion."""

import pytest
import torch

from tabpo.errors import ConfigError
from tabpo.losses import build_loss


def test_hand_worked_pair(golden):
    # DPO's 0.728759556 plus the mean surprise 2.1 / 4 = .525
    assert build_loss("rpo", beta=0.1, alpha=1.0)(*golden).losses.item() == pytest.approx(1.253759556, abs=1e-9)
    assert build_loss("rpo", beta=0.1, alpha=0.2)(*golden).losses.item() == pytest.approx(0.833759556, abs=1e-9)


def test_alpha_zero_is_dpo(make_random_pair):
    pair = make_random_pair(1)
    assert torch.equal(build_loss("rpo", beta=0.3, alpha=0)(*pair).losses, build_loss("dpo", beta=0.3)(*pair).losses)


def test_is_dpo_plus_continued_sft(make_random_pair):
    pair = make_random_pair(2)
    total = build_loss("dpo", beta=0.1)(*pair).losses + 0.7 * build_loss("sft_continued")(*pair).losses
    torch.testing.assert_close(build_loss("rpo", beta=0.1, alpha=0.7)(*pair).losses, total)


@pytest.mark.parametrize("params", [{"beta": 0.0}, {"alpha": -1}, {"alpha": False}, {"beta": "0.1"}])
def test_refused(params):
    with pytest.raises(ConfigError, match=f"rpo: {next(iter(params))} must be a number"):
        build_loss("rpo", **params)
