"""Models as one self-contained page: what is drawn, what is folded, and the HTML around it."""
