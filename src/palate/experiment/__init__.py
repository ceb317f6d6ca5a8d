"""From a plan to a result: check the plan, run it, show the board."""
