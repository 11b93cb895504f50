"""FedPeerPrediction: pay by how participants' reports on shared tasks go together, without ground truth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flwr.serverapp.strategy import FedAvg, Strategy
from numpy.typing import ArrayLike

from flwr_chainfl.errors import ConfigError
from flwr_chainfl.rewards import Proportional
from flwr_chainfl.scoring import AboveChance, CorrelatedAgreement, OutputAgreement, Softmax, most_bonus_tasks
from flwr_chainfl.serverapp.chain_strategy import ChainStrategy
from flwr_chainfl.serverapp.pseudo_public import PseudoPublic
from flwr_chainfl.serverapp.soft_labels_exchange import SoftLabels
from flwr_chainfl.serverapp.weights_exchange import Weights
from flwr_chainfl.signals import Signals

if TYPE_CHECKING:
    from torch import nn

_PAID_ABOVE = 2  # standard deviations of a score that rests on chance
_SLASHED_BELOW = 4


class FedPeerPrediction(ChainStrategy):
    """Pay by multi-task peer prediction: correlated agreement with peers that the revealed salts draw.

    All commit to their reports before anybody knows who is scored against whom, and on which tasks. A report that does
    not depend on the tasks scores 0 in expectation. What a contribution counts in the aggregate depends on its score as
    well, so that free-riders fade from the model: of soft labels it grows with the exponential of the score; of weights all
    count as the inner strategy has it that score above chance.

    What it cannot do: whoever renames the classes, even one alone, scores like the truth; two that agreed on a sequence of
    labels beforehand, and are paired, score better than the honest who err; and while the public inputs stay the same, a
    copy of the last consensus scores like a look at them. Calibration items catch the first two, where labels are known
    (`known_labels`) and the items are many enough; not the third.

    Two things can travel: with `public_set`, soft labels, whose hard labels are the reports; without, weights, and the
    reports are quantised changes of some parameters.

    Source: docs/protocols/peer-prediction.md; Witt et al., arXiv 2603.28434.
    Choice: a score below two standard deviations of chance is not paid, since the positive half of a free-rider's luck
    would be; below minus four, it is slashed.
    Choice: weights count by `AboveChance`. On skewed data the honest differ in score, and the published softmax then moves
    the average of weights towards some of them (docs/benchmarks.md, "Peer prediction with weights").

    Parameters
    ----------
    public_set : array or PseudoPublic, optional
        Unlabelled inputs on which all report; see `SoftLabels`.
    student : torch.nn.Module, optional
        The server's model; needed with `public_set`.
    known_labels : array, optional
        Labels of public inputs that the server knows, 255 where it does not, for calibration items.
    inner : Strategy, optional
        The Flower strategy that aggregates the weights, where weights travel. Default: FedAvg. One that does not weight
        by num-examples, such as a median, is not weighted by scores either.
    signals : Signals, optional
        Which parameters are reported, where weights travel. Default: 500 parameters on 3 levels.
    min_nodes : int
        Fewest clients to train, evaluate and start with, where no `inner` strategy says so.
    scorer : CorrelatedAgreement or OutputAgreement, optional
        Default: `CorrelatedAgreement`; settled optimistically with 5 peers and all tasks (up to `most_bonus_tasks`), on chain with 1 and 64.
    distillation : dict, optional
        Further parameters of `SoftLabels`. By default, the consensus is the mean, weighted by scores.
    **settings
        Parameters of `ChainStrategy`: `num_rounds`, `settlement`, `weighting`, …

    Raises ConfigError when parameters do not fit together.

    Examples
    --------
    ::

        strategy = FedPeerPrediction(public_set=inputs, student=Net(), num_rounds=10)  # soft labels
        strategy = FedPeerPrediction(inner=FedAvg(), num_rounds=10)                    # weights
    """

    def __init__(
        self,
        *,
        public_set: ArrayLike | PseudoPublic | None = None,
        student: nn.Module | None = None,
        known_labels: ArrayLike | None = None,
        inner: Strategy | None = None,
        signals: Signals | None = None,
        min_nodes: int = 3,
        scorer: CorrelatedAgreement | OutputAgreement | None = None,
        distillation: dict[str, Any] | None = None,
        **settings: Any,
    ) -> None:
        sampling = FedAvg(min_train_nodes=min_nodes, min_evaluate_nodes=min_nodes, min_available_nodes=min_nodes)
        exchange: SoftLabels | Weights
        if public_set is None:
            if student is not None or known_labels is not None or distillation is not None:
                raise ConfigError("student, known_labels and distillation are of soft labels; name a public_set with them")
            signals = signals if signals is not None else Signals(tasks=500)
            exchange = Weights(inner if inner is not None else sampling, signals=signals)
            classes, tasks = signals.levels, signals.tasks
        else:
            if student is None:
                raise ConfigError("soft labels need the server's model: FedPeerPrediction(public_set=…, student=Net())")
            if inner is not None or signals is not None:
                raise ConfigError("inner and signals are of weights; leave public_set out, or them")
            exchange = SoftLabels(
                public_set,
                student,
                known_labels=known_labels,
                sampling=sampling,
                **{"consensus": "mean", **(distillation or {})},
            )
            classes, tasks = exchange.classes, exchange.tasks
        if scorer is None:
            on_chain = settings.get("settlement") == "onchain"
            scorer = CorrelatedAgreement(
                classes=classes,
                tasks=tasks,
                bonus_tasks=min(64, tasks) if on_chain else most_bonus_tasks(tasks),
                peers=1 if on_chain else 5,
            )
        paid_above = _PAID_ABOVE * scorer.chance_deviation
        settings.setdefault("weighting", AboveChance(minimum=paid_above) if public_set is None else Softmax())
        settings.setdefault("schedule", Proportional(minimum_score=paid_above))
        settings.setdefault("slash_floor", _SLASHED_BELOW * scorer.chance_deviation)
        super().__init__(exchange=exchange, scorer=scorer, **settings)
