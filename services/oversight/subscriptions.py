"""This agency's table of contents: which events it takes. Nothing of a case is among them, and whatever else comes is parked."""

from services.oversight.figures.handlers import on_figures_released
from services.oversight.protocols.handlers import on_protocol_adopted
from shared.casework.vocabulary import THE_LINE, Contents
from shared.contracts.casework import events

SUBSCRIPTIONS: Contents = {
    events.ProtocolAdopted: on_protocol_adopted,
    events.FiguresReleased: on_figures_released,
    **THE_LINE,
}
