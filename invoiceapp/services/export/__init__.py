"""The spine: runs read, documents are converted and validated, deliveries leave, receipts prove it."""
