"""A document with every printed text as a register can hold it. Done once, before the rules judge it."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from chekhov.fiscal.document import Agent, Buyer, Cashier, Document, Line, Seller, Supplier
from chekhov.fiscal.text import clean, clean_name


def printable(document: Document) -> Document:
    """Clean the texts of a document for CP866 and cut them to the limits of their tags; the same one if all are fine.

    Contacts, ИНН, marking codes and tag 1192 (the fiscal sign of another document) are never altered: a wrong one is
    for the rules to refuse. Raises NameTextError where a line's name is empty or a fifth of it is lost.
    """
    user = document.user_property
    lines = tuple([_line(line) for line in document.lines])
    seller, buyer = _seller(document.seller), _buyer(document.buyer)
    if user is None and document.cashier is None and seller == document.seller and buyer == document.buyer:
        return document if lines == document.lines else replace(document, lines=lines)
    cleaned = replace(
        document,
        lines=lines,
        seller=seller,
        buyer=buyer,
        cashier=None if document.cashier is None else _cashier(document.cashier),
        user_property=None if user is None else (clean(user[0], 64), clean(user[1], 256)),
    )
    return document if cleaned == document else cleaned


def _line(line: Line) -> Line:
    name = clean_name(line.name).text
    if name == line.name and not line.note and line.agent is None and line.supplier is None:
        return line
    return replace(
        line,
        name=name,
        note=clean(line.note, 64),
        agent=None if line.agent is None else _agent(line.agent),
        supplier=None if line.supplier is None else _supplier(line.supplier),
    )


@lru_cache(maxsize=256)  # a shop has few sellers and places
def _seller(seller: Seller) -> Seller:
    return replace(
        seller, name=clean(seller.name, 256), place=clean(seller.place, 256), address=clean(seller.address, 256)
    )


def _buyer(buyer: Buyer) -> Buyer:
    return replace(buyer, name=clean(buyer.name, 256)) if buyer.name else buyer


def _cashier(cashier: Cashier) -> Cashier:
    return replace(cashier, name=clean(cashier.name, 64))


def _agent(agent: Agent) -> Agent:
    return replace(
        agent,
        operation=clean(agent.operation, 24),
        transfer_name=clean(agent.transfer_name, 64),
        transfer_address=clean(agent.transfer_address, 256),
    )


def _supplier(supplier: Supplier) -> Supplier:
    return replace(supplier, name=clean(supplier.name, 256))
