# SPDX-License-Identifier: Apache-2.0
"""With --cpu-clock on the command line, times and budgets are CPU time: what a busy machine leaves comparable.

To be imported before anything that reads `time.perf_counter`.
"""

import sys
import time

CPU_CLOCK = "--cpu-clock" in sys.argv
if CPU_CLOCK:
    time.perf_counter = time.process_time
