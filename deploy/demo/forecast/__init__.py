"""``streamcell demo forecast``: a city's taxi demand, foreseen a day ahead."""
