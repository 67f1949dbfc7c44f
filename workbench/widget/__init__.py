"""Layer 8: one anywidget class per kind of output, and the messages they exchange with the page."""
