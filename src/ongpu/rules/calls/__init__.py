"""Root causes that lie in how a model is called and scheduled."""
