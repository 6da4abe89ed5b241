"""The search for settings: trials over grids, and the choice among them on `dev_select`."""
