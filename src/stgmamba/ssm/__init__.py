"""Selective state spaces: one scan, its reference, a compiled path for the CPU, and the S6 layer on top of it."""

from stgmamba.ssm.reference import selective_scan_reference
from stgmamba.ssm.scan import selective_scan
from stgmamba.ssm.selective_ssm import SelectiveSSM

__all__ = ["SelectiveSSM", "selective_scan", "selective_scan_reference"]
