"""The dashboards for Grafana, made by its own library; the program knows nothing of them."""
