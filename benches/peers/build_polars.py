"""The staged rows of raw orders as a Parquet file per table, sorted by customer and time.

FOLDER has raw.parquet. Usage: python build_polars.py FOLDER STAGING RUNS THREADS
"""
import polar

polar.compare("build", "raw.bench_orders", "raw.parquet", ["customer_id", "event_time"])
