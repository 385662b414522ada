"""Training of a run: goes on where it stopped, keeps curves and films, leaves a policy."""

import fcntl
import os
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import IO, Final

import numpy as np

from mimic_core.errors import ConfigError, MimicError
from mimic_core.events import EventWriter
from mimic_rl.checkpoint import (
    SETTINGS,
    Settings,
    load_demonstrations,
    load_settings,
    restore_checkpoint,
    save_checkpoint,
    save_demonstrations,
    save_policy,
    save_settings,
    writing,
)
from mimic_rl.environment import Practice
from mimic_rl.evaluation import Learned, Replay, collect, imitate
from mimic_rl.film import Camera, write_film
from mimic_rl.ppo import Demonstrations, Learner, Report
from mimic_rl.run_folder import RUN_FILE, PracticeRun, load_run, run_text, save_run

_SHOWN_EPISODES: Final = 64  # that succeeded
_MOST_EPISODES: Final = 512  # among which they are sought
_IMITATION_STEPS: Final = 400
_LOCK: Final = 'lock'


class Training:
    """One training in a folder of its own. Equal settings give equal numbers, stopped or not."""

    def __init__(
        self,
        run: PracticeRun,
        settings: Settings,
        folder: Path,
        *,
        threads: int = 2,
        physics: str = 'threads',
        tell: Callable[[str], None] = lambda text: None,
    ) -> None:
        """Open a folder, which is made; go on from its newest checkpoint.

        Args:
            run: What is practised.
            settings: Of the training.
            folder: Where its files are.
            threads: Of the physics.
            physics: What moves it: see make_stepper.
            tell: Is told what takes minutes before the first step, demonstrations that are
                replayed and imitated, and what came of it.

        Raises:
            ConfigError: The folder holds a training with other settings, or of another run; or
                another process trains in it.
        """
        self._lock: Final = _locked(folder)
        if (folder / RUN_FILE).exists():
            _check_run(folder, run)
        save_run(run, folder)
        if (folder / SETTINGS).exists():
            _same(load_settings(folder), settings, folder)
        else:
            save_settings(settings, folder)
        self.folder: Final = folder
        self.settings: Final = settings
        self.physics: Final = physics
        learning = settings.learning
        self.practice: Final = Practice(
            run, settings.synergies, count=learning.environments, seed=settings.seed,
            threads=threads, physics=physics, params=settings.practice,
            randomisation=settings.randomisation,
        )  # fmt: skip
        began, processor = time.perf_counter(), time.process_time()
        shown = self._shown(tell) if learning.demonstration > 0.0 else None
        self.learner: Final = Learner(self.practice, learning, settings.seed, shown)
        self.resumed: Final = restore_checkpoint(self.learner, folder)
        if shown is not None and not self.resumed:
            tell(f'demonstrations: imitates {shown.inputs.shape[1]} of them')
            imitate(self.learner.actor, shown, _IMITATION_STEPS, settings.seed)
            self.learner.seconds += time.perf_counter() - began
            self.learner.processor += time.process_time() - processor
        self.no_films = ''  # why there are none
        with writing(folder / 'events'):
            # Steps after the checkpoint, of a process that was killed, are done and drawn again.
            self._events: Final = EventWriter(folder / 'events', self.learner.steps + 1)

    def close(self) -> None:
        """End the threads, close the files."""
        self._events.close()
        self.practice.close()
        self._lock.close()

    def run(
        self,
        steps: int,
        *,
        save_every: int = 20,
        film_every: int = 0,
        report: Callable[[Report], bool] | None = None,
    ) -> None:
        """Train until so many steps of the policy are done, in sum.

        Args:
            steps: Of all environments together.
            save_every: Updates between checkpoints.
            film_every: Steps between films; 0: none.
            report: Called after each update; False ends the training.

        Raises:
            ConfigError: The folder was moved or removed meanwhile.
            CheckpointError: The disk is full, or a file cannot be written; what was there stays.
        """
        learner = self.learner
        while learner.steps < steps:
            before = learner.steps
            result = learner.update()
            with writing(self._events.path):
                self._events.add(
                    result.steps, {f'practice/{k}': float(v) for k, v in asdict(result).items()}
                )
            if learner.updates % save_every == 0:
                self._save()
            wanted = film_every and before // film_every != learner.steps // film_every
            if wanted and not self.no_films:
                self._try_to_film()
            if report is not None and not report(result):
                break
        self._save()

    def film(self, path: Path) -> None:
        """Write a film of an episode of what is learned so far; training does not notice."""
        practice = Practice(
            self.practice.run, self.settings.synergies, count=1, seed=self.learner.steps,
            threads=1, params=self.settings.practice, randomisation=self.settings.randomisation,
        )  # fmt: skip
        practice.level = self.practice.level
        practice.start_level = self.practice.start_level
        practice.reset()
        camera, act, pictures = Camera(practice), Learned(self.learner.average), []
        for _ in range(practice.length - 1):
            pictures.append(camera.draw())
            if act(practice).done[0]:
                break
        camera.close()
        practice.close()
        write_film(pictures, path, self.settings.practice.control_rate)

    def _save(self) -> None:
        """Write checkpoint and policy, unless they would be the only files of another folder."""
        lock = self.folder / _LOCK
        if not lock.exists() or not os.path.samestat(lock.stat(), os.fstat(self._lock.fileno())):
            raise ConfigError(
                f'{self.folder} was moved or removed while it was practised: the training goes on '
                'from the last checkpoint with ./mimic practise train and the new name'
            )
        save_checkpoint(self.learner, self.folder, self.physics)
        save_policy(self.learner, self.folder)

    def _try_to_film(self) -> None:
        """Film if that is possible here; a training does not end for want of pictures."""
        try:
            self.film(self.folder / 'films' / f'{self.learner.steps:09d}.mp4')
        except (MimicError, OSError) as error:
            self.no_films = str(error)

    def _shown(self, tell: Callable[[str], None]) -> Demonstrations:
        """Return episodes of the replayed motion, for DAPG; kept in the folder."""
        kept = load_demonstrations(self.folder)
        if kept is not None:
            return kept
        tell(f'demonstrations: replays the shown motion up to {_MOST_EPISODES} times')
        practice = Practice(
            self.practice.run, self.settings.synergies, count=_SHOWN_EPISODES,
            seed=self.settings.seed + 1, threads=1, params=self.settings.practice,
            randomisation=self.settings.randomisation,
        )  # fmt: skip
        practice.level = self.settings.learning.level  # where practice begins
        shown, remark = collect(practice, Replay(aware=True), _SHOWN_EPISODES, most=_MOST_EPISODES)
        practice.close()
        if remark:
            tell(f'demonstrations: {remark}')
        save_demonstrations(shown, self.folder)
        return shown


