"""A model as a directory that Hugging Face transformers, and `lm.huggingface`, read."""

from __future__ import annotations

import pathlib

import safetensors.numpy
import tokenizers
from tokenizers import processors

from fastslow import files, types
from fastslow.export import contracts
from fastslow.lm import chat, huggingface, weights
from fastslow.lm import config as lm_config
from fastslow.lm import model as models

_HOW = """\
A Hugging Face directory, also for fastslow (`--model={name}`):

```python
import transformers
model = transformers.AutoModelForCausalLM.from_pretrained("{name}")
tokenizer = transformers.AutoTokenizer.from_pretrained("{name}")
```
"""
_THINKING = """
The run asked without thinking: `tokenizer.apply_chat_template(..., enable_thinking=False)`.
"""


def write(directory: pathlib.Path, model: models.LanguageModel, params: types.PyTree) -> None:
    """Write `params`, with the configuration and the chat of `model`.

    Kernels and embedding are stored in their dtype, norm scales and biases in float32. Raises
    ExportError for a model that no supported architecture describes, or without a tokenizer.
    """
    if not isinstance(model.chat, chat.ChatFormat):
        raise contracts.ExportError(f"model {model.name!r} has no tokenizer that can be written")
    try:
        described = config_json(model.config)
    except ValueError as error:
        raise contracts.ExportError(f"model {model.name!r}: {error}") from error
    dtype = params["embed"]["embedding"].dtype.name
    special = _special_tokens(model.chat)
    documents = {
        "config.json": described | {"torch_dtype": dtype} | special,
        "generation_config.json": special,
        "tokenizer_config.json": _tokenizer_config(model.chat.spec, model.config),
    }
    for name, document in documents.items():
        files.write_json_atomic(directory / name, document)
    files.write_text_atomic(directory / "tokenizer.json", _tokenizer_json(model.chat.spec))
    tensors = weights.named(model.config, huggingface.LAYOUT, params)
    content = safetensors.numpy.save(tensors, {"format": "pt"})
    files.write_bytes_atomic(directory / "model.safetensors", content)


def how_to_load(name: str, model: models.LanguageModel) -> str:
    """Return Markdown that says how to load the directory called `name`."""
    thinks = (
        isinstance(model.chat, chat.ChatFormat) and "enable_thinking" in model.chat.spec.template
    )
    return _HOW.format(name=name) + (_THINKING if thinks else "")


def config_json(config: lm_config.DecoderConfig) -> dict[str, types.Json]:
    """Return what `huggingface.decoder_config` reads as `config`, in a form old and new.

    transformers 5 still reads `rope_scaling` and `rope_theta`, which transformers 4 needs. Raises
    ValueError where no architecture has these variants.
    """
    architecture = huggingface.architecture(config)
    described = {
        "architectures": [architecture],
        "model_type": architecture.removesuffix("ForCausalLM").lower(),
        "vocab_size": config.vocab_size,
        "hidden_size": config.width,
        "intermediate_size": config.ffn_width,
        "num_hidden_layers": config.layers,
        "num_attention_heads": config.heads,
        "num_key_value_heads": config.kv_heads,
        "head_dim": config.head_dim,
        "max_position_embeddings": config.max_context,
        "rms_norm_eps": config.norm_eps,
        "rope_theta": config.rope.theta,
        "tie_word_embeddings": config.tied,
    }
    scaling = _rope_scaling(config)
    return described | ({"rope_scaling": scaling} if scaling else {})


def _rope_scaling(config: lm_config.DecoderConfig) -> dict[str, types.Json]:
    """Return `rope_scaling`; factors one by one are a longrope that is the same at any length."""
    if config.rope.scaling == "none":
        return {}
    given: dict[str, types.Json] = dict(config.rope.parameters)
    if config.rope.scaling == "factors":
        factors = list(config.rope.factors)
        return {
            "rope_type": "longrope",
            "short_factor": factors,
            "long_factor": factors,
            "factor": 1.0,
            "attention_factor": lm_config.attention_scale(config.rope),
            "original_max_position_embeddings": config.max_context,
        }
    original = "original_max_position_embeddings"
    lengths = {original: int(given[original])} if original in given else {}
    return {"rope_type": config.rope.scaling, **given, **lengths}


def _special_tokens(chat_format: chat.ChatFormat) -> dict[str, types.Json]:
    """Return the ids that start a text and end an answer.

    That a line break ends it belongs to the flat format of a model without a template.
    """
    spec = chat_format.spec
    start = {"bos_token_id": chat_format.tokenizer.token_to_id(spec.bos)} if spec.bos else {}
    ends = (*spec.stop_tokens, *([chat_format.end_of_turn] if spec.template else []))
    return start | ({"eos_token_id": list(dict.fromkeys(ends))} if ends else {})


def _tokenizer_config(
    spec: chat.ChatSpec, config: lm_config.DecoderConfig
) -> dict[str, types.Json]:
    texts = {"bos_token": spec.bos, "eos_token": spec.eos, "chat_template": spec.template}
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": config.max_context,
        "clean_up_tokenization_spaces": False,
        **{key: text for key, text in texts.items() if text},
        # Said only where it is so: transformers rebuilds the tokenizer's own rule when told either.
        **({"add_bos_token": True} if spec.adds_bos else {}),
    }


def _tokenizer_json(spec: chat.ChatSpec) -> str:
    """Return the file as it was, with the rule that starts a text where only a flag said so."""
    tokenizer = tokenizers.Tokenizer.from_str(spec.tokenizer)
    start = tokenizer.token_to_id(spec.bos)
    if not spec.adds_bos or start is None or chat.starts_with(tokenizer, spec.bos):
        return spec.tokenizer
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{spec.bos} $A",
        pair=f"{spec.bos} $A {spec.bos} $B",
        special_tokens=[(spec.bos, start)],
    )
    return tokenizer.to_str()
