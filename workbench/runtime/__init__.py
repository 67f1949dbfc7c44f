"""Layer 3: devices that run programs, and the arrays that live on them. Never imports the IR."""
