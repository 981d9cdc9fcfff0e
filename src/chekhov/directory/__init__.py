"""What changes seldom: the installation itself, organizations with their dated settings, places and regions."""
