"""Layer 3: from programs to code; one file per target."""
