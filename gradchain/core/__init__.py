"""What a transform is and how it runs: the machinery under every algorithm."""
