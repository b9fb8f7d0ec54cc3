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
from pathlib import Path

from attrs import evolve, field, frozen

from domain.bad_records import BadRecordPolicy
from domain.batches import Array
from domain.events import Listener, ignore
from domain.identity import identity
from domain.intake import Intake
from domain.keeping import Keeping, epoch_listener
from domain.labelling import Labelling, RoundCheckpoints, StartOver
from domain.phases import Phase
from domain.reading import Reading
from domain.remarks import log_stream, tell_of_parts
from domain.report import TrainingReport
from domain.request import DeploymentId, TrainingRequest
from domain.selection import Selection
from domain.serving import begin_run, hand_in_once, serve_first
from domain.split import SplitRule
from domain.training_part import TrainingPart, labelled_parts
from domain.unlabelled import FeaturesOnly
from ports import (
    ControlSource,
    DecoderFactory,
    Journal,
    Labeller,
    ModelRepository,
    RejectedRecords,
    ResultSink,
    Run,
    Sampler,
    SpoolFactory,
    StreamSource,
    Trainer,
)

log = logging.getLogger(__name__)


@frozen
class TrainSemiSupervised:
    """
    Train one deployment's model on the labelled and unlabelled records announced.

    A process that dies leaves streams, labels and checkpoints to the next one, which
    goes on in the same round.

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

        checkpoint_seconds: After how long a training is kept within an epoch; 0 for
            every opportunity.

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
    checkpoint_seconds: float = 60.0
    on_event: Listener = ignore
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
        self.on_event(Phase.FETCHING)
        untrained = self.model_repository.fetch()
        # A broken model fails now, not after the wait.
        outline = self.trainer.inspect(untrained)
        self.on_event(Phase.WAITING)
        return serve_first(
            self.control_source,
            self.deployment_id,
            lambda message: self._serve(untrained, outline, message.open()),
            self.on_event,
        )

    def _serve(
        self, untrained: Path, outline: str, request: TrainingRequest
    ) -> TrainingReport:
        """Hand in the result of *request*, once."""
        if not request.unlabelled:
            log.info("no unlabelled records: training is supervised")
            return self.supervised(untrained, outline, request)
        run = begin_run(
            self.journal,
            identity(
                self.deployment_id,
                request,
                outline,
                untrained if self.model_repository.repeats else None,
                f"{self.fingerprint} {request.unlabelled!r}",
            ),
            request,
            self.on_event,
        )
        return hand_in_once(
            run,
            lambda: self._train(run.keep_model(untrained), request, run),
            self.result_sink,
            self.on_event,
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
        reading = Reading(
            self.stream_source,
            self.spool_for,
            self.bad_records,
            self.rejected_records,
            self.on_event,
        )
        self.trainer.prepare()  # frameworks take seconds: let them, beside the reading
        self.on_event(Phase.READING)
        with ExitStack() as streams:
            labelled, unlabelled = (
                streams.enter_context(
                    reading.begin(
                        stream, its_decoder, run.folder / name if run.folder else None
                    )
                )
                for stream, name, its_decoder in (
                    (request, "spool", decoder),
                    (others, "unlabelled", features_only),
                )
            )
            labelled.finish()
            log_stream(labelled, request, self.on_event)
            report, model = self._fit(untrained, request, run, labelled, unlabelled)
            log_stream(unlabelled, others, self.on_event)
        return report, model

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
        tell_of_parts(request, split, expected, self.on_event)
        part, validation, test = labelled_parts(
            labelled, split, self.labeller, self.sampler
        )
        keeping = Keeping(
            run, expected, self.checkpoint_seconds, self.clock, self.on_event
        )
        on_epoch_end = epoch_listener(keeping, self.result_sink, self.on_event)

        def fit(epochs: int) -> int:
            self.on_event(Phase.TRAINING)
            training = Selection(
                labelled.spool,
                part.positions,
                lambda rows, n: self.order(rows, epochs + n),
            )
            checkpoints = RoundCheckpoints(keeping, labelling) if run.folder else None
            labelling.model.fit(
                training, validation, on_epoch_end, checkpoints, self.on_event
            )
            return len(keeping.history)

        labelling = self._labelling(untrained, part, unlabelled, keeping)
        try:
            rounds = labelling.run(fit)
        except StartOver:
            part.resume(())
            labelling = self._labelling(untrained, part, unlabelled, keeping)
            rounds = labelling.run(fit)
        training_time = keeping.seconds

        self.on_event(Phase.EVALUATING)
        model = labelling.model
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
        self.on_event(Phase.SAVING)
        return report, model.save()

    def _labelling(
        self, untrained: Path, part: TrainingPart, unlabelled: Intake, keeping: Keeping
    ) -> Labelling:
        """Return what labels, as far as it had got."""
        self.on_event(Phase.LOADING)
        labelling = Labelling(
            labeller=self.labeller,
            rounds=self.rounds,
            model=self.trainer.load(untrained),
            part=part,
            unlabelled=unlabelled,
            on_event=self.on_event,
        )
        if keeping.latest is not None and not labelling.resume(keeping.latest):
            log.warning("training starts over: what was labelled is not there any more")
            keeping.start_over()
        return labelling
