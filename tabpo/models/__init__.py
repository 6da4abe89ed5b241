"""Sources of weights and tokenizers; loading and saving them."""
