"""Selective state spaces: one scan, its reference, its fast path per device, and the Mamba mixer on top."""

from stgmamba.ssm.mamba import MambaMixer, MambaState
from stgmamba.ssm.reference import selective_scan_reference
from stgmamba.ssm.scan import selective_scan

__all__ = ["MambaMixer", "MambaState", "selective_scan", "selective_scan_reference"]
