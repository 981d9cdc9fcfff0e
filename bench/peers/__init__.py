"""The same job done by what a shop would otherwise take. Each peer is written as its own documentation recommends.

The job: an order's payment is intended durably, its receipt is sent to the provider, the provider is asked what became
of it, and the answer is stored. See docs/performance.md for the settings of each.
"""
