"""Cu-Li structures after section 3.3 of Laskaris et al. 2026, labelled by any calculator."""
