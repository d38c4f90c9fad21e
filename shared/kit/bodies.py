"""What a request or an answer says: the base of such models."""

from pydantic import BaseModel, ConfigDict


class Body(BaseModel):
    """One whose checks are made when it first comes or goes: those of 150 models cost every process 3 MB and a tenth of the time
    until it is ready, and a clinic's day needs few of them."""

    model_config = ConfigDict(defer_build=True)
