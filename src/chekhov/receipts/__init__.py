"""The cash module: facts become obligations, obligations become receipts, and receipts change only by one writer."""
