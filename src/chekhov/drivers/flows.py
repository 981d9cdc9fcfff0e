"""How flows are run, and what a flow says when the network fails.

A flow is a generator. Whoever runs it sends each yielded request and puts back either the reply (`flow.send`) or the
failure (`flow.throw` with `NotSent` or `Lost`). The mapping of failures stands in one place, `ask`, inside the flow: so
every runner, synchronous or not, is a loop without decisions, and no runner can map a failure differently.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from chekhov.drivers.contract import Flow, HttpReply, HttpRequest, Unsent, Unsure
from chekhov.drivers.errors import Lost, NotSent, TransportError

T = TypeVar("T")


def ask(request: HttpRequest) -> Flow[HttpReply | Unsent | Unsure]:
    """Yield one request from inside a flow; a failure comes back as the outcome that it proves.

    Right for the request that hands the task over or asks for it. A flow that needs a token first must not let the
    token's `Lost` pass for doubt about the task: it catches that itself.
    """
    try:
        reply = yield request
    except NotSent as failure:
        return Unsent(failure.reason)
    except Lost as failure:
        return Unsure(failure.reason)
    return reply


def drive(flow: Flow[T], send: Callable[[HttpRequest], HttpReply]) -> T:
    """Run a flow to its outcome. `send` returns a whole reply, or raises `NotSent` or `Lost`."""
    try:
        request = next(flow)
        while True:
            try:
                reply = send(request)
            except TransportError as failure:
                request = flow.throw(failure)
            else:
                request = flow.send(reply)
    except StopIteration as stop:
        outcome: T = stop.value
        return outcome
    finally:
        flow.close()


async def drive_async(flow: Flow[T], send: Callable[[HttpRequest], Awaitable[HttpReply]]) -> T:
    """The same loop for an event loop. `send` raises `NotSent` or `Lost`; a cancellation passes through."""
    try:
        request = next(flow)
        while True:
            try:
                reply = await send(request)
            except TransportError as failure:
                request = flow.throw(failure)
            else:
                request = flow.send(reply)
    except StopIteration as stop:
        outcome: T = stop.value
        return outcome
    finally:
        flow.close()
