"""Talking to clients: wait for enough of them, and ask without Flower's fixed 3-second polls."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator

from flwr.app import Message
from flwr.serverapp import Grid

from flwr_chainfl.errors import ParticipationError

log = logging.getLogger("flwr")

_FIRST_WAIT_SECONDS = 0.02
_LONGEST_WAIT_SECONDS = 1.0
_POLL_SECONDS = 0.5


def wait_for_nodes(grid: Grid, *, wanted: int, timeout: float) -> list[int]:
    """Return the connected nodes once there are enough.

    wanted: nodes; timeout: seconds

    Raises ParticipationError, naming the number seen, when they do not come in time.
    """
    deadline = time.monotonic() + timeout
    announced = False
    while True:
        nodes = sorted(grid.get_node_ids())
        if len(nodes) >= wanted:
            return nodes
        if time.monotonic() > deadline:
            raise ParticipationError(
                f"{len(nodes)} of {wanted} clients connected within {timeout:g} s; start more SuperNodes, or in a "
                f"simulation run: flwr run . --federation-config 'num-supernodes={wanted}' (or ask for fewer clients)"
            )
        if not announced:
            announced = True
            log.info("Waiting for clients: %d of %d connected", len(nodes), wanted)
        time.sleep(_POLL_SECONDS)


def ask(grid: Grid, messages: Iterable[Message], *, timeout: float) -> Iterator[Message]:
    """Send messages and yield the replies as they come, for `timeout` seconds, errors among them."""
    waiting = set(grid.push_messages(messages))
    deadline = time.monotonic() + timeout
    pause = _FIRST_WAIT_SECONDS
    while waiting:
        came = list(grid.pull_messages(waiting))
        waiting.difference_update(reply.metadata.reply_to_message_id for reply in came)
        yield from came
        if not waiting or time.monotonic() > deadline:
            break
        if not came:
            time.sleep(pause)
            pause = min(pause * 1.5, _LONGEST_WAIT_SECONDS)
