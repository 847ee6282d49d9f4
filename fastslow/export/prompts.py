"""Prompts as DSPy programs, and as Markdown."""

from __future__ import annotations

import pathlib

from fastslow.export import contracts
from fastslow.fast import dspy_bridge
from fastslow.fast import prompt as prompt_lib

_HOW = """\
`TASK.json` is the best prompt of a task as the state of a DSPy program, `TASK.md` the same to read:

```python
import dspy
predict = dspy.Predict("input -> output")
predict.load("TASK.json")  # its signature's instructions and its demos
```

The lessons of a prompt are part of the instructions, whose white space DSPy normalises; the
Markdown has every text as it was. DSPy's own adapters add markup around the texts: to ask in the
very words that the model was taught with, use `dspy.context(adapter=dspy_bridge.PlainAdapter())`
of `fastslow.fast`.
"""


def prompts(learned: contracts.Learned, directory: pathlib.Path) -> str:
    """The best prompt of every task, as a DSPy program (JSON) and as Markdown."""
    for name, prompt in learned.prompts.items():
        prompt_lib.write(directory / f"{name}.md", prompt)
        try:
            dspy_bridge.program(prompt).save(directory / f"{name}.json")
        except RuntimeError as error:  # text that is no valid Unicode
            raise contracts.ExportError(
                f"the prompt of task {name!r} cannot be a DSPy program: {error}"
            ) from error
    return _HOW
