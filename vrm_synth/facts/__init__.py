"""Facts: what one picture shows, found in what was drawn, the posed body and what is known of the avatar."""
