"""The frozen reference gives the cached log-probs, however training has changed the policy."""

import pytest
import torch

from tabpo.scoring.collate import collate_pairs
from tabpo.scoring.forward import completion_logps

LORA = {"r": 2, "alpha": 4, "dropout": 0.3, "target_modules": ["q_proj", "up_proj"]}


@pytest.mark.parametrize("lora", [None, LORA], ids=["copy", "adapters off"])
def test_the_frozen_reference_gives_the_cached_log_probs(
    make_trainer, preference, make_model, pair_examples, start, fp32, tmp_path, lora
):
    settings = {"lora": lora, "learning_rate": 0.1}
    trainer = make_trainer(preference("tdpo2", start=start), make_model(), pair_examples, tmp_path, **settings)
    trainer.run(None)
    batch = collate_pairs(pair_examples, 0)
    with torch.no_grad():
        policy = completion_logps(trainer.model.eval(), batch, fp32)
        with trainer.frozen() as reference:
            online = completion_logps(reference.eval(), batch, fp32)
        again = completion_logps(trainer.model.eval(), batch, fp32)
    torch.testing.assert_close(online, batch["reference_logps"], atol=1e-5, rtol=0)
    assert torch.equal(policy, again) and (policy - online).abs().max() > 0.1
    assert (reference is trainer.model) == (lora is not None)


def test_the_reference_is_never_trained_and_loaded_only_if_needed(
    make_trainer, preference, make_model, pair_examples, start, tmp_path
):
    trainer = make_trainer(preference("tdpo1", start=start), make_model(), pair_examples, tmp_path)
    with trainer.frozen() as reference:
        assert not reference.training and not any(parameter.requires_grad for parameter in reference.parameters())
    assert make_trainer(preference("dpo"), make_model(), pair_examples, tmp_path).frozen is None


def test_adapters_stay_trainable_after_the_reference_was_used(
    make_trainer, preference, make_model, pair_examples, start, tmp_path
):
    trainer = make_trainer(preference("tdpo2", start=start), make_model(), pair_examples, tmp_path, lora=LORA)
    trained = {name for name, parameter in trainer.model.named_parameters() if parameter.requires_grad}
    with trainer.frozen():
        pass
    assert {name for name, parameter in trainer.model.named_parameters() if parameter.requires_grad} == trained
