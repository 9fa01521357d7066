"""Work on whole matrices, wherever their leaves lie."""
