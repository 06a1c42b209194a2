"""How much of an answer is told: levels, the coarsening of whole answers, and policies that choose a level."""
