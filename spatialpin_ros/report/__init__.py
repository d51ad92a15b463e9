# SPDX-License-Identifier: Apache-2.0
"""The folder a run leaves behind: JSON documents, pictures, plots and one page that shows them."""

from spatialpin_ros.report.record import JointRecording, RunRecord, StageEvent, Timing, VideoFrame
from spatialpin_ros.report.writer import summary, write_report

__all__ = ["JointRecording", "RunRecord", "StageEvent", "Timing", "VideoFrame", "summary", "write_report"]
