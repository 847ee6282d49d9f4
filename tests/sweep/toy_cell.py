"""A stand-in for experiments.cell: the same loop, lock, resume and statuses over the toy learner.

Seed 13 fails. FASTSLOW_TOY_PAUSE is the seconds that every lesson takes beside its own time.
"""

import argparse
import os
import pathlib
import sys
import time

from fastslow import checkpoint, config, run, run_directory, run_state, scheduler
from fastslow.report import happenings, records
from fastslow.sweep import cells, process
from tests import toy


def pause(happening):
    if isinstance(happening, happenings.LessonStarted):
        time.sleep(float(os.environ.get("FASTSLOW_TOY_PAUSE", "0")))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--workdir", type=pathlib.Path)
    directory = parser.parse_args().workdir
    process.die_with(sys.stdin.fileno())
    try:
        with run_directory.locked(directory):
            carry_out(cells.read_settings(directory), directory)
    except run_directory.InUseError:
        sys.exit(process.IN_USE_STATUS)


def carry_out(settings, directory):
    if settings.seed == 13:
        print("error: seed 13 brings bad luck", file=sys.stderr)
        sys.exit(2)
    policy = scheduler.SCHEDULERS.build(settings.scheduler.name, settings.scheduler.options)
    made = run.Experiment(toy.Stream(), toy.LEARNER, policy, config.Evaluation(), settings.seed)
    events = len(list(made.stream.events()))
    run_directory.write_config(directory, {"config": config.to_json(settings)}, events)
    state = run_state.init(made.learner, policy, made.seed)
    position = checkpoint.latest(directory)
    if position is not None:
        print(f"resumed at {position}")
        arrays = run_state.save(state, made.learner).arrays
        state = run_state.restore(checkpoint.restore(directory, position, arrays), made.learner)
    records.truncate_after(directory, state.position)
    run.run(made, state, directory, pause)
    run_directory.mark_done(directory)


if __name__ == "__main__":
    main()
