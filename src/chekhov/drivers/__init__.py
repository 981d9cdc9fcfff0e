"""The protocols of the fiscalization services, sans-I/O: one folder per provider, one contract for all.

Start at `chekhov.drivers.contract`; `registry.get(code)` finds a provider, `flows.drive` runs its flows.
"""
