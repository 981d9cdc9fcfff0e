"""Cash registers: accounts at providers, the records that bind a register to regions, and routing with its reasons."""
