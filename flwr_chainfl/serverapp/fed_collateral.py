"""FedCollateral: workers stake, train, review each other's sealed models, and are paid by the reviews they receive."""

from __future__ import annotations

from typing import Any

from flwr.serverapp.strategy import FedAvg, Strategy

from flwr_chainfl.errors import ConfigError
from flwr_chainfl.fixedpoint import WAD
from flwr_chainfl.rewards import TopK
from flwr_chainfl.scoring import AboveChance, ByScore, PeerReviewScore
from flwr_chainfl.serverapp.assessment import PeerReview
from flwr_chainfl.serverapp.chain_strategy import ChainStrategy
from flwr_chainfl.serverapp.envelopes import Envelopes
from flwr_chainfl.serverapp.weights_exchange import Weights

_SKEWED = PeerReviewScore(threshold=3 * WAD // 10, floor=4 * WAD // 10)


class FedCollateral(ChainStrategy):
    """Collateral, peer review and top-K pay: whoever sends a bad model, or reviews falsely, loses its deposit bit by bit.

    Every worker trains, publishes its model sealed for the other workers and the requester, and evaluates the others'
    models with its own evaluate function, on data that it should keep from training. The contract computes the scores from
    the signed reviews: the best are paid, and who is below the threshold loses a tenth of the smallest stake, which the
    honest share.

    What it cannot do: see `PeerReviewScore` about reviewers that agreed on their marks, and about fewer than five workers;
    see `Envelopes` about who can read. A review is as good as the data that it is made on: where everybody has other classes,
    an honest model looks bad to others, hence `skewed`.

    Source: docs/protocols/collateral.md; Jaberzadeh et al., arXiv 2307.10492.
    Choice: settled on chain, since the reviews are there already and scoring them costs little.

    Parameters
    ----------
    k : int
        How many are paid at most in a round.
    skewed : bool
        Whether workers have different classes: then the rule forgives what differences of data explain
        (docs/benchmarks.md, "Collateral"). Default: no.
    scorer : PeerReviewScore, optional
        In place of the one that `skewed` chooses.
    aggregate : str
        ``overall``: models count by their overall scores; ``uniform``: all accepted ones alike. Whose score is below the
        threshold does not count, unless everybody's is.
    encryption : str or Envelopes, optional
        ``x25519`` or ``rsa-oaep``, or a `Envelopes` with the requester's own key; None: models travel in the open.
    metric : str
        The evaluation metric that is a reviewer's mark, a share from 0 to 1.
    inner : Strategy, optional
        The Flower strategy that samples the workers and averages. Default: FedAvg.
    min_nodes : int
        Fewest workers to train, review and start with, where no `inner` strategy says so.
    **settings
        Parameters of `ChainStrategy`: `num_rounds`, `stake`, `store`, `keep_rounds`, …

    Raises ConfigError when parameters do not fit together.

    Examples
    --------
    ::

        strategy = FedCollateral(k=5, num_rounds=10, store="ipfs:http://127.0.0.1:5001")
    """

    def __init__(
        self,
        *,
        k: int = 5,
        skewed: bool = False,
        scorer: PeerReviewScore | None = None,
        aggregate: str = "overall",
        encryption: str | Envelopes | None = "x25519",
        metric: str = "accuracy",
        inner: Strategy | None = None,
        min_nodes: int = 3,
        **settings: Any,
    ) -> None:
        if aggregate not in ("overall", "uniform"):
            raise ConfigError(f"aggregate is {aggregate!r}; 'overall' and 'uniform' are possible")
        if scorer is None:
            scorer = _SKEWED if skewed else PeerReviewScore()
        elif skewed:
            raise ConfigError("skewed chooses the scorer; leave it out, or the scorer")
        envelopes = Envelopes(encryption) if isinstance(encryption, str) else encryption
        if inner is None:
            inner = FedAvg(min_train_nodes=min_nodes, min_evaluate_nodes=min_nodes, min_available_nodes=min_nodes)
        settings.setdefault("weighting", ByScore() if aggregate == "overall" else AboveChance(minimum=scorer.threshold))
        settings.setdefault("schedule", TopK(k=k))
        settings.setdefault("settlement", "onchain")
        settings.setdefault("accuracy_key", metric)
        super().__init__(
            exchange=Weights(inner, envelopes=envelopes, by_samples=False),
            scorer=scorer,
            assessment=PeerReview(metric=metric, judges_reference=scorer.floor > 0),
            **settings,
        )
