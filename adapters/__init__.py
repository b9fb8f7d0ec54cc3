"""One adapter per technology: each implements ports, and knows no other adapter."""
