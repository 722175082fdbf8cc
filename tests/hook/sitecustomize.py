"""Python imports this when it starts, where this folder is on its path: faults for the processes of a test."""

import faults

faults.arm_as_told()
