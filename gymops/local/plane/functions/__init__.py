"""Lambda functions that run: artefacts unpacked, processes kept, addresses, rotation."""
