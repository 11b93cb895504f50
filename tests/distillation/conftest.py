import pytest
import torch


@pytest.fixture(autouse=True)
def one_thread():
    """Models of these tests are too small for a second thread to pay for its waiting."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
