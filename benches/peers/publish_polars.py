"""The marts of orders as a Parquet file each. FOLDER has orders.parquet.

Usage: python publish_polars.py FOLDER MARTS RUNS THREADS
"""
import polar

polar.compare("publish", "core.orders", "orders.parquet")
