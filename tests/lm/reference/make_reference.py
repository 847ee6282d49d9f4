"""Make the reference models and logits of this directory with torch and transformers.

They are committed; this script says where they come from. It needs an environment of its own:

    python -m venv VENV
    VENV/bin/pip install torch==2.13.0 transformers==5.23.0 accelerate gguf==0.19.0
    VENV/bin/python tests/lm/reference/make_reference.py [SmolLM2-135M-Instruct.Q4_1.gguf]

For each of the small random models below it writes a Hugging Face directory and `expected.npz`: the
tokens of one conversation as transformers encodes it, and float32 logits after some of them. With
the GGUF file it writes `smollm2.npz` too: the same for SmolLM2 as transformers reads that file, for
the last tokens of the prompt and one in `_STRIDE` entries of the vocabulary.
"""

from __future__ import annotations

import json
import pathlib
import sys
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import tokenizers
import torch
import transformers
from tokenizers import decoders, models, normalizers, pre_tokenizers, trainers

_HERE = pathlib.Path(__file__).parent
_STRIDE = 97
_LAST = 4  # prompt positions kept of SmolLM2
_EVERY = 8  # one in so many positions is kept of the small models
_VOCABULARY = 320
_SHARD = "60KB"
_TEXTS = (
    "The capital of France is Paris. The capital of Italy is Rome, isn't it?",
    "What is 12 + 345? It's 357.\n\nAnswer with one word: sarcastic or not sarcastic.",
    "Sentiment of the sentence: positive, negative or neutral. They'll say it was the best film.",
)
MESSAGES = (
    ("system", "  Answer in one word; it's 2024.  "),
    ("user", "What is the capital of Italy?"),
    ("assistant", "Rome"),
    ("user", "  And 12 + 345, in\n\nfigures?\n"),
)
QUESTION = (("user", "What is the capital of France?"),)

_LLAMA3_CUT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_QWEN_CUT = _LLAMA3_CUT.replace("{1,3}", "")
_LLAMA3_TEMPLATE = """\
{{- bos_token }}
{%- if not date_string is defined %}
    {%- set date_string = "26 Jul 2024" %}
{%- endif %}
{%- if messages[0]['role'] == 'system' %}
    {%- set system_message = messages[0]['content']|trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set system_message = "" %}
{%- endif %}
{{- "<|start_header_id|>system<|end_header_id|>\\n\\nToday Date: " + date_string + "\\n\\n" }}
{{- system_message }}
{{- "<|eot_id|>" }}
{%- for message in messages %}
    {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' }}
    {{- message['content'] | trim + '<|eot_id|>' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}
{%- endif %}
"""
_QWEN_TEMPLATE = """\
{%- if messages[0]['role'] == 'system' %}
    {{- '<|im_start|>system\\n' + messages[0]['content'] + '<|im_end|>\\n' }}
{%- else %}
    {{- '<|im_start|>system\\nYou are a helpful assistant.<|im_end|>\\n' }}
{%- endif %}
{%- for message in messages %}
    {%- if message.role == "user" or (message.role == "system" and not loop.first) %}
        {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + '\\n' }}
    {%- elif message.role == "assistant" %}
        {{- '<|im_start|>assistant\\n' + message.content + '<|im_end|>\\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}
        {{- '<think>\\n\\n</think>\\n\\n' }}
    {%- endif %}
{%- endif %}
"""
_LLAMA_SPECIALS = (
    "<|begin_of_text|>",
    "<|start_header_id|>",
    "<|end_header_id|>",
    "<|eot_id|>",
)
_QWEN_SPECIALS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
_SIZES = {
    "vocab_size": _VOCABULARY,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
}


class Reference(NamedTuple):
    """One small random model."""

    config: transformers.PreTrainedConfig
    dtype: torch.dtype  # of the stored weights
    specials: tuple[str, ...]
    template: str
    cut: str
    normalizer: normalizers.Normalizer | None
    old_form: bool = False  # as transformers 4 wrote it: rope_scaling, template in a JSON file


def references() -> Mapping[str, Reference]:
    """Return the models: three architectures, tied and untied, every RoPE scaling, three dtypes."""
    llama3 = {
        "rope_type": "llama3",
        "rope_theta": 5e5,
        "factor": 8.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 32,
    }
    yarn = {
        "rope_type": "yarn",
        "rope_theta": 1e6,
        "factor": 4.0,
        "original_max_position_embeddings": 64,
    }
    linear = {"rope_type": "linear", "rope_theta": 1e4, "factor": 2.0}
    llama = (_LLAMA_SPECIALS, _LLAMA3_TEMPLATE, _LLAMA3_CUT, None)
    qwen = (_QWEN_SPECIALS, _QWEN_TEMPLATE, _QWEN_CUT, normalizers.NFC())
    llama_config, qwen2, qwen3 = (
        transformers.LlamaConfig,
        transformers.Qwen2Config,
        transformers.Qwen3Config,
    )
    return {
        "llama3": Reference(
            llama_config(**_SIZES, rope_parameters=llama3, tie_word_embeddings=True),
            torch.bfloat16,
            *llama,
        ),
        "llama_linear": Reference(
            llama_config(**_SIZES, rope_parameters=linear, tie_word_embeddings=False),
            torch.float16,
            *llama,
            old_form=True,
        ),
        "qwen2_yarn": Reference(
            qwen2(**_SIZES, rope_parameters=yarn, tie_word_embeddings=True),
            torch.bfloat16,
            *qwen,
            old_form=True,
        ),
        "qwen2": Reference(qwen2(**_SIZES, tie_word_embeddings=False), torch.float32, *qwen),
        "qwen3": Reference(
            qwen3(**_SIZES, head_dim=16, tie_word_embeddings=True), torch.bfloat16, *qwen
        ),
    }


