"""The training loop that every torch model of Palate stands on.

A model brings a `Task`: a module, its batches of an epoch (places of rows, so that a batch can be shared by several
processes), the loss of a batch, and a measure on validation rows. `train` does the rest: seeds, steps, warm-up,
clipping, early stopping, the best state, checkpoints, progress.

    a step      the gradient of (sum of losses) / (how many), over the batch of all processes together
    an epoch    starts from its own seeds, of `seed` and its number alone: so a run that goes on after the last
                whole epoch is the run that was never stopped; on a processor, with as many threads and processes,
                to the bit
    a round     an epoch may be cut into several: each ends with a measure and a checkpoint
    several     under `torchrun`, each process takes its share of every batch, gradients are added up and measures are
    processes   the mean of all; the first one writes the checkpoint, and all read it
"""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from palate.errors import PalateError, PalateWarning, PlanError, SavedModelError
from palate.neural import checkpoint, devices, processes
from palate.neural.adam import AdamW
from palate.neural.choices import Device, Precision, Schedule
from palate.neural.told import measure
from palate.progress import progress, tell


class Task(Protocol):
    """What is learned."""

    @property
    def module(self) -> nn.Module:
        """What has the weights."""

    def batches(self, rng: np.random.Generator) -> Sequence[NDArray[np.int64]]:
        """Return the batches of an epoch: places of rows."""

    def validate(self) -> dict[str, float]:
        """Return measures of validation rows, first the one that stops, higher is better; empty without such rows."""


class Whole(Task, Protocol):
    """A task whose batch has one graph of gradients."""

    def loss(self, rows: NDArray[np.int64], rng: np.random.Generator) -> tuple[Tensor, int]:
        """Return the sum of the losses of rows, and of how many. `rng` is the same in all processes."""


@runtime_checkable
class InParts(Task, Protocol):
    """A task whose batch is too large for that."""

    def parts(
        self, rows: NDArray[np.int64], mine: NDArray[np.int64], rng: np.random.Generator
    ) -> Iterator[tuple[Tensor, int]]:
        """Yield what adds up to the loss of `mine`, this process's share of the batch `rows`, and of how many.

        The gradient of each part is made before the next part is asked for.
        """

    def told(self) -> dict[str, float]:
        """Return more figures of what was learned since `batches` was called, by name."""


_DROPS = 2  # times that the rate falls on a plateau


@dataclass(frozen=True)
class Course:
    """How to train."""

    epochs: int
    learning_rate: float
    seed: int
    weight_decay: float = 0.0
    """decoupled (AdamW)"""
    betas: tuple[float, float] = (0.9, 0.98)
    warmup: int = 0
    """steps in which the learning rate rises evenly from 0"""
    schedule: Schedule = "constant"
    """after the warm-up; cosine falls to a hundredth at the last epoch; plateau, where it would stop, goes back to the
    best state and on at a third of the rate, twice"""
    clip: float = 0.0
    """the longest gradient; 0: any"""
    rounds: int = 1
    """measures and checkpoints an epoch"""
    patience: int = 10
    """rounds without a better validation before it stops"""
    device: Device = "auto"
    precision: Precision = "float32"
    unit: str = "events"
    checkpoint: Path | None = None
    """folder of the state after each round; what stands there is gone on with"""
    identity: str = ""
    """of the task: a checkpoint of another is refused"""
    about: Mapping[str, Any] = field(default_factory=dict)
    """`model` and its parameters: what a refusal of a checkpoint says of it"""
    advice: str = "Lower the batch."
    """what to do when memory runs out"""
    remedy: str = "Lower learning_rate."
    """what to do when the loss is no finite number"""


Note = Callable[..., None]
"""Is told the figures of each epoch by name; of a training that goes on, also those of the epochs before."""


def train(task: Whole | InParts, course: Course, note: Note) -> None:
    """Train `task.module` in place; it ends in the best state by validation, or the last where there is none.

    A loss or a weight that is no finite number ends training with a warning, in the last good state: one after which a
    loss was finite.

    Raises:
        PalateError: there is no such state.
        OutOfMemory: memory ran out.
        PlanError: more rounds than an epoch has steps.
        SavedModelError: the checkpoint is torn, of another task, or further on than `epochs`.
        KeyboardInterrupt: Ctrl-C; where there is a checkpoint, with a note that says so.

    """
    device = devices.pick(course.device)
    with devices.enough_memory(course.advice), devices.own_random(course.seed, device):
        _Run(task, course, note, device).all_epochs()


