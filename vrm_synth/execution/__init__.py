"""Other ways than this machine's processes to have a task done: Ray."""
