"""What rows become: conversations written by a chat template, token ids, padded batches."""
