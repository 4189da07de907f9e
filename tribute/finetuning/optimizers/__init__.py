"""A file per optimizer: its step, the step backwards in time, and the step's adjoint; the config's keys choose one."""
