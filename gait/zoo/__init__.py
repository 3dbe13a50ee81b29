"""The zoo: every model of `config/models`, with its size, cost, paper and published figures."""
