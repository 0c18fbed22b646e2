"""The agent's export files as a live source: followed over rotations and restarts."""
