"""One table by dlt's sql_table with its defaults, merged by its key and read on from its cursor."""

import os

import dlt
from dlt.sources.sql_database import sql_table

table = sql_table(
    os.environ["SOURCE"].replace("postgres://", "postgresql+psycopg2://"),
    table="trial",
    incremental=dlt.sources.incremental("updated_at"),
    primary_key="id",
    write_disposition="merge",
)
pipeline = dlt.pipeline(
    "trial",
    pipelines_dir=os.environ["FOLDER"],
    destination=dlt.destinations.postgres(os.environ["TARGET"].replace("postgres://", "postgresql://")),
    dataset_name="raw",
)
pipeline.run(table)
