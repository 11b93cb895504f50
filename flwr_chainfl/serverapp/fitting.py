"""Which parts of a strategy go together: an impossible combination is an error when the strategy is made."""

from __future__ import annotations

from flwr_chainfl.errors import ConfigError
from flwr_chainfl.roles import Everyone, Rotation
from flwr_chainfl.scoring import Alignment, PeerReviewScore, RoleReward, Scorer, Weighting
from flwr_chainfl.serverapp.assessment import Assessment, PeerReview
from flwr_chainfl.serverapp.exchange import Exchange
from flwr_chainfl.serverapp.fairness import Shapley
from flwr_chainfl.serverapp.updates_exchange import AveragedUpdates
from flwr_chainfl.serverapp.validator_votes import ValidatorVotes


def check_scorer(scorer: Scorer, exchange: Exchange) -> None:
    """Raise ConfigError where a scorer does not score what an exchange brings."""
    if scorer.report_kind != exchange.report_kind:
        raise ConfigError(
            f"{type(scorer).__name__} scores {scorer.report_kind}, {type(exchange).__name__} brings "
            f"{exchange.report_kind}; choose a scorer of {exchange.report_kind}"
        )
    for name in ("tasks", "classes"):
        of_scorer, of_exchange = getattr(scorer, name, None), getattr(exchange, name, None)
        if of_scorer is not None and of_exchange is not None and of_scorer != of_exchange:
            raise ConfigError(
                f"{type(scorer).__name__} scores {of_scorer} {name}, {type(exchange).__name__} brings {of_exchange}; make "
                f"both alike"
            )


def check_shapley(shapley: Shapley | None, scorer: Scorer, exchange: Exchange) -> None:
    """Raise ConfigError where there is nothing that Shapley values could be of."""
    if shapley is not None and not (isinstance(scorer, Alignment) and isinstance(exchange, AveragedUpdates)):
        raise ConfigError("Shapley values are of updates that the contract averages; use FedAlignment, or leave shapley out")


def check_roles(
    roles: Rotation | Everyone, exchange: Exchange, scorer: Scorer, assessment: Assessment | None, weighting: Weighting | None
) -> None:
    """Raise ConfigError where parts do not go with the roles."""
    if not isinstance(roles, Rotation):
        if exchange.is_exact:
            raise ConfigError(f"{type(exchange).__name__} is exact, and nobody is there to seal it; add roles=Rotation()")
        return
    if not exchange.is_exact:
        raise ConfigError(
            "miners seal what a round comes to, which has to be found in whole numbers; make it Weights(exact=ExactMean()) or "
            "SoftLabels(exact=True)"
        )
    if not isinstance(scorer, RoleReward):
        raise ConfigError(
            f"{type(scorer).__name__} knows no validators and miners; make it RoleReward(inner={type(scorer).__name__}(…)), or "
            f"leave roles=Rotation() out"
        )
    if not isinstance(assessment, ValidatorVotes):
        raise ConfigError(f"validators vote where roles rotate, and {type(assessment).__name__} asks others; leave one of them out")
    if weighting is not None:
        raise ConfigError("a weighting by scores cannot be sealed, since the scores rest on the seal; leave weighting out")


def check_reviews(scorer: Scorer, assessment: Assessment | None) -> None:
    """Raise ConfigError where a scorer that rests on assessors' marks gets none."""
    if isinstance(scorer, Alignment) and scorer.accuracy and assessment is None:
        raise ConfigError("accuracy=True scales scores by the marks that updates get, and nobody gives any; add assessment=PeerReview()")
    if isinstance(scorer, RoleReward) and isinstance(scorer.inner, PeerReviewScore):
        raise ConfigError("validators judge where roles rotate, and nobody reviews its peers; give RoleReward another inner scorer")
    if not isinstance(scorer, PeerReviewScore):
        return
    if not isinstance(assessment, PeerReview):
        raise ConfigError("PeerReviewScore scores by what peers say of each other; add assessment=PeerReview()")
    if scorer.floor > 0 and not assessment.judges_reference:
        raise ConfigError(
            "a floor compares with the model that the round began with; add assessment=PeerReview(judges_reference=True)"
        )
