"""What a request or an answer says: the base of such models."""

import warnings

from pydantic import BaseModel, ConfigDict
from pydantic.warnings import UnsupportedFieldAttributeWarning

# FastAPI names each body by an alias that pydantic has no use for, and keeps that warning back itself while it makes a route. What
# is made later would say it.
warnings.filterwarnings("ignore", category=UnsupportedFieldAttributeWarning)


class Body(BaseModel):
    """One whose checks are made when it first comes or goes: those of 150 models cost every process 3 MB and a tenth of the time
    until it is ready, and a clinic's day needs few of them."""

    model_config = ConfigDict(defer_build=True)
