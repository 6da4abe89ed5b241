"""RPO: DPO plus the likelihood of the chosen completion."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tabpo.errors import ConfigError
from tabpo.losses import build_loss


def test_hand_worked_pair(golden):
    # DPO's 0.728759556 plus the mean surprise 2.1 / 4 = .525
    assert build_loss("rpo", beta=0.1, alpha=1.0)(*golden).losses.item() == pytest.approx(1.253759556, abs=1e-9)
    assert build_loss("rpo", beta=0.1, alpha=0.2)(*golden).losses.item() == pytest.approx(0.833759556, abs=1e-9)


@given(seed=st.integers(0, 10_000), beta=st.floats(0.01, 5))
def test_alpha_zero_is_dpo(make_random_pair, seed, beta):
    pair = make_random_pair(seed)
    assert torch.equal(build_loss("rpo", beta=beta, alpha=0)(*pair).losses, build_loss("dpo", beta=beta)(*pair).losses)


@given(seed=st.integers(0, 10_000), beta=st.floats(0.01, 5), alpha=st.floats(0, 5))
def test_is_dpo_plus_continued_sft(make_random_pair, seed, beta, alpha):
    pair = make_random_pair(seed)
    total = build_loss("dpo", beta=beta)(*pair).losses + alpha * build_loss("sft_continued")(*pair).losses
    torch.testing.assert_close(build_loss("rpo", beta=beta, alpha=alpha)(*pair).losses, total)


@pytest.mark.parametrize("params", [{"beta": 0.0}, {"alpha": -1}, {"alpha": False}, {"beta": "0.1"}])
def test_refused(params):
    with pytest.raises(ConfigError, match=f"rpo: {next(iter(params))} must be a number"):
        build_loss("rpo", **params)
