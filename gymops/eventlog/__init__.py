"""An event log: the event, its digest, and every place a log can live."""
