"""Deploy, promote, roll back: each is a plan of journalled steps on one environment."""
