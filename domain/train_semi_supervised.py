"""
The job where few records have labels: the model labels the others as it gets surer.

Trained on the labelled ones, it says what it sees in the rest.  What it is sure of
joins the training part, and it is trained again, round after round.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from attrs import evolve, field, frozen

from domain.bad_records import BadRecordPolicy
from domain.batches import Array
from domain.identity import identity
from domain.intake import Intake
from domain.keeping import Keeping, epoch_listener
from domain.labelling import Labelling
from domain.mini_batches import Rows
from domain.phases import Phase, PhaseListener, log_phase
from domain.reading import open_stream
from domain.remarks import log_stream, warn_of_empty_parts
from domain.report import TrainingReport
from domain.request import DeploymentId, TrainingRequest
from domain.selection import Selection, selections
from domain.serving import hand_in_once, serve_first
from domain.split import Split, SplitRule
from domain.unlabelled import FeaturesOnly
from ports import (
    ControlSource,
    Dataset,
    Decoder,
    DecoderFactory,
    Journal,
    Labeller,
    ModelRepository,
    RejectedRecords,
    ResultSink,
    Run,
    Sampler,
    Spool,
    SpoolFactory,
    StreamSource,
    Trainer,
)

log = logging.getLogger(__name__)


@frozen
class TrainSemiSupervised:
    """
    Train one deployment's model on the labelled and unlabelled records announced.

    A process that dies leaves both streams to the next one, which trains anew.

    Attributes:
        supervised: Serves a request without unlabelled records, given the untrained
            model, its outline and the request.

        split: How the labelled stream is shared out.

        labeller: Says which guesses become labels.

        rounds: How often examples are labelled, at most.

        sampler: Which labelled examples the parts get, if not those that follow each
            other.

        order: Returns positions of the training part in the order of an epoch, which
            counts on from round to round.

        wants_confusion_matrix: Whether the platform asked for one.

        clock: Seconds from any fixed point, for the training time.
    """

    supervised: Callable[[Path, str, TrainingRequest], TrainingReport]
    deployment_id: DeploymentId
    control_source: ControlSource
    stream_source: StreamSource
    decoder_for: DecoderFactory
    spool_for: SpoolFactory
    split: SplitRule
    model_repository: ModelRepository
    trainer: Trainer
    result_sink: ResultSink
    journal: Journal
    labeller: Labeller
    rounds: int
    fingerprint: str = ""
    bad_records: BadRecordPolicy = field(factory=BadRecordPolicy)
    rejected_records: RejectedRecords | None = None
    sampler: Sampler | None = None
    order: Callable[[Array, int], Array] = lambda positions, _: positions
    wants_confusion_matrix: bool = False
    on_phase: PhaseListener = log_phase
    clock: Callable[[], float] = time.perf_counter

    def run(self) -> TrainingReport:
        """
        Work through the control topic until one request has been trained.

        Returns:
            The report, already accepted by the result sink.

        Raises:
            Unavailable: A broker or back-end stayed away.

            DeploymentInvalid: Nothing that may come on the control topic can help.
        """
        self.on_phase(Phase.FETCHING)
        untrained = self.model_repository.fetch()
        # A broken model fails now, not after the wait.
        outline = self.trainer.inspect(untrained)
        self.on_phase(Phase.WAITING)
        return serve_first(
            self.control_source,
            self.deployment_id,
            lambda message: self._serve(untrained, outline, message.open()),
        )

    def _serve(
        self, untrained: Path, outline: str, request: TrainingRequest
    ) -> TrainingReport:
        """Hand in the result of *request*, once."""
        if not request.unlabelled:
            log.info("no unlabelled records: training is supervised")
            return self.supervised(untrained, outline, request)
        self.on_phase(Phase.OPENING)
        run = self.journal.run(
            identity(
                self.deployment_id,
                request,
                outline,
                untrained if self.model_repository.repeats else None,
                f"{self.fingerprint} {request.unlabelled!r}",
            )
        )
        return hand_in_once(
            run,
            lambda: self._train(run.keep_model(untrained), request, run),
            self.result_sink,
            self.on_phase,
        )

    def _train(
        self, untrained: Path, request: TrainingRequest, run: Run
    ) -> tuple[TrainingReport, Path]:
        """Train on both of the streams that *request* names."""
        others = evolve(request, ranges=request.unlabelled, total_msg=None)
        decoder = self.decoder_for(request.decoder)
        features_only = FeaturesOnly(
            self.decoder_for(request.decoder),
            lambda: self.stream_source.read(self.stream_source.resolve(request.ranges)),
        )
        self.trainer.prepare()  # frameworks take seconds: let them, beside the reading
        self.on_phase(Phase.READING)
        with ExitStack() as streams:
            labelled, unlabelled = (
                streams.enter_context(self._intake(stream, run, name, its_decoder))
                for stream, name, its_decoder in (
                    (request, "spool", decoder),
                    (others, "unlabelled", features_only),
                )
            )
            labelled.finish()
            log_stream(labelled, request)
            report, model = self._fit(untrained, request, run, labelled, unlabelled)
            log_stream(unlabelled, others)
        return report, model

    def _intake(
        self, request: TrainingRequest, run: Run, name: str, decoder: Decoder
    ) -> Intake:
        """Return the stream of *request*, kept under *name* if anything is kept."""
        folder = run.folder / name if run.folder else None
        spool, progress = open_stream(
            request, self.stream_source, self.spool_for, folder
        )
        return Intake(
            read=partial(self.stream_source.read, progress.rest),
            progress=progress,
            decoder=decoder,
            spool=spool,
            bad_records=self.bad_records,
            rejected_records=self.rejected_records,
        )

    def _fit(
        self,
        untrained: Path,
        request: TrainingRequest,
        run: Run,
        labelled: Intake,
        unlabelled: Intake,
    ) -> tuple[TrainingReport, Path]:
        """Train on *labelled*, and then on what the model labels of *unlabelled*."""
        expected = labelled.finish()
        split = self.split(request, expected)
        warn_of_empty_parts(request, split, expected)
        positions, validation, test = self._parts(labelled.spool, split)
        self.on_phase(Phase.LOADING)
        model = self.trainer.load(untrained)
        keeping = Keeping(run, expected, 0, self.clock)
        on_epoch_end = epoch_listener(keeping, self.result_sink, self.on_phase)

        def fit(positions: Array) -> None:
            self.on_phase(Phase.TRAINING)
            before = len(keeping.history)
            training = Selection(
                labelled.spool, positions, lambda rows, n: self.order(rows, before + n)
            )
            model.fit(training, validation, on_epoch_end)

        fit(positions)
        unlabelled.finish()
        labelling = Labelling(
            self.labeller, self.rounds, model, labelled.spool, unlabelled.spool
        )
        rounds = labelling.run(positions, fit)
        training_time = keeping.seconds

        self.on_phase(Phase.EVALUATING)
        report = TrainingReport(
            history=keeping.history,
            test=model.evaluate(test) if test else {},
            training_time=training_time,
            confusion_matrix=(
                model.confusion_matrix(test)
                if test and self.wants_confusion_matrix
                else None
            ),
            stream=labelled.counts,
            labelled=rounds,
        )
        self.on_phase(Phase.SAVING)
        return report, model.save()

    def _parts(
        self, spool: Spool, split: Split
    ) -> tuple[Array, Dataset | None, Dataset | None]:
        """Return the training part's positions, validation and test; None for none."""
        if self.sampler is not None:
            training, validation, test = selections(self.sampler, split, spool)
            return training.positions, validation, test
        return (
            self.labeller.positions(None, split.training),
            Rows(spool, split.validation) if split.validation else None,
            Rows(spool, split.test) if split.test else None,
        )
