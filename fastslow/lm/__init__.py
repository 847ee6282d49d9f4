"""The language model: decoder, loading, tokenizer and chat format, batched engine."""
