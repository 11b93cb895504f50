"""What a task is initialized with: its terms, from which anybody can compute again what a run did."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from flwr_chainfl.admission import Admission
from flwr_chainfl.scoring import RoleReward, Scorer
from flwr_chainfl.serverapp.run_setup import RunSetup
from flwr_chainfl.storage import Store


def task_terms(setup: RunSetup, store: Store, *, protocol: str, calibrated: bool) -> dict[str, Any]:
    """Return the terms of a run's task, as they are stored and as run.json shows them.

    protocol: name of the strategy; calibrated: whether rounds have calibration items
    """
    return {
        "protocol": protocol,
        **setup.exchange.terms(),
        "calibration-share": setup.calibration_share if calibrated else 0,
        "reputation": asdict(setup.reputation) if setup.reputation is not None else None,
        "admission": _admission_terms(setup.admission, store),
        "scorer": _scorer_terms(setup.scorer),
        "roles": list(setup.roles.as_shares()),
        "assessment": setup.assessment.terms() if setup.assessment is not None else None,
        "weighting": setup.weighting.as_dict() if setup.weighting is not None else None,
        "schedule": {"contract": setup.schedule.contract, "arguments": [str(a) for a in setup.schedule.arguments]},
    }


def _scorer_terms(scorer: Scorer) -> dict[str, Any]:
    terms = {"contract": scorer.contract, "arguments": [str(a) for a in scorer.arguments]}
    if isinstance(scorer, RoleReward) and scorer.inner is not None:
        return {**terms, "inner": _scorer_terms(scorer.inner)}
    return terms


def _admission_terms(admission: Admission | None, store: Store) -> dict[str, Any] | None:
    """Return what the task's terms say of its admission, and store the list where there is one."""
    if admission is None:
        return None
    document = admission.document()
    return {
        "contract": admission.contract,
        "arguments": ["0x" + a.hex() if isinstance(a, bytes) else str(a) for a in admission.arguments],
        "list": store.put(document) if document else None,
    }
