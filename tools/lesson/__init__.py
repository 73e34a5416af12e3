"""How the media of the example lesson are drawn, spoken and composed: one module per scene."""
