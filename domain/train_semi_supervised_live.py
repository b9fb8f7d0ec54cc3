"""
The job where records without labels are still coming: label them as they come.

The model is trained on the labelled stream.  Then it says what it sees in mini-batch
after mini-batch of the others; what it is sure of joins the training part for good, and
it is trained again, until it is sure of nothing in a mini-batch, or nothing comes.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from attrs import evolve, field, frozen

from domain.bad_records import BadRecordPolicy
from domain.batches import Array
from domain.events import ExamplesLabelled, Listener, ignore
from domain.following import Following, unlabelled_topic
from domain.identity import identity
from domain.improvement import ImprovementRule
from domain.intake import Intake
from domain.live_training import LiveTraining
from domain.mini_batches import MiniBatch, Pace
from domain.phases import Phase
from domain.progress import LabellingProgress, LiveStreamProgress
from domain.reading import Reading
from domain.remarks import log_stream, tell_of_parts
from domain.report import TrainingReport
from domain.request import ControlMessage, DeploymentId, TrainingRequest
from domain.selection import Rows, Selection
from domain.serving import begin_run, hand_in_once, serve_first
from domain.split import SplitRule
from domain.training_part import TrainingPart, labelled_parts
from domain.unlabelled import FeaturesOnly
from ports import (
    ControlSource,
    Dataset,
    DecoderFactory,
    Journal,
    Labeller,
    LiveStream,
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
class TrainSemiSupervisedLive:
    """
    Train one deployment's model on labelled records and on a stream of others.

    Attributes:
        supervised: Serves a message without unlabelled records, given the untrained
            model, its outline and the message.

        split: How the labelled stream is shared out.

        labeller: Says which guesses become labels.

        pace: When a mini-batch is complete, and when the stream has ended.

        rule: When a model is better; needed if the stream never ends.

        sampler: Which labelled examples the parts get, if not those that follow each
            other.

        order: Returns positions of the training part in the order of an epoch, which
            counts on from mini-batch to mini-batch.

        wants_confusion_matrix: Whether the platform asked for one.

        checkpoint_seconds: 0 for a checkpoint after every mini-batch, whatever it
            costs.

        on_event: Is told what happens.

        clock: Seconds from any fixed point.
    """

    supervised: Callable[[Path, str, ControlMessage], TrainingReport]
    deployment_id: DeploymentId
    control_source: ControlSource
    stream_source: StreamSource
    live_stream: LiveStream
    decoder_for: DecoderFactory
    spool_for: SpoolFactory
    split: SplitRule
    model_repository: ModelRepository
    trainer: Trainer
    result_sink: ResultSink
    journal: Journal
    labeller: Labeller
    pace: Pace
    rule: ImprovementRule | None = None
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
        Work through the control topic until one stream has been trained on to its end.

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
            lambda message: self._serve(untrained, outline, message),
            self.on_event,
        )

    def _serve(
        self, untrained: Path, outline: str, message: ControlMessage
    ) -> TrainingReport:
        """Hand in the result that *message* asks for, once."""
        request = message.open()
        if not request.unlabelled:
            log.info("no unlabelled records: training is supervised")
            return self.supervised(untrained, outline, message)
        topic = unlabelled_topic(request, self.pace)
        run = begin_run(
            self.journal,
            identity(
                self.deployment_id,
                request,
                outline,
                untrained if self.model_repository.repeats else None,
                f"{self.fingerprint} {topic}",
            ),
            request,
            self.on_event,
        )
        return hand_in_once(
            run,
            lambda: self._train(
                run.keep_model(untrained), request, run, topic, message.timestamp
            ),
            self.result_sink,
            self.on_event,
        )

    def _train(
        self,
        untrained: Path,
        request: TrainingRequest,
        run: Run,
        topic: str,
        announced: int,
    ) -> tuple[TrainingReport, Path]:
        """Train on the labelled stream, and on *topic* from the announcement on."""
        decoder = self.decoder_for(request.decoder)
        reading = Reading(
            self.stream_source,
            self.spool_for,
            self.bad_records,
            self.rejected_records,
            self.on_event,
        )
        self.trainer.prepare()  # frameworks take seconds: let them, beside the reading
        self.on_event(Phase.READING)
        folder = run.folder / "spool" if run.folder else None
        with reading.begin(request, decoder, folder) as labelled:
            rows = labelled.finish()
            log_stream(labelled, request, self.on_event)
            split = self.split(request, rows)
            tell_of_parts(request, split, rows, self.on_event)
            part, validation, test = labelled_parts(
                labelled, split, self.labeller, self.sampler
            )
            self.on_event(Phase.LOADING)
            training = LiveTraining(
                run=run,
                model=self.trainer.load(untrained),
                result_sink=self.result_sink,
                rule=self.rule,
                endless=self.pace.timeout is None,
                every_time=not self.checkpoint_seconds,
                on_event=self.on_event,
                clock=self.clock,
                chained=True,
            )
            features_only = FeaturesOnly(
                self.decoder_for(request.decoder),
                lambda: self.stream_source.read(
                    self.stream_source.resolve(request.ranges)
                ),
            )
            progress = self._resume(run, training, part, features_only)
            if progress is None:
                progress = LiveStreamProgress(self.live_stream.begin(topic, announced))
                training.begin(
                    self._selection(part, training),
                    validation,
                    progress,
                    LabellingProgress(example=features_only.example()),
                )
            following = Following(
                live_stream=self.live_stream,
                pace=self.pace,
                decoder=features_only,
                spool_for=self.spool_for,
                bad_records=self.bad_records,
                rejected_records=self.rejected_records,
                on_event=self.on_event,
                clock=self.clock,
            )
            following.run(
                progress, training, partial(self._learn, training, part, validation)
            )
            return self._result(training, test, labelled)

    def _resume(
        self,
        run: Run,
        training: LiveTraining,
        part: TrainingPart,
        features_only: FeaturesOnly,
    ) -> LiveStreamProgress | None:
        """Go on where another process was, if there is a way."""
        latest = run.checkpoint()
        if latest is None or (labelling := latest.progress.labelling) is None:
            return None
        if not part.resume(labelling.rows):
            log.warning("training starts over: what was labelled is not there any more")
            return None
        progress = training.resume()
        if progress is None:
            part.resume(())
        elif labelling.example is not None:
            features_only.show(labelling.example)
        return progress

    def _selection(self, part: TrainingPart, training: LiveTraining) -> Selection:
        """Return the examples to train on, in the orders of the next epochs."""
        epochs = training.epochs
        return Selection(
            part.stream.spool,
            part.positions,
            lambda rows, n: self.order(rows, epochs + n),
        )

    def _learn(
        self,
        training: LiveTraining,
        part: TrainingPart,
        validation: Dataset | None,
        mini_batch: MiniBatch,
    ) -> bool:
        """Label what the model is sure of; say whether it was sure of anything."""
        spool = mini_batch.spool
        if not len(spool):  # nothing but bad records
            training.pass_over(mini_batch.progress)
            return True
        rows = range(len(spool))
        choice = self.labeller.choose(
            self.labeller.positions(None, rows),
            training.model.classify(Rows(spool, rows)),
            part.stream.spool.element_spec.label,
        )
        count = len(choice.positions)
        log.info(
            "examples labelled",
            extra={
                "mini_batch": training.mini_batches + 1,
                "labelled": count,
                "remaining": len(choice.rest),
            },
        )
        self.on_event(
            ExamplesLabelled(training.mini_batches + 1, count, len(choice.rest))
        )
        if not count:
            return False
        part.add(choice, spool)
        before = training.labelling
        training.fit(
            self._selection(part, training),
            validation,
            mini_batch.progress,
            evolve(before, counts=(*before.counts, count), rows=part.rows),
        )
        return True

    def _result(
        self, training: LiveTraining, test: Dataset | None, labelled: Intake
    ) -> tuple[TrainingReport, Path]:
        """Return the report of the whole training, and its model."""
        self.on_event(Phase.EVALUATING)
        model = training.model
        report = evolve(
            training.report(),
            test=model.evaluate(test) if test else {},
            confusion_matrix=(
                model.confusion_matrix(test)
                if test and self.wants_confusion_matrix
                else None
            ),
            stream=labelled.counts,
        )
        self.on_event(Phase.SAVING)
        return report, model.save()
