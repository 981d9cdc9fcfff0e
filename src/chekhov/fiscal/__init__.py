"""54-ФЗ without a framework: money, vocabularies, documents, VAT, allocation, rules and settlement. Pure, no I/O."""
