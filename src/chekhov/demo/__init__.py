"""An auto-parts shop to try everything on: demo data, and the runs of `chekhov up --demo` and `chekhov demo`."""
