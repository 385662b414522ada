"""How many demonstrations are wanted, how many there are, and when to give up."""

from dataclasses import dataclass, field


@dataclass
class Collection:
    """Counts trials until enough of them succeeded, or too many failed."""

    wanted: int
    seed: int  # of the first trial; the others follow
    tries: int  # [1] trials for each demonstration that is wanted, at most
    done: list[bool] = field(default_factory=list)  # of each trial whether it is kept

    @property
    def kept(self) -> int:
        """Demonstrations that are there."""
        return sum(self.done)

    @property
    def next_seed(self) -> int:
        """Of the next trial."""
        return self.seed + len(self.done)

    @property
    def failure(self) -> str | None:
        """How it ended: '' when all are there, why when they will not be, None before."""
        if self.kept >= self.wanted:
            return ''
        if len(self.done) >= self.wanted * self.tries:
            return f'{self.kept} of {len(self.done)} trials succeeded, {self.wanted} are wanted'
        return None
