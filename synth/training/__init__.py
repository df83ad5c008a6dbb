"""Everything that needs torch but the modules: corpora to batches, tasks, the loop, export."""
