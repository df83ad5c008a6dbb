"""The ablation: its rows, how one is trained and measured, and engines of other hops; ablate.py runs them."""
