"""What an agency needs to reach the broker, as files in REFNET_HOME/kafka/AGENCY: made by `refnet provision`, handed over whole."""

from dataclasses import dataclass
from pathlib import Path

from shared.kit.errors import RefnetError
from shared.kit.files import write_whole


@dataclass(frozen=True, slots=True)
class BrokerUser:
    """An agency's user at the broker, as its files say; there may be none."""

    agency: str
    folder: Path

    def name_and_password(self) -> tuple[str | None, str | None]:
        """Its name, which is the agency's id, and its password; raises RefnetError where the file cannot be read."""
        try:
            return self.agency, self._password.read_text().strip()
        except FileNotFoundError:
            return None, None
        except (OSError, UnicodeDecodeError) as error:
            raise RefnetError(f"{self._password} cannot be read; correct its rights, or have it made anew.") from error

    def ca(self) -> Path | None:
        """The authority that the broker's certificate is checked against."""
        return self._ca if self._ca.is_file() else None

    def differs(self, ca: Path | None) -> bool:
        """Whether an authority is another than the one that is kept."""
        kept = self.ca()
        return ca is not None and (kept is None or kept.read_bytes() != ca.read_bytes())

    def keep(self, password: str, ca: Path | None) -> None:
        """Writes both down for their owner alone."""
        write_whole(self._password, f"{password}\n".encode())
        if ca is not None:
            write_whole(self._ca, ca.read_bytes())

    def forget(self) -> None:
        """Removes them."""
        self._password.unlink(missing_ok=True)
        self._ca.unlink(missing_ok=True)

    @property
    def _password(self) -> Path:
        return self.folder / "password"

    @property
    def _ca(self) -> Path:
        return self.folder / "ca.pem"


def user_of(home: Path, agency: str) -> BrokerUser:
    """An agency's user, made or not."""
    return BrokerUser(agency, home / "kafka" / agency)
