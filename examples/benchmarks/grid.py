"""Flower's Grid over real ClientApps in one process: no SuperLink, no Ray, the same strategies and apps."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from flwr.app import Context, Error, Message, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid
from flwr.supercore.task_identity import TaskIdentity

RUN_ID = 4711
Intercept = Callable[[Message, Context, Callable[[Message, Context], Message]], Message | None]


def act_as_server() -> None:
    """Give this process the identity that Flower gives a ServerApp's, without which messages cannot be made."""
    TaskIdentity.task_id, TaskIdentity.run_id, TaskIdentity.node_id = 1, RUN_ID, 1


@dataclass
class Node:
    """A client: its app, and the context that it keeps from message to message.

    intercept: is called in place of the app, with message, context and app; None in return loses the reply
    """

    app: ClientApp
    context: Context
    intercept: Intercept | None = None


def make_node(app: ClientApp, partition: int, partitions: int, *, intercept: Intercept | None = None) -> Node:
    """Return a client with an empty context, whose node-config tells it its partition as a simulation's does."""
    context = Context(
        run_id=RUN_ID,
        node_id=1000 + partition,
        node_config={"partition-id": partition, "num-partitions": partitions},
        state=RecordDict(),
        run_config={},
    )
    return Node(app, context, intercept)


@dataclass
class LocalGrid(Grid):
    """Runs each message's ClientApp at once; an exception becomes an error reply, as on a SuperNode.

    nodes: by node id; sent: every message pushed, oldest first
    """

    nodes: dict[int, Node]
    sent: list[Message] = field(default_factory=list)
    _replies: dict[str, Message] = field(default_factory=dict)
    _pushed: int = 0

    @classmethod
    def of(cls, nodes: Iterable[Node]) -> LocalGrid:
        """Return a grid of the nodes, by the ids in their contexts."""
        return cls({node.context.node_id: node for node in nodes})

    def set_run(self, run: Any) -> None:
        """Not for strategies: only Flower's own start-up calls this."""
        raise AssertionError("not used")

    @property
    def run(self) -> Any:
        """The run, of which strategies read the id alone."""
        return SimpleNamespace(run_id=RUN_ID)

    def create_message(self, *args: Any, **kwargs: Any) -> Message:
        """Deprecated by Flower; strategies make a Message themselves."""
        raise AssertionError("deprecated")

    def get_node_ids(self) -> Iterable[int]:
        """Return the ids of all nodes, all of them connected."""
        return list(self.nodes)

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
        """Run the addressed apps in order and return the messages' ids."""
        ids = []
        for message in messages:
            identity = f"message-{self._pushed}"
            self._pushed += 1
            message.metadata.__dict__["_message_id"] = identity
            self.sent.append(message)
            ids.append(identity)
            reply = self._execute(message)
            if reply is not None:
                self._replies[identity] = reply
        return ids

    def pull_messages(self, message_ids: Iterable[str]) -> Iterable[Message]:
        """Return the replies that exist, each once."""
        return [self._replies.pop(i) for i in list(message_ids) if i in self._replies]

    def send_and_receive(self, messages: Iterable[Message], *, timeout: float | None = None) -> Iterable[Message]:
        """Push and pull; there is nothing to wait for."""
        return self.pull_messages(self.push_messages(messages))

    def _execute(self, message: Message) -> Message | None:
        node = self.nodes[message.metadata.dst_node_id]
        copied = Message(
            _copy(message.content), dst_node_id=message.metadata.dst_node_id, message_type=message.metadata.message_type
        )
        copied.metadata.__dict__["_message_id"] = message.metadata.message_id
        try:
            if node.intercept is not None:
                return node.intercept(copied, node.context, node.app)
            return node.app(copied, node.context)
        except Exception as error:  # noqa: BLE001 - a SuperNode turns every exception into an error reply
            return Message(Error(code=1, reason=f"{type(error)}:<'{error}'>"), reply_to=copied)


def _copy(content: RecordDict) -> RecordDict:
    """Copy the records, since an app may change those it is given and the strategy keeps the originals."""
    return RecordDict({name: type(record)(dict(record.items())) for name, record in content.items()})
