"""Selective state space models: the scan, its reference, compiled CPU kernels, and the S6 layer."""

from stgmamba.ssm.reference import selective_scan_reference
from stgmamba.ssm.scan import selective_scan
from stgmamba.ssm.selective_ssm import SelectiveSSM

__all__ = ["SelectiveSSM", "selective_scan", "selective_scan_reference"]
