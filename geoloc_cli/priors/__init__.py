"""Photo -> belief: what is known of a place before the picture is compared with others."""
