"""The compiled engine: K networks at once, arrays in, arrays out."""
