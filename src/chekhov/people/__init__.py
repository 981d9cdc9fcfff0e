"""Who acts: users, the sources and API keys of shops, and the journal of what people did."""
