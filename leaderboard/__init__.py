"""Result files, the tables made of them and the HTML report. Nothing here needs torch."""