def make(name: str, reference: Reference) -> None:
    """Write one directory."""
    directory = _HERE / name
    tokenizer = _tokenizer(reference)
    tokenizer.save_pretrained(directory)
    config = reference.config
    config.bos_token_id = tokenizer.bos_token_id
    config.eos_token_id = tokenizer.eos_token_id
    stored = _random_model(config).to(reference.dtype)
    stored.save_pretrained(directory, max_shard_size=_SHARD if name == "qwen2" else "1GB")
    if reference.old_form:
        _to_old_form(directory)
    # Read back, because converting a model to bfloat16 and back would round its RoPE frequencies.
    model = transformers.AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32)
    tokens = _chat_tokens(tokenizer, MESSAGES)
    positions = np.arange(len(tokens))[::-_EVERY][::-1]
    np.savez(
        directory / "expected.npz",
        tokens=np.asarray(tokens, np.int32),
        positions=positions,
        logits=_logits(model, tokens)[positions.tolist()].numpy(),
    )


def _tokenizer(reference: Reference) -> transformers.PreTrainedTokenizerFast:
    """Train a byte-level BPE tokenizer with the family's way to cut text."""
    tokenizer = tokenizers.Tokenizer(models.BPE())
    if reference.normalizer is not None:
        tokenizer.normalizer = reference.normalizer
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(tokenizers.Regex(reference.cut), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=_VOCABULARY,
        special_tokens=list(reference.specials),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_TEXTS, trainer)
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=reference.specials[0],
        eos_token=reference.specials[-1],
        chat_template=reference.template,
    )


def _random_model(config: transformers.PreTrainedConfig) -> transformers.PreTrainedModel:
    """Return a model whose every tensor is random, norms and biases included."""
    torch.manual_seed(0)
    model = transformers.AutoModelForCausalLM.from_config(config)
    with torch.no_grad():
        for parameter in model.parameters():
            is_vector = parameter.ndim == 1
            parameter.normal_(std=0.3 if is_vector else parameter.shape[-1] ** -0.5)
            parameter.add_(1.0 if is_vector else 0.0)
    return model


def _to_old_form(directory: pathlib.Path) -> None:
    """Rewrite a directory as transformers 4 would have written it."""
    config = _json(directory / "config.json")
    rope = config.pop("rope_parameters")
    config["rope_theta"] = rope.pop("rope_theta")
    config["rope_scaling"] = {"type": rope.pop("rope_type"), **rope}
    _write(directory / "config.json", config)
    template = directory / "chat_template.jinja"
    settings = _json(directory / "tokenizer_config.json")
    settings["chat_template"] = template.read_text("utf-8")
    _write(directory / "tokenizer_config.json", settings)
    template.unlink()


def make_smollm2(path: pathlib.Path) -> None:
    """Write smollm2.npz, the model and its tokenizer read by transformers from the GGUF file."""
    place = {"pretrained_model_name_or_path": str(path.parent), "gguf_file": path.name}
    tokenizer = transformers.AutoTokenizer.from_pretrained(**place)
    model = transformers.AutoModelForCausalLM.from_pretrained(**place, dtype=torch.float32)
    tokens = _chat_tokens(tokenizer, QUESTION)
    logits = _logits(model, tokens)[-_LAST:]
    top = logits.topk(10)
    answer = model.generate(torch.tensor([tokens]), max_new_tokens=12, do_sample=False)
    np.savez(
        _HERE / "smollm2.npz",
        tokens=np.asarray(tokens, np.int32),
        logits=logits[:, ::_STRIDE].numpy(),
        stride=np.asarray(_STRIDE),
        top_tokens=top.indices.numpy().astype(np.int32),
        top_logits=top.values.numpy(),
        text_tokens=np.asarray(tokenizer.encode(" ".join(_TEXTS)), np.int32),
        text=np.asarray(" ".join(_TEXTS)),
        answer=answer[0, len(tokens) :].numpy().astype(np.int32),
    )


def _chat_tokens(
    tokenizer: transformers.PreTrainedTokenizerFast, messages: tuple[tuple[str, str], ...]
) -> list[int]:
    turns = [{"role": role, "content": content} for role, content in messages]
    return tokenizer.apply_chat_template(
        turns, add_generation_prompt=True, enable_thinking=False, return_dict=False
    )


def _logits(model: transformers.PreTrainedModel, tokens: list[int]) -> torch.Tensor:
    with torch.no_grad():
        return model.eval()(torch.tensor([tokens])).logits[0]


def _json(path: pathlib.Path) -> Any:
    return json.loads(path.read_text("utf-8"))


def _write(path: pathlib.Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    for name, reference in references().items():
        make(name, reference)
    for argument in sys.argv[1:]:
        make_smollm2(pathlib.Path(argument))
