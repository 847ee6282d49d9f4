"""Whether a model can read a prompt together with the longest item of a task, and answer."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from fastslow import config, types
from fastslow.fast import prompt as prompts
from fastslow.lm import model as models
from fastslow.lm import template


class Room(NamedTuple):
    """The context of a model, and what the tasks' items take of it."""

    model: models.LanguageModel
    answer: int  # tokens that every answer may take
    bytes_of: Mapping[str, int]  # task name -> of its largest item: no text has more tokens
    longest_of: Callable[[str], types.Example]  # task name -> the item with the most tokens

    def lack(self, task_names: Iterable[str], prompt: types.Prompt) -> str | None:
        """Say which of the items cannot be read behind this prompt; None if all can.

        One that does not fit the context, or any if the chat template refuses the prompt's turns.
        """
        try:
            return self._lack(task_names, prompt)
        except template.TemplateError as error:
            return str(error)

    def _lack(self, task_names: Iterable[str], prompt: types.Prompt) -> str | None:
        context = self.model.config.max_context
        empty = self._read(prompt, "")
        for name in task_names:
            if empty + self.bytes_of[name] + self.answer > context:  # it may be, so look
                example = self.longest_of(name)
                answer = max(self.answer, len(self.model.chat.encode_answer(example.target)))
                needed = self._read(prompt, example.input) + answer
                if needed > context:
                    return f"{example.id!r} needs {needed} tokens, the model's context is {context}"
        return None

    def _read(self, prompt: types.Prompt, text: str) -> int:
        return sum(map(len, self.model.chat.encode(prompts.messages(prompt, text))))


def measure(model: models.LanguageModel, tasks: Mapping[str, types.Task], answer: int) -> Room:
    """Return the room for prompts; raises ConfigError where a seed prompt leaves an item none."""

    def items(name: str) -> Iterable[types.Example]:
        return itertools.chain(tasks[name].train, tasks[name].validation, tasks[name].test)

    @functools.cache
    def longest_of(name: str) -> types.Example:
        written = functools.cache(model.chat.encode_answer)  # of plain text: faster than a chat

        def tokens(example: types.Example) -> int:
            read = len(model.chat.encode_answer(example.input))
            return read + max(answer, len(written(example.target)))

        return max(items(name), key=tokens)

    bytes_of = {
        name: max(len((example.input + example.target).encode()) for example in items(name))
        for name in tasks
    }
    room = Room(model, answer, bytes_of, longest_of)
    for name, task in tasks.items():
        if lack := room.lack([name], task.seed_prompt):
            raise config.ConfigError(
                f"task {name!r}, behind its seed prompt: {lack}. Shorten the item, the prompt or "
                "max_tokens, or take a --model that reads more"
            )
    return room