class _Run:
    """One training: what changes while it goes."""

    def __init__(self, task: Whole | InParts, course: Course, note: Note, device: torch.device) -> None:
        self.task, self.course, self.note, self.device = task, course, note, device
        self.module = task.module.to(self.device)
        self.parameters = [one for one in self.module.parameters() if one.requires_grad]
        self.rank, self.processes = processes.join(device)
        self.optimiser = AdamW(self.parameters, betas=course.betas, weight_decay=course.weight_decay)
        self.threads = devices.threads()
        self.round, self.step, self.since_best, self.drops = 0, 0, 0, 0
        self.best_value, self.judged_by = -math.inf, ""
        self.best: dict[str, Tensor] = {}
        self.before: dict[str, Tensor] | None = None
        """the best state before this one, while no finite loss has shown that this one is sound"""
        self.seconds, self.cpu_seconds = 0.0, 0.0
        self.kept = 0
        """rounds that the checkpoint holds"""
        self.told: list[dict[str, float]] = []

    def all_epochs(self) -> None:
        """Go through the epochs that are left."""
        course, rounds = self.course, self.course.rounds
        self._resume()
        before = torch.get_num_threads()
        try:
            self._rounds()
        except KeyboardInterrupt as stop:
            if self.kept:
                stop.add_note(
                    f"The state after epoch {self.kept / rounds:g} is in {course.checkpoint}: the same command goes on "
                    "from there."
                )
            raise
        finally:
            torch.set_num_threads(before)
        self._load(self.best)

    def _rounds(self) -> None:
        course, rounds = self.course, self.course.rounds
        what = (
            f"Training from epoch {self.round // rounds + 1} to {course.epochs}"
            if self.round
            else f"Training {course.epochs} epochs"
        )
        with progress(what, total=course.epochs - self.round // rounds, unit="epochs") as advance:
            while self.round < course.epochs * rounds and not self._patience_is_over():
                begun, begun_cpu = time.perf_counter(), time.process_time()
                numbers = self._one_round(advance)
                if not math.isfinite(numbers["loss"]):
                    self._refuse(numbers)
                    break
                self.module.eval()
                measured = self._agreed(self.task.validate())
                self._judge(measured)
                self.round += 1
                self.seconds += time.perf_counter() - begun
                self.cpu_seconds += time.process_time() - begun_cpu
                spent = {"seconds": self.seconds, "cpu_seconds": self.cpu_seconds}
                epoch = self.round if rounds == 1 else self.round / rounds
                self.told.append({"epoch": epoch, **numbers, **measured, **spent})
                self.note(**self.told[-1])
                self._drop()
                self._keep()

    def _one_round(self, advance: Callable[..., None]) -> dict[str, float]:
        epoch, part = divmod(self.round, self.course.rounds)
        seed = int(np.random.SeedSequence([self.course.seed, epoch]).generate_state(1)[0])
        devices.seed(seed + self.rank + 2**32 * part, self.device)
        rng = np.random.default_rng(seed)
        whole = self.task.batches(rng)
        if len(whole) < self.course.rounds:
            raise PlanError(
                f"rounds = {self.course.rounds:,}, and an epoch has {len(whole):,} steps: give at most as many, or a "
                "smaller batch."
            )
        if self.course.rounds > 1:
            rng = np.random.default_rng([seed, part])
        batches = whole[
            part * len(whole) // self.course.rounds : (part + 1) * len(whole) // self.course.rounds
        ]
        torch.set_num_threads(
            self.threads
        )  # parallel loops of numba share OpenMP with torch, and set their own number
        self.module.train()
        losses, events, begun = 0.0, 0, time.perf_counter()
        for place, rows in enumerate(batches):
            loss, count = self._one_step(rows, rng, len(whole))
            if not math.isfinite(loss):
                return {"loss": loss, "step": place + 1, "steps": len(batches)}
            self.before = None
            losses += loss
            events += count
            speed = events / max(time.perf_counter() - begun, 1e-9)
            advance(
                1 / len(whole),
                f"loss {losses / events:.4f}, {speed:,.0f} "
                f"{self.course.unit}/s{self._told_words()}{self._best_words()}",
            )
        if self._broken():
            return {"loss": math.nan, "step": len(batches), "steps": len(batches)}
        return {
            "loss": losses / max(events, 1),
            f"{self.course.unit}_per_second": events / (time.perf_counter() - begun),
            **self._agreed(self._more()),
        }

    def _broken(self) -> bool:
        """Return whether a weight is no finite number, in any process."""
        sound = [torch.isfinite(processes.own(one)).all() for one in self.parameters]
        broken = (~torch.stack(sound)).any().float().reshape(1)
        self._added(broken)
        return bool(broken)

    def _one_step(self, rows: NDArray[np.int64], rng: np.random.Generator, steps: int) -> tuple[float, int]:
        """Move once; returns the batch's sum of losses and how many they are."""
        for one in self.parameters:
            one.grad = None
        found = torch.zeros(2, device=self.device)
        for loss, count in self._parts(rows, rows[self.rank :: self.processes], rng):
            if loss.requires_grad:
                loss.backward()  # type: ignore[no-untyped-call]
            found += torch.stack([loss.detach().float(), torch.full_like(loss, count, dtype=torch.float32)])
        # Read when all of the step is on its way to the card, so that the card does not wait.
        self._added(found)
        total, events = float(found[0]), int(found[1])
        if math.isfinite(total) and events:
            gradients = [torch.zeros_like(one) if one.grad is None else one.grad for one in self.parameters]
            self._added(*gradients)
            for one, gradient in zip(self.parameters, gradients, strict=True):
                one.grad = gradient.div_(events)
            if self.course.clip:
                shorter = (self.course.clip / (processes.length(gradients) + 1e-6)).clamp(max=1.0)
                for gradient in gradients:
                    processes.own(gradient).mul_(shorter)
            self.optimiser.step(self.course.learning_rate * self._slope(steps))
            self.step += 1
        return total, events

    def _parts(
        self, rows: NDArray[np.int64], mine: NDArray[np.int64], rng: np.random.Generator
    ) -> Iterator[tuple[Tensor, int]]:
        """Yield losses whose gradients add up: one, or as many as the task cuts its batch into."""
        if not isinstance(self.task, InParts):
            with devices.autocast(self.device, self.course.precision):
                part = self.task.loss(mine, rng)
            yield part
            return
        parts = self.task.parts(rows, mine, rng)
        while True:
            with devices.autocast(self.device, self.course.precision):
                following = next(parts, None)
            if following is None:
                return
            yield following

    def _slope(self, steps: int) -> float:
        """Return the share of the learning rate at this step."""
        course = self.course
        if self.step < course.warmup:
            return (self.step + 1) / course.warmup
        if course.schedule != "cosine":
            return float(3**-self.drops)
        done = (self.step - course.warmup) / max(course.epochs * steps - course.warmup, 1)
        return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))

    # --- validation and the best state ------------------------------------------------------------------------

    def _judge(self, measured: dict[str, float]) -> None:
        self.judged_by, value = next(iter(measured.items()), ("", math.inf))
        if value > self.best_value or not measured:
            self.best_value, self.since_best, self.before = value, 0, self.best
            self.best = {name: tensor.detach().clone() for name, tensor in self.module.state_dict().items()}
        else:
            self.since_best += 1

    def _patience_is_over(self) -> bool:
        return self.since_best >= self.course.patience

    def _drop(self) -> None:
        """On a plateau, go back to the best state, and on in smaller steps."""
        if self.course.schedule == "plateau" and self._patience_is_over() and self.drops < _DROPS:
            self.drops, self.since_best = self.drops + 1, 0
            self._load(self.best)

    def _best_words(self) -> str:
        if not math.isfinite(self.best_value):
            return ""
        return f", best {measure(self.judged_by)} {self.best_value:.4f}"

    def _more(self) -> dict[str, float]:
        return self.task.told() if isinstance(self.task, InParts) else {}

    def _told_words(self) -> str:
        return "".join(f", {name.replace('_', ' ')} {value:,.4g}" for name, value in self._more().items())

    def _load(self, state: dict[str, Tensor]) -> None:
        if state:
            self.module.load_state_dict(state)

    def _refuse(self, numbers: dict[str, float]) -> None:
        where = f"in epoch {self.round // self.course.rounds + 1}, step {numbers['step']:,} of {numbers['steps']:,}"
        if self.before is not None:
            self.best = self.before
        if not self.best:
            raise PalateError(
                f"the loss is {numbers['loss']} {where}: there is no good state to keep. {self.course.remedy}"
            )
        warnings.warn(
            f"the loss is {numbers['loss']} {where}; the best state until then is kept. {self.course.remedy}",
            PalateWarning,
            stacklevel=6,
        )

    # --- checkpoints ------------------------------------------------------------------------------------------

    def _keep(self) -> None:
        if self.course.checkpoint is None:
            return
        tensors = {f"module.{name}": tensor for name, tensor in self.module.state_dict().items()}
        tensors |= {f"best.{name}": tensor for name, tensor in self.best.items()}
        tensors |= {f"optimiser.{name}": tensor for name, tensor in self.optimiser.state().items()}
        tensors = {
            name: processes.whole(tensor) for name, tensor in tensors.items()
        }  # all processes together
        if self.rank:
            return
        numbers = {name: getattr(self, name) for name in _NUMBERS}
        told = {
            "identity": self._identity, "about": dict(self.course.about), "judged_by": self.judged_by,
            "sound": self.before is None,
        }  # fmt: skip
        checkpoint.write(self.course.checkpoint, tensors, {**told, **numbers})
        self.kept = self.round

    @property
    def _identity(self) -> str:
        return f"{_NUMERICS}/{self.course.identity}"

    def _resume(self) -> None:
        if self.course.checkpoint is None:
            return
        kept = checkpoint.read(self.course.checkpoint, self._identity, self.course.about)
        begun = torch.tensor([0.0 if kept is None else kept[1]["round"]], device=self.device)
        if float(self._mean(begun**2) - self._mean(begun) ** 2) > 1e-6:
            raise SavedModelError(
                f"the processes do not see one checkpoint in {self.course.checkpoint}: give a folder on a disk that "
                "all of them share."
            )
        if kept is None:
            return
        if kept[1]["round"] > self.course.epochs * self.course.rounds:
            raise SavedModelError(
                f"the checkpoint in {self.course.checkpoint} is of {kept[1]['round'] / self.course.rounds:g} epochs, "
                f"and epochs = {self.course.epochs:,}: give another folder, or as many epochs."
            )
        tensors, numbers = kept
        parts: dict[str, dict[str, Tensor]] = {"module": {}, "best": {}, "optimiser": {}}
        for name, tensor in tensors.items():
            part, _, rest = name.partition(".")
            parts[part][rest] = tensor
        try:
            self._load(self._as_here(parts["module"]))
        except RuntimeError as error:
            raise SavedModelError(
                f"the checkpoint in {self.course.checkpoint} has other weights than this network: give another folder, "
                "or remove it to start anew."
            ) from error
        self.best = self._as_here(parts["best"])
        self.optimiser.load(parts["optimiser"])
        for name in _NUMBERS:
            setattr(self, name, numbers[name])
        self.judged_by = numbers.get("judged_by", "")
        if not numbers.get("sound", self.since_best > 0):
            self.before = {}  # what was best before it is not kept on the disk
        for row in self.told:
            self.note(**row)
        self.kept = self.round
        if not self.rank:
            tell(f"going on from {self.course.checkpoint} after epoch {self.round / self.course.rounds:g}")

    def _as_here(self, state: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return whole weights as they are kept here: on this device, shared out where they are."""
        there = self.module.state_dict()
        return {
            name: processes.like(one.to(self.device), there[name]) if name in there else one
            for name, one in state.items()
        }

    # --- several processes ------------------------------------------------------------------------------------

    def _added(self, *tensors: Tensor) -> None:
        if self.processes > 1:
            processes.add(tensors)

    def _mean(self, tensor: Tensor) -> Tensor:
        """Return the mean of what the processes hold."""
        whole = tensor.clone()
        self._added(whole)
        return whole / self.processes

    def _agreed(self, measured: dict[str, float]) -> dict[str, float]:
        """Return the mean of what the processes measured, so that all of them stop together."""
        if self.processes == 1:
            return measured
        values = self._mean(torch.tensor([*measured.values()], device=self.device))
        return dict(zip(measured, values.tolist(), strict=True))


_NUMERICS = 6
"""Raised when a training comes to other bits than before: what an older one left is then not gone on with."""
_NUMBERS = ("round", "step", "since_best", "drops", "best_value", "seconds", "cpu_seconds", "told")
