"""Templates, artefacts and releases."""