def _locked(folder: Path) -> IO[str]:
    """Return a file that is locked as long as it is open: no other process trains in a folder.

    Raises:
        ConfigError: One does.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = (folder / _LOCK).open('w')
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise ConfigError(
            f'{folder}: another process trains here; wait for its end, or train under another '
            '--name'
        ) from None
    return file


def _check_run(folder: Path, run: PracticeRun) -> None:
    if run_text(load_run(folder, files=folder.parent)) != run_text(run):
        raise ConfigError(
            f'{folder / RUN_FILE}: that was practised here, and the run has changed since; train '
            'under another --name'
        )


def _same(there: Settings, wanted: Settings, folder: Path) -> None:
    pairs = [('seed', there.seed, wanted.seed)]
    for group in ('practice', 'randomisation', 'learning'):
        old, new = asdict(getattr(there, group)), asdict(getattr(wanted, group))
        pairs += [(name, old[name], new[name]) for name in old]
    changed = [f'{name} is {old}, not {new}' for name, old, new in pairs if old != new]
    if changed:
        raise ConfigError(
            f'{folder / SETTINGS}: {", ".join(changed)}; train under another --name to change it'
        )
    if not np.allclose(there.synergies.directions, wanted.synergies.directions):
        raise ConfigError(f'{folder / SETTINGS}: synergies are those of another hand')
