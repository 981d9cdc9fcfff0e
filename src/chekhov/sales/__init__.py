"""What the shop tells: customers, invoices with their lines, and facts about money. Facts never change."""
