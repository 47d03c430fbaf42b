"""The torture: the whole chain at work while its parts are killed, paused and cut off at random."""
