"""Layer 5b: a model graph as one program: tensors of a call, a kernel each, memory, one link."""
