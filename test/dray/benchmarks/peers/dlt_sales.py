"""One table by dlt's sql_table, by connectorx and CSV: replaced as a whole, or merged by its key and read on from its cursor."""

import os

import dlt
from dlt.sources.sql_database import sql_table

source = os.environ["SOURCE"].replace("postgres://", "postgresql+psycopg2://").replace("mysql://", "mysql+pymysql://")
cursor = (
    {"incremental": dlt.sources.incremental("updated_at"), "primary_key": "id", "write_disposition": "merge"}
    if os.environ["BY"] == "cursor"
    else {"write_disposition": "replace"}
)
table = sql_table(source, table="sale", backend="connectorx", chunk_size=100_000, **cursor)
pipeline = dlt.pipeline(
    "sales",
    pipelines_dir=os.environ["FOLDER"],
    destination=dlt.destinations.postgres(os.environ["TARGET"].replace("postgres://", "postgresql://")),
    dataset_name="raw",
)
pipeline.run(table, loader_file_format="csv")
