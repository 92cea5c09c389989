"""One CloudFormation stack: look, decide, recover, preview, guard the data, execute, wait, explain."""
