"""The compiled engine: one network trained in machine code, arrays in, arrays out."""
