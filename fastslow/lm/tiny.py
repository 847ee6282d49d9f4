"""A tiny random model: the whole path from messages to answers in milliseconds, for tests.

It knows nothing, but it answers: short words and digits, most often one to five characters, so that
sampled answers differ, some are right by chance, and every part downstream has something to do.
"""

from __future__ import annotations

import hashlib

import numpy as np

from fastslow.lm import chat, huggingface, source, tokenizer, weights
from fastslow.lm import config as lm_config

_SEED = 20260
_SPECIALS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
_END = 258  # <|im_end|>, after 256 bytes and two specials
_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
_CONFIG = lm_config.DecoderConfig(
    vocab_size=256 + len(_SPECIALS),
    width=64,
    layers=2,
    heads=4,
    kv_heads=2,
    head_dim=16,
    ffn_width=128,
    rope=lm_config.Rope(theta=10000.0),
    norm_eps=1e-5,
    qkv_bias=False,
    qk_norm=False,
    tied=False,
    max_context=2048,
)
# What the model says by nature, as shares of the probability: (characters, share).
_HABITS = (("0123456789", 0.35), ("abcdefghijklmnopqrstuvwxyz", 0.35), (" -.,", 0.02))
_END_SHARE = 0.25
_CONSTANT = 4.0  # the embedding's first coordinate, through which the habits reach the head
_VARIETY = 1.0  # standard deviation of the logits that the context decides


def read(dtype: source.Dtype) -> source.Source:
    """Make the model; always the same one."""
    tensors = _tensors(np.random.default_rng(_SEED))
    named = weights.Tensors("tiny-random", frozenset(tensors), tensors.__getitem__)
    params = weights.assemble(_CONFIG, huggingface.LAYOUT, named, dtype)
    return source.Source(_CONFIG, params, _chat())


def digest() -> str:
    """Return the hex SHA-256 over the tensors and the chat."""
    content = hashlib.sha256(repr(_chat()).encode())
    for name, tensor in sorted(_tensors(np.random.default_rng(_SEED)).items()):
        content.update(name.encode() + tensor.tobytes())
    return content.hexdigest()


def _chat() -> chat.ChatSpec:
    built = tokenizer.byte_level(_SPECIALS)
    return chat.ChatSpec(
        tokenizer=built.to_str(),
        template=_TEMPLATE,
        bos="",
        eos="<|im_end|>",
        adds_bos=False,
        stop_tokens=(_END,),
    )


def _tensors(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Return random tensors under the names of a Hugging Face file, matrices as (out, in)."""
    layout = huggingface.LAYOUT
    shape = (_CONFIG.vocab_size, _CONFIG.width)
    embedding = rng.normal(size=shape).astype(np.float32)
    embedding[:, 0] = _CONSTANT
    head = rng.normal(scale=_VARIETY / np.sqrt(_CONFIG.width), size=shape).astype(np.float32)
    head[:, 0] = _log_habits() / _first_coordinate()
    tensors = {
        layout.embedding: embedding,
        layout.head: head,
        layout.final_norm: np.ones(_CONFIG.width, np.float32),
    }
    for path, block_shape in weights.block_shapes(_CONFIG).items():
        for layer in range(_CONFIG.layers):
            tensors[layout.blocks[path].format(layer)] = _leaf(rng, block_shape)
    return tensors


def _leaf(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    if len(shape) == 1:
        return np.ones(shape, np.float32)
    scale = 1 / np.sqrt(shape[0])
    return rng.normal(scale=scale, size=shape[::-1]).astype(np.float32)


def _first_coordinate() -> float:
    """Return about what the final norm makes of the constant coordinate."""
    return _CONSTANT / np.sqrt((_CONSTANT**2 + _CONFIG.width - 1) / _CONFIG.width)


def _log_habits() -> np.ndarray:
    """Return log-probabilities by token, float64 (V,); the unlikely ones share what is left."""
    built = tokenizer.byte_level(_SPECIALS)
    left = 1 - _END_SHARE - sum(share for _, share in _HABITS)
    probabilities = np.full(_CONFIG.vocab_size, left / _CONFIG.vocab_size)
    probabilities[_END] = _END_SHARE
    for characters, share in _HABITS:
        for character in characters:
            probabilities[built.encode(character).ids[0]] = share / len(characters)
    return np.log(probabilities)
