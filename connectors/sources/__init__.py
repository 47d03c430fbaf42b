"""The legacy database's side of capture, one file per engine behind one small interface."""
