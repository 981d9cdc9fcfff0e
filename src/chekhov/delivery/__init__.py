"""From a queued receipt to its fate: claim, attempt, call, outcome, polling, callbacks."""
