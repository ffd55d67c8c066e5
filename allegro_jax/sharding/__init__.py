"""One computation on many devices: batches shared between them, or one large structure."""
