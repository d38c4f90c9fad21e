"""What an answer that shows something sensitive keeps."""

from shared.casework.here import Actor
from shared.kit.bodies import Body
from shared.kit.db import Transaction


class Shown(Body):
    """An answer that shows what is sensitive. A command that answers so keeps that it was looked at, each time that it does."""

    async def keep_look(self, tx: Transaction, by: Actor) -> None:
        """Keeps who looked, once."""
        raise NotImplementedError
