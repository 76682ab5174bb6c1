"""Python imports this by itself, wherever the folder is on PYTHONPATH: in every process that the tests start."""

import held_requests

held_requests.install()
