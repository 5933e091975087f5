"""One event in a hundred is poison: it is put aside, and the others hardly notice."""
