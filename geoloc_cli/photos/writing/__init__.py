"""Writing of places into photographs and beside them, and out of them: every byte that is not named stays as it is."""
