"""Low-rank matrix completion: one objective (`problem`) and three ways down (`quotient`, `stiefel`, `als`)."""
