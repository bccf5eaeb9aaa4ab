"""Policy analyses on gold: household balance, inequality, poverty, work, small business, youth, debt, moves, change."""
