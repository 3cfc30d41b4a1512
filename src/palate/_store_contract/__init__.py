"""The tests that every store must pass; see :mod:`palate.testing`."""

from palate._store_contract.asking import AskingContract
from palate._store_contract.records import RecordsContract
from palate._store_contract.returning import ReturningContract
from palate._store_contract.together import TogetherContract


class StoreContract(RecordsContract, AskingContract, TogetherContract, ReturningContract):
    """What every :class:`palate.store.Store` keeps to.

    Override the fixture ``store``, and the method ``second``: the same data in another store, as
    another process would open it; by :func:`pytest.skip` where there is no such thing.
    """
