"""The payload: Titan Trakr, an event-sourced voice workout tracker."""
