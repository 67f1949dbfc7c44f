"""Charts of measurements, each a file here: a value in, one SVG element out.

Drawn in Python, so that a saved, printed or exported notebook shows them; their text twins are
the tables of the values. Colours take the page's text colour and those of Okabe and Ito, which
people tell apart however they see colours; shapes say the same again. Every mark can be reached
with the keyboard, and says its numbers.
"""
