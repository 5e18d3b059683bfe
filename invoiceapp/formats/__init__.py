"""Output formats: bytes from an invoice, and the rules that judge the bytes. One folder a family."""
