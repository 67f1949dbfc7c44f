"""Layer 4c: what makes kernels of texts and models that other tools wrote."""
