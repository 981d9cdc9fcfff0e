"""The soak: whole installations under load, killed and lied to at random, whose books must agree with the tape."""
