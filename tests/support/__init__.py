"""What the tests share: fake clients, servers in memory and real servers."""
