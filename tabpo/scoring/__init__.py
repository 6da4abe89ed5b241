"""From text to tokens to the per-token log-probs of both sides of a pair."""
