"""Every error of the delivery, as one tree.

    DeliveryError
    ├── ContractError            the agreement with a client is wrong: a retry cannot help
    │   └── ClientFileError      … as written in one of the client files
    ├── DataError                the lake is not as its contract says: a retry cannot help
    │   ├── MissingAttribute
    │   ├── WrongType
    │   ├── UnreadableObject
    │   ├── MissingLake
    │   └── TooManyObjects
    ├── ForeignObject            the file's name is taken by an object that no delivery of ours wrote
    └── Overtaken                another run holds the client's lease by now

What fails in the world (throttling, networks, credentials) is not wrapped: it propagates as botocore or
DuckDB raised it, and Lambda's retries meet it.
"""


class DeliveryError(Exception):
    """Base of every error that this package raises on purpose."""


class ContractError(DeliveryError):
    """The agreement with a client cannot be carried out as it is written."""


class ClientFileError(ContractError):
    """A client file, or the folder of client files, was refused; the message lists every finding."""


class DataError(DeliveryError):
    """The lake holds something that its contract rules out; the message names the object or column."""


class MissingAttribute(DataError):
    """No object of the window has a column that the client is to receive."""


class WrongType(DataError):
    """A column of a lake object has another type than the catalogue says."""


class UnreadableObject(DataError):
    """A lake object is not readable as Parquet, or holds rows of another hour than its key says."""


class MissingLake(DataError):
    """The lake's bucket does not exist."""


class TooManyObjects(DataError):
    """One hour, or a backfill, holds more objects than a record can name."""


class ForeignObject(DeliveryError):
    """An object of the delivery's name exists that this delivery did not write."""


class Overtaken(DeliveryError):
    """The run's lease ended and another run went on in its place; nothing of this run was kept."""
