"""What a model is: expressions, reaction networks, and how both are read from TOML."""
