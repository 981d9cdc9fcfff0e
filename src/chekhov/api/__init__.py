"""The shop's HTTP API, version 1, and the door for providers' callbacks."""
