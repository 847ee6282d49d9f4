"""A tiny random model: the whole path from messages to answers in milliseconds, for tests.

It knows nothing, but it answers: a few letters and digits, hardly ever none, so that sampled
answers differ, some are right by chance, and every part downstream has something to do.
"""

from __future__ import annotations

import hashlib

import numpy as np

from fastslow.lm import chat, huggingface, source, tokenizer, weights
from fastslow.lm import config as lm_config

_SEED = 90  # one that says 0 and 1 about equally often
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
_HABITS = (("0123456789", 0.24), ("abcdefghijklmnopqrstuvwxyz", 0.24), (" -.,", 0.02))
_END_SHARE = 0.49
_CONSTANT = 5.0  # of the embedding's first coordinate, through which the habits reach the head
_LINE_BREAK = 198  # the token before an answer, marked in the second coordinate ...
_RELUCTANCE = 2.5  # ... which the head reads, so that an answer does not end before it starts
_SPREAD = 2.0  # standard deviation of the other coordinates behind the last block
_VARIETY = 1.0  # standard deviation of the logits that the context decides
_GAINS = {"q": 2.0, "k": 2.0, "o": 2.0}  # attention looks at few tokens, and what it sees counts


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
    embedding[:, 1] = _CONSTANT * (np.arange(_CONFIG.vocab_size) == _LINE_BREAK)
    head = rng.normal(scale=_VARIETY / np.sqrt(_CONFIG.width), size=shape).astype(np.float32)
    head[:, 0] = _log_habits() / _first_coordinate()
    head[:, 1] = -_RELUCTANCE * (np.arange(_CONFIG.vocab_size) == _END)
    tensors = {
        layout.embedding: embedding,
        layout.head: head,
        layout.final_norm: np.ones(_CONFIG.width, np.float32),
    }
    for path, block_shape in weights.block_shapes(_CONFIG).items():
        for layer in range(_CONFIG.layers):
            gain = _GAINS.get(path.partition("/")[0], 1.0)
            tensors[layout.blocks[path].format(layer)] = _leaf(rng, block_shape, gain)
    return tensors


def _leaf(rng: np.random.Generator, shape: tuple[int, ...], gain: float) -> np.ndarray:
    """Return ones for a norm, and a matrix (out, in) that scales variance by about gain**2."""
    if len(shape) == 1:
        return np.ones(shape, np.float32)
    return rng.normal(scale=gain / np.sqrt(shape[0]), size=shape[::-1]).astype(np.float32)


def _first_coordinate() -> float:
    """Return about what the final norm makes of the constant coordinate."""
    others = (_CONFIG.width - 1) * _SPREAD**2
    return _CONSTANT / np.sqrt((_CONSTANT**2 + others) / _CONFIG.width)


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
