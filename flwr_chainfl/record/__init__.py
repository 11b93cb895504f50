"""The run record: what happened, who earned what, and what an audit needs; with its table and plots."""

from flwr_chainfl.record.plots import write_plots
from flwr_chainfl.record.run_record import TOP_LEVEL_KEYS, RunRecord, read_run
from flwr_chainfl.record.sheet import write_sheet
from flwr_chainfl.record.table import earnings_table

__all__ = ["TOP_LEVEL_KEYS", "RunRecord", "earnings_table", "read_run", "write_plots", "write_sheet"]
