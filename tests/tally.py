"""What became of the jobs that the tests killed."""

from __future__ import annotations

from attrs import asdict, define, field


@define
class Tally:
    """
    Counts what must not be.

    Attributes:
        points: Moments at which a job was killed or stopped.

        lost: Results that never came.

        differing: Results that are not those of an undisturbed job.

        doubled: Results that came again, though their acceptance had been noted.

        again: Results that came again because their acceptance could not be noted,
            which the platform takes (contract, section 9.3).

        seeds: Of moments that were drawn.
    """

    points: int = 0
    lost: int = 0
    differing: int = 0
    doubled: int = 0
    again: int = 0
    seeds: list[int] = field(factory=list)

    def count(
        self,
        expected: object,
        accepted: list[object],
        *,
        points: int,
        unnoted: bool = False,
    ) -> None:
        """
        Count a result after so many *points*, and fail if it is not as it must be.

        Args:
            expected: The result of an undisturbed job.

            accepted: What the back-end has accepted.

            points: How often the job was killed or stopped.

            unnoted: Whether it may have been killed before it could note a delivery.
        """
        self.points += points
        self.lost += not accepted
        self.differing += any(result != expected for result in accepted)
        more = max(len(accepted) - 1, 0)
        self.again += more if unnoted else 0
        self.doubled += 0 if unnoted else more
        assert [expected] == accepted[:1]
        assert unnoted or len(accepted) == 1
        assert all(result == expected for result in accepted)

    def add(self, other: dict[str, object]) -> None:
        """Add the counts that another process has made a dictionary of."""
        for name, value in asdict(self).items():
            setattr(self, name, value + other[name])

    def lines(self) -> list[str]:
        """Return the report."""
        told = {
            "points tried": self.points,
            "results lost": self.lost,
            "results doubled": self.doubled,
            "results that differ": self.differing,
            "sent again, as the acceptance could not be noted": self.again,
        }
        seeds = ", ".join(map(str, self.seeds))
        return [f"{name}: {n}" for name, n in told.items()] + [f"seeds: {seeds}"]
