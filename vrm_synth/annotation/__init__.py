"""Labels of a picture, as pure functions of a posed avatar, a camera and what is drawn at each pixel's centre."""
