from __future__ import annotations

import pytest

from fastslow import types
from fastslow.lm import template

TURNS = (types.Message("user", "a <b> & 'é'"), types.Message("assistant", "c"))


def render(text: str, ask: bool = True, **variables: str) -> str:
    return template.compile_template(text, variables)(TURNS, ask)


def test_variables_are_those_of_transformers():
    assert render("{{ bos_token }}{{ messages[0].content }}", bos_token="<s>") == "<s>a <b> & 'é'"
    assert render("{% if add_generation_prompt %}ask{% endif %}", ask=True) == "ask"
    assert render("{% if add_generation_prompt %}ask{% endif %}", ask=False) == ""
    assert render("{{ tools is none }} {{ documents is none }}") == "True True"
    assert render("{{ enable_thinking }}") == "False"


def test_blocks_leave_no_white_space():
    assert render("  {% for m in messages %}\n{{ m.role }};\n  {% endfor %}\n") == (
        "user;\nassistant;\n"
    )


def test_tojson_writes_json_and_not_html():
    assert render("{{ messages[0] | tojson }}") == '{"role": "user", "content": "a <b> & \'é\'"}'
    assert render("{{ {'b': 1, 'a': 2} | tojson(indent=1) }}") == '{\n "b": 1,\n "a": 2\n}'


def test_loop_controls_and_generation_tags_are_known():
    text = "{% for m in messages %}{% if loop.last %}{% break %}{% endif %}{{ m.role }}{% endfor %}"
    assert render(text) == "user"
    assert render("{% generation %}{{ messages[1].content }}{% endgeneration %}!") == "c!"


def test_the_clock_stands_still():
    assert render("{{ strftime_now('%d %b %Y') }}") == "26 Jul 2024"


def test_refusal_of_the_template_is_an_error_with_its_words():
    with pytest.raises(template.TemplateError, match=r"\(user, assistant\): no such role"):
        render("{{ raise_exception('no such role') }}")
    with pytest.raises(template.TemplateError, match="refuses"):
        render("{{ 1 + messages[0].content }}")
    with pytest.raises(template.TemplateError, match="refuses"):
        render("{{ nothing.content }}")
    with pytest.raises(template.TemplateError, match=r"refuses.*division"):
        render("{{ 1 // 0 }}")


def test_template_that_does_not_parse_is_an_error_at_once():
    with pytest.raises(template.TemplateError, match="not valid Jinja"):
        template.compile_template("{% for %}", {})


@pytest.mark.parametrize(
    "attack",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ messages.append(1) }}",
        "{{ raise_exception.__globals__.json }}",
        "{{ cycler.__init__.__globals__ }}",
    ],
)
def test_the_sandbox_holds(attack):
    with pytest.raises(template.TemplateError):
        render(attack)
